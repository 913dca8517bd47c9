//! What templates may call besides the conditions of handlebars: names and links set apart, and words for figures.
//!
//! Each takes what the data holds and gives text in the language of the template. What it gives is data again, so that
//! it is escaped where it is printed and can be given on: `{{code (short stream 20)}}`.

use std::time::Duration;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError, RenderErrorReason,
    ScopedJson,
};
use jiff::civil::DateTime;
use serde_json::Value;

use super::{clean, markup, words};
use crate::model::{ChannelKind, Language};

/// All of them by name.
pub(super) const NAMES: [&str; 7] = ["code", "link", "time", "duration", "number", "plural", "short"];

/// Longest format of a time, in characters.
const LONGEST_FORMAT: usize = 60;

/// Makes them known to the templates of a language and platform.
pub(super) fn register(templates: &mut Handlebars<'static>, language: Language, kind: ChannelKind) {
    templates.register_helper("code", Box::new(Marked { kind, mark: |kind, text, _| markup::code(kind, text) }));
    templates.register_helper("link", Box::new(Marked { kind, mark: markup::link }));
    templates.register_helper("time", Box::new(Worded { language, word: time }));
    templates.register_helper("duration", Box::new(Worded { language, word: duration }));
    templates.register_helper("number", Box::new(Worded { language, word: number }));
    templates.register_helper("plural", Box::new(Worded { language, word: plural }));
    templates.register_helper("short", Box::new(Worded { language, word: short }));
}

/// Writes its first parameter in the platform's markup; nothing is escaped after it.
struct Marked {
    kind: ChannelKind,
    mark: fn(ChannelKind, &str, Option<&str>) -> String,
}

impl HelperDef for Marked {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let text = text(given(helper, 0)?);
        let name = helper.param(1).map(|name| self::text(name.value()));
        out.write(&(self.mark)(self.kind, &text, name.as_deref()))?;
        Ok(())
    }
}

/// Gives a text, which is escaped where it is printed.
struct Worded {
    language: Language,
    word: fn(&Helper<'_>, &Context, Language) -> Result<String, RenderError>,
}

impl HelperDef for Worded {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        (self.word)(helper, context, self.language).map(|text| ScopedJson::Derived(Value::String(text)))
    }
}

/// `{{time since}}`: the time of day in the channel's zone, with the date where it is not today. With a format of
/// strftime: `{{time since "%H:%M"}}`.
fn time(helper: &Helper<'_>, context: &Context, _: Language) -> Result<String, RenderError> {
    let wrong = || wrong(helper, "a time, like `since`");
    let value = given(helper, 0)?;
    // Not known, or beyond every calendar.
    if value.is_null() || value.get("local").is_some_and(Value::is_null) {
        return Ok("?".to_owned());
    }
    let at = local(value).ok_or_else(wrong)?;
    let format = match helper.param(1).map(|format| format.value()) {
        Some(Value::String(format)) if format.chars().count() <= LONGEST_FORMAT => format.as_str(),
        Some(_) => return Err(self::wrong(helper, "a short format like \"%H:%M\" as its second")),
        None => match context.data().get("now").and_then(local) {
            Some(now) if now.date() == at.date() => "%H:%M:%S",
            Some(now) if now.year() == at.year() => "%m-%d %H:%M:%S",
            _ => "%Y-%m-%d %H:%M:%S",
        },
    };
    jiff::fmt::strtime::format(format, at).map_err(|error| RenderErrorReason::Other(error.to_string()).into())
}

/// The local time of a time: what its clock shows, whatever the zone.
fn local(time: &Value) -> Option<DateTime> {
    let text = time.get("local")?.as_str()?;
    text.get(..19)?.parse().ok()
}

/// `{{duration lasted}}`: `2 min 30 s`.
fn duration(helper: &Helper<'_>, _: &Context, language: Language) -> Result<String, RenderError> {
    let value = given(helper, 0)?;
    let millis = value.as_u64().or_else(|| value.is_null().then_some(0));
    let millis = millis.ok_or_else(|| wrong(helper, "a number of milliseconds, like `lasted`"))?;
    Ok(words::duration(Duration::from_millis(millis), language))
}

/// `{{number count}}`: `9,412`; of fractions one digit.
fn number(helper: &Helper<'_>, _: &Context, _: Language) -> Result<String, RenderError> {
    figure(helper)
}

/// `{{plural count "stream" "streams"}}`: `1 stream`, `312 streams`.
fn plural(helper: &Helper<'_>, _: &Context, _: Language) -> Result<String, RenderError> {
    let one = given(helper, 0)?.as_u64() == Some(1);
    let number = figure(helper)?;
    let (singular, plural) = (text(given(helper, 1)?), helper.param(2).map(|plural| text(plural.value())));
    let noun = plural.filter(|_| !one).unwrap_or(singular);
    Ok(format!("{number} {noun}"))
}

/// `{{short stream 20}}`: cut in the middle to 20 characters at most.
fn short(helper: &Helper<'_>, _: &Context, _: Language) -> Result<String, RenderError> {
    let text = text(given(helper, 0)?);
    let most = given(helper, 1)?.as_u64().and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0);
    let most = most.ok_or_else(|| wrong(helper, "how many characters as its second"))?;
    Ok(clean::cut_middle(&text, most))
}

fn figure(helper: &Helper<'_>) -> Result<String, RenderError> {
    let value = given(helper, 0)?;
    match (value.as_u64(), value.as_f64()) {
        (Some(whole), _) => Ok(words::number(whole)),
        (None, Some(number)) => words::value(number, None, Language::En).ok_or_else(|| wrong(helper, "a number")),
        (None, None) if value.is_null() => Ok("?".to_owned()),
        (None, None) => Err(wrong(helper, "a number")),
    }
}

/// A parameter that must be there.
fn given<'h>(helper: &'h Helper<'_>, at: usize) -> Result<&'h Value, RenderError> {
    let param = helper.param(at).filter(|param| !param.is_value_missing());
    param.map(|param| param.value()).ok_or_else(|| {
        let (name, number) = (helper.name(), at + 1);
        RenderErrorReason::Other(format!("`{name}` lacks its parameter {number}")).into()
    })
}

fn wrong(helper: &Helper<'_>, wants: &str) -> RenderError {
    RenderErrorReason::Other(format!("`{}` wants {wants}", helper.name())).into()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(template: &str) -> Result<String, String> {
        let mut templates = Handlebars::new();
        templates.set_strict_mode(true);
        templates.register_escape_fn(|text| markup::escape(ChannelKind::Telegram, text));
        register(&mut templates, Language::En, ChannelKind::Telegram);
        let time = |ms: i64, local: &str| json!({ "ms": ms, "local": local });
        let data = json!({
            "now": time(0, "2025-11-22T12:05:10+08:00"), "since": time(0, "2025-11-22T12:03:10+08:00"),
            "before": time(0, "2025-11-21T23:59:00+08:00"), "never": { "ms": 0, "local": null }, "unknown": null,
            "lasted": 150_000, "count": 9_412, "one": 1, "worst": 7.53, "stream": "<abcdefghij>",
            "url": "https://h.example/x",
        });
        templates.render_template(template, &data).map_err(|error| error.reason().to_string())
    }

    #[test]
    fn figures_become_words() {
        for (template, text) in [
            ("{{time since}}", "12:03:10"),
            ("{{time before}}", "11-21 23:59:00"),
            ("{{time since \"%Y-%m-%d %H:%M\"}}", "2025-11-22 12:03"),
            ("{{time never}} {{time unknown}}", "? ?"),
            ("{{duration lasted}} {{duration unknown}}", "2 min 30 s 0 s"),
            ("{{number count}} {{number worst}} {{number unknown}}", "9,412 7.5 ?"),
            ("{{plural count \"stream\" \"streams\"}} {{plural one \"stream\" \"streams\"}}", "9,412 streams 1 stream"),
            ("{{plural count \"路流\"}}", "9,412 路流"),
            ("{{short stream 5}} {{short stream 50}}", "&lt;a…j&gt; &lt;abcdefghij&gt;"),
            ("{{code (short stream 5)}}", "<code>&lt;a…j&gt;</code>"),
            ("{{link url \"Run<book\"}}", "<a href=\"https://h.example/x\">Run&lt;book</a>"),
            ("{{link url}}", "<a href=\"https://h.example/x\">https://h.example/x</a>"),
            ("{{#if (gt count 1)}}x{{/if}}{{code count}}", "x<code>9412</code>"),
        ] {
            assert_eq!(said(template).as_deref(), Ok(text), "{template}");
        }
    }

    #[test]
    fn what_they_can_do_nothing_with_is_a_mistake_of_the_template() {
        for (template, why) in [
            ("{{time count}}", "`time` wants a time, like `since`"),
            ("{{time since 5}}", "`time` wants a short format like \"%H:%M\" as its second"),
            ("{{time since \"%Q!\"}}", "%Q"),
            ("{{duration since}}", "`duration` wants a number of milliseconds, like `lasted`"),
            ("{{number stream}}", "`number` wants a number"),
            ("{{plural count}}", "`plural` lacks its parameter 2"),
            ("{{short stream}}", "`short` lacks its parameter 2"),
            ("{{short stream 0}}", "`short` wants how many characters as its second"),
            ("{{code nothing}}", "`code` lacks its parameter 1"),
        ] {
            let error = said(template).unwrap_err();
            assert!(error.contains(why), "{template}: {error}");
        }
    }

    #[test]
    fn each_is_known_by_its_name() {
        let mut templates = Handlebars::new();
        register(&mut templates, Language::En, ChannelKind::Console);
        for name in NAMES {
            let bare = templates.render_template(&format!("{{{{{name} 1}}}}"), &Value::Null);
            assert!(!bare.is_err_and(|error| error.to_string().contains("not found")), "{name}");
        }
    }
}
