//! Halves of characters in JSON as written: an escaped surrogate without its partner, at which readers give up. Pure.

/// The text with `\ufffd` for every half; `None` if there is none. It must be JSON by the letter.
pub(super) fn replaced(raw: &str) -> Option<String> {
    let (mut out, mut rest, mut found) = (String::with_capacity(raw.len()), raw, false);
    while let Some(at) = rest.find('\\') {
        let (before, escapes) = rest.split_at(at);
        let (whole, length) = match (unit(escapes), escapes.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (true, 12),
            (Some(0xd800..=0xdfff), _) => (false, 6),
            (Some(_), _) => (true, 6),
            (None, _) => (true, 2),
        };
        let (escape, after) = escapes.split_at_checked(length)?;
        out.push_str(before);
        out.push_str(if whole { escape } else { "\\ufffd" });
        found |= !whole;
        rest = after;
    }
    out.push_str(rest);
    found.then_some(out)
}

/// The UTF-16 unit of the escape that a text begins with.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_and_all_else_stays() {
        for (raw, expected) in [
            (r#""\ud800""#, Some(r#""\ufffd""#)),
            (r#""a\uDFFFb\n\ud83dx\ud83d""#, Some(r#""a\ufffdb\n\ufffdx\ufffd""#)),
            (r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#)),
            (r#""\ud83d\u0041流""#, Some(r#""\ufffd\u0041流""#)),
            (r#""\ud83d\ude00""#, None),
            // A backslash and letters, not an escape.
            (r#""\\ud800""#, None),
            (r#"{"a":"\"\\\u0000"}"#, None),
            ("5", None),
            // Not JSON, but no reason to fall over.
            ("\"\\", None),
            ("\\流\\u流流", None),
        ] {
            assert_eq!(replaced(raw).as_deref(), expected, "{raw}");
        }
    }
}
