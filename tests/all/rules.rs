//! Rule tests by the real binary: the shipped rules pass theirs, what fails is told so that people see why.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `pushwatch test` in this folder, without anything in its environment.
fn run(folder: &Path, args: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pushwatch"));
    let Output { status, stdout, stderr } =
        command.arg("test").args(args).current_dir(folder).env_clear().output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    (String::from_utf8(stdout).unwrap() + &stderr, status.code())
}

fn shipped() -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join("tests/rules")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files
}

#[test]
fn the_shipped_rules_pass_their_tests() {
    let files = shipped();
    assert!(files.len() >= 3, "{files:?}");
    let args: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let (report, status) = run(root(), &args);
    assert_eq!(status, Some(0), "{report}");
    assert!(report.contains(&format!(" in {} files: ", files.len())), "{report}");
}

#[test]
fn every_shipped_rule_has_a_test_in_which_it_fires() {
    let rules = std::fs::read_to_string(root().join("rules.yaml")).unwrap();
    let rules = pushwatch::rules::load(&rules, "rules.yaml", &|_| None).unwrap();
    let tests: String = shipped().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for rule in &rules.rules {
        let fires = format!("rule: {}, is: firing", rule.name);
        assert!(tests.contains(&fires), "no test in tests/rules/ expects {} to fire", rule.name);
    }
}

#[test]
fn a_failing_test_says_what_was_expected_and_what_happened() {
    let (report, status) = run(&root().join("tests/fixtures/rule_tests"), &["failing.yaml"]);
    insta::assert_snapshot!(report);
    assert_eq!(status, Some(1));
}

#[test]
fn a_file_with_mistakes_is_refused_with_all_of_them() {
    let (report, status) = run(&root().join("tests/fixtures/rule_tests"), &["mistaken.yaml"]);
    insta::assert_snapshot!(report);
    assert_eq!(status, Some(1));
}

#[test]
fn one_failure_among_many_files_fails_the_run_and_machines_see_which() {
    let good = shipped()[0].clone();
    let files = [good.to_str().unwrap(), "failing.yaml", "not_there.yaml"];
    let folder = root().join("tests/fixtures/rule_tests");
    let (json, status) = run(&folder, &[&["--output", "json"], &files[..]].concat());
    assert_eq!(status, Some(1));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let failed = |file: &serde_json::Value| {
        let tests = file["tests"].as_array().unwrap();
        (tests.iter().filter(|test| test["passed"] == false).count(), file["mistakes"].as_array().unwrap().len())
    };
    let failed: Vec<_> = json["files"].as_array().unwrap().iter().map(failed).collect();
    assert_eq!(failed, [(0, 0), (5, 0), (0, 1)]);
    assert_eq!((&json["failed"], &json["broken"]), (&5.into(), &1.into()));
}

#[test]
fn no_file_is_wrong_usage() {
    assert_eq!(run(root(), &[]).1, Some(2));
}

/// The first block of YAML on the page.
fn example(page: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs").join(page)).unwrap();
    page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().to_owned()
}

#[test]
fn the_example_of_the_page_about_testing_passes_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(root().join("rules.yaml"), folder.path().join("rules.yaml")).unwrap();
    std::fs::write(folder.path().join("tests.yaml"), example("testing.md")).unwrap();
    let (report, status) = run(folder.path(), &["tests.yaml"]);
    assert_eq!(status, Some(0), "{report}");
    assert!(!report.starts_with("0 tests"), "{report}");
}
