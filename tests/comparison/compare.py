#!/usr/bin/env python3
"""Puts pushwatch beside two independent judges: the same made-up events, who alerts when, and why they differ.

elastalert2's rule types judge `threshold` (count, reports, distinct), severity maps and `on: silence`; Prometheus
judges `for` and `keep_firing_for` through `promtool test rules`. pushwatch answers through `pushwatch test`: the
judge's verdicts are the `expect` lines. See README.md beside this file.

A judge answers more than once: first as one would set it up, then with one point of pushwatch's definition more at a
time (a "rung"). The last rung must be equal to pushwatch in everything. A difference of the first rung is explained by
the rung with which it goes away for good. Exit status: 0 every difference is explained, 1 not, 2 it could not run.
"""

import argparse
import datetime
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict, namedtuple
from importlib.metadata import version
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
KEYS_PER_RULE = 10
START = 100_000  # ms: the first event; leaves room for what happened before it was received
REPORT = 5_000  # ms: the interval at which push errors are reported
LEVELS = ["info", "warning", "critical"]

# One callback: when it happened, when it was received (ms), of which stream, its count.
Report = namedtuple("Report", "at received stream count", defaults=[1])
# What a judge says under a heading that says what was taken into account: {key: [(ms, "firing warning"), …]}.
Rung = namedtuple("Rung", "reason says")
# Two answers about one key at one moment. `reason`: "" they are equal, None nobody knows.
Verdict = namedtuple("Verdict", "rule key at judge pushwatch reason")


class Rule:
    """A rule with keys of its own, each of which is a case: what happens (`reports`) and what the judges say."""

    def __init__(self, name, yaml, deed, scope, **settings):
        self.name, self.yaml, self.deed, self.scope = name, yaml, deed, scope
        self.reports = {}  # by key
        self.rungs = []
        self.until = 0
        self.__dict__.update(settings)

    def all_reports(self):
        """Everything that happens to all keys, as (key, report) in the order of reception."""
        pairs = [(key, report) for key, reports in self.reports.items() for report in reports]
        return sorted(pairs, key=lambda pair: pair[1].received)


# ---------------------------------------------------------------- pushwatch

RULES_HEAD = """version: 1
tencent: { keys: [a-key-for-tests-alone] }
channels: { out: { type: console } }
defaults: { notify: out, rate_limit: none, repeat_interval: 30d }
rules:
"""


def ask_pushwatch(binary, folder, rules):
    """What pushwatch does: {rule name: {key: [(ms, "firing warning"), …]}}, read from which `expect` lines hold and
    what else happened. Writes a rules file and a test file for each rule into `folder`."""
    expected, files = {}, []
    for rule in rules:
        (folder / f"{rule.name}.rules.yaml").write_text(RULES_HEAD + "  - " + rule.yaml + "\n")
        lines = [f"rules: {rule.name}.rules.yaml", "tests:", f"  - name: {rule.name}", "    given:"]
        for _, report in rule.all_reports():
            late = f", received: {report.received}ms" if report.received != report.at else ""
            deed = rule.deed.format(count=report.count)
            lines.append(f"      - {{ at: {report.at}ms{late}, stream: {report.stream}, {deed} }}")
        lines.append("    expect:")
        for key, effects in sorted(rule.rungs[-1].says.items()):
            about = "stream" if rule.scope == "stream" else "key"
            for at, words in effects:
                turn, word = words.split()
                what = "cause" if turn == "resolved" else "severity"
                lines.append(
                    f"      - {{ at: {at}ms, rule: {rule.name}, is: {turn}, {what}: {word}, {about}: {key} }}")
                expected[rule.name, len(lines)] = (key, at, words)
        if lines[-1] == "    expect:":
            lines[-1] += " []"
        lines.append(f"    until: {rule.until}ms")
        files.append(folder / f"{rule.name}.yaml")
        files[-1].write_text("\n".join(lines) + "\n")

    done = run([binary, "test", "--output", "json", *files])
    does = {rule.name: defaultdict(list) for rule in rules}
    report = parse_json(done)
    for file in report["files"]:
        for mistake in file["mistakes"]:
            fail(f"{mistake['file']}:{mistake.get('line')}: {mistake['message']} ({mistake.get('hint')})")
        for test in file["tests"]:
            if test["stuck"] or test["flooded"]:
                fail(f"{file['file']}: {test}")
            missing = {line["line"] for line in test["missing"]}
            for (name, line), (key, at, words) in expected.items():
                if name == test["name"] and line not in missing:
                    does[name][key].append((at, words))
            others = test["unexpected"] + [line["happened"] for line in test["missing"] if line["happened"]]
            for happened in others:
                words = f"{happened['is']} {happened['cause'] or happened['severity']}"
                does[test["name"]][happened["key"]].append((millis(happened["at"]), words))
    return {name: {key: sorted(effects) for key, effects in keys.items()} for name, keys in does.items()}


def millis(text):
    """`1m35s250ms` in milliseconds."""
    units = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)\s*(ms|d|h|m|s)", text))


def lives(reports, levels, over, resolve_after, until):
    """What becomes of one key whose reports meet `levels` (None: not even the lowest), those left out that are `over`:
    it fires, grows worse, and is over `resolve_after` the last of them."""
    effects, up, deadline = [], None, None
    for report, level, passed in zip(reports, levels, over):
        if up is not None and report.received >= deadline:
            effects.append((deadline, "resolved quiet"))
            up = None
        if level is None or passed:
            continue
        if up is None:
            effects.append((report.received, f"firing {LEVELS[level]}"))
        elif level > up:
            effects.append((report.received, f"escalated {LEVELS[level]}"))
        up, deadline = max(level, up or 0), report.received + resolve_after
    if up is not None and deadline <= until:
        effects.append((deadline, "resolved quiet"))
    return effects


def late(reports):
    """Which reports are older than one that was received before them."""
    newest, answers = 0, []
    for report in reports:
        answers.append(report.at < newest)
        newest = max(newest, report.at)
    return answers


# ---------------------------------------------------------------- elastalert2


def load_elastalert():
    """elastalert2's own classes, and FrequencyRule made to remember what it alerted on."""
    try:
        from elastalert import ruletypes
    except ImportError as error:
        fail(f"elastalert2 is missing ({error}): run this with a Python that has it; see README.md")

    class Remembering(ruletypes.FrequencyRule):
        """FrequencyRule whose window survives a match, so that it says of each event whether the threshold is met."""

        def check_for_match(self, key, end=False):
            window = self.occurrences[key]
            super().check_for_match(key, end)
            self.occurrences[key] = window

    ruletypes.Remembering = Remembering
    return ruletypes


def moment(ms):
    return datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone.utc) + datetime.timedelta(milliseconds=ms)


def ask_events(judge, rule, weighed):
    """Feeds a rule type every report; says for each key and report whether it matched."""
    answers = defaultdict(list)
    for key, report in rule.all_reports():
        before = len(judge.matches)
        for _ in range(report.count if weighed else 1):
            judge.add_data([{"@timestamp": moment(report.at), "key": key, "stream": report.stream}])
        answers[key].append(len(judge.matches) > before)
        judge.matches.clear()
    return answers


def highest_levels(rule, weighed, judge_of):
    """The highest level that is met by (key, place of the report): one judge for each."""
    met = defaultdict(lambda: None)
    for severity, number in rule.levels.items():
        for key, matches in ask_events(judge_of(number), rule, weighed).items():
            met.update({(key, place): LEVELS.index(severity) for place, matched in enumerate(matches) if matched})
    return met


def gap_maker(rng, within, resolve_after):
    """Times between events in ms: steady, in bursts, at the very edges, or all of it."""
    edges = [within - 1, within, within + 1, resolve_after - 1, resolve_after, resolve_after + 1, within // 2, 0]
    styles = {
        "steady": lambda: REPORT * rng.choice([1] * 12 + [2, 3, 7]),
        "bursts": lambda: rng.randrange(2_000 if rng.random() < 0.85 else 3 * max(within, resolve_after)),
        "edges": lambda: rng.choice(edges),
    }
    style = rng.choice([*styles, "mixed"])
    return lambda: styles[style if style != "mixed" else rng.choice([*styles])]()


def make_frequency(rng, cases):
    for number in range(0, cases, KEYS_PER_RULE):
        name = f"frequency_{number // KEYS_PER_RULE:03}"
        within, resolve_after = rng.choice([5, 10, 30, 60, 120]) * 1000, rng.choice([5, 20, 60, 90, 300]) * 1000
        measure, scope = rng.choice(["count", "count", "reports"]), rng.choice(["stream", "stream", "domain"])
        late_share = rng.choice([0, 0, 0.1, 0.4])
        least = rng.randint(1, 3 if measure == "reports" else 9)
        worse = {"critical": least + rng.randint(1, 9)} if measure == "count" and rng.random() < 0.4 else {}
        levels = {"warning": least, **worse}
        threshold, severity = (f"{measure}: {least}, ", "warning") if not worse else ("", json.dumps(levels))
        yaml = (f"{{ name: {name}, on: push_error, types: [gop_too_large], where: {{ domain: \"*.example.com\" }}, "
                f"per: {scope}, threshold: {{ {threshold}within: {within}ms }}, severity: {severity}, "
                f"resolve_after: {resolve_after}ms }}")
        rule = Rule(name, yaml, "push_error: [ {{ type: gop_too_large, count: {count} }} ]", scope, within=within,
                    resolve_after=resolve_after, measure=measure, levels=levels)
        for case in range(min(KEYS_PER_RULE, cases - number)):
            gap, now, reports = gap_maker(rng, within, resolve_after), START, []
            key = f"d{case}.example.com" + ("/live/cam" if scope == "stream" else "")
            lags = [1, REPORT, within - 1, within, within + 1, rng.randrange(60_000), 60_000]
            for _ in range(rng.randint(20, 60)):
                now += gap()
                lag = min(rng.choice(lags), 60_000) if rng.random() < late_share else 0
                stream = key if scope == "stream" else f"{key}/live/cam{rng.randrange(3)}"
                reports.append(Report(now - lag, now, stream, rng.choice([1, 1, 1, 2, 3, 7])))
            rule.reports[key] = reports
            rule.until = max(rule.until, now + resolve_after + 1000)
        yield rule


LATE = "a report that comes late counts, but opens, prolongs and raises nothing"


def judge_frequency(rule, ruletypes):
    settings = {"timeframe": datetime.timedelta(milliseconds=rule.within), "query_key": "key"}
    weighed = rule.measure == "count"
    rule.plain = ask_events(
        ruletypes.FrequencyRule({**settings, "num_events": rule.levels["warning"]}), rule, weighed)
    met = highest_levels(rule, weighed, lambda number: ruletypes.Remembering({**settings, "num_events": number}))
    for reason, over in [
        ("", lambda reports: [False] * len(reports)),
        (LATE, late),
    ]:
        says = {}
        for key, reports in rule.reports.items():
            levels = [met[key, place] for place in range(len(reports))]
            says[key] = lives(reports, levels, over(reports), rule.resolve_after, rule.until)
        rule.rungs.append(Rung(reason, says))


def verdicts_as_it_is(rule, does):
    """FrequencyRule untouched, which forgets what it alerted on: does pushwatch fire wherever it alerts, and does it
    alert wherever pushwatch begins to?"""
    for key, reports in rule.reports.items():
        alerts, effects, is_late = rule.plain[key], does.get(key, []), late(reports)
        newest, ends, places, alerted_at = 0, [], defaultdict(list), []
        for place, report in enumerate(reports):
            newest = max(newest, report.at)
            ends.append(newest)
            places[report.received].append(place)
        for at, here in places.items():
            opens = any(when == at and words.startswith("firing") for when, words in effects)
            turns = Counter(words.split()[0] for when, words in effects if when <= at)
            fires = turns["firing"] > turns["resolved"]
            alerted = [place for place in here if alerts[place]]
            reason = ""
            if alerted and not fires:
                reason = LATE if all(is_late[place] for place in alerted) else None
            elif opens and not alerted:
                forgot = any(when > ends[place] - rule.within for when in alerted_at for place in here)
                reason = "FrequencyRule empties its window when it alerts; pushwatch's slides on" if forgot else None
            judge = "alerts" if alerted else "is quiet"
            yield Verdict(rule, key, at, judge, "opens" if opens else "fires" if fires else "is quiet", reason)
            alerted_at += [ends[place] for place in alerted]


def make_distinct(rng, cases):
    for number in range(0, cases, KEYS_PER_RULE):
        name = f"distinct_{number // KEYS_PER_RULE:03}"
        within, resolve_after = rng.choice([5, 10, 30, 60, 120]) * 1000, rng.choice([5, 20, 60, 90, 300]) * 1000
        least = rng.randint(2, 6)
        worse = {"critical": least + rng.randint(1, 3)} if rng.random() < 0.4 else {}
        levels = {"warning": least, **worse}
        count, severity = (f"count: {least}, ", "warning") if not worse else ("", json.dumps(levels))
        yaml = (f"{{ name: {name}, on: push_error, where: {{ domain: \"*.example.com\" }}, per: domain, "
                f"threshold: {{ distinct: stream, {count}within: {within}ms }}, severity: {severity}, "
                f"resolve_after: {resolve_after}ms }}")
        rule = Rule(name, yaml, "push_error: [video_frames_late]", "domain", within=within,
                    resolve_after=resolve_after, levels=levels)
        for case in range(min(KEYS_PER_RULE, cases - number)):
            key, now, reports = f"d{case}.example.com", START, []
            gap, streams = gap_maker(rng, within, resolve_after), least + rng.randint(-1, 3)
            for _ in range(rng.randint(20, 60)):
                now += gap()
                reports.append(Report(now, now, f"{key}/live/cam{rng.randrange(streams)}"))
            rule.reports[key] = reports
            rule.until = max(rule.until, now + resolve_after + 1000)
        yield rule


def judge_distinct(rule, ruletypes):
    for reason, timeframe in [
        ("", rule.within),
        ("a window is (newest - within, newest]: what is exactly `within` old is out, for CardinalityRule it is in",
         rule.within - 1),
    ]:
        settings = {"timeframe": datetime.timedelta(milliseconds=timeframe), "query_key": "key",
                    "cardinality_field": "stream"}
        met = highest_levels(rule, False, lambda number: ruletypes.CardinalityRule(
            {**settings, "max_cardinality": number - 1}))
        says = {}
        for key, reports in rule.reports.items():
            levels = [met[key, place] for place in range(len(reports))]
            says[key] = lives(reports, levels, [False] * len(reports), rule.resolve_after, rule.until)
        rule.rungs.append(Rung(reason, says))


def make_silence(rng, cases):
    for number in range(0, cases, KEYS_PER_RULE):
        name = f"silence_{number // KEYS_PER_RULE:03}"
        within, scope = rng.choice([5, 10, 30, 60]) * 1000, rng.choice(["stream", "domain"])
        yaml = (f"{{ name: {name}, on: silence, of: record, where: {{ domain: \"*.example.com\" }}, "
                f"within: {within}ms, per: {scope}, severity: warning }}")
        rule = Rule(name, yaml, "record:", scope, within=within)
        for case in range(min(KEYS_PER_RULE, cases - number)):
            key, now, reports = f"d{case}.example.com" + ("/live/cam" if scope == "stream" else ""), START, []
            often, seconds = rng.random(), within // 1000
            for _ in range(rng.randint(8, 25)):
                edges = [seconds - 1, seconds, seconds + 1, 2 * seconds, rng.randrange(3 * seconds)]
                now += 1000 * (rng.randrange(seconds) if rng.random() < often else rng.choice(edges))
                stream = key if scope == "stream" else f"{key}/live/cam{rng.randrange(3)}"
                reports.append(Report(now, now, stream))
            rule.reports[key] = reports
            rule.until = max(rule.until, now + 2 * within)
        yield rule


def judge_silence(rule, ruletypes):
    """FlatlineRule with threshold 1, run whenever anything may change, a second before and after, and every 10 s."""
    order = "what falls due at a moment comes before what is received at it; elastalert2 queries before it looks"
    three = "silence is armed by three callbacks without a gap of `within`; FlatlineRule by one"
    for reason, looks_first, needs_three in [("", False, False), (order, True, False), (three, True, True)]:
        says = {}
        for key, reports in rule.reports.items():
            heard = {report.received for report in reports}
            looks = {at + wait for at in heard for wait in (0, rule.within - 1000, rule.within, rule.within + 1000)}
            looks.update(range(START, rule.until + 1, 10_000))
            armed = is_armed(reports, rule.within) if needs_three else lambda _: True
            says[key] = ask_flatline(ruletypes, rule.within, heard, sorted(looks), looks_first, armed)
        rule.rungs.append(Rung(reason, says))


def ask_flatline(ruletypes, within, heard, looks, looks_first, armed):
    settings = {"timeframe": datetime.timedelta(milliseconds=within), "query_key": "key", "threshold": 1}
    judge, says = ruletypes.FlatlineRule(settings), []

    def turn(at, words):
        if words.startswith("firing") != bool(says and says[-1][1].startswith("firing")):
            says.append((at, words))

    def look(at):
        judge.garbage_collect(moment(at))
        if judge.matches and armed(at):
            turn(at, "firing warning")
        judge.matches.clear()

    def listen(at):
        if at in heard:
            judge.add_data([{"@timestamp": moment(at), "key": "key"}])
            turn(at, "resolved heard")

    for at in looks:
        for step in (look, listen) if looks_first else (listen, look):
            step(at)
    return says


def is_armed(reports, within):
    """Whether three were heard before a moment, without a gap; once they were, it stays so."""
    heard, last, since = 0, None, None
    for report in reports:
        heard = 1 if last is not None and report.received - last >= within else heard + 1
        last = report.received
        if heard == 3:
            since = last
            break
    return lambda now: since is not None and now > since


# ---------------------------------------------------------------- Prometheus


def make_lasting(rng, cases, ruletypes):
    for number in range(0, cases, KEYS_PER_RULE):
        name = f"lasting_{number // KEYS_PER_RULE:03}"
        lasting, interval = rng.choice([0, 5, 10, 12, 15, 20, 30, 60]), rng.choice([5, 5, 10])
        resolve_after = rng.choice([15, 20, 30, 60, 90] if interval == 5 else [30, 60, 90])
        least, within = rng.choice([(1, 5), (1, 5), (3, 15), (4, 30)])
        wait = f"for: {lasting}s, " if lasting else ""
        ends = rng.choice(["resolve_after", "keep_firing_for"])
        yaml = (f"{{ name: {name}, on: push_error, where: {{ domain: \"*.example.com\" }}, "
                f"threshold: {{ count: {least}, within: {within}s }}, {wait}severity: warning, "
                f"{ends}: {resolve_after}s }}")
        deed = f"report_interval: {interval}s, push_error: [ {{{{ type: gop_too_large, count: {{count}} }}}} ]"
        rule = Rule(name, yaml, deed, "stream", within=1000 * within, lasting=lasting, report_interval=1000 * interval,
                    resolve_after=1000 * resolve_after)
        for case in range(min(KEYS_PER_RULE, cases - number)):
            key, now, reports = f"d{case}.example.com/live/cam", 0, []
            steady = rng.choice([0.5, 0.75, 0.9])
            edges = [10, 15, 20, 25, 30, 35, 5 * rng.randrange(1, 30)]
            edges += [resolve_after - 5, resolve_after, resolve_after + 5]
            while len(reports) < 50 and now < 600_000:
                now += 1000 * (5 if rng.random() < steady else rng.choice(edges))
                reports.append(Report(now, now, key, rng.choice([1, 1, 2])))
            rule.reports[key] = reports
        rule.until = 800_000
        settings = {"timeframe": datetime.timedelta(milliseconds=rule.within), "query_key": "key", "num_events": least}
        rule.met = ask_events(ruletypes.Remembering(settings), rule, True)
        yield rule


# What one Prometheus rule says: seconds between evaluations, seconds by which it ends early, its alert rules as (name,
# expression, `for`, `keep_firing_for`); the last of them is the one to ask.
Setting = namedtuple("Setting", "interval early alerts")


def lasting_settings(rule):
    """The ways in which Prometheus is asked about a rule. `met` is 1 at a report that meets the threshold, else 0."""
    wait, over, lapse = rule.lasting, rule.resolve_after // 1000, 3 * rule.report_interval // 1000
    met = f'met{{rule="{rule.name}"}}'
    lately = f"max_over_time({met}[{lapse - 6}s]) == 1"  # ranges are closed: less than `lapse - 5` ago
    just = f"max_over_time({met}[{lapse - 2}s]) == 1"

    def at_reports(name, held, keep):
        waits, told = (f'ALERTS{{alertname="{alert}",alertstate="firing"}}' for alert in (f"{name}_waits", name))
        return [(f"{name}_waits", held, wait, 0), (name, f"{met} == 1 and on (rule, key) ({waits} or {told})", 0, keep)]

    named = f"{rule.name}_{{}}".format
    return {
        "plain": Setting(5, 0, [(named("plain"), f"{met} == 1", wait, over)]),
        "plain_end": Setting(5, 0, [(named("plain_end"), f"{met} == 1", wait, over - 5)]),
        "held": Setting(5, 0, [(named("held"), lately, wait, over)]),
        "held_end": Setting(5, 0, [(named("held_end"), lately, wait, over - lapse + 5)]),
        "at_reports": Setting(5, 0, at_reports(named("at_reports"), lately, over - 5)),
        "every_second": Setting(1, 1, at_reports(named("every_second"), just, over - 2)),
    }


END = "resolve_after runs from the last matching report; keep_firing_for from the first evaluation without the trouble"
DUE = "what falls due at a moment comes before a report at it; Prometheus sees the report first"
LADDERS = {
    "plain": [
        ("plain", ""),
        ("plain_end", END),
        ("at_reports", "`for` lapses after a gap of three report intervals; in Prometheus with one missing report"),
        ("every_second", DUE),
    ],
    "held": [
        ("held", ""),
        ("held_end", END),
        ("at_reports", "`for` fires on a matching report; in Prometheus on an evaluation, also between two reports"),
        ("every_second", DUE),
    ],
}


def judge_lasting(rules, promtool, folder):
    """All rules at once: one promtool run for each evaluation interval."""
    until, got = max(rule.until for rule in rules) // 1000, {}
    settings = {rule.name: lasting_settings(rule) for rule in rules}
    for interval in (5, 1):
        alerts, asked, series, steps = [], [], [], range(0, until + 1, interval)
        for rule in rules:
            for setting in settings[rule.name].values():
                if setting.interval == interval:
                    alerts += [{"alert": name, "expr": expr, "for": f"{wait}s", "keep_firing_for": f"{keep}s"}
                               for name, expr, wait, keep in setting.alerts]
                    asked += [{"eval_time": f"{at}s", "alertname": setting.alerts[-1][0], "exp_alerts": []}
                              for at in steps]
            for key, reports in rule.reports.items():
                met = {report.received // 1000 for report, met in zip(reports, rule.met[key]) if met}
                values = " ".join("1" if at in met else "0" for at in steps)
                series.append({"series": f'met{{rule="{rule.name}",key="{key}"}}', "values": values})
        # JSON is YAML, too.
        (folder / f"promtool_{interval}s.rules.json").write_text(
            json.dumps({"groups": [{"name": "all", "rules": alerts}]}, indent=1))
        test = {"interval": f"{interval}s", "input_series": series, "alert_rule_test": asked}
        head = {"rule_files": [f"promtool_{interval}s.rules.json"], "evaluation_interval": f"{interval}s"}
        file = folder / f"promtool_{interval}s.json"
        file.write_text(json.dumps({**head, "tests": [test]}))
        done = run([promtool, "test", "rules", file])
        got.update(read_promtool(done.stdout + done.stderr))
    for rule in rules:
        says = {name: turns(rule, setting, got, until) for name, setting in settings[rule.name].items()}
        rule.ladders = {
            ladder: [Rung(reason, says[name]) for name, reason in rungs] for ladder, rungs in LADDERS.items()}
        rule.rungs = rule.ladders["plain"]


def turns(rule, setting, got, until):
    """When an alert begins and ends, by key."""
    says, before = {key: [] for key in rule.reports}, set()
    for at in range(0, until + 1, setting.interval):
        now = got.get((setting.alerts[-1][0], at), set())
        for key in before - now:
            says[key].append((1000 * (at + setting.early), "resolved quiet"))
        for key in now - before:
            says[key].append((1000 * at, "firing warning"))
        before = now
    return says


def read_promtool(text):
    """Which keys an alert fires for, by (alert, second): it was expected of none, so promtool tells of each."""
    got, place = defaultdict(set), None
    for line in text.splitlines():
        if match := re.match(r"\s*alertname: ?(\S+), time: ?(\S+),", line):
            place = (match[1], millis(match[2]) // 1000)
        elif match := re.search(r'Labels:\{.*key="([^"]+)"', line):
            got[place].add(match[1])
        elif "error" in line.lower() or re.search(r"parse|no such|invalid", line):
            fail(f"promtool: {line.strip()}")
    if not got:
        fail(f"promtool told of no alert at all: {text[:500]}")
    return got


# ---------------------------------------------------------------- the comparison


def verdicts(rule, rungs, does):
    """Compares what a judge says on each rung with what pushwatch does, at each moment at which anything happens to a
    key. Of several turns at one moment the order is not compared: each follows from the state before."""
    for key, reports in rule.reports.items():
        moments = {report.received for report in reports}
        tellers = [rung.says.get(key, []) for rung in rungs] + [does.get(key, [])]
        told = []
        for effects in tellers:
            by_moment = defaultdict(list)
            for at, words in sorted(effects):
                by_moment[at].append(words)
            moments.update(by_moment)
            told.append(by_moment)
        for at in sorted(moments):
            *judges, pushwatch = [", ".join(teller.get(at, [])) or "nothing" for teller in told]
            differs = [place for place, judge in enumerate(judges) if judge != pushwatch]
            reason = ""
            if differs:
                reason = rungs[differs[-1] + 1].reason if differs[-1] + 1 < len(judges) else None
            # A difference of a later rung alone is one of the rung, not of the judge as it is.
            if reason and 0 not in differs:
                reason = ""
            yield Verdict(rule, key, at, judges[0] if reason else judges[-1], pushwatch, reason)


WIDTHS = [7, 9, 10, 8, 9, 11, 13]


def show(kind, rules, answers):
    """One line of the table. Returns how often each reason was given, and how many differences have none."""
    reports = sum(len(reports) for rule in rules for reports in rule.reports.values())
    cases = sum(len(rule.reports) for rule in rules)
    reasons = Counter(answer.reason for answer in answers)
    acts = sum(answer.pushwatch not in ("nothing", "is quiet") for answer in answers)
    unexplained = reasons.pop(None, 0)
    equal = reasons.pop("", 0)
    figures = [cases, reports, len(answers), acts, equal, sum(reasons.values()), unexplained]
    print(f"{kind:<34}" + "".join(f"{figure:>{width}}" for figure, width in zip(figures, WIDTHS)))
    return reasons, unexplained


def tell(kind, answers, reason, number):
    """One example of a kind of difference, the shortest."""
    def before(verdict):
        return [report for report in verdict.rule.reports[verdict.key] if report.received <= verdict.at]

    example = min((answer for answer in answers if answer.reason == reason), key=lambda answer: len(before(answer)))
    print(f"\n{kind}, {number}: {reason or 'UNEXPLAINED'}")
    print(f"  {example.rule.yaml}")
    history = [f"{show_report(report)}" for report in before(example)[-8:]]
    print(f"  {example.key}: … {'; '.join(history)}" if len(before(example)) > 8 else
          f"  {example.key}: {'; '.join(history)}")
    print(f"  at {seconds(example.at)} the judge: {example.judge}; pushwatch: {example.pushwatch}")


def show_report(report):
    late = f" received {seconds(report.received)}" if report.at != report.received else ""
    count = f" ×{report.count}" if report.count > 1 else ""
    stream = report.stream.rsplit("/", 1)[-1]
    return f"{seconds(report.at)} {stream}{count}{late}"


def seconds(ms):
    return f"{ms / 1000:g}s"


def run(command):
    try:
        return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    except OSError as error:
        fail(f"{command[0]}: {error}; see README.md")


def parse_json(done):
    try:
        return json.loads(done.stdout)
    except ValueError:
        fail(f"pushwatch test said no JSON: {done.stdout[:500]}{done.stderr[:500]}")


def fail(why):
    print(f"compare.py: {why}", file=sys.stderr)
    sys.exit(2)


def main():
    parser = argparse.ArgumentParser(description="pushwatch beside elastalert2 and Prometheus on the same events")
    parser.add_argument("--pushwatch", default=REPO / "target/debug/pushwatch", help="target/debug/pushwatch")
    parser.add_argument("--promtool", default="promtool", help="Prometheus' promtool, 2.42 or later")
    parser.add_argument("--cases", type=int, default=300, help="of each kind (300)")
    parser.add_argument("--seed", type=int, default=1, help="other events (1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the files that the judges were given there")
    args = parser.parse_args()
    if not 1 <= args.cases <= 5_000:
        parser.error("--cases: 1 to 5000")

    began, ruletypes = time.monotonic(), load_elastalert()
    with tempfile.TemporaryDirectory(prefix="comparison-") as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        kinds = list(compare(args, folder, ruletypes))

    heads = ["cases", "events", "verdicts", "alerts", "equal", "explained", "unexplained"]
    print(" " * 34 + "".join(f"{head:>{width}}" for head, width in zip(heads, WIDTHS)))
    stories, open_questions = [], 0
    for kind, rules, answers in kinds:
        reasons, unexplained = show(kind, rules, answers)
        open_questions += unexplained
        stories += [(kind, answers, reason, number) for reason, number in reasons.most_common()]
        stories += [(kind, answers, None, unexplained)] if unexplained else []
    for story in stories:
        tell(*story)
    said = run([args.promtool, "--version"])
    print(f"\nelastalert2 {version('elastalert2')}, {(said.stdout + said.stderr).split(' (')[0]}, seed {args.seed}, "
          f"{time.monotonic() - began:.0f} s")
    print(f"{open_questions} differences are not explained" if open_questions else "every difference is explained")
    return 1 if open_questions else 0


def compare(args, folder, ruletypes):
    """(kind, rules, verdicts) of everything that is compared."""
    def numbers(kind):
        return random.Random(f"{args.seed} {kind}")

    frequency = list(make_frequency(numbers("frequency"), args.cases))
    for rule in frequency:
        judge_frequency(rule, ruletypes)
    distinct = list(make_distinct(numbers("distinct"), args.cases))
    for rule in distinct:
        judge_distinct(rule, ruletypes)
    silence = list(make_silence(numbers("silence"), args.cases))
    for rule in silence:
        judge_silence(rule, ruletypes)
    lasting = list(make_lasting(numbers("lasting"), args.cases, ruletypes))
    judge_lasting(lasting, args.promtool, folder)

    does = ask_pushwatch(args.pushwatch, folder, frequency + distinct + silence + lasting)
    yield "FrequencyRule as it is", frequency, [
        answer for rule in frequency for answer in verdicts_as_it_is(rule, does[rule.name])]
    for kind, rules in [
        ("FrequencyRule that remembers", frequency),
        ("CardinalityRule (distinct)", distinct),
        ("FlatlineRule (on: silence)", silence),
    ]:
        yield kind, rules, [answer for rule in rules for answer in verdicts(rule, rule.rungs, does[rule.name])]
    for ladder, kind in [("plain", "Prometheus (for, keep_firing_for)"), ("held", "Prometheus, held for 3 intervals")]:
        yield kind, lasting, [
            answer for rule in lasting for answer in verdicts(rule, rule.ladders[ladder], does[rule.name])]


if __name__ == "__main__":
    sys.exit(main())
