//! What the API asks for, done by the executor of commands or looked up in the store, and put into JSON.

use std::fmt;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::admin::{Answered, Commands, NewMute, Wanted};
use crate::clock::Clock;
use crate::command::{
    self, Caller, Care, Command, Covers, Desk, Lift, Mistake, News, Place, Refusal, Reply, Standing, Target, Voice,
};
use crate::model::{AuditRecord, Incident, Mute};
use crate::rules::Matchers;
use crate::store::{Lookup, Sheet, StoreError, Told, Which};

/// Whom the record names if nobody says who they are.
const SOMEBODY: &str = "operator";

/// Commands on record that are read at once, and how often, to find those about one incident.
const RECORDS: usize = 500;
const MOST_SHEETS: usize = 10;

/// The operators' way to commands; their door opens before there is anything behind it.
#[derive(Default)]
pub(super) struct Operators(OnceLock<Behind>);

/// What is behind it.
pub(super) struct Behind {
    desk: Arc<Desk>,
    lookup: Arc<dyn Lookup>,
    clock: Arc<Clock>,
}

impl Operators {
    /// Takes commands from now on.
    pub(super) fn begin(&self, desk: Arc<Desk>, lookup: Arc<dyn Lookup>, clock: Arc<Clock>) {
        // It begins once.
        let _ = self.0.set(Behind { desk, lookup, clock });
    }
}

impl Commands for Operators {
    fn answer(&self, asked: Wanted) -> BoxFuture<'_, Answered> {
        async move {
            match self.0.get() {
                Some(behind) => behind.see_to(asked).await.unwrap_or_else(|error| said(503, &error.to_string())),
                None => said(503, "pushwatch is starting"),
            }
        }
        .boxed()
    }
}

impl fmt::Debug for Operators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operators").finish_non_exhaustive()
    }
}

impl Behind {
    async fn see_to(&self, asked: Wanted) -> Result<Answered, StoreError> {
        Ok(match asked {
            Wanted::Incidents { states, stream, rule, before, most } => {
                let before = before.map(crate::model::IncidentId);
                let Sheet { items, next } = self.lookup.incidents(Which { states, stream, rule, before, most }).await?;
                list(items.iter().map(incident).collect(), next)
            }
            Wanted::Incident(id) => match self.lookup.incident(id).await? {
                Some((found, told)) => {
                    let mut body = incident(&found);
                    body["timeline"] = timeline(&found, &told, &self.acks(&found).await?);
                    Answered { status: 200, body }
                }
                None => said(404, &format!("there is no incident {}", id.0)),
            },
            Wanted::Ack { incident, author } => {
                let typed = format!("ack {}", incident.0);
                self.order(Command::Ack(incident), &typed, caller(author, Care::GoAhead)).await
            }
            Wanted::Mutes => {
                let mutes = self.desk.mutes().await?;
                let mut answer = list(mutes.iter().map(mute).collect(), None);
                answer.body["standing"] = self.desk.standing().iter().map(standing).collect();
                answer
            }
            Wanted::Mute(new) => {
                let care = if new.confirm == Some(false) { Care::AskBack } else { Care::GoAhead };
                let of = new.matchers.as_deref().or(new.target.as_deref()).unwrap_or_default();
                let typed = format!("mute {of} {} {}", new.duration, new.reason);
                match wanted(&new) {
                    Ok(command) => self.order(command, typed.trim_end(), caller(new.author, care)).await,
                    Err(why) => said(400, &why),
                }
            }
            Wanted::Unmute { id, author } => {
                let typed = format!("unmute {}", id.0);
                self.order(Command::Unmute(Lift::Id(id)), &typed, caller(author, Care::GoAhead)).await
            }
            Wanted::Audit { before, most } => {
                let Sheet { items, next } = self.lookup.records(before, most).await?;
                list(items.iter().map(|(id, item)| record(*id, item)).collect(), next)
            }
        })
    }

    /// The commands on record by which somebody took an incident in hand, or tried to; newest first.
    async fn acks(&self, incident: &Incident) -> Result<Vec<AuditRecord>, StoreError> {
        let names = |record: &AuditRecord| matches!(command::parse(&record.what), Ok(Command::Ack(named)) if named == incident.id);
        let (mut before, mut found) = (None, Vec::new());
        for _ in 0..MOST_SHEETS {
            let Sheet { items, next } = self.lookup.records(before, RECORDS).await?;
            let is_past = items.last().is_none_or(|(_, record)| record.at < incident.opened_at);
            let since = items.into_iter().map(|(_, record)| record).filter(|record| record.at >= incident.opened_at);
            found.extend(since.filter(names));
            before = next;
            if is_past || next.is_none() {
                break;
            }
        }
        Ok(found)
    }

    async fn order(&self, command: Command, typed: &str, caller: Caller) -> Answered {
        let reply = self.desk.execute(&caller, command, typed).await;
        let text = command::text(&reply, &Voice::plain(), self.clock.wall());
        let mut answer = answered(&reply);
        let key = if answer.status < 300 { "text" } else { "error" };
        answer.body[key] = json!(text);
        answer
    }
}

/// The command that a new mute is.
fn wanted(new: &NewMute) -> Result<Command, String> {
    let target = match (&new.matchers, &new.target) {
        (Some(matchers), None) => Matchers::parse(matchers).map(Target::Matchers).map_err(|wrong| {
            let hint = wrong.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("matchers: {}{hint}", wrong.message)
        }),
        (None, Some(target)) => command::target(target).map_err(in_words),
        _ => Err("give either matchers, such as stream=\"live_1\", or a target".to_owned()),
    }?;
    let length = command::length(&new.duration).map_err(in_words)?;
    Ok(Command::Mute { target, length, reason: command::reason(&new.reason) })
}

fn in_words(mistake: Mistake) -> String {
    mistake.text(&Voice::plain())
}

fn caller(author: Option<String>, care: Care) -> Caller {
    let who = author.filter(|author| !author.trim().is_empty()).unwrap_or_else(|| SOMEBODY.to_owned());
    Caller { who: who.into(), id: Box::default(), place: Place::Operators, care }
}

/// Status and data of a reply; its words are added to them.
fn answered(reply: &Reply) -> Answered {
    let (status, body) = match reply {
        Reply::Muted { mute: set, news, covers: now, .. } => {
            let mut body = mute(set);
            body["covers"] = covers(now);
            body["news"] = json!(match news {
                News::Set => "set",
                News::Longer => "longer",
                News::Nothing => "nothing",
            });
            (200, body)
        }
        Reply::Asked { covers: now, .. } => (409, json!({ "confirm": true, "covers": covers(now) })),
        Reply::Unmuted(mutes) => (200, json!({ "items": mutes.iter().map(mute).collect::<Vec<_>>() })),
        Reply::Acknowledged { incident: known, before, .. } => {
            let mut body = incident(known);
            body["before"] = json!(before);
            (200, body)
        }
        Reply::Late => (202, json!({})),
        Reply::Failed(_) => (503, json!({})),
        Reply::Refused(refusal) => match refusal {
            Refusal::Mistake(_) | Refusal::TooLong => (400, json!({})),
            Refusal::Ambiguous(candidates) => (409, json!({ "candidates": candidates })),
            Refusal::NoStream(_) | Refusal::NoMute(_) | Refusal::NoIncident(_) | Refusal::NothingAsked(_) => {
                (404, json!({}))
            }
            Refusal::NotAllowed(_) | Refusal::OldButton => (403, json!({})),
            Refusal::TooFast => (429, json!({})),
            Refusal::NotFromHere(_) | Refusal::Over(_) | Refusal::NotYet(_) | Refusal::TooMany | Refusal::Stale(_) => {
                (409, json!({}))
            }
        },
        Reply::Mutes { .. } | Reply::Incidents { .. } | Reply::Status(_) | Reply::Rules(_) | Reply::Help(_) => {
            (200, json!({}))
        }
    };
    Answered { status, body }
}

fn said(status: u16, why: &str) -> Answered {
    Answered { status, body: json!({ "error": why }) }
}

fn list(items: Vec<Value>, next: Option<u64>) -> Answered {
    Answered { status: 200, body: json!({ "items": items, "next": next }) }
}

fn covers(covers: &Covers) -> Value {
    json!({ "streams": covers.streams, "firing": covers.firing, "some": covers.some })
}

fn mute(mute: &Mute) -> Value {
    json!({
        "id": mute.id, "matchers": mute.matchers, "within": mute.within, "set_at": mute.set_at, "until": mute.until,
        "author": mute.author, "reason": mute.reason,
    })
}

fn standing(standing: &Standing) -> Value {
    json!({ "matchers": standing.matchers, "reason": standing.reason, "at_times": standing.at_times })
}

/// As it is kept, with what it is about as one text.
fn incident(incident: &Incident) -> Value {
    // Our own records always have a JSON form.
    let mut body = serde_json::to_value(incident).unwrap_or_default();
    body["stream"] = json!(incident.key.to_string());
    if let Value::Object(fields) = &mut body {
        fields.remove("group_key");
        fields.remove("deadline");
        fields.remove("seq");
        fields.remove("missed_in");
    }
    body
}

fn record(id: u64, record: &AuditRecord) -> Value {
    let AuditRecord { at, who, place, what, verdict, answer } = record;
    json!({ "id": id, "at": at, "who": who, "place": place, "what": what, "verdict": verdict, "answer": answer })
}

/// What happened, oldest first.
fn timeline(incident: &Incident, told: &[Told], acks: &[AuditRecord]) -> Value {
    let mut events = vec![
        (incident.since, json!({ "what": "first_report" })),
        (
            incident.opened_at,
            json!({ "what": if incident.is_firing() || incident.resolved_at.is_some() { "opened" } else { "waiting" } }),
        ),
    ];
    events.extend(told.iter().map(|told| {
        let Told { channel, reason, severity, outcome, done_at, .. } = told;
        let event = json!({
            "what": "told", "channel": channel, "reason": reason, "severity": severity, "outcome": outcome,
            "done_at": done_at,
        });
        (told.at, event)
    }));
    events.extend(acks.iter().map(|record| {
        let AuditRecord { at, who, place, what, verdict, answer } = record;
        let event = json!({
            "what": "command", "by": who, "place": place, "typed": what, "verdict": verdict, "answer": answer,
        });
        (*at, event)
    }));
    events.extend(incident.ack.as_ref().map(|ack| (ack.at, json!({ "what": "acknowledged", "by": ack.by }))));
    events.extend(incident.resolved_at.map(|at| (at, json!({ "what": "resolved", "cause": incident.cause }))));
    events.sort_by_key(|(at, _)| *at);
    let with_time = |(at, mut event): (crate::model::Timestamp, Value)| {
        event["at"] = json!(at);
        event
    };
    events.into_iter().map(with_time).collect()
}
