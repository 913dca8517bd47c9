//! What many incidents have in common, gathered one at a time: a digest of any size in bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::sync::Arc;

use super::Sign;
use super::fault::Fault;
use super::phrase::{end, sign};
use crate::model::{Cause, EventKind, Incident, Key, Severity, State, Timestamp};

/// So many are named.
const WORST: usize = 5;
/// Different streams that are told apart; each incident beyond counts as a stream of its own. About 8 MiB.
const STREAMS: usize = 250_000;
/// Different domains, rules and kinds of trouble that are counted by name.
const NAMES: usize = 256;

/// Incidents of many groups, added up. What it takes does not grow with their number, but for 32 bytes a stream.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// How each thing told of stands, by a hash of its key.
    keys: HashMap<u64, Standing, BuildHasherDefault<DefaultHasher>>,
    /// How many things stand how.
    things: Standings,
    /// How many incidents stand how.
    incidents: Standings,
    /// Some are about something wider than a stream, or about single pushes.
    wide: bool,
    sick: Part,
    over: Part,
}

impl Gathered {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Gathered {
        Gathered::default()
    }

    /// Adds one incident, in any order; a pending one is passed over: it is not told.
    pub fn add(&mut self, incident: &Incident) {
        let Some(standing) = Standing::of(incident) else { return };
        self.wide |= !matches!(incident.key, Key::Stream(_));
        self.incidents.add(standing);
        let key = self.keys.hasher().hash_one(&incident.key);
        let full = self.keys.len() >= STREAMS;
        match self.keys.get_mut(&key) {
            Some(known) if *known < standing => {
                self.things.moved(*known, standing);
                *known = standing;
            }
            Some(_) => {}
            None => {
                self.things.add(standing);
                if !full {
                    self.keys.insert(key, standing);
                }
            }
        }
        match standing {
            Standing::Sick => self.sick.add(key, incident),
            Standing::Well | Standing::Closed | Standing::Ended => self.over.add(key, incident),
        }
    }

    /// How many there are: streams, or incidents where some are about something else.
    #[must_use]
    pub fn total(&self) -> u64 {
        let counted = self.counted();
        counted.sick + counted.over()
    }

    /// How many of them are in trouble.
    #[must_use]
    pub fn sick(&self) -> u64 {
        self.counted().sick
    }

    /// Whether none is in trouble, which also holds of none at all.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.incidents.sick == 0
    }

    /// The worst severity: of what fires, else of all.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        self.open().severity
    }

    /// The cloud's time of the first report: of what fires, else of all.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        self.open().since
    }

    /// Whether they are counted as streams: all of them are about one.
    pub(super) fn of_streams(&self) -> bool {
        !self.wide
    }

    /// Whether each of them has one incident, so that counts of incidents are counts of them.
    pub(super) fn one_each(&self) -> bool {
        let (things, incidents) = (self.things, self.incidents);
        self.wide || (things.sick, things.over()) == (incidents.sick, incidents.over())
    }

    /// How many stand how, in the unit of [`Gathered::total`].
    pub(super) fn counted(&self) -> Standings {
        if self.wide { self.incidents } else { self.things }
    }

    /// What a message is about: what fires, else all.
    pub(super) fn open(&self) -> &Part {
        if self.is_over() { &self.over } else { &self.sick }
    }
}

/// How something stands; of its incidents, the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Well again.
    Well,
    /// No longer watched: its rule is gone, or there was no word for a day.
    Closed,
    /// The push stopped: not well.
    Ended,
    /// In trouble.
    Sick,
}

impl Standing {
    fn of(incident: &Incident) -> Option<Standing> {
        match (incident.state, incident.cause) {
            (State::Pending, _) => None,
            (State::Firing, _) => Some(Standing::Sick),
            (State::Resolved, Some(Cause::Ended)) => Some(Standing::Ended),
            (State::Resolved, _) if sign(incident) == Sign::Well => Some(Standing::Well),
            (State::Resolved, _) => Some(Standing::Closed),
        }
    }
}

/// How many stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standings {
    pub(super) sick: u64,
    pub(super) well: u64,
    pub(super) ended: u64,
    pub(super) closed: u64,
}

impl Standings {
    pub(super) fn over(self) -> u64 {
        self.well + self.ended + self.closed
    }

    fn add(&mut self, standing: Standing) {
        *self.of(standing) += 1;
    }

    fn moved(&mut self, from: Standing, to: Standing) {
        let old = self.of(from);
        *old = old.saturating_sub(1);
        self.add(to);
    }

    fn of(&mut self, standing: Standing) -> &mut u64 {
        match standing {
            Standing::Well => &mut self.well,
            Standing::Closed => &mut self.closed,
            Standing::Ended => &mut self.ended,
            Standing::Sick => &mut self.sick,
        }
    }
}

/// What is gathered of those that fire, or of those that are over.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// How many incidents.
    pub(super) number: u64,
    pub(super) faults: Tally<Fault>,
    pub(super) rules: Tally<Arc<str>>,
    pub(super) domains: Tally<Box<str>>,
    /// All lie in a domain.
    placed: bool,
    origin: Origin,
    severity: Option<Severity>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    /// At most one of each key, with the key's hash, the worst first.
    worst: Vec<(u64, Incident)>,
}

impl Part {
    fn add(&mut self, key: u64, incident: &Incident) {
        for fault in Fault::of(incident) {
            self.faults.add(&fault, || fault);
        }
        self.rules.add(&*incident.rule, || incident.rule.clone());
        let domain = incident.key.domain();
        if let Some(domain) = domain {
            self.domains.add(domain, || domain.into());
        }
        self.placed = domain.is_some() && (self.placed || self.number == 0);
        self.origin = self.origin.with(address(incident));
        self.severity = self.severity.max(Some(incident.severity));
        let since = self.since.map_or(incident.since, |since| since.min(incident.since));
        self.since = Some(since);
        self.until = self.until.max(Some(end(incident)));
        self.number += 1;
        self.rank(key, incident);
    }

    fn rank(&mut self, key: u64, incident: &Incident) {
        let place = self.worst.partition_point(|(_, other)| rank(other) <= rank(incident));
        match self.worst.iter().position(|(known, _)| *known == key) {
            Some(known) if known < place => return,
            Some(known) => drop(self.worst.remove(known)),
            None if place == WORST => return,
            None => self.worst.truncate(WORST - 1),
        }
        self.worst.insert(place, (key, incident.clone()));
    }

    /// The few to be named.
    pub(super) fn worst(&self) -> impl Iterator<Item = &Incident> {
        self.worst.iter().map(|(_, incident)| incident)
    }

    /// The one domain in which all lie.
    pub(super) fn domain(&self) -> Option<&str> {
        let mut domains = self.domains.names();
        let first = domains.next().filter(|_| self.placed)?;
        (domains.next().is_none() && self.domains.beyond() == 0).then_some(&**first)
    }

    /// The address, or the network of one site, that all push from.
    pub(super) fn origin(&self) -> Option<String> {
        match self.origin {
            Origin::Address(address) => Some(address.to_string()),
            Origin::Network(network) => Some(network.to_string()),
            Origin::Nothing | Origin::Different => None,
        }
    }
}

/// What matters most first: how bad, whether it is down, how often; then the oldest.
fn rank(incident: &Incident) -> impl Ord {
    let bad = (incident.severity, incident.on == EventKind::PushEnd, incident.count);
    (std::cmp::Reverse(bad), incident.id)
}

/// The pusher's address. Only a well-formed one counts, so nothing hostile can come of it.
fn address(incident: &Incident) -> Option<IpAddr> {
    // Of something wider than a stream the incident knows the last pusher's alone.
    let address = match &incident.key {
        Key::UserIp { user_ip } => user_ip,
        key => key.stream().and(incident.user_ip.as_deref())?,
    };
    address.trim().parse().ok()
}

/// Where all of them come from.
#[derive(Clone, Copy, Debug, Default)]
enum Origin {
    /// None was added.
    #[default]
    Nothing,
    Address(IpAddr),
    Network(ipnet::IpNet),
    Different,
}

impl Origin {
    fn with(self, address: Option<IpAddr>) -> Origin {
        let Some(address) = address else { return Origin::Different };
        match self {
            Origin::Nothing => Origin::Address(address),
            Origin::Address(known) if known == address => self,
            Origin::Address(known) => match site(known) {
                Some(network) if network.contains(&address) => Origin::Network(network),
                Some(_) | None => Origin::Different,
            },
            Origin::Network(network) if network.contains(&address) => self,
            Origin::Network(_) | Origin::Different => Origin::Different,
        }
    }
}

/// The network of one site around an address.
fn site(address: IpAddr) -> Option<ipnet::IpNet> {
    let length = match address {
        IpAddr::V4(_) => 24,
        IpAddr::V6(_) => 48,
    };
    ipnet::IpNet::new(address, length).ok().map(|network| network.trunc())
}

/// How often each name occurred; of very many names, those that came first.
#[derive(Clone, Debug)]
pub(super) struct Tally<N> {
    counts: BTreeMap<N, u64>,
    beyond: u64,
}

impl<N> Default for Tally<N> {
    fn default() -> Tally<N> {
        Tally { counts: BTreeMap::new(), beyond: 0 }
    }
}

impl<N: Ord> Tally<N> {
    fn add<Q: Ord + ?Sized>(&mut self, name: &Q, owned: impl FnOnce() -> N)
    where
        N: std::borrow::Borrow<Q>,
    {
        let full = self.counts.len() >= NAMES;
        match self.counts.get_mut(name) {
            Some(count) => *count += 1,
            None if !full => drop(self.counts.insert(owned(), 1)),
            None => self.beyond += 1,
        }
    }

    /// The names, ascending.
    pub(super) fn names(&self) -> impl Iterator<Item = &N> {
        self.counts.keys()
    }

    /// The names with how often each occurred, ascending by name.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&N, u64)> {
        self.counts.iter().map(|(name, count)| (name, *count))
    }

    /// How many occurrences of names are not among those.
    pub(super) fn beyond(&self) -> u64 {
        self.beyond
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sample;
    use super::*;
    use crate::model::{IncidentId, PushEnd, StreamName};

    /// Incidents of few streams, so that many share one.
    fn any_incident() -> impl Strategy<Value = Incident> {
        let causes = [Cause::Quiet, Cause::Reconnected, Cause::Ended, Cause::RuleRemoved, Cause::NoWord];
        let cause = prop::option::of(prop::sample::select(causes.to_vec()));
        (0..9_u64, 1..40_u64, 0..3_usize, cause, 0..5_u64).prop_map(|(stream, count, severity, cause, id)| Incident {
            id: IncidentId(id),
            key: Key::Stream(StreamName::new("d", "p", &format!("s{stream}"))),
            count,
            severity: [Severity::Info, Severity::Warning, Severity::Critical][severity],
            state: if cause.is_some() { State::Resolved } else { State::Firing },
            cause,
            ..sample::storm(1).remove(0)
        })
    }

    proptest! {
        #[test]
        fn it_says_what_a_list_of_all_would(incidents in prop::collection::vec(any_incident(), 0..60)) {
            let gathered = sample::gathered(&incidents);
            let mut streams: BTreeMap<&Key, Standing> = BTreeMap::new();
            for incident in &incidents {
                let standing = Standing::of(incident).unwrap();
                let known = streams.entry(&incident.key).or_insert(standing);
                *known = standing.max(*known);
            }
            let number = |wanted| streams.values().filter(|standing| **standing == wanted).count() as u64;
            let counted = gathered.counted();
            prop_assert_eq!(counted.sick, number(Standing::Sick));
            prop_assert_eq!(counted.well, number(Standing::Well));
            prop_assert_eq!(counted.ended, number(Standing::Ended));
            prop_assert_eq!(counted.closed, number(Standing::Closed));
            prop_assert_eq!(gathered.total(), streams.len() as u64);
            let firing: Vec<&Incident> = incidents.iter().filter(|incident| incident.is_firing()).collect();
            prop_assert_eq!(gathered.is_over(), firing.is_empty());
            let open: Vec<&Incident> = if firing.is_empty() { incidents.iter().collect() } else { firing };
            prop_assert_eq!(gathered.severity(), open.iter().map(|incident| incident.severity).max());
            let mut leads: BTreeMap<&Key, &Incident> = BTreeMap::new();
            for incident in &open {
                let lead = leads.entry(&incident.key).or_insert(incident);
                if rank(incident) < rank(lead) {
                    *lead = incident;
                }
            }
            let figures = |incident: &Incident| (incident.severity, incident.count, incident.id);
            let mut wanted: Vec<_> = leads.values().map(|incident| figures(incident)).collect();
            wanted.sort_by_key(|(severity, count, id)| (std::cmp::Reverse((*severity, *count)), *id));
            wanted.truncate(WORST);
            prop_assert_eq!(gathered.open().worst().map(figures).collect::<Vec<_>>(), wanted);
        }
    }

    #[test]
    fn a_flood_of_names_is_counted_but_not_kept() {
        let mut gathered = Gathered::new();
        for id in 0..2_000_u64 {
            let name = format!("{id}");
            gathered.add(&Incident {
                id: IncidentId(id),
                rule: name.as_str().into(),
                key: Key::Stream(StreamName::new(&name, "p", "s")),
                end: PushEnd { errcode: Some(id as i64), ..PushEnd::UNKNOWN }.boxed(),
                on: EventKind::PushEnd,
                ..sample::storm(1).remove(0)
            });
        }
        let open = gathered.open();
        for (kept, beyond) in [
            (open.rules.names().count(), open.rules.beyond()),
            (open.domains.names().count(), open.domains.beyond()),
            (open.faults.names().count(), open.faults.beyond()),
        ] {
            assert_eq!((kept, beyond), (NAMES, 2_000 - NAMES as u64));
        }
        assert_eq!((gathered.total(), open.worst().count(), open.domain()), (2_000, WORST, None));
    }

    #[test]
    fn what_waits_is_not_told_and_nothing_is_over() {
        let mut gathered = Gathered::new();
        gathered.add(&Incident { state: State::Pending, ..sample::storm(1).remove(0) });
        assert_eq!((gathered.total(), gathered.sick(), gathered.is_over()), (0, 0, true));
        assert_eq!((gathered.severity(), gathered.since()), (None, None));
        gathered.add(&sample::storm(1)[0]);
        assert_eq!((gathered.total(), gathered.sick(), gathered.is_over()), (1, 1, false));
    }
}
