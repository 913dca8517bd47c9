//! What makes the files be looked at: the file system's word, and SIGHUP. Looking again every few seconds whatever
//! they say is the reloader's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, Event, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::files::Files;
use super::reload::Order;

/// Asks for a look whenever something happens around the files, for as long as the watcher is kept. `None` where the
/// system does not let us: a change is then found a few seconds later.
pub(super) fn watch(files: &Files, orders: mpsc::Sender<Order>) -> Option<RecommendedWatcher> {
    let names = names(files);
    let told = move |event: notify::Result<Event>| {
        // If so many orders wait already, one more look is not missed.
        if event.is_ok_and(|event| may_matter(&event, &names)) {
            let _ = orders.try_send(Order::Look);
        }
    };
    let mut watcher = match notify::recommended_watcher(told) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "files can't be watched; changes are found by looking every few seconds");
            return None;
        }
    };
    for (folder, mode) in places(files) {
        if let Err(error) = watcher.watch(&folder, mode) {
            let folder = folder.display();
            tracing::warn!(%error, %folder, "a folder can't be watched; changes are found by looking every few seconds");
        }
    }
    Some(watcher)
}

/// Has the files read anew at each SIGHUP, without end.
///
/// # Errors
/// If the signal can't be listened for.
pub(super) fn hang_up(orders: mpsc::Sender<Order>) -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        while hang_up.recv().await.is_some() {
            tracing::info!(signal = "SIGHUP", "reading rules.yaml and the templates anew");
            if orders.send(Order::Reload(None)).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    })
}

/// The folders around the files rather than the files: an editor puts another file in their place, a ConfigMap another
/// folder.
fn places(files: &Files) -> Vec<(PathBuf, RecursiveMode)> {
    let folder = |file: &Path| match file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut places = vec![(folder(&files.rules), RecursiveMode::NonRecursive)];
    if let Ok(true_place) = files.rules.canonicalize() {
        places.push((folder(&true_place), RecursiveMode::NonRecursive));
    }
    if let Some(templates) = files.templates.place() {
        places.push((folder(templates), RecursiveMode::NonRecursive));
        if templates.is_dir() {
            places.push((templates.to_owned(), RecursiveMode::Recursive));
        }
    }
    places
}

/// What the files and the templates' folder are called.
fn names(files: &Files) -> Vec<OsString> {
    let true_place = files.rules.canonicalize().ok();
    let places = [Some(files.rules.as_path()), true_place.as_deref(), files.templates.place()];
    places.into_iter().flatten().filter_map(|place| Some(place.file_name()?.to_owned())).collect()
}

/// Reading changes nothing, and we read each time we look; nor do other files beside ours, a log for example.
fn may_matter(event: &Event, names: &[OsString]) -> bool {
    let is_change = match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    // `..data` is what a ConfigMap swaps.
    let is_ours = |part: &std::ffi::OsStr| {
        names.iter().any(|name| name == part) || part.len() > 2 && part.to_string_lossy().starts_with("..")
    };
    is_change && (event.paths.is_empty() || event.paths.iter().any(|path| path.iter().any(is_ours)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::app::files::Templates;

    #[tokio::test(flavor = "multi_thread")]
    async fn saving_in_place_by_rename_and_by_a_swapped_folder_is_noticed_and_reading_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules.yaml");
        // As a ConfigMap is mounted.
        fs::create_dir(folder.path().join("..1")).unwrap();
        fs::write(folder.path().join("..1/rules.yaml"), "a").unwrap();
        std::os::unix::fs::symlink("..1", folder.path().join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/rules.yaml", &rules).unwrap();
        let files = Files { rules: rules.clone(), templates: Templates::In(folder.path().join("templates")) };
        fs::create_dir_all(folder.path().join("templates/en/slack")).unwrap();
        let (orders, mut ordered) = mpsc::channel(1);
        let watcher = watch(&files, orders).unwrap();
        let swap = || {
            fs::create_dir(folder.path().join("..2")).unwrap();
            fs::write(folder.path().join("..2/rules.yaml"), "b").unwrap();
            std::os::unix::fs::symlink("..2", folder.path().join("..data_tmp")).unwrap();
            fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
        };
        let rename = || {
            fs::write(folder.path().join(".new"), "c").unwrap();
            fs::rename(folder.path().join(".new"), &rules).unwrap();
        };
        let in_place = || fs::write(&rules, "d").unwrap();
        let template = || fs::write(folder.path().join("templates/en/slack/note.hbs"), "x").unwrap();
        for change in [&swap as &dyn Fn(), &rename, &in_place, &template] {
            while ordered.try_recv().is_ok() {}
            change();
            tokio::time::timeout(Duration::from_secs(20), ordered.recv()).await.expect("noticed").unwrap();
        }
        drop(watcher);
        let names = names(&files);
        let matters = |kind, path: &str| may_matter(&Event::new(kind).add_path(folder.path().join(path)), &names);
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert!(matters(written, "rules.yaml") && matters(written, "templates/en/slack/note.hbs"));
        assert!(!matters(written, "log"));
        assert!(!matters(EventKind::Access(AccessKind::Open(AccessMode::Any)), "rules.yaml"));
        assert!(!matters(EventKind::Access(AccessKind::Close(AccessMode::Read)), "rules.yaml"));
    }

    #[test]
    fn a_file_named_without_a_folder_is_looked_for_in_this_one() {
        let files = Files { rules: "no-such-rules.yaml".into(), templates: Templates::BuiltIn };
        assert_eq!(places(&files), [(PathBuf::from("."), RecursiveMode::NonRecursive)]);
    }
}
