//! Telegram's HTML as its parser takes it: tags, properly nested, and entities. Stricter where the parser guesses.

use std::borrow::Cow;

/// Tags that Telegram knows.
const TAGS: [&str; 16] = [
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "code",
    "pre",
    "a",
    "tg-spoiler",
    "blockquote",
    "tg-emoji",
    "span",
];

/// A stretch of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text with its entities read.
    Text(Cow<'t, str>),
    /// A tag begins.
    Open {
        /// Its name, in lower case.
        name: &'static str,
        /// Where an `a` leads.
        href: Option<Cow<'t, str>>,
    },
    /// The tag that was opened last ends.
    Close(&'static str),
}

/// Reads a message.
///
/// # Errors
/// Says what Telegram would refuse, or show otherwise than it is meant.
pub fn read(html: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut open: Vec<&'static str> = Vec::new();
    let mut rest = html;
    while !rest.is_empty() {
        let end = rest.find('<').unwrap_or(rest.len());
        if end > 0 {
            pieces.push(Piece::Text(text(&rest[..end])?));
        }
        rest = &rest[end..];
        let Some(inside) = rest.strip_prefix('<') else { continue };
        let close = tag_end(inside).ok_or("a bare < (write &lt;)")?;
        let tag = &inside[..close];
        rest = &inside[close + 1..];
        match tag.strip_prefix('/') {
            Some(name) => {
                let name = name.trim_end();
                let last = open.pop().filter(|last| last.eq_ignore_ascii_case(name));
                pieces.push(Piece::Close(last.ok_or_else(|| format!("</{name}> closes what is not open"))?));
            }
            None => {
                let piece = opening(tag)?;
                if let Piece::Open { name, .. } = piece {
                    open.push(name);
                }
                pieces.push(piece);
            }
        }
    }
    match open.last() {
        Some(name) => Err(format!("<{name}> is not closed")),
        None => Ok(pieces),
    }
}

/// Where a tag ends: at the first `>` outside quotes.
fn tag_end(inside: &str) -> Option<usize> {
    let mut quote = None;
    inside.char_indices().find_map(|(at, c)| match (quote, c) {
        (None, '>') => Some(at),
        (None, '"' | '\'') => {
            quote = Some(c);
            None
        }
        (Some(open), c) if open == c => {
            quote = None;
            None
        }
        _ => None,
    })
}

fn opening(tag: &str) -> Result<Piece<'_>, String> {
    let (name, attributes) = tag.split_once([' ', '\n', '\t']).unwrap_or((tag, ""));
    let known = TAGS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
    let known = known.ok_or_else(|| format!("Telegram does not know the tag <{name}>"))?;
    let attribute = |wanted: &str| {
        let (_, value) = attributes.split_once(&format!("{wanted}=\""))?;
        value.split_once('"').map(|(value, _)| value)
    };
    match known {
        "span" if attribute("class") != Some("tg-spoiler") => {
            Err("Telegram takes <span> with class=\"tg-spoiler\" alone".to_owned())
        }
        "tg-emoji" if attribute("emoji-id").is_none_or(|id| id.parse::<i64>().is_err()) => {
            Err("<tg-emoji> needs emoji-id=\"NUMBER\"".to_owned())
        }
        "a" => Ok(Piece::Open { name: known, href: attribute("href").map(text).transpose()? }),
        _ => Ok(Piece::Open { name: known, href: None }),
    }
}

/// Text with its entities read: Telegram knows four by name, and numbers.
fn text(text: &str) -> Result<Cow<'_, str>, String> {
    if !text.contains('&') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) =
            after.split_once(';').filter(|(name, _)| name.len() < 10).ok_or("a bare & (write &amp;)")?;
        let number = |digits: &str| match digits.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok(),
        };
        let c = match name {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            name => name.strip_prefix('#').and_then(number).filter(|code| *code != 0).and_then(char::from_u32),
        };
        out.push(c.ok_or_else(|| format!("Telegram does not know the entity &{name};"))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_telegram_takes_is_read() {
        let read = |html| read(html).unwrap();
        assert_eq!(
            read("a <b>x &lt;&#39;&#x41;</b>"),
            [
                Piece::Text("a ".into()),
                Piece::Open { name: "b", href: None },
                Piece::Text("x <'A".into()),
                Piece::Close("b"),
            ]
        );
        let href = "https://h.example/?a=1&b=2>".into();
        let link = read("<a href=\"https://h.example/?a=1&amp;b=2>\">x</a>");
        assert_eq!(link[0], Piece::Open { name: "a", href: Some(href) });
        for good in [
            "<B>x</b >",
            "<span class=\"tg-spoiler\">x</span>",
            "<pre><code class=\"language-x\">y</code></pre>",
            "<blockquote expandable>x</blockquote>",
            "<tg-emoji emoji-id=\"123\">x</tg-emoji>",
        ] {
            assert!(!read(good).is_empty(), "{good}");
        }
    }

    #[test]
    fn what_it_would_refuse_or_misread_is_not() {
        for bad in [
            "<b>a",
            "a</b>",
            "<b><i>x</b></i>",
            "<br>",
            "a < b",
            "a<>b",
            "< b>x</b>",
            "<b>x</ b>",
            "<u/>",
            "<!-- x -->",
            "a & b",
            "&apos;",
            "&copy;",
            "&#0;",
            "&#1114112;",
            "&LT;",
            "&amp",
            "<span>x</span>",
            "<tg-emoji>x</tg-emoji>",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
