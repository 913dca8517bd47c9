//! Data in each platform's markup: made inert in running text, set apart as a name, or made a link. Pure.

use crate::model::ChannelKind;

/// A longer address is shown as text, not as a link; some platforms need it twice.
const LONGEST_LINK: usize = 300;

/// Nothing to be seen; keeps characters apart that would act together.
const APART: char = '\u{200b}';

/// Data made inert for running text of a platform: no markup, no mention, no command, no link.
#[must_use]
pub fn escape(kind: ChannelKind, text: &str) -> String {
    match kind {
        // What stands for a backtick is a letter, and could make a hashtag.
        ChannelKind::Slack => slack_text(&idle(&text.replace('`', "ˋ"))),
        ChannelKind::Telegram => telegram(&idle(text)),
        ChannelKind::Wecom => idle(&text.replace('`', "ˋ"))
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
/// has one, else quotes unless it is a plain word. Nothing stays nothing.
#[must_use]
pub fn code(kind: ChannelKind, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    match kind {
        ChannelKind::Slack => {
            format!("`{}`", text.replace('`', "ˋ").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
        }
        ChannelKind::Telegram => {
            // An address in it would go on into the words after it.
            let end = if idle(text) == text { "" } else { "\u{200b}" };
            format!("<code>{}</code>{end}", telegram(text))
        }
        ChannelKind::Wecom => format!("`{}`", text.chars().map(look_alike).collect::<String>()),
        ChannelKind::Webhook | ChannelKind::Console => quote(text),
    }
}

/// A link to a web address under a name of its own; without one it shows the address. Whatever is no web address
/// becomes [`code`].
#[must_use]
pub fn link(kind: ChannelKind, address: &str, name: Option<&str>) -> String {
    let Some(address) = web_address(address) else { return code(kind, address) };
    let name = name.filter(|name| !name.trim().is_empty());
    let shown = name.map(|name| escape(kind, name));
    match kind {
        ChannelKind::Slack => match shown {
            Some(name) => format!("<{}|{}>", address.replace('&', "&amp;"), name.replace('|', "¦")),
            None => format!("<{}>", address.replace('&', "&amp;")),
        },
        ChannelKind::Telegram => {
            let address = telegram(&address);
            format!("<a href=\"{address}\">{}</a>", shown.as_deref().unwrap_or(&address))
        }
        ChannelKind::Wecom => format!("[{}]({address})", shown.as_deref().unwrap_or(&address)),
        ChannelKind::Webhook | ChannelKind::Console => match shown {
            Some(name) => format!("{name}: {address}"),
            None => address,
        },
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
    let text = idle(&text.replace("://", ":／／").replace('`', "ˋ"));
    text.chars().map(|c| if c == '@' { '＠' } else { look_alike(c) }).collect()
}

/// Keeps apart what chats would make something of by themselves: mentions, web and mail addresses, hashtags, bot
/// commands. `#12` and `3.0 s` are none of these and stay as they are.
fn idle(text: &str) -> String {
    if !text.contains(['@', '/', '#', '$', '.']) {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    for (at, c) in chars.iter().enumerate() {
        out.push(*c);
        let before = at.checked_sub(1).and_then(|before| chars.get(before)).copied().unwrap_or(' ');
        let after = &chars[at + 1..];
        let next = after.first().copied().unwrap_or(' ');
        let acts = match c {
            '@' => true,
            ':' => after.starts_with(&['/', '/']),
            '/' => !before.is_ascii_alphanumeric() && (next.is_ascii_alphanumeric() || next == '_'),
            '#' => after.iter().take_while(|c| c.is_alphanumeric() || **c == '_').any(|c| !c.is_ascii_digit()),
            '$' => next.is_alphabetic(),
            '.' => {
                before.is_alphanumeric() && next.is_alphanumeric() && (next.is_alphabetic() || in_address(&chars, at))
            }
            _ => false,
        };
        if acts {
            out.push(APART);
        }
    }
    out
}

/// Whether a dot between digits is one of several: a version, an IP address, which chats take for a link.
fn in_address(chars: &[char], dot: usize) -> bool {
    let number = |c: &&char| c.is_ascii_digit() || **c == '.';
    let before = chars[..dot].iter().rev().take_while(number).filter(|c| **c == '.').count();
    let after = chars[dot + 1..].iter().take_while(number).filter(|c| **c == '.').count();
    before + after > 0
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
                    out.push(APART);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_stays_data_on_every_platform() {
        let evil = "<!channel> & `x` *b* <@U1>";
        assert_eq!(code(ChannelKind::Slack, evil), "`&lt;!channel&gt; &amp; ˋxˋ *b* &lt;@U1&gt;`");
        assert_eq!(
            escape(ChannelKind::Slack, evil),
            "&lt;!channel&gt; &amp; ˋxˋ \u{200b}*b\u{200b}* &lt;@\u{200b}U1&gt;"
        );
        assert_eq!(escape(ChannelKind::Slack, "aac_adtstoasc"), "aac_adtstoasc");
        assert_eq!(escape(ChannelKind::Telegram, "a<b>\"'&"), "a&lt;b&gt;&quot;'&amp;");
        assert_eq!(
            escape(ChannelKind::Telegram, "@all ops@example.com"),
            "@\u{200b}all ops@\u{200b}example.\u{200b}com"
        );
        assert_eq!(code(ChannelKind::Telegram, "a<b"), "<code>a&lt;b</code>");
        assert_eq!(code(ChannelKind::Telegram, "a.b/c"), "<code>a.b/c</code>\u{200b}");
        assert_eq!(code(ChannelKind::Wecom, "<@all>`&lt;"), "`＜@all＞ˋ＆lt;`");
        assert_eq!(escape(ChannelKind::Wecom, "[t](u) **b**"), "［t］(u) ＊＊b＊＊");
        assert_eq!(defuse("@all <!here> http://evil.example"), "＠\u{200b}all ＜!here＞ http:／／evil.\u{200b}example");
    }

    #[test]
    fn what_chats_would_act_on_by_themselves_is_kept_apart() {
        assert_eq!(defuse("#`x"), "#\u{200b}ˋx");
        for (acts, idle_) in [
            ("http://a b", "http:|//|a b"),
            ("/mute /_x", "/|mute /|_x"),
            ("x/y //z Ⓨ/e", "x/y //|z Ⓨ/|e"),
            ("#evil #流 #12 #12a #_x", "#|evil #|流 #12 #|12a #|_x"),
            ("$USD $5", "$|USD $5"),
            ("evil.example 203.0.113.7 3.0 s e.g. x.", "evil.|example 203.|0.|113.|7 3.0 s e.|g. x."),
            ("a@b.de", "a@|b.|de"),
        ] {
            assert_eq!(idle(acts).replace(APART, "|"), idle_);
        }
    }

    #[test]
    fn a_link_shows_where_it_leads_and_nothing_breaks_out_of_it() {
        let runbook = "https://wiki.example.com/run_book?a=1&b=<x>|y";
        let safe = "https://wiki.example.com/run_book?a=1&b=%3Cx%3E%7Cy";
        assert_eq!(link(ChannelKind::Console, runbook, None), safe);
        let escaped = safe.replace('&', "&amp;");
        assert_eq!(link(ChannelKind::Slack, runbook, None), format!("<{escaped}>"));
        assert_eq!(link(ChannelKind::Telegram, runbook, None), format!("<a href=\"{escaped}\">{escaped}</a>"));
        let wecom = link(ChannelKind::Wecom, "https://h.example/a)[b](c`*\"", None);
        let address = "https://h.example/a%29%5Bb%5D%28c%60%2A%22";
        assert_eq!(wecom, format!("[{address}]({address})"));
        assert_eq!(web_address("HTTPS://h.example/手册").unwrap(), "https://h.example/%E6%89%8B%E5%86%8C");
        let long = format!("https://h.example/{}", "流".repeat(60));
        let named = |kind| link(kind, "https://h.example/x", Some("Run|book ]>*"));
        assert_eq!(named(ChannelKind::Slack), "<https://h.example/x|Run¦book ]&gt;\u{200b}*>");
        assert_eq!(named(ChannelKind::Telegram), "<a href=\"https://h.example/x\">Run|book ]&gt;*</a>");
        assert_eq!(named(ChannelKind::Wecom), "[Run|book ］＞＊](https://h.example/x)");
        assert_eq!(named(ChannelKind::Console), "Run|book ]>*: https://h.example/x");
        assert_eq!(code(ChannelKind::Slack, ""), "", "an empty pair of marks would join with the next");
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
            assert_eq!(link(ChannelKind::Slack, bad, None), code(ChannelKind::Slack, bad), "{bad}");
        }
    }

    #[test]
    fn a_plain_word_needs_no_quotes_and_nothing_closes_them() {
        assert_eq!(quote("cam_1-a.b"), "cam_1-a.b");
        assert_eq!(quote("cam1 — well again"), "“cam1 — well again”");
        assert_eq!(quote("x” — “y\""), "“x' — 'y'”");
        assert_eq!(quote(""), "“”");
    }
}
