//! Finds and blanks push secrets inside any text: `txSecret=…` and `stream_param`, plain or escaped. Pure.
//!
//! The text is JSON as written (or any other), so a letter may stand as itself, as a JSON escape (`\u003d`, at any
//! depth of strings within strings), as a percent escape (`%3D`, `%253D`), or as both. What is blanked never crosses
//! the end of a JSON string: JSON stays JSON.

use std::borrow::Cow;

/// What stands for a secret.
pub(super) const BLANK: &str = "***";

/// Names whose values are secret, in lower case.
const NAMES: [&[u8]; 3] = [b"txsecret", b"stream_param", b"streamparam"];

/// The text with every secret value blanked; borrowed if there is none.
pub(super) fn blank(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if !suspicious(bytes) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        match secret(bytes, at) {
            Some((start, end)) => {
                out.push_str(&text[copied..start]);
                out.push_str(BLANK);
                copied = end;
                at = end;
            }
            None => at = letter(bytes, at).next,
        }
    }
    match copied {
        0 => Cow::Borrowed(text),
        _ => {
            out.push_str(&text[copied..]);
            Cow::Owned(out)
        }
    }
}

/// Whether a name is one whose value is secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    NAMES.iter().any(|known| name.as_bytes().eq_ignore_ascii_case(known))
}

/// Cheap and never wrong in saying no: every callback goes through here. `x` (of `txSecret`) and `p` (of
/// `stream_param`) are rare enough in what the cloud writes to be looked at more closely.
fn suspicious(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'%' | b'\\' => true,
        b'x' | b'X' => around(bytes, at, 1, b"txsecret"),
        b'p' | b'P' => around(bytes, at, 7, b"stream_param") || around(bytes, at, 6, b"streamparam"),
        _ => false,
    })
}

/// Whether `name` stands around `at`, which is `before` bytes into it.
fn around(bytes: &[u8], at: usize, before: usize, name: &[u8]) -> bool {
    let start = at.checked_sub(before);
    start.and_then(|start| bytes.get(start..start + name.len())).is_some_and(|part| part.eq_ignore_ascii_case(name))
}

/// How deep a quotation mark is escaped; decides which of them ends a quoted value.
type Depth = usize;
const PERCENT: Depth = Depth::MAX;

/// One letter, however it is spelled.
#[derive(Clone, Copy)]
struct Letter {
    /// What it is; any byte of 0x80 and above stands for "something else".
    byte: u8,
    /// Where the next one begins.
    next: usize,
    /// Backslashes before it.
    depth: Depth,
}

/// The letter at `at`, which must be inside of `bytes`.
fn letter(bytes: &[u8], at: usize) -> Letter {
    let first = json(bytes, at);
    if first.byte != b'%' {
        return first;
    }
    // `%25` is a `%` that may begin another escape.
    let mut percent = first.next;
    loop {
        match hex_pair(bytes, percent) {
            Some((b'%', next)) => percent = next,
            Some((byte, next)) => return Letter { byte, next, depth: PERCENT },
            None => return Letter { byte: b'%', next: percent, depth: PERCENT },
        }
    }
}

fn hex_pair(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let high = letter_at(bytes, at)?;
    let low = letter_at(bytes, high.next)?;
    Some((nibble(high.byte)? << 4 | nibble(low.byte)?, low.next))
}

fn letter_at(bytes: &[u8], at: usize) -> Option<Letter> {
    (at < bytes.len()).then(|| json(bytes, at))
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The letter at `at`, JSON escapes undone but not percent escapes.
fn json(bytes: &[u8], at: usize) -> Letter {
    let depth = bytes[at..].iter().take_while(|b| **b == b'\\').count();
    if depth == 0 {
        return Letter { byte: bytes[at], next: at + 1, depth };
    }
    let end = at + depth;
    let odd = depth % 2 == 1;
    match bytes.get(end) {
        Some(b'u') => match bytes.get(end + 1..end + 5).map(code) {
            Some(Some(byte)) => Letter { byte, next: end + 5, depth },
            _ => Letter { byte: b'\\', next: end, depth },
        },
        Some(quote @ (b'"' | b'/')) if odd => Letter { byte: *quote, next: end + 1, depth },
        Some(b'b' | b'f' | b'n' | b'r' | b't') if odd => Letter { byte: b' ', next: end + 1, depth },
        _ => Letter { byte: b'\\', next: end, depth },
    }
}

/// Four hex digits; what is not ASCII becomes "something else".
fn code(digits: &[u8]) -> Option<u8> {
    let code = digits.iter().try_fold(0u32, |code, digit| Some(code << 4 | u32::from(nibble(*digit)?)))?;
    Some(u8::try_from(code).unwrap_or(0xff))
}

/// The value (start and end) of a secret whose name begins at `at`.
fn secret(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if !matches!(bytes[at], b't' | b'T' | b's' | b'S' | b'%' | b'\\') {
        return None;
    }
    let after_name = NAMES.iter().find_map(|name| spelled(bytes, at, name))?;
    let (start, quote) = separator(bytes, after_name)?;
    let end = value_end(bytes, start, quote);
    (end > start).then_some((start, end))
}

/// Where a name ends, if it begins at `at`.
fn spelled(bytes: &[u8], at: usize, name: &[u8]) -> Option<usize> {
    name.iter().try_fold(at, |at, expected| {
        let letter = (at < bytes.len()).then(|| letter(bytes, at))?;
        (letter.byte.to_ascii_lowercase() == *expected).then_some(letter.next)
    })
}

/// Where the value begins after `=`, `:` or `":`, and how deep its opening quotation mark is escaped, if it has one.
/// A mark that ends the JSON string we are in opens nothing, hence the depths.
fn separator(bytes: &[u8], at: usize) -> Option<(usize, Option<Depth>)> {
    let mut next = after_blanks(bytes, at)?;
    let closing = (next.byte == b'"').then_some(next.depth);
    if closing.is_some() {
        next = after_blanks(bytes, next.next)?;
    }
    if !matches!(next.byte, b'=' | b':') {
        return None;
    }
    let start = next.next;
    let value = after_blanks(bytes, start)?;
    match (closing, value.byte == b'"') {
        (Some(depth), true) if depth == value.depth => Some((value.next, Some(depth))),
        (Some(_), _) => None,
        (None, true) if value.depth > 0 => Some((value.next, Some(value.depth))),
        (None, true) => None,
        (None, false) if next.byte == b':' => Some((skip(bytes, start), None)),
        (None, false) => Some((start, None)),
    }
}

/// The first place from `at` that is not blank.
fn skip(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        let letter = letter(bytes, at);
        if !letter.byte.is_ascii_whitespace() {
            break;
        }
        at = letter.next;
    }
    at
}

fn after_blanks(bytes: &[u8], at: usize) -> Option<Letter> {
    let at = skip(bytes, at);
    (at < bytes.len()).then(|| letter(bytes, at))
}

/// A quoted value ends at a mark as deep as the opening one or less; another at whatever ends a query's value.
fn value_end(bytes: &[u8], start: usize, quote: Option<Depth>) -> usize {
    let mut at = start;
    while at < bytes.len() {
        let letter = letter(bytes, at);
        let ends = match (quote, letter.byte) {
            (Some(depth), b'"') => letter.depth <= depth,
            (Some(_), _) => false,
            (None, b'"' | b'&' | b'#' | b'<' | b'>' | b'\'') => true,
            (None, byte) => byte.is_ascii_whitespace() || byte.is_ascii_control(),
        };
        if ends {
            break;
        }
        at = letter.next;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_goes_in_every_spelling_and_its_surroundings_stay() {
        for (text, expected) in [
            ("txSecret=abc", "txSecret=***"),
            ("x?txSecret=abc&txTime=665982e4", "x?txSecret=***&txTime=665982e4"),
            ("TXSECRET=abc txsecret=def", "TXSECRET=*** txsecret=***"),
            ("a=1&txSecret=abc#frag", "a=1&txSecret=***#frag"),
            (r#"{"u":"rtmp://h/l/s?txSecret=abc","v":1}"#, r#"{"u":"rtmp://h/l/s?txSecret=***","v":1}"#),
            // JSON escapes: a careful writer's `=` and `&`, and a hostile one's letters.
            (r#""txSecret\u003dabc\u0026txTime=1""#, r#""txSecret\u003d***\u0026txTime=1""#),
            (r#""\u0074x\u0053ecret=ab\u0063d&k=v""#, r#""\u0074x\u0053ecret=***&k=v""#),
            (r#""txSecret=ab\/cd\nrest""#, r#""txSecret=***\nrest""#),
            // Strings within strings.
            (r#""{\"u\":\"txSecret=abc\"}""#, r#""{\"u\":\"txSecret=***\"}""#),
            (r#""\"{\\\"u\\\":\\\"txSecret=abc\\\"}\"""#, r#""\"{\\\"u\\\":\\\"txSecret=***\\\"}\"""#),
            (r#""{\"u\":\"txSecret\\u003dabc\\u0026k\"}""#, r#""{\"u\":\"txSecret\\u003d***\\u0026k\"}""#),
            // Percent escapes, once and twice, of the name's letters too.
            ("u=%3FtxSecret%3Dabc%26txTime%3D1", "u=%3FtxSecret%3D***%26txTime%3D1"),
            ("u=txSecret%253Dabc%2526txTime", "u=txSecret%253D***%2526txTime"),
            ("%74xSecret=a%62c&k", "%74xSecret=***&k"),
            (r#""txSecret\u00253Dabc%26k""#, r#""txSecret\u00253D***%26k""#),
            // As JSON members, and in prose.
            (r#"{"txSecret":"abc","k":"v"}"#, r#"{"txSecret":"***","k":"v"}"#),
            (r#"{"txSecret" : "a\"bc" ,"k":1}"#, r#"{"txSecret" : "***" ,"k":1}"#),
            (r#""{\"txSecret\":\"abc\",\"k\":1}""#, r#""{\"txSecret\":\"***\",\"k\":1}""#),
            ("%22txSecret%22:%22abc%22,k", "%22txSecret%22:%22***%22,k"),
            ("bad txSecret: abc given", "bad txSecret: *** given"),
            (r#"{"a":{"stream_param":"k=v&x=y","z":1}}"#, r#"{"a":{"stream_param":"***","z":1}}"#),
            (r#"{"a":{"streamParam":"k=v"}}"#, r#"{"a":{"streamParam":"***"}}"#),
            (r#"{"stream_param":{"txSecret":"abc"}}"#, r#"{"stream_param":{"txSecret":"***"}}"#),
            ("txSecret=流流&k", "txSecret=***&k"),
            ("流txSecret=abc流", "流txSecret=***"),
        ] {
            assert_eq!(blank(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        for text in [
            "",
            "txTime=1",
            "txSecret",
            "txSecret=",
            "txSecret=&k=v",
            r#"{"a":"txSecret=","b":"c"}"#,
            r#"{"a":"txSecret","b":"c"}"#,
            r#"["txSecret:","b"]"#,
            r#"{"txSecret":5,"txsecret":null,"txSecret":{}}"#,
            r#"{"a":"x\"txSecret\":","b":"c"}"#,
            r#"{"a":"100%","b":"\\"}"#,
            "%",
            "%2",
            "%25",
            "\\",
            "\\u12",
            "text example expx pxp",
        ] {
            assert_eq!(blank(text), text);
        }
    }

    fn part() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("txSecret=".to_owned()),
            Just("txSecret".to_owned()),
            Just("stream_param".to_owned()),
            Just("%74xSecret%3D".to_owned()),
            Just("\"".to_owned()),
            Just("\\".to_owned()),
            Just(": =&".to_owned()),
            Just("%22".to_owned()),
            "[a-z0-9%\\\\\":= ]{0,6}",
            ".{0,4}",
        ]
    }

    fn strings() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop::collection::vec(part(), 0..8).prop_map(|parts| serde_json::Value::String(parts.concat()));
        leaf.prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
                prop::collection::vec((part(), inner.clone()), 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
                inner.prop_map(|value| serde_json::Value::String(value.to_string())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_stays_json_of_the_same_shape(value in strings()) {
            let text = value.to_string();
            let blanked = blank(&text).into_owned();
            let again: serde_json::Value = serde_json::from_str(&blanked)
                .map_err(|error| TestCaseError::fail(format!("{text} became {blanked}: {error}")))?;
            prop_assert_eq!(shape(&value), shape(&again));
        }

        #[test]
        fn any_text_is_survived(text in ".{0,100}", parts in prop::collection::vec(part(), 0..12)) {
            let _ = blank(&text);
            let _ = blank(&parts.concat());
        }

        #[test]
        fn no_secret_survives_any_nesting(depth in 0usize..4, before in "[a-z/?&=]{0,8}", after in "(&[a-z]{0,5})?") {
            let mut text = format!("{before}&txSecret=5ecre7{after}");
            for _ in 0..depth {
                text = serde_json::to_string(&serde_json::json!({ "u": text })).unwrap();
                prop_assert!(!blank(&text).contains("5ecre7"), "{}", text);
            }
            prop_assert!(!blank(&text).contains("5ecre7"), "{}", text);
        }
    }

    fn shape(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Array(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(",")),
            serde_json::Value::Object(members) => {
                format!("{{{}}}", members.values().map(shape).collect::<Vec<_>>().join(","))
            }
            _ => "_".to_owned(),
        }
    }
}
