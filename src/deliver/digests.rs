//! The digests of a channel: whom each tells of, which of them are over, and what is still to be said of it. Pure.
//!
//! What is wrong with a member is in the store and read when a digest is worded ([`Digests::look`]); between two such
//! looks the members' rows tell.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fold::{APART, Open, SPARING, YOUNG};
use super::living::{Known, Life};
use crate::model::{DigestId, Folded, GroupId, Severity, Timestamp};
use crate::store::DIGEST;

mod member;
pub(crate) use member::Heard;
use member::Seat;

/// Between two edits of a digest.
const COALESCE: Duration = Duration::from_secs(15);

/// The first edit may follow the post so soon: what joined it while it was on its way is news.
const FIRST_EDIT: Duration = Duration::from_secs(5);

/// Once nine of ten are over, the others have so long before each is told of by itself.
const STRAGGLING: Duration = Duration::from_secs(10 * 60);

/// Over after longer than this is worth a note, as it is with a single group.
const LONG: Duration = Duration::from_secs(5 * 60);

/// A digest that people noticed so short a while ago reminds them of all its members.
const REMINDER: Duration = Duration::from_secs(2 * 60);

/// The members of a digest that is over are known so long: their last rows may still be on the way.
const MEMORY: Duration = Duration::from_secs(60 * 60);

/// A digest as it is kept from run to run, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    platform_id: Option<String>,
    place: Option<String>,
    revision: u64,
    opened_at: Timestamp,
    posted_at: Option<Timestamp>,
    #[serde(default)]
    noted_at: Timestamp,
    severity: Severity,
    calm_since: Option<Timestamp>,
    closed_at: Option<Timestamp>,
}

/// What is to be said of a digest that was told already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Want {
    /// Its text has changed.
    Edit,
    /// All of it is over, which the text alone says.
    OverQuietly,
    /// All of it is over, and people are to notice.
    Over,
    /// It goes on, and people are reminded.
    Again,
    /// It is worse than people were told.
    Worse,
    /// Nothing was said yet.
    First,
}

impl Want {
    /// Whether people are to notice.
    pub(crate) fn is_loud(self) -> bool {
        self > Want::OverQuietly
    }
}

/// What is due besides calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Its members have to be looked at, for we have just started.
    Look(DigestId),
    /// Most are over for long: the others are to be told of by themselves.
    Straggle(DigestId),
    /// It is over for so long that it can be forgotten.
    Forget(DigestId),
}

/// One digest.
#[derive(Debug)]
struct Digest {
    /// What stands in the chat, once something does.
    known: Option<Known>,
    opened_at: Timestamp,
    /// The worst that people were told.
    severity: Severity,
    /// Rises with everything that is to be shown.
    revision: u64,
    edited_at: Option<Timestamp>,
    /// When people last noticed it.
    noted_at: Timestamp,
    members: usize,
    over: usize,
    calm_since: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    /// The strongest of what a row is owed for that no call was begun for.
    owed: Option<Want>,
    /// A call is under way, or was begun and its end is not known.
    under_way: bool,
    /// How its members stand is known.
    looked: bool,
    /// The text says that all is over.
    said_over: bool,
    /// People were notified of that.
    noted_over: bool,
}

impl Digest {
    fn new(opened_at: Timestamp, severity: Severity) -> Digest {
        Digest {
            known: None,
            opened_at,
            severity,
            revision: 1,
            edited_at: None,
            noted_at: Timestamp::default(),
            members: 0,
            over: 0,
            calm_since: None,
            closed_at: None,
            owed: None,
            under_way: false,
            looked: true,
            said_over: false,
            noted_over: false,
        }
    }

    /// Nothing was said of it, nor is being said: its first post will say it all.
    fn is_untold(&self) -> bool {
        self.known.is_none() && !self.under_way
    }

    fn is_over(&self) -> bool {
        self.looked && self.over == self.members
    }

    fn is_calm(&self) -> bool {
        self.looked && self.over * 10 >= self.members * 9
    }

    fn kept(&self) -> Kept {
        let known = self.known.as_ref();
        let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Kept {
            platform_id: known.and_then(|known| text(&known.platform_id)),
            place: known.and_then(|known| text(&known.place)),
            revision: known.map_or(0, |known| known.revision),
            opened_at: self.opened_at,
            posted_at: known.map(|known| known.posted_at),
            noted_at: self.noted_at,
            severity: self.severity,
            calm_since: self.calm_since,
            closed_at: self.closed_at,
        }
    }

    /// As loaded. What happened to its members since it was worded is not known, so it is to be worded anew.
    fn load(kept: Kept) -> Digest {
        let known = kept.posted_at.map(|posted_at| Known {
            platform_id: kept.platform_id.map(String::into_boxed_str),
            place: kept.place.map(String::into_boxed_str),
            revision: kept.revision,
            posted_at,
            life: Life::Open,
            ..Known::default()
        });
        Digest {
            known,
            noted_at: kept.noted_at.max(kept.posted_at.unwrap_or_default()),
            revision: kept.revision + 1,
            calm_since: kept.calm_since,
            closed_at: kept.closed_at,
            looked: kept.closed_at.is_some(),
            ..Digest::new(kept.opened_at, kept.severity)
        }
    }
}

/// All digests of a channel that are not forgotten.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    can_edit: bool,
    all: BTreeMap<DigestId, Digest>,
    seats: HashMap<GroupId, Seat, foldhash::fast::RandomState>,
    folded_at: Timestamp,
}

impl Digests {
    /// As loaded.
    pub(crate) fn new(
        can_edit: bool,
        kept: Vec<(DigestId, Kept)>,
        members: impl Iterator<Item = (GroupId, Folded)>,
    ) -> Digests {
        let folded_at = kept.iter().map(|(_, kept)| kept.opened_at).max().unwrap_or_default();
        let all = kept.into_iter().map(|(id, kept)| (id, Digest::load(kept))).collect();
        let mut digests = Digests { can_edit, all, folded_at, ..Digests::default() };
        for (group, Folded { digest, severity }) in members {
            let over = digests.all.get(&digest).is_some_and(|digest| digest.closed_at.is_some());
            digests.sit(group, Seat { over, shown_over: over, ..Seat::new(digest, severity) });
        }
        digests
    }

    /// A digest as it was kept; `None` for what is kept of other things.
    pub(crate) fn read(kind: &str, key: &str, value: &str) -> Option<(DigestId, Kept)> {
        let number = (kind == DIGEST).then(|| key.parse().ok()).flatten()?;
        Some((DigestId(number), serde_json::from_str(value).ok()?))
    }

    /// When some were last folded.
    pub(crate) fn folded_at(&self) -> Timestamp {
        self.folded_at
    }

    /// What others can join: none whose text says that it is over.
    pub(crate) fn open(&self, now: Timestamp) -> Open {
        let none = if self.can_edit { Open::None } else { Open::Never };
        let open = self.all.iter().filter(|(_, digest)| digest.closed_at.is_none() && !digest.said_over);
        let Some((id, digest)) = open.max_by_key(|(_, digest)| digest.opened_at) else { return none };
        match &digest.known {
            None if digest.is_untold() => Open::Untold(*id),
            None if self.can_edit => Open::Told(*id, digest.opened_at),
            Some(known) if self.can_edit && now.since(known.posted_at) < YOUNG => Open::Told(*id, digest.noted_at),
            None | Some(_) => none,
        }
    }

    /// Begins a digest.
    pub(crate) fn begin(&mut self, id: DigestId, severity: Severity, now: Timestamp) {
        self.all.insert(id, Digest::new(now, severity));
    }

    /// Whether it is there and not over.
    pub(crate) fn is_open(&self, id: DigestId) -> bool {
        self.all.get(&id).is_some_and(|digest| digest.closed_at.is_none())
    }

    /// What stands in the chat for it.
    pub(crate) fn known(&self, id: DigestId) -> Option<&Known> {
        self.all.get(&id)?.known.as_ref()
    }

    /// Sets what stands in the chat for it.
    pub(crate) fn set_known(&mut self, id: DigestId, known: Known) {
        if let Some(digest) = self.all.get_mut(&id) {
            digest.known = Some(known);
        }
    }

    /// As it is to be kept; `None` if it is forgotten.
    pub(crate) fn kept(&self, id: DigestId) -> Option<Kept> {
        self.all.get(&id).map(Digest::kept)
    }

    /// The worst that people were told of it.
    pub(crate) fn severity(&self, id: DigestId) -> Severity {
        self.all.get(&id).map_or(Severity::Info, |digest| digest.severity)
    }

    /// What it has come to; 0 if it is forgotten.
    pub(crate) fn revision(&self, id: DigestId) -> u64 {
        self.all.get(&id).map_or(0, |digest| digest.revision)
    }

    /// Before when its text is not to be changed again.
    pub(crate) fn edit_at(&self, id: DigestId) -> Timestamp {
        let Some(digest) = self.all.get(&id) else { return Timestamp::default() };
        match (&digest.known, digest.edited_at) {
            (None, _) => Timestamp::default(),
            (Some(known), None) => known.posted_at + FIRST_EDIT,
            (Some(_), Some(at)) => at + COALESCE,
        }
    }

    /// Before when people are not to be notified of it again, as it grows worse member by member. While they are told
    /// sparingly, what went out by itself last, at `alone_at`, counts as well.
    pub(crate) fn note_at(&self, id: DigestId, alone_at: Timestamp) -> Timestamp {
        let Some(digest) = self.all.get(&id) else { return Timestamp::default() };
        let counts = alone_at < digest.opened_at + SPARING;
        digest.noted_at.max(if counts { alone_at } else { Timestamp::default() }) + APART
    }

    /// Before when people are not to be notified of its end: that is one more message of a young storm.
    pub(crate) fn end_at(&self, id: DigestId) -> Timestamp {
        self.all.get(&id).map_or(Timestamp::default(), |digest| digest.opened_at + SPARING)
    }

    /// For what a row is to be owed, so that this is said: `None` if one is owed that says it as loudly.
    pub(crate) fn claim(&mut self, id: DigestId, want: Want) -> Option<Want> {
        let digest = self.all.get_mut(&id).filter(|digest| digest.closed_at.is_none())?;
        let want = if digest.is_untold() { Want::First } else { want };
        if !self.can_edit && !want.is_loud() {
            return None;
        }
        // An end that is owed says nothing of what goes on.
        let enough = digest.owed.is_some_and(|owed| !want.is_loud() || owed >= want.min(Want::Again));
        if enough {
            return None;
        }
        digest.owed = Some(want);
        Some(want)
    }

    /// A row for it is known to wait.
    pub(crate) fn is_owed(&mut self, id: DigestId, want: Want) {
        if let Some(digest) = self.all.get_mut(&id) {
            digest.owed = digest.owed.max(Some(want));
        }
    }

    /// A call is begun that says all there is to say.
    pub(crate) fn call(&mut self, id: DigestId) {
        if let Some(digest) = self.all.get_mut(&id) {
            digest.owed = None;
            digest.under_way = true;
        }
    }

    /// All its rows have ended without a call: there is nothing more to say of how it is.
    pub(crate) fn dropped(&mut self, id: DigestId) {
        let Some(digest) = self.all.get_mut(&id) else { return };
        digest.owed = None;
        digest.under_way = false;
        digest.said_over |= digest.is_over();
        digest.noted_over |= digest.is_over();
    }

    /// Its call has ended.
    pub(crate) fn called(&mut self, id: DigestId) {
        if let Some(digest) = self.all.get_mut(&id) {
            digest.under_way = false;
        }
    }

    /// Its text is in the chat as it was when its members were last looked at; `over` says whether all were over.
    pub(crate) fn shown(&mut self, id: DigestId, over: bool, now: Timestamp) {
        let Some(digest) = self.all.get_mut(&id) else { return };
        let first = digest.known.as_ref().is_none_or(|known| known.posted_at == now);
        digest.edited_at = if first { None } else { Some(now) };
        digest.said_over = over;
        for seat in self.seats.values_mut().filter(|seat| seat.digest == id) {
            seat.shown_over = seat.over;
        }
    }

    /// People were notified of how it is; `over` says whether all were over.
    pub(crate) fn noted(&mut self, id: DigestId, over: bool, now: Timestamp) {
        if let Some(digest) = self.all.get_mut(&id) {
            digest.noted_at = now;
            digest.noted_over = over;
        }
    }

    /// Whether people were notified that all of it is over, and it is still.
    pub(crate) fn is_noted_over(&self, id: DigestId) -> bool {
        self.all.get(&id).is_some_and(|digest| digest.noted_over)
    }

    /// What is still to be said, now that something of it has changed or was told. If it is over and all was said,
    /// it is closed; so is one that nothing is left of, where no text has to be brought to its end.
    pub(crate) fn judge(&mut self, id: DigestId, now: Timestamp) -> Option<Want> {
        let can_edit = self.can_edit;
        let digest = self.all.get_mut(&id).filter(|digest| digest.closed_at.is_none())?;
        if digest.members == 0 && !can_edit {
            digest.closed_at = Some(now);
            return None;
        }
        digest.calm_since = match (digest.is_calm(), digest.calm_since) {
            (true, since) => since.or(Some(now)),
            // Before the first look it is not known that the calm is over.
            (false, since) => since.filter(|_| !digest.looked),
        };
        let loud = digest.severity == Severity::Critical || now.since(digest.opened_at) > LONG || !can_edit;
        match (digest.is_over(), digest.known.is_some()) {
            (false, _) | (true, false) => None,
            (true, true) if loud && !digest.noted_over => Some(Want::Over),
            (true, true) if !digest.said_over => Some(Want::OverQuietly),
            (true, true) => {
                digest.closed_at = Some(now);
                None
            }
        }
    }

    /// What is due now besides calls.
    pub(crate) fn chore(&self, now: Timestamp) -> Option<Chore> {
        self.all.iter().find_map(|(id, digest)| match digest.closed_at {
            Some(at) => (now >= at + MEMORY).then_some(Chore::Forget(*id)),
            None if !digest.looked => Some(Chore::Look(*id)),
            None => digest.calm_since.filter(|since| now >= *since + STRAGGLING).map(|_| Chore::Straggle(*id)),
        })
    }

    /// When the next chore is due.
    pub(crate) fn next_chore(&self) -> Option<Timestamp> {
        let due = |digest: &Digest| match digest.closed_at {
            Some(at) => Some(at + MEMORY),
            None if !digest.looked => Some(Timestamp::default()),
            None => digest.calm_since.map(|since| since + STRAGGLING),
        };
        self.all.values().filter_map(due).min()
    }

    /// The members that outlive the others, if most are over still, and how bad people were told they are; each once.
    pub(crate) fn straggle(&mut self, id: DigestId, now: Timestamp) -> Vec<(GroupId, Severity)> {
        let Some(digest) = self.all.get_mut(&id) else { return Vec::new() };
        if !digest.is_calm() {
            digest.calm_since = None;
            return Vec::new();
        }
        // Those that are not told by then are looked at again.
        digest.calm_since = Some(now);
        let seats = self.seats.iter_mut().filter(|(_, seat)| seat.digest == id && !seat.over && !seat.straggles);
        let mut found: Vec<(GroupId, Severity)> = seats
            .map(|(group, seat)| {
                seat.straggles = true;
                (*group, seat.severity)
            })
            .collect();
        found.sort_unstable();
        found
    }

    /// Forgets a digest and its members.
    pub(crate) fn forget(&mut self, id: DigestId) {
        self.all.remove(&id);
        self.seats.retain(|_, seat| seat.digest != id);
    }
}

#[cfg(test)]
mod tests;
