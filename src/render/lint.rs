//! Finds in a parsed template what rendering on trial would miss: misspelt names under `if`, unescaped output, times and
//! lists printed bare, and constructs that are not safe here.

use std::collections::BTreeMap;

use handlebars::template::{BlockParam, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, PathSeg, Template};
use serde_json::Value;

/// What a template may call besides [`super::functions::NAMES`].
pub(super) const CONDITIONS: [&str; 14] =
    ["if", "unless", "each", "with", "eq", "ne", "gt", "gte", "lt", "lte", "and", "or", "not", "len"];

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// Never known in the samples.
    Unknown,
    /// A time, for `time`.
    Time,
    /// Several figures, or a time.
    Fields,
    /// A list.
    List,
    /// What can be printed.
    Value,
}

/// The names in the data of a template, with what each stands for; of several, what can be printed.
pub(super) type Names = BTreeMap<String, Shape>;

/// A mistake and where it stands, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
}

/// Every name that occurs in the data, at any depth.
pub(super) fn names<'d>(data: impl Iterator<Item = &'d Value>) -> Names {
    let mut names = BTreeMap::new();
    data.for_each(|data| collect(data, &mut names));
    names
}

fn collect(data: &Value, names: &mut Names) {
    match data {
        Value::Object(fields) => {
            for (name, value) in fields {
                let shape = match value {
                    Value::Object(fields) if fields.contains_key("local") => Shape::Time,
                    Value::Object(_) => Shape::Fields,
                    Value::Array(_) => Shape::List,
                    Value::Null => Shape::Unknown,
                    Value::Bool(_) | Value::Number(_) | Value::String(_) => Shape::Value,
                };
                let known = names.entry(name.clone()).or_insert(shape);
                *known = shape.max(*known);
                collect(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What is wrong with a template whose data has these names.
pub(super) fn lint(template: &Template, names: &Names) -> Vec<Mistake> {
    let mut linter = Linter { names: names.clone(), at: (1, 1), mistakes: Vec::new() };
    linter.template(template);
    linter.mistakes
}

struct Linter {
    names: Names,
    at: (usize, usize),
    mistakes: Vec<Mistake>,
}

impl Linter {
    fn say(&mut self, message: String) {
        self.mistakes.push(Mistake { line: self.at.0, column: self.at.1, message });
    }

    fn template(&mut self, template: &Template) {
        for (index, element) in template.elements.iter().enumerate() {
            if let Some(at) = template.mapping.get(index) {
                self.at = (at.0, at.1);
            }
            match element {
                TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
                TemplateElement::Expression(expression) | TemplateElement::HelperBlock(expression) => {
                    self.expression(expression);
                }
                TemplateElement::HtmlExpression(_) => self.say(
                    "{{{…}}} and {{&…}} are not escaped: any stream name could write markup; use {{…}}".to_owned(),
                ),
                TemplateElement::DecoratorExpression(_)
                | TemplateElement::DecoratorBlock(_)
                | TemplateElement::PartialExpression(_)
                | TemplateElement::PartialBlock(_) => {
                    self.say("partials and decorators are not available".to_owned());
                }
                _ => self.say("not available".to_owned()),
            }
        }
    }

    fn expression(&mut self, expression: &HelperTemplate) {
        let bare = expression.params.is_empty() && expression.hash.is_empty() && !expression.block;
        if bare {
            self.parameter(&expression.name);
            self.printed(&expression.name);
        } else {
            self.helper(&expression.name);
        }
        if let Some(params) = &expression.block_param {
            let names = match params {
                BlockParam::Single(one) => vec![one],
                BlockParam::Pair((first, second)) => vec![first, second],
                _ => Vec::new(),
            };
            self.names.extend(names.into_iter().filter_map(text).map(|name| (name, Shape::Value)));
        }
        for parameter in expression.params.iter().chain(expression.hash.values()) {
            self.parameter(parameter);
        }
        for inner in [&expression.template, &expression.inverse].into_iter().flatten() {
            let at = self.at;
            self.template(inner);
            self.at = at;
        }
    }

    fn helper(&mut self, name: &Parameter) {
        let Some(name) = text(name) else { return self.say("a helper's name is expected".to_owned()) };
        let known = || CONDITIONS.into_iter().chain(super::functions::NAMES);
        if !known().any(|known| known == name) {
            let near = nearest(&name, known());
            let all: Vec<&str> = known().collect();
            self.say(format!("unknown helper `{name}`{near}; there are {}", all.join(", ")));
        }
    }

    fn parameter(&mut self, parameter: &Parameter) {
        match parameter {
            Parameter::Literal(_) => {}
            Parameter::Name(name) => self.name(&name.clone()),
            Parameter::Path(Path::Local(_)) => {}
            Parameter::Path(Path::Relative((segments, _))) => {
                for segment in segments {
                    if let PathSeg::Named(name) = segment {
                        self.name(&name.clone());
                    }
                }
            }
            Parameter::Subexpression(inner) => match &*inner.element {
                TemplateElement::Expression(expression) | TemplateElement::HelperBlock(expression) => {
                    if expression.params.is_empty() {
                        self.helper(&expression.name);
                    } else {
                        self.expression(expression);
                    }
                }
                _ => self.say("not available".to_owned()),
            },
            _ => self.say("not available".to_owned()),
        }
    }

    /// What is printed bare must be text.
    fn printed(&mut self, name: &Parameter) {
        let last = match name {
            Parameter::Path(Path::Relative((segments, _))) => match segments.last() {
                Some(PathSeg::Named(name)) => name.as_str(),
                _ => return,
            },
            Parameter::Name(name) => name.as_str(),
            _ => return,
        };
        match self.names.get(last) {
            Some(Shape::Time) => self.say(format!("`{last}` is a time: print it with {{{{time {last}}}}}")),
            Some(Shape::List) => self.say(format!("`{last}` is a list: go through it with {{{{#each {last}}}}}")),
            Some(Shape::Fields) => {
                self.say(format!("`{last}` has fields: print one of them, like {{{{{last}.total}}}}"))
            }
            Some(Shape::Value | Shape::Unknown) | None => {}
        }
    }

    fn name(&mut self, name: &str) {
        let known = name == "this" || name.parse::<usize>().is_ok() || self.names.contains_key(name);
        if !known {
            let near = nearest(name, self.names.keys().map(String::as_str));
            self.say(format!("unknown field `{name}`{near}"));
        }
    }
}

fn text(parameter: &Parameter) -> Option<String> {
    match parameter {
        Parameter::Name(name) => Some(name.clone()),
        Parameter::Path(Path::Relative((_, raw))) => Some(raw.clone()),
        _ => None,
    }
}

/// ` (did you mean …?)`, where something is close.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let scored = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    match scored.min().filter(|(distance, _)| *distance <= 2) {
        Some((_, known)) => format!(" (did you mean `{known}`?)"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mistakes(template: &str) -> Vec<String> {
        let data = json!({
            "stream": "", "lines": [{ "id": 1 }], "several": true, "since": { "ms": 1, "local": null }, "rest": null,
            "counts": { "total": 3 },
        });
        let names = names([&json!({ "since": null, "rest": "x" }), &data].into_iter());
        let template = Template::compile(template).unwrap();
        let found = lint(&template, &names);
        found.into_iter().map(|mistake| format!("{}:{} {}", mistake.line, mistake.column, mistake.message)).collect()
    }

    #[test]
    fn good_templates_pass() {
        for good in [
            "{{stream}} {{code stream}}",
            "{{#if several}}{{#each lines}}{{id}}{{@index}}{{#unless @last}},{{/unless}}{{/each}}{{else}}x{{/if}}",
            "{{#each lines as |line|}}{{line.id}}{{../stream}}{{this.id}}{{lines.0.id}}{{/each}}",
            "{{#if (eq stream \"a\")}}x{{/if}}{{! comment }}",
            "{{time since}} {{since.local}} {{counts.total}} {{rest}} {{len lines}} {{code (short stream 9)}}",
        ] {
            assert_eq!(mistakes(good), Vec::<String>::new(), "{good}");
        }
    }

    #[test]
    fn a_misspelt_name_is_found_even_where_handlebars_takes_the_other_branch() {
        assert_eq!(mistakes("a\n{{#if severel}}x{{/if}}"), ["2:1 unknown field `severel` (did you mean `several`?)"]);
        assert_eq!(mistakes("{{#each lines}}{{#unless idd}}{{/unless}}{{/each}}").len(), 1);
        assert!(mistakes("{{cod stream}}")[0].contains("did you mean `code`"));
        assert_eq!(mistakes("{{#if (eq strm 1)}}{{/if}}").len(), 1);
    }

    #[test]
    fn what_has_no_text_is_not_printed_bare() {
        assert_eq!(mistakes("{{since}}"), ["1:1 `since` is a time: print it with {{time since}}"]);
        assert_eq!(mistakes("{{lines}}"), ["1:1 `lines` is a list: go through it with {{#each lines}}"]);
        assert_eq!(mistakes("{{counts}}"), ["1:1 `counts` has fields: print one of them, like {{counts.total}}"]);
    }

    #[test]
    fn what_could_carry_markup_or_recurse_is_refused() {
        for bad in ["{{{stream}}}", "{{&stream}}", "{{> other}}", "{{#*inline \"x\"}}{{/inline}}", "{{log stream}}"] {
            assert_eq!(mistakes(bad).len(), 1, "{bad}: {:?}", mistakes(bad));
        }
    }
}
