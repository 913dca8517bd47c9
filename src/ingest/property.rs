//! Whatever a body holds, it is refused or kept in a sound form, and never a panic.

use proptest::prelude::*;

use super::{admit, recorded};
use crate::model::{Door, Timestamp};

const PUSH_ERROR: &str = include_str!("../../tests/fixtures/push_error.json");
const PUSH_BEGIN: &str = include_str!("../../tests/fixtures/push_begin.json");
const PUSH_END: &str = include_str!("../../tests/fixtures/push_end.json");

proptest! {
    #[test]
    fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = admit(&open(), &body, Timestamp(0));
    }

    #[test]
    fn a_damaged_sample_is_refused_or_kept_as_json(
        sample in prop::sample::select(vec![PUSH_ERROR, PUSH_BEGIN, PUSH_END]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut body = sample.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        check(&body);
        body.truncate(cut.index(body.len()));
        check(&body);
    }

    #[test]
    fn any_member_may_hold_anything(
        key in prop::sample::select(vec![
            "abnormal_event", "app", "appid", "appname", "data_time", "domain", "errcode", "errmsg", "event_time", "node",
            "path", "push_duration", "report_interval", "sequence", "stream_id", "stream_param", "user_ip",
        ]),
        value in anything(),
        kind in prop::sample::select(vec![0, 1, 321]),
    ) {
        let body = serde_json::json!({ "event_type": kind, key: value }).to_string();
        prop_assert!(check(body.as_bytes()), "verified, so never refused: {}", body);
    }
}

fn open() -> Door {
    Door { allow_unsigned: true, ..Door::default() }
}

/// Whether a body is let in; if so, what is kept must be sound.
fn check(body: &[u8]) -> bool {
    let Ok((event, copy)) = admit(&open(), body, Timestamp(0)) else { return false };
    serde_json::from_slice::<serde_json::Value>(&copy).expect("the copy is JSON");
    assert_eq!(recorded(&copy, event.id).as_ref(), Ok(&event), "read again from the copy it is the same");
    assert!(event.abnormal.iter().all(|a| a.count > 0 && a.details.len() <= 256));
    assert!(event.unreadable.as_ref().is_none_or(|why| !why.is_empty() && why.len() <= 512));
    true
}

fn anything() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let keys = prop::sample::select(vec!["type", "count", "detail", "desc", "occur_time", "type_desc_en", "x"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            prop::collection::vec((keys.prop_map(str::to_owned), inner.clone()), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            inner.prop_map(|value| serde_json::Value::String(value.to_string())),
        ]
    })
}
