//! How a batch of entries is packed into the three columns of one journal row, and read back. Pure.
//!
//! `ids` is 16 bytes an entry, zeros for one without identity. `events` and `bodies` are LZ4 blocks with their
//! size in front: of the inputs in postcard, with identities blanked as `ids` has them, and of all bodies, each
//! behind its length. The codec of a row names the shape of `events`; bodies keep theirs for ever, so that events
//! of an older codec can be made from them again.

use bytes::Bytes;
use lz4_flex::block::{compress_prepend_size, decompress, uncompressed_size};

use super::error::Fault;
use crate::model::{EventId, Input, NewEntry};

/// The shape of `events` written today. To be raised with every change of [`Input`]'s shape.
pub(super) const CODEC: i64 = 1;

/// No batch comes near this: a larger size can only be damage, and must not be allocated.
const MOST: usize = 1 << 30;

const NO_ID: EventId = EventId([0; 16]);

/// A batch, packed.
#[derive(Debug)]
pub(super) struct Packed {
    /// Identities.
    pub(super) ids: Vec<u8>,
    /// Inputs.
    pub(super) events: Vec<u8>,
    /// Bodies.
    pub(super) bodies: Vec<u8>,
}

/// Packs a batch. The entries are as before afterwards.
pub(super) fn pack(entries: &mut [NewEntry]) -> Result<Packed, Fault> {
    let mut ids = Vec::with_capacity(entries.len() * NO_ID.0.len());
    let mut events = Vec::with_capacity(entries.len() * 256);
    for entry in entries.iter_mut() {
        let id = exchange(&mut entry.input, NO_ID);
        ids.extend_from_slice(&id.0);
        events = postcard::to_extend(&entry.input, events)
            .map_err(|error| Fault::Unreadable(format!("an entry can't be packed: {error}")))?;
        exchange(&mut entry.input, id);
    }
    let size = entries.iter().map(|entry| entry.body.len() + 4).sum();
    let mut bodies = Vec::with_capacity(size);
    for entry in entries.iter() {
        // A body is bounded by the door far below 4 GiB.
        bodies.extend_from_slice(&(entry.body.len() as u32).to_le_bytes());
        bodies.extend_from_slice(&entry.body);
    }
    Ok(Packed { ids, events: compress_prepend_size(&events), bodies: compress_prepend_size(&bodies) })
}

/// The identities of a row, without those that have none.
pub(super) fn unpack_ids(ids: &[u8]) -> impl Iterator<Item = EventId> {
    unpack_all_ids(ids).filter(|id| *id != NO_ID)
}

/// One identity for each entry of a row, zeros where it has none.
pub(super) fn unpack_all_ids(ids: &[u8]) -> impl Iterator<Item = EventId> {
    ids.as_chunks().0.iter().map(|id| EventId(*id))
}

/// The inputs of a row.
pub(super) fn unpack_events(codec: i64, count: usize, ids: &[u8], events: &[u8]) -> Result<Vec<Input>, Fault> {
    if codec != CODEC {
        return Err(Fault::Unreadable(format!("journal row of codec {codec}, this pushwatch reads {CODEC}")));
    }
    let plain = unzip(events)?;
    let (ids, []) = ids.as_chunks() else { return Err(Fault::Unreadable("identities are cut short".to_owned())) };
    if ids.len() != count {
        return Err(Fault::Unreadable(format!("{} identities for {count} entries", ids.len())));
    }
    let mut inputs = Vec::with_capacity(count);
    let mut rest = plain.as_slice();
    for id in ids {
        let (mut input, after) = postcard::take_from_bytes::<Input>(rest)
            .map_err(|error| Fault::Unreadable(format!("journaled entry: {error}")))?;
        exchange(&mut input, EventId(*id));
        inputs.push(input);
        rest = after;
    }
    Ok(inputs)
}

/// The bodies of a row.
pub(super) fn unpack_bodies(bodies: &[u8]) -> Result<Vec<Bytes>, Fault> {
    let cut = || Fault::Unreadable("journaled bodies are cut short".to_owned());
    let mut rest = Bytes::from(unzip(bodies)?);
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = rest.first_chunk().map(|length| u32::from_le_bytes(*length) as usize).ok_or_else(cut)?;
        let end = length.checked_add(4).filter(|end| *end <= rest.len()).ok_or_else(cut)?;
        found.push(rest.split_to(end).slice(4..));
    }
    Ok(found)
}

fn unzip(packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let broken = |what: &dyn std::fmt::Display| Fault::Unreadable(format!("journal row: {what}"));
    let (size, block) = uncompressed_size(packed).map_err(|error| broken(&error))?;
    if size > MOST {
        return Err(broken(&format!("claims {size} bytes")));
    }
    let plain = decompress(block, size).map_err(|error| broken(&error))?;
    match plain.len() == size {
        true => Ok(plain),
        false => Err(broken(&format!("{} bytes where {size} should be", plain.len()))),
    }
}

/// Puts another identity in place of an input's own, which it returns.
fn exchange(input: &mut Input, id: EventId) -> EventId {
    match input {
        Input::Callback(event) => std::mem::replace(&mut event.id, id),
        _ => NO_ID,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Timestamp;
    use crate::store::samples;

    fn resumed() -> NewEntry {
        NewEntry { input: Input::Resumed { from: Timestamp(1), to: Timestamp(2) }, body: Bytes::new() }
    }

    #[test]
    fn a_batch_comes_back_with_identities_and_bodies() {
        let mut entries = vec![samples::callback(1), resumed(), samples::callback(2)];
        let before: Vec<Input> = entries.iter().map(|entry| entry.input.clone()).collect();
        let packed = pack(&mut entries).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.input.clone()).collect::<Vec<_>>(), before);
        assert_eq!(unpack_events(CODEC, 3, &packed.ids, &packed.events).unwrap(), before);
        let bodies = unpack_bodies(&packed.bodies).unwrap();
        assert_eq!(bodies, entries.iter().map(|entry| entry.body.clone()).collect::<Vec<_>>());
        assert_eq!(unpack_ids(&packed.ids).count(), 2, "an entry without identity has none");
    }

    #[test]
    fn an_unknown_codec_is_named_and_its_bodies_still_come_back() {
        let packed = pack(&mut [samples::callback(1)]).unwrap();
        let refused = unpack_events(7, 1, &packed.ids, &packed.events).unwrap_err();
        assert!(refused.to_string().contains("codec 7"), "{refused}");
        assert_eq!(unpack_bodies(&packed.bodies).unwrap().len(), 1);
    }

    #[test]
    fn an_absurd_size_is_refused_before_it_is_allocated() {
        let mut packed = pack(&mut [samples::callback(1)]).unwrap();
        packed.bodies[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(unpack_bodies(&packed.bodies).is_err());
    }

    proptest! {
        #[test]
        fn damage_is_an_error_or_other_data_never_a_panic(at in 0_usize..2000, to: u8, count in 0_usize..5) {
            let mut packed = pack(&mut [samples::callback(1), samples::callback(2)]).unwrap();
            for column in [&mut packed.ids, &mut packed.events, &mut packed.bodies] {
                let at = at % column.len();
                column[at] = to;
            }
            let _ = unpack_events(CODEC, count, &packed.ids, &packed.events);
            let _ = unpack_bodies(&packed.bodies);
        }

        #[test]
        fn any_bodies_come_back(bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..20)) {
            let mut entries: Vec<NewEntry> = bodies
                .iter()
                .map(|body| NewEntry { body: Bytes::from(body.clone()), ..resumed() })
                .collect();
            let packed = pack(&mut entries).unwrap();
            prop_assert_eq!(unpack_bodies(&packed.bodies).unwrap(), bodies);
        }
    }
}
