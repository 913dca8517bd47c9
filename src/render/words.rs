//! Numbers, durations and times in the reader's words, in two languages.

use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::model::catalogue::Unit;
use crate::model::{Language, Severity, Timestamp};

/// `9,412`.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `once`, `14 times`.
#[must_use]
pub fn times(n: u64, language: Language) -> String {
    match (language, n) {
        (Language::En, 1) => "once".to_owned(),
        (Language::En, n) => format!("{} times", number(n)),
        (Language::Zh, n) => format!("{} 次", number(n)),
    }
}

/// The two largest units: `45 s`, `2 min 30 s`, `1 h 5 min`, `2 d 3 h`; what is zero is left out.
#[must_use]
pub fn duration(duration: Duration, language: Language) -> String {
    let secs = duration.as_secs();
    let (large, small, words) = match secs {
        0..60 => (secs, 0, [" s", "", " 秒", ""]),
        60..3_600 => (secs / 60, secs % 60, [" min", " s", " 分钟", " 秒"]),
        3_600..86_400 => (secs / 3_600, secs % 3_600 / 60, [" h", " min", " 小时", " 分钟"]),
        _ => (secs / 86_400, secs % 86_400 / 3_600, [" d", " h", " 天", " 小时"]),
    };
    let (first, second) = match language {
        Language::En => (words[0], words[1]),
        Language::Zh => (words[2], words[3]),
    };
    let mut out = format!("{}{first}", number(large));
    if small > 0 {
        // Minutes before seconds are `分` in Chinese, `分钟` when they stand alone.
        if first == " 分钟" {
            out = format!("{large} 分");
        }
        out.push_str(&format!(" {small}{second}"));
    }
    out
}

/// A measured value with its unit: 3046 ms is `3.0 s`. `None` for what is no number.
#[must_use]
pub fn value(value: f64, unit: Option<Unit>, language: Language) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    let size = value.abs();
    // A duration above two minutes reads better in minutes; the cast saturates.
    let long = |secs: f64| duration(Duration::from_secs(secs as u64), language);
    let en = language == Language::En;
    Some(match unit {
        Some(Unit::Milliseconds) if size < 999.5 => format!("{size:.0}{}", if en { " ms" } else { " 毫秒" }),
        Some(Unit::Milliseconds) if size < 120_000.0 => {
            format!("{:.1}{}", size / 1_000.0, if en { " s" } else { " 秒" })
        }
        Some(Unit::Milliseconds) => long(size / 1_000.0),
        Some(Unit::Seconds) if size < 120.0 => format!("{}{}", decimal(size), if en { " s" } else { " 秒" }),
        Some(Unit::Seconds) => long(size),
        Some(Unit::Fps) => format!("{}{}", decimal(size.min(1e6)), if en { " fps" } else { " 帧/秒" }),
        Some(Unit::Bytes) => format!("{}{}", number(size as u64), if en { " bytes" } else { " 字节" }),
        None => decimal(value.clamp(-1e12, 1e12)),
    })
}

/// `12`, `12.5`.
fn decimal(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// A time of day in a zone, with as much of the date as `now` does not make plain: `12:03:10`, `11-21 12:03:10`.
#[must_use]
pub fn clock(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (Some(local), now) = (local(at, zone), local(now, zone)) else { return "?".to_owned() };
    let format = match now {
        Some(now) if now.date() == local.date() => "%H:%M:%S",
        Some(now) if now.year() == local.year() => "%m-%d %H:%M:%S",
        _ => "%Y-%m-%d %H:%M:%S",
    };
    local.strftime(format).to_string()
}

/// `12:03–12:05`, with seconds where the minutes are the same; one time where even these are.
#[must_use]
pub fn span(from: Timestamp, to: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (start, end) = (clock(from, now, zone), clock(to.max(from), now, zone));
    let minutes = |text: &str| text.rsplit_once(':').map_or_else(|| text.to_owned(), |(minutes, _)| minutes.to_owned());
    if start == end {
        start
    } else if minutes(&start) == minutes(&end) {
        format!("{start}–{end}")
    } else {
        format!("{}–{}", minutes(&start), minutes(&end))
    }
}

/// The zone's distance from UTC at that time: `UTC+8`, `UTC-3:30`, `UTC`.
#[must_use]
pub fn offset(at: Timestamp, zone: &TimeZone) -> String {
    let secs = local(at, zone).map_or(0, |local| local.offset().seconds());
    let (sign, secs) = (if secs < 0 { '-' } else { '+' }, secs.unsigned_abs());
    match (secs / 3_600, secs % 3_600 / 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, minutes) => format!("UTC{sign}{hours}:{minutes:02}"),
    }
}

/// RFC 3339 in the zone, for machines; `None` for times that no calendar has.
#[must_use]
pub fn rfc3339(at: Timestamp, zone: &TimeZone) -> Option<String> {
    local(at, zone).map(|local| local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// The word for a severity.
#[must_use]
pub fn severity(severity: Severity, language: Language) -> &'static str {
    match (language, severity) {
        (Language::En, severity) => severity.as_str(),
        (Language::Zh, Severity::Info) => "提示",
        (Language::Zh, Severity::Warning) => "警告",
        (Language::Zh, Severity::Critical) => "严重",
    }
}

fn local(at: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|at| at.to_zoned(zone.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn values_come_in_the_readers_words() {
        let en = |v, unit| value(v, Some(unit), Language::En).unwrap();
        assert_eq!(en(3046.0, Unit::Milliseconds), "3.0 s");
        assert_eq!(en(-850.0, Unit::Milliseconds), "850 ms");
        assert_eq!(en(999.6, Unit::Milliseconds), "1.0 s");
        assert_eq!(en(600_000.0, Unit::Milliseconds), "10 min");
        assert_eq!(en(60_000.0, Unit::Bytes), "60,000 bytes");
        assert_eq!(en(8.0, Unit::Fps), "8 fps");
        assert_eq!(en(7.53, Unit::Fps), "7.5 fps");
        assert_eq!(en(12.0, Unit::Seconds), "12 s");
        assert_eq!(value(3046.0, Some(Unit::Milliseconds), Language::Zh).unwrap(), "3.0 秒");
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(value(odd, Some(Unit::Milliseconds), Language::En), None);
        }
        for unit in [Some(Unit::Milliseconds), Some(Unit::Seconds), Some(Unit::Fps), Some(Unit::Bytes), None] {
            assert!(value(f64::MAX, unit, Language::En).unwrap().len() < 40, "{unit:?}");
            assert!(value(f64::MIN, unit, Language::Zh).unwrap().len() < 60, "{unit:?}");
        }
    }

    #[test]
    fn durations_have_at_most_two_units() {
        let both = |secs| {
            let length = Duration::from_secs(secs);
            (duration(length, Language::En), duration(length, Language::Zh))
        };
        let pair = |en: &str, zh: &str| (en.to_owned(), zh.to_owned());
        assert_eq!(both(45), pair("45 s", "45 秒"));
        assert_eq!(both(120), pair("2 min", "2 分钟"));
        assert_eq!(both(150), pair("2 min 30 s", "2 分 30 秒"));
        assert_eq!(both(3_900), pair("1 h 5 min", "1 小时 5 分钟"));
        assert_eq!(both(183_600), pair("2 d 3 h", "2 天 3 小时"));
        assert_eq!([0, 999, 1_000, 9_412_000].map(number).join(" "), "0 999 1,000 9,412,000");
        assert_eq!(times(1, Language::En), "once");
        assert_eq!(times(1_400, Language::Zh), "1,400 次");
    }

    #[test]
    fn times_are_local_and_show_the_date_where_it_is_not_today() {
        let now = Timestamp::from_secs(1_763_784_190); // 2025-11-22T04:03:10Z
        let shanghai = zone("Asia/Shanghai");
        assert_eq!(clock(now, now, &shanghai), "12:03:10");
        assert_eq!(clock(now - Duration::from_secs(86_400), now, &shanghai), "11-21 12:03:10");
        assert_eq!(clock(Timestamp(0), now, &shanghai), "1970-01-01 08:00:00");
        assert_eq!(clock(Timestamp::MAX, now, &shanghai), "?");
        assert_eq!(span(now, now + Duration::from_secs(130), now, &shanghai), "12:03–12:05");
        assert_eq!(span(now, now + Duration::from_secs(5), now, &shanghai), "12:03:10–12:03:15");
        assert_eq!(span(now, now, now, &shanghai), "12:03:10");
        assert_eq!(offset(now, &shanghai), "UTC+8");
        assert_eq!(offset(now, &zone("Asia/Kolkata")), "UTC+5:30");
        assert_eq!(offset(now, &zone("America/St_Johns")), "UTC-3:30");
        assert_eq!(offset(now, &TimeZone::UTC), "UTC");
        assert_eq!(rfc3339(now, &shanghai).unwrap(), "2025-11-22T12:03:10+08:00");
    }
}
