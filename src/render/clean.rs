//! Hostile text made harmless to look at: one line, no invisible or direction-changing characters, bounded length.

/// Shows what would act on the reader's screen instead of letting it act: control characters become their
/// pictures (`␤`, `␛`), invisible and direction-changing ones their number (`⟨U+202E⟩`), unusual spaces plain ones.
/// Spaces at either end become `␣`, so that they are seen.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let inner = text.trim_matches(' ');
    let lead = text.len() - text.trim_start_matches(' ').len();
    let trail = text.len() - lead - inner.len();
    for _ in 0..lead {
        out.push('␣');
    }
    for c in inner.chars() {
        match c {
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('␤'),
            '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
            '\u{7f}' => out.push('␡'),
            '\u{80}'..='\u{9f}' => out.push('\u{fffd}'),
            '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => out.push(' '),
            c if is_invisible(c) => out.push_str(&format!("⟨U+{:04X}⟩", c as u32)),
            c => out.push(c),
        }
    }
    for _ in 0..trail {
        out.push('␣');
    }
    out
}

/// [`clean`]ed and cut in the middle to at most `most` characters.
#[must_use]
pub fn short(text: &str, most: usize) -> String {
    // Cleaning lengthens a character at most elevenfold and shortens none: this bounds the work on a huge text
    // and keeps both of its ends.
    let bounded = cut_middle(text, most.saturating_mul(2).max(64));
    cut_middle(&clean(&bounded), most)
}

/// Cut in the middle to at most `most` characters, with `…` where something is missing.
#[must_use]
pub fn cut_middle(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    if most == 0 { String::new() } else { format!("{start}…{end}") }
}

/// Cut at the end to at most `most` characters.
#[must_use]
pub fn cut_end(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    if most > 0 {
        out.push('…');
    }
    out
}

/// Zero-width, direction-changing, filler and tag characters.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_the_screen_is_shown_instead() {
        assert_eq!(clean("cam1"), "cam1");
        assert_eq!(clean("a\r\nb\u{1b}[31m\u{7f}\u{9b}"), "a␤␤b␛[31m␡\u{fffd}");
        assert_eq!(clean("x\u{202e}gpj\u{2066}\u{200f}"), "x⟨U+202E⟩gpj⟨U+2066⟩⟨U+200F⟩");
        assert_eq!(clean("a\u{200b}\u{feff}b\u{ad}"), "a⟨U+200B⟩⟨U+FEFF⟩b⟨U+00AD⟩");
        assert_eq!(clean("a\u{2028}b\u{3000}c\u{a0}d"), "a␤b c d");
        assert_eq!(clean("  a b "), "␣␣a b␣");
        assert_eq!(clean("   "), "␣␣␣");
        assert_eq!(clean("流-é-😀"), "流-é-😀");
    }

    #[test]
    fn a_long_name_keeps_both_ends() {
        assert_eq!(cut_middle("abcdefghij", 10), "abcdefghij");
        assert_eq!(cut_middle("abcdefghij", 5), "ab…ij");
        assert_eq!(cut_middle("流流流流流", 4), "流流…流");
        assert_eq!(cut_middle("abc", 1), "…");
        assert_eq!(cut_middle("abc", 0), "");
        assert_eq!(cut_end("abc", 2), "a…");
        let name = format!("begin{}end", "\u{202e}".repeat(5000));
        let shown = short(&name, 64);
        assert_eq!(shown.chars().count(), 64);
        assert!(shown.starts_with("begin") && shown.ends_with("end"), "{shown}");
    }
}
