//! What a callback costs before it reaches the journal: verify, mask, read, identity. The documented sample, signed.

use divan::{Bencher, black_box};
use md5::{Digest, Md5};
use pushwatch::ingest::admit;
use pushwatch::model::{Door, Timestamp};

const KEY: &str = "testkey";
const NOW: Timestamp = Timestamp(1_754_623_210_000);
const SAMPLE: &str = include_str!("../tests/fixtures/push_error.json");

fn main() {
    divan::main();
}

fn door(keys: usize) -> Door {
    let mut door = Door::default();
    // The key that fits comes last, though no key is cheaper than another.
    door.keys.extend((1..keys).map(|n| format!("{KEY}{n}").into()));
    door.keys.push(KEY.into());
    door
}

fn signed() -> String {
    let sign = hex::encode(Md5::digest(format!("{KEY}1754623810")));
    SAMPLE.trim_end().replace("ca3e25e5dc17a6f9909a9ae7281e300d", &sign)
}

#[divan::bench(args = [1, 2, 4])]
fn documented_sample(bencher: Bencher<'_, '_>, keys: usize) {
    let (door, body) = (door(keys), signed());
    assert!(admit(&door, body.as_bytes(), NOW).is_ok());
    bencher
        .counter(divan::counter::BytesCount::new(body.len()))
        .bench(|| admit(black_box(&door), black_box(body.as_bytes()), NOW));
}

#[divan::bench]
fn sample_with_abnormal_event_in_a_string(bencher: Bencher<'_, '_>) {
    let mut value: serde_json::Value = serde_json::from_str(&signed()).unwrap_or_default();
    value["abnormal_event"] = value["abnormal_event"].to_string().into();
    let (door, body) = (door(1), value.to_string());
    assert!(admit(&door, body.as_bytes(), NOW).is_ok());
    bencher.bench(|| admit(black_box(&door), black_box(body.as_bytes()), NOW));
}

#[divan::bench]
fn forged(bencher: Bencher<'_, '_>) {
    let (door, body) = (door(1), SAMPLE);
    assert!(admit(&door, body.as_bytes(), NOW).is_err());
    bencher.bench(|| admit(black_box(&door), black_box(body.as_bytes()), NOW));
}
