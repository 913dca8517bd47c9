//! Made-up notices about mutes: one that ends soon, one that is over, a standing one, hostile ones.

use std::time::Duration;

use super::{NOW, ago, hostile, push_end, push_error, trouble};
use crate::model::{Cause, ChannelName, Incident, Missed, Mute, MuteId, Notice, State, Timestamp};

/// Of mutes: one that ends soon, where it was set and elsewhere; one that is over, and a standing one; hostile ones.
pub(super) fn notices() -> Vec<Notice> {
    let matchers = "stream=\"cam1\", domain=\"push.example.com\", path=\"live\"";
    let mute = || Mute {
        id: MuteId(5),
        matchers: matchers.into(),
        within: Some(ChannelName::new("ops")),
        set_at: ago(12_000),
        until: NOW + Duration::from_secs(600),
        author: "U1 ann".into(),
        reason: "encoder swap".into(),
    };
    let over = |incident: Incident, secs, cause| Incident {
        state: State::Resolved,
        cause: Some(cause),
        last_at: ago(secs),
        resolved_at: Some(ago(secs)),
        ..incident.outline()
    };
    let late = push_error(12, "video_stall", vec![trouble(6, 14, Some(3_046.0))]);
    let missed = || Missed {
        mute: Some(MuteId(5)),
        others: 0,
        matchers: matchers.into(),
        author: "U1 ann".into(),
        reason: "encoder swap".into(),
        lifted: false,
        over: 2,
        firing: 1,
        worst: vec![over(late.clone(), 20, Cause::Quiet), over(push_end(13), 40, Cause::Reconnected)],
    };
    let many: Vec<Incident> = hostile()
        .into_iter()
        .flat_map(|sample| sample.incidents)
        .take(5)
        .map(|one| over(one, 5, Cause::Ended))
        .collect();
    let bad = "`<b>&*_\n@all /mute ".repeat(100);
    let hostile_matchers = format!("stream=\"{}\"", "<!channel>'`; rm -rf '".repeat(60));
    vec![
        Notice::MuteEnds { mute: Box::new(mute()), firing: 3 },
        Notice::MuteOver(Box::new(missed())),
        Notice::MuteOver(Box::new(Missed {
            mute: None,
            author: "".into(),
            reason: "nights".into(),
            over: 100_000,
            firing: 0,
            ..missed()
        })),
        Notice::MuteEnds { mute: Box::new(Mute { within: None, reason: "".into(), ..mute() }), firing: 0 },
        Notice::MuteOver(Box::new(Missed {
            lifted: true,
            over: 1,
            firing: 0,
            worst: missed().worst.split_off(1),
            ..missed()
        })),
        Notice::MuteOver(Box::new(Missed {
            others: 11,
            matchers: "".into(),
            author: "".into(),
            reason: "".into(),
            over: 34,
            firing: 0,
            ..missed()
        })),
        Notice::MuteEnds {
            mute: Box::new(Mute {
                matchers: hostile_matchers.as_str().into(),
                author: bad.as_str().into(),
                reason: bad.as_str().into(),
                until: Timestamp::MAX,
                ..mute()
            }),
            firing: u64::MAX,
        },
        Notice::MuteOver(Box::new(Missed {
            matchers: hostile_matchers.into(),
            author: bad.as_str().into(),
            reason: bad.as_str().into(),
            over: u64::MAX,
            firing: u64::MAX,
            worst: many,
            ..missed()
        })),
    ]
}
