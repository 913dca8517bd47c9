//! Each platform's markup: how data is escaped, how a name is set apart, what is valid, how much fits.

use crate::model::ChannelKind;

/// Slack refuses a section above 3,000 characters; some room for what delivery puts around the text.
const SLACK_MOST: usize = 2_900;
/// Telegram counts code points after parsing; counted before parsing this is on the safe side.
const TELEGRAM_MOST: usize = 4_096;
/// WeCom counts UTF-8 bytes.
const WECOM_MOST: usize = 4_096;
/// A longer address is shown as text, not as a link; some platforms need it twice.
const LONGEST_LINK: usize = 300;
/// Our own bound where the platform names none, in characters.
const OTHER_MOST: usize = 8_000;

/// Data made inert for running text of a platform.
#[must_use]
pub fn escape(kind: ChannelKind, text: &str) -> String {
    match kind {
        ChannelKind::Slack => slack_text(text),
        // An @name in running text calls whoever has that name.
        ChannelKind::Telegram => telegram(text).replace('@', "@\u{200b}"),
        ChannelKind::Wecom => text
            .chars()
            .map(|c| match c {
                '*' => '＊',
                '[' => '［',
                ']' => '］',
                c => look_alike(c),
            })
            .collect(),
        ChannelKind::Webhook | ChannelKind::Console => text.to_owned(),
    }
}

/// A name or other foreign text, set apart so that it can't pass for our own words: a code span where the platform
/// has one, else quotes unless it is a plain word.
#[must_use]
pub fn code(kind: ChannelKind, text: &str) -> String {
    match kind {
        ChannelKind::Slack => {
            format!("`{}`", text.replace('`', "ˋ").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
        }
        ChannelKind::Telegram => format!("<code>{}</code>", telegram(text)),
        ChannelKind::Wecom => format!("`{}`", text.chars().map(look_alike).collect::<String>()),
        ChannelKind::Webhook | ChannelKind::Console => quote(text),
    }
}

/// A link to a web address that shows the address. Whatever is no web address becomes [`code`].
#[must_use]
pub fn link(kind: ChannelKind, address: &str) -> String {
    let Some(address) = web_address(address) else { return code(kind, address) };
    match kind {
        ChannelKind::Slack => format!("<{}>", address.replace('&', "&amp;")),
        ChannelKind::Telegram => {
            let address = telegram(&address);
            format!("<a href=\"{address}\">{address}</a>")
        }
        ChannelKind::Wecom => format!("[{address}]({address})"),
        ChannelKind::Webhook | ChannelKind::Console => address,
    }
}

/// An http or https address in characters that no platform takes for anything else; `None` where the text is no such
/// address, or longer than people can see through.
#[must_use]
pub fn web_address(text: &str) -> Option<String> {
    const KEPT: &str = "-._:/?#!$&'+,;=%";
    let (scheme, rest) = text.trim().split_once("://")?;
    let scheme = ["http", "https"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known))?;
    let strange = |c: char| c.is_whitespace() || c.is_control();
    if !rest.starts_with(|c: char| c.is_alphanumeric()) || rest.chars().any(strange) {
        return None;
    }
    let mut address = format!("{scheme}://");
    for c in rest.chars() {
        if c.is_ascii_alphanumeric() || KEPT.contains(c) {
            address.push(c);
        } else {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| address.push_str(&format!("%{byte:02X}")));
        }
        if address.len() > LONGEST_LINK {
            return None;
        }
    }
    Some(address)
}

/// Foreign text among plain words: quoted unless it is a plain word itself.
#[must_use]
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '…');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let inner: String = text.chars().map(|c| if matches!(c, '"' | '“' | '”') { '\'' } else { c }).collect();
    format!("“{inner}”")
}

/// Plain text that no platform takes for markup, mention or link, whichever way it is sent.
#[must_use]
pub fn defuse(text: &str) -> String {
    let text = text.replace("://", ":／／");
    text.chars().map(|c| if c == '@' { '＠' } else { look_alike(c) }).collect()
}

/// Whether the platform would take this text: its length, and markup that it can parse.
///
/// # Errors
/// Says in English what is wrong.
pub fn check(kind: ChannelKind, text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("the message is empty".to_owned());
    }
    let (size, most, unit) = match kind {
        ChannelKind::Slack => (text.encode_utf16().count(), SLACK_MOST, "characters"),
        ChannelKind::Telegram => (text.chars().count(), TELEGRAM_MOST, "characters"),
        ChannelKind::Wecom => (text.len(), WECOM_MOST, "bytes"),
        ChannelKind::Webhook | ChannelKind::Console => (text.chars().count(), OTHER_MOST, "characters"),
    };
    if size > most {
        return Err(format!("{size} {unit}, and {} takes {most}", kind.as_str()));
    }
    match kind {
        ChannelKind::Telegram => check_html(text),
        ChannelKind::Slack => check_mrkdwn(text),
        ChannelKind::Wecom | ChannelKind::Webhook | ChannelKind::Console => Ok(()),
    }
}

/// The longest beginning of `text` that fits the platform with `tail` after it, then `tail`.
#[must_use]
pub fn fit_plain(kind: ChannelKind, text: &str, tail: &str) -> String {
    let fits = |text: &str| match kind {
        ChannelKind::Slack => text.encode_utf16().count() <= SLACK_MOST,
        ChannelKind::Telegram => text.chars().count() <= TELEGRAM_MOST,
        ChannelKind::Wecom => text.len() <= WECOM_MOST / 2,
        ChannelKind::Webhook | ChannelKind::Console => text.chars().count() <= OTHER_MOST,
    };
    if fits(text) {
        return text.to_owned();
    }
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let kept = ends.partition_point(|end| fits(&format!("{}{tail}", &text[..*end])));
    let end = kept.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
    format!("{}{tail}", &text[..end])
}

/// `&`, `<` and `>` as Slack wants them, and a zero-width space before a character that would begin or end
/// formatting. One between two letters can't, and stays as it is, so that `aac_adtstoasc` can be copied.
fn slack_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '`' => out.push('ˋ'),
            '*' | '_' | '~' => {
                let inside = before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric());
                if !inside {
                    out.push('\u{200b}');
                }
                out.push(c);
            }
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// The four entities that Telegram knows besides numbers.
fn telegram(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// WeCom documents no escaping, so what could be markup or a mention is shown by a character that looks like it.
fn look_alike(c: char) -> char {
    match c {
        '<' => '＜',
        '>' => '＞',
        '&' => '＆',
        '`' => 'ˋ',
        c => c,
    }
}

/// Telegram's HTML: known tags only, properly nested, and no stray `<` or unknown entity.
fn check_html(text: &str) -> Result<(), String> {
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
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let special = &rest[at..];
        if special.starts_with('&') {
            let end = special.find(';').filter(|end| *end <= 10).ok_or("a bare & (write &amp;)")?;
            let name = &special[1..end];
            let known = matches!(name, "lt" | "gt" | "amp" | "quot") || name.starts_with('#');
            if !known {
                return Err(format!("Telegram does not know the entity &{name};"));
            }
            rest = &special[end..];
            continue;
        }
        let end = special.find('>').ok_or("a bare < (write &lt;)")?;
        let tag = &special[1..end];
        match tag.strip_prefix('/') {
            Some(name) => {
                if open.pop() != Some(name.trim()) {
                    return Err(format!("</{name}> closes what is not open"));
                }
            }
            None => {
                let name = tag.split([' ', '\n']).next().unwrap_or_default();
                if !TAGS.contains(&name) {
                    return Err(format!("Telegram does not know the tag <{name}>"));
                }
                open.push(name);
            }
        }
        rest = &special[end..];
    }
    match open.last() {
        Some(name) => Err(format!("<{name}> is not closed")),
        None => Ok(()),
    }
}

/// Slack's mrkdwn: the only `<` of ours are links and dates; data has none.
fn check_mrkdwn(text: &str) -> Result<(), String> {
    for (at, _) in text.match_indices('<') {
        let link = &text[at + 1..];
        let known = ["http://", "https://", "mailto:", "!date^"].iter().any(|start| link.starts_with(start));
        if !known || !link.contains('>') {
            return Err("a < that begins neither a link nor a date (write &lt;)".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_stays_data_on_every_platform() {
        let evil = "<!channel> & `x` *b* <@U1>";
        assert_eq!(code(ChannelKind::Slack, evil), "`&lt;!channel&gt; &amp; ˋxˋ *b* &lt;@U1&gt;`");
        assert_eq!(escape(ChannelKind::Slack, evil), "&lt;!channel&gt; &amp; ˋxˋ \u{200b}*b\u{200b}* &lt;@U1&gt;");
        assert_eq!(escape(ChannelKind::Slack, "aac_adtstoasc"), "aac_adtstoasc");
        assert_eq!(escape(ChannelKind::Telegram, "a<b>\"'&"), "a&lt;b&gt;&quot;'&amp;");
        assert_eq!(escape(ChannelKind::Telegram, "@all ops@example.com"), "@\u{200b}all ops@\u{200b}example.com");
        assert_eq!(code(ChannelKind::Telegram, "a<b"), "<code>a&lt;b</code>");
        assert_eq!(code(ChannelKind::Wecom, "<@all>`&lt;"), "`＜@all＞ˋ＆lt;`");
        assert_eq!(escape(ChannelKind::Wecom, "[t](u) **b**"), "［t］(u) ＊＊b＊＊");
        assert_eq!(defuse("@all <!here> http://evil.example"), "＠all ＜!here＞ http:／／evil.example");
    }

    #[test]
    fn a_link_shows_where_it_leads_and_nothing_breaks_out_of_it() {
        let runbook = "https://wiki.example.com/run_book?a=1&b=<x>|y";
        let safe = "https://wiki.example.com/run_book?a=1&b=%3Cx%3E%7Cy";
        assert_eq!(link(ChannelKind::Console, runbook), safe);
        let escaped = safe.replace('&', "&amp;");
        assert_eq!(link(ChannelKind::Slack, runbook), format!("<{escaped}>"));
        assert_eq!(link(ChannelKind::Telegram, runbook), format!("<a href=\"{escaped}\">{escaped}</a>"));
        let wecom = link(ChannelKind::Wecom, "https://h.example/a)[b](c`*\"");
        let address = "https://h.example/a%29%5Bb%5D%28c%60%2A%22";
        assert_eq!(wecom, format!("[{address}]({address})"));
        assert_eq!(web_address("HTTPS://h.example/手册").unwrap(), "https://h.example/%E6%89%8B%E5%86%8C");
        let long = format!("https://h.example/{}", "流".repeat(60));
        for bad in [
            "javascript:alert(1)",
            "ftp://h.example",
            "https://",
            "https:///x",
            "https://a b",
            "http://\u{202e}x",
            &long,
        ] {
            assert_eq!(web_address(bad), None, "{bad}");
            assert_eq!(link(ChannelKind::Slack, bad), code(ChannelKind::Slack, bad), "{bad}");
        }
    }

    #[test]
    fn a_plain_word_needs_no_quotes_and_nothing_closes_them() {
        assert_eq!(quote("cam_1-a.b"), "cam_1-a.b");
        assert_eq!(quote("cam1 — well again"), "“cam1 — well again”");
        assert_eq!(quote("x” — “y\""), "“x' — 'y'”");
        assert_eq!(quote(""), "“”");
    }

    #[test]
    fn broken_markup_is_known_before_the_platform_says_so() {
        let telegram = |text| check(ChannelKind::Telegram, text).is_ok();
        assert!(telegram("<b>a <code>x</code></b> &lt; &#39;"));
        for bad in ["<b>a", "a</b>", "<b><i>x</b></i>", "<br>", "a < b", "a & b", "&apos;", "&copy;", "  \n"] {
            assert!(!telegram(bad), "{bad}");
        }
        assert!(check(ChannelKind::Slack, "*a* <https://x.example|y>").is_ok());
        assert!(check(ChannelKind::Slack, "<!channel>").is_err());
        assert!(check(ChannelKind::Slack, &"a".repeat(2_901)).is_err());
        assert!(check(ChannelKind::Slack, &"😀".repeat(1_451)).is_err());
        assert!(check(ChannelKind::Telegram, &"😀".repeat(4_096)).is_ok());
        assert!(check(ChannelKind::Wecom, &"流".repeat(1_366)).is_err());
    }

    #[test]
    fn the_last_resort_is_cut_at_a_character_and_says_so() {
        for kind in ChannelKind::ALL {
            let cut = fit_plain(kind, &"流😀".repeat(9_000), " … cut");
            assert!(check(kind, &cut).is_ok());
            assert!(cut.ends_with(" … cut") && cut.len() > 1_000, "{}", cut.len());
            assert_eq!(fit_plain(kind, "short", " … cut"), "short");
        }
    }
}
