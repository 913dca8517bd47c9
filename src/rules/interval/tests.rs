//! Time intervals: the parts as they are written, zones and clock changes, and changes against a scan.

use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// An interval of these times on these weekdays; empty texts ask for nothing.
fn interval(times: &[&str], weekdays: &str, zone_name: &str) -> TimeInterval {
    let times = times.iter().map(|text| parse_times(text).unwrap()).collect();
    let weekdays = if weekdays.is_empty() { Weekdays::default() } else { parse_weekdays(weekdays).unwrap() };
    TimeInterval::new("test", Parts { times, weekdays, ..Parts::default() }, zone(zone_name))
}

/// Every change from one moment to before another.
fn changes(interval: &TimeInterval, from: &str, to: &str) -> Vec<String> {
    let (mut now, end, mut found) = (at(from), at(to), Vec::new());
    loop {
        let next = interval.next_change(now);
        assert!(next > now);
        if next >= end {
            return found;
        }
        assert_ne!(interval.holds(next), interval.holds(Timestamp(next.0 - 1)));
        found.push(format!("{next} {}", if interval.holds(next) { "on" } else { "off" }));
        now = next;
    }
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    let friday = interval(&["22:00-07:00"], "fri", "Asia/Shanghai");
    // 2026-11-20 is a Friday; Shanghai is eight hours ahead.
    assert!(friday.holds(at("2026-11-20T22:00:00+08:00")) && friday.holds(at("2026-11-21T06:59:59.999+08:00")));
    assert!(!friday.holds(at("2026-11-21T07:00:00+08:00")) && !friday.holds(at("2026-11-20T21:59:59.999+08:00")));
    assert!(!friday.holds(at("2026-11-20T06:00:00+08:00")), "that is Thursday's night");
    assert_eq!(
        changes(&friday, "2026-11-16T00:00:00Z", "2026-11-30T00:00:00Z"),
        ["2026-11-20T14:00:00Z on", "2026-11-20T23:00:00Z off", "2026-11-27T14:00:00Z on", "2026-11-27T23:00:00Z off"]
    );
}

#[test]
fn days_without_times_are_whole_days() {
    let weekend = interval(&[], "sat-sun", "UTC");
    assert_eq!(
        changes(&weekend, "2026-11-16T00:00:00Z", "2026-11-30T00:00:00Z"),
        ["2026-11-21T00:00:00Z on", "2026-11-23T00:00:00Z off", "2026-11-28T00:00:00Z on"]
    );
}

#[test]
fn ranges_that_touch_or_overlap_are_one() {
    let split = interval(&["20:00-24:00", "00:00-02:00", "01:00-03:30", "21:00-22:00"], "", "UTC");
    assert_eq!(
        changes(&split, "2026-11-16T12:00:00Z", "2026-11-17T12:00:00Z"),
        ["2026-11-16T20:00:00Z on", "2026-11-17T03:30:00Z off"]
    );
    let always = interval(&["00:00-24:00"], "", "Europe/Berlin");
    assert!(always.holds(at("2026-03-29T01:00:00Z")));
    assert_eq!(always.next_change(at("2026-03-29T00:00:00Z")), Timestamp::MAX);
    assert_eq!(
        interval(&["07:00-07:01"], "", "UTC").next_change(at("2026-11-16T07:00:00Z")),
        at("2026-11-16T07:01:00Z")
    );
}

/// On 2026-03-29 clocks in Berlin go from 02:00 (01:00 UTC) to 03:00.
#[test]
fn times_that_no_clock_shows_are_nobodys() {
    let on_that_day =
        |times: &str| changes(&interval(&[times], "", "Europe/Berlin"), "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z");
    assert!(on_that_day("02:00-03:00").is_empty() && on_that_day("02:10-02:50").is_empty());
    assert_eq!(on_that_day("02:30-04:00"), ["2026-03-29T01:00:00Z on", "2026-03-29T02:00:00Z off"]);
    assert_eq!(on_that_day("01:30-02:30"), ["2026-03-29T00:30:00Z on", "2026-03-29T01:00:00Z off"]);
    assert_eq!(on_that_day("01:30-03:30"), ["2026-03-29T00:30:00Z on", "2026-03-29T01:30:00Z off"]);
    // 22:00-07:00 lasts eight hours in that night.
    let night = interval(&["22:00-07:00"], "sat", "Europe/Berlin");
    assert_eq!(
        changes(&night, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
        ["2026-03-28T21:00:00Z on", "2026-03-29T05:00:00Z off"]
    );
}

/// On 2026-10-25 clocks in Berlin go from 03:00 (01:00 UTC) back to 02:00.
#[test]
fn times_that_clocks_show_twice_happen_twice() {
    let on_that_day =
        |times: &str| changes(&interval(&[times], "", "Europe/Berlin"), "2026-10-24T23:00:00Z", "2026-10-25T12:00:00Z");
    assert_eq!(
        on_that_day("02:15-02:45"),
        ["2026-10-25T00:15:00Z on", "2026-10-25T00:45:00Z off", "2026-10-25T01:15:00Z on", "2026-10-25T01:45:00Z off"]
    );
    assert_eq!(on_that_day("02:00-03:00"), ["2026-10-25T00:00:00Z on", "2026-10-25T02:00:00Z off"]);
    assert_eq!(
        on_that_day("02:30-04:00"),
        ["2026-10-25T00:30:00Z on", "2026-10-25T01:00:00Z off", "2026-10-25T01:30:00Z on", "2026-10-25T03:00:00Z off"]
    );
}

/// In New York clocks change on 2026-03-08 at 07:00 UTC and on 2026-11-01 at 06:00 UTC.
#[test]
fn new_york_changes_its_clocks_on_other_days() {
    let office = interval(&["09:00-17:00"], "mon-fri", "America/New_York");
    assert_eq!(
        changes(&office, "2026-03-06T12:00:00Z", "2026-03-10T00:00:00Z"),
        ["2026-03-06T14:00:00Z on", "2026-03-06T22:00:00Z off", "2026-03-09T13:00:00Z on", "2026-03-09T21:00:00Z off"]
    );
    let night = interval(&["01:30-02:30"], "sun", "America/New_York");
    assert_eq!(
        changes(&night, "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"),
        ["2026-03-08T06:30:00Z on", "2026-03-08T07:00:00Z off"]
    );
    assert_eq!(
        changes(&night, "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
        ["2026-11-01T05:30:00Z on", "2026-11-01T06:00:00Z off", "2026-11-01T06:30:00Z on", "2026-11-01T07:30:00Z off"]
    );
}

#[test]
fn days_of_the_month_months_and_years() {
    let of = |days: &[&str], months: &str, years: &str| {
        let parts = Parts {
            days_of_month: days.iter().map(|text| parse_days_of_month(text).unwrap()).collect(),
            months: if months.is_empty() { Months::default() } else { parse_months(months).unwrap() },
            years: if years.is_empty() { Vec::new() } else { vec![parse_years(years).unwrap()] },
            ..Parts::default()
        };
        TimeInterval::new("test", parts, TimeZone::UTC)
    };
    let last = of(&["-1"], "", "");
    for day in ["2026-02-28", "2028-02-29", "2026-04-30", "2026-12-31"] {
        assert!(last.holds(at(&format!("{day}T12:00:00Z"))), "{day}");
    }
    assert!(!last.holds(at("2028-02-28T12:00:00Z")));
    assert_eq!(last.next_change(at("2026-11-22T00:00:00Z")), at("2026-11-30T00:00:00Z"));
    let ends = of(&["1:5", "-3:-1"], "", "");
    assert!(ends.holds(at("2026-02-26T00:00:00Z")) && !ends.holds(at("2026-02-25T00:00:00Z")));
    assert!(ends.holds(at("2026-02-05T23:59:59Z")) && !ends.holds(at("2026-02-06T00:00:00Z")));
    // The 29th of February comes after eight years where a century's year has none.
    let leap = of(&["29"], "feb", "");
    assert_eq!(leap.next_change(at("2096-03-01T00:00:00Z")), at("2104-02-29T00:00:00Z"));
    assert_eq!(of(&["31"], "feb", "").next_change(at("2026-01-01T00:00:00Z")), Timestamp::MAX);
    let winter = of(&[], "nov-feb", "2026:2027");
    assert_eq!(winter.next_change(at("2027-11-05T00:00:00Z")), at("2028-01-01T00:00:00Z"));
    assert_eq!(winter.next_change(at("2028-01-01T00:00:00Z")), Timestamp::MAX);
    assert_eq!(winter.next_change(at("2020-01-01T00:00:00Z")), at("2026-01-01T00:00:00Z"));
}

#[test]
fn a_night_of_the_last_day_goes_on_into_the_next_year() {
    let times = vec![parse_times("22:00-02:00").unwrap()];
    let years = vec![parse_years("2026").unwrap()];
    let interval = TimeInterval::new("test", Parts { times, years, ..Parts::default() }, TimeZone::UTC);
    assert!(interval.holds(at("2027-01-01T01:00:00Z")));
    assert_eq!(interval.next_change(at("2026-12-31T23:00:00Z")), at("2027-01-01T02:00:00Z"));
    assert_eq!(interval.next_change(at("2027-01-01T02:00:00Z")), Timestamp::MAX);
    assert!(!interval.holds(at("2026-01-01T01:00:00Z")), "that is the night of 2025");
}

#[test]
fn parts_as_they_are_written() {
    for text in ["22:00-07:00", " 9:00 - 17:30 ", "00:00-24:00", "18:00-00:00", "23:59-24:00"] {
        assert!(parse_times(text).is_ok(), "{text}");
    }
    assert_eq!(parse_times("18:00-00:00"), parse_times("18:00-24:00"));
    assert_eq!(parse_weekdays("monday:friday"), parse_weekdays("mon-fri"));
    assert_eq!(parse_weekdays("sun"), Ok(parse_weekdays("mon-sat").unwrap().others()));
    assert_eq!(parse_weekdays("fri-mon").unwrap().others(), parse_weekdays("tue-thu").unwrap());
    assert_eq!(parse_weekdays("mon-sun"), Ok(Weekdays::ALL));
    assert_eq!(parse_months("11:2"), parse_months("november-february"));
    assert_eq!(parse_days_of_month("1-5"), parse_days_of_month("1:5"));
    assert_eq!(parse_years("2027-2029"), parse_years("2027:2029"));
}

#[test]
fn parts_that_are_refused_say_what_to_write() {
    let wrong = |error: PartError| format!("{} ({})", error.message, error.hint.unwrap_or_default());
    for (text, words) in [
        ("22:00", "is no range"),
        ("25:00-07:00", "`25:00` is no time of day"),
        ("22-7", "from `00:00` to `24:00`"),
        ("22:00-07:60", "`07:60`"),
        ("22:00-24:01", "`24:01`"),
        ("24:00-07:00", "a day begins at `00:00`"),
        ("08:00-08:00", "the whole day is `00:00-24:00`"),
        ("00:00-00:00-", "no time"),
        ("", "empty"),
        ("+1:00-02:00", "`+1:00`"),
    ] {
        let error = wrong(parse_times(text).unwrap_err());
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [
        ("Mon", "did you mean `mon`"),
        ("1", "a range such as mon-fri"),
        ("mon-fry", "did you mean `fri`"),
        ("-", "``"),
    ] {
        let error = wrong(parse_weekdays(text).unwrap_err());
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [("13", "1 to 12"), ("0", "1 to 12"), ("january-dez", "did you mean `dec`")] {
        let error = wrong(parse_months(text).unwrap_err());
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [
        ("0", "1 to 31"),
        ("32", "1 to 31"),
        ("5:1", "as two"),
        ("-1:-3", "as two"),
        ("-3:1", "`-3:-1`"),
        ("-", "1 to 31"),
    ] {
        let error = wrong(parse_days_of_month(text).unwrap_err());
        assert!(error.contains(words), "{text}: {error}");
    }
    for (text, words) in [("26", "1970 to 2999"), ("2029:2027", "`2027:2029`"), ("soon", "is no year")] {
        let error = wrong(parse_years(text).unwrap_err());
        assert!(error.contains(words), "{text}: {error}");
    }
    assert!(wrong(parse_times(&"1".repeat(1000)).unwrap_err()).len() < 200);
}

#[test]
fn absurd_times_are_borne() {
    let night = interval(&["22:00-07:00"], "fri", "America/New_York");
    for wall in [i64::MIN, i64::MIN + 1, -377_705_023_201_000, 0, 253_402_207_200_000, i64::MAX] {
        let _ = night.holds(Timestamp(wall));
        assert!(night.next_change(Timestamp(wall)) > Timestamp(wall) || wall == i64::MAX);
    }
}

/// What a clock shows, asked of the library for each moment, and the parts in plain words.
fn naive(parts: &Parts, zone: &TimeZone, wall: Timestamp) -> bool {
    let shown = zone.to_datetime(jiff::Timestamp::from_millisecond(wall.0).unwrap());
    let minute = shown.hour() as u16 * 60 + shown.minute() as u16;
    let is_of = |date: Date| {
        (parts.weekdays.is_empty() || parts.weekdays.contains(date.weekday().to_monday_zero_offset() as u8))
            && (parts.days_of_month.is_empty()
                || parts.days_of_month.iter().any(|range| range.contains(date.day(), date.days_in_month())))
            && (parts.months.is_empty() || parts.months.contains(date.month() as u8))
    };
    let (today, yesterday) = (is_of(shown.date()), is_of(shown.date().yesterday().unwrap()));
    if parts.times.is_empty() {
        return today;
    }
    parts.times.iter().any(|range| {
        let (from, to) = range.first_day();
        let next = range.next_day();
        today && (from..to).contains(&minute)
            || yesterday && next.is_some_and(|(from, to)| (from..to).contains(&minute))
    })
}

fn times() -> impl Strategy<Value = Vec<TimeRange>> {
    let minute = |most: u16| (0..most).prop_map(|quarter| format!("{:02}:{:02}", quarter / 4, quarter % 4 * 15));
    let range =
        (minute(96), minute(97)).prop_filter_map("empty", |(from, to)| parse_times(&format!("{from}-{to}")).ok());
    prop::collection::vec(range, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn changes_are_those_that_a_scan_by_the_minute_finds(
        times in times(),
        weekdays in prop::option::of("(mon|wed|sat|sun)(-(tue|fri))?"),
        days in prop::option::of(prop::sample::select(vec!["1:5", "-2:-1", "25:-1", "29"])),
        zone_name in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Asia/Shanghai", "UTC", "Australia/Lord_Howe"]),
        // Days around the changes of the clocks, and any others.
        day in prop::sample::select(vec!["2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31", "2026-04-04", "2026-10-03", "2026-12-30"]),
        offset in 0i64..86_400_000,
    ) {
        let parts = Parts {
            times,
            weekdays: weekdays.map_or(Weekdays::default(), |text| parse_weekdays(&text).unwrap()),
            days_of_month: days.iter().map(|text| parse_days_of_month(text).unwrap()).collect(),
            ..Parts::default()
        };
        let zone = zone(zone_name);
        let interval = TimeInterval::new("test", parts.clone(), zone.clone());
        let begin = at(&format!("{day}T00:00:00Z")).0 + offset;
        let (mut change, mut before) = (interval.next_change(Timestamp(begin)), interval.holds(Timestamp(begin)));
        prop_assert_eq!(before, naive(&parts, &zone, Timestamp(begin)));
        // All changes fall on whole minutes in these zones.
        let first = begin - begin % 60_000 + 60_000;
        for minute in 0..3 * 1440 {
            let now = Timestamp(first + minute * 60_000);
            let holds = naive(&parts, &zone, now);
            prop_assert_eq!(interval.holds(now), holds);
            prop_assert_eq!(change == now, holds != before, "{} {:?}", now, change);
            prop_assert!(change >= now || change == now);
            if change == now {
                change = interval.next_change(now);
            }
            before = holds;
        }
    }

    #[test]
    fn no_text_makes_a_part_panic(text in "\\PC{0,30}|[-:0-9a-z ]{0,12}", wall in any::<i64>()) {
        let parts = Parts {
            times: parse_times(&text).into_iter().collect(),
            weekdays: parse_weekdays(&text).unwrap_or_default(),
            days_of_month: parse_days_of_month(&text).into_iter().collect(),
            months: parse_months(&text).unwrap_or_default(),
            years: parse_years(&text).into_iter().collect(),
        };
        let interval = TimeInterval::new("test", parts, TimeZone::UTC);
        let _ = (interval.holds(Timestamp(wall)), interval.next_change(Timestamp(wall)));
    }
}
