//! The cloud's proof: `sign` = MD5(key + `t`), and `t` still good. Pure; keys never leave it.

use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use super::refusal::Refusal;
use super::wire::{Callback, Field};
use crate::model::{Door, Timestamp};

/// A callback that may come in. Only [`verify`] makes one.
#[derive(Debug)]
pub(super) struct Verified<'a>(Callback<'a>);

impl<'a> Verified<'a> {
    /// The `event_type`.
    pub(super) fn kind(&self) -> i64 {
        self.0.kind
    }

    /// Length of the body, to size buffers by.
    pub(super) fn len(&self) -> usize {
        self.0.len
    }

    /// Everything but `t` and `sign`, by name.
    pub(super) fn into_fields(self) -> Vec<Field<'a>> {
        self.0.fields
    }
}

/// Lets a callback in if its signature fits one of the keys and is in force at `now` (the wall's time), or if the
/// door's settings let it in without one.
///
/// The signature covers the key and `t` alone: the body is not proved by it.
pub(super) fn verify<'a>(door: &Door, callback: Callback<'a>, now: Timestamp) -> Result<Verified<'a>, Refusal> {
    if door.keys.is_empty() {
        return match door.allow_unsigned {
            true => Ok(Verified(callback)),
            false => Err(Refusal::Unsigned),
        };
    }
    match (&callback.t, &callback.sign) {
        (Some(t), Some(sign)) => {
            fits(&door.keys, t, sign)?;
            in_force(door, t, now)?;
        }
        _ if door.unsigned_events.contains(&callback.kind) => {}
        _ => return Err(Refusal::Unsigned),
    }
    Ok(Verified(callback))
}

/// Tries every key whatever the ones before it gave, so that the time taken tells nothing.
fn fits(keys: &[SecretString], t: &str, sign: &str) -> Result<(), Refusal> {
    let mut received = [0; 32];
    if sign.len() != received.len() {
        return Err(Refusal::BadSignature);
    }
    received.copy_from_slice(sign.as_bytes());
    received.make_ascii_lowercase();
    let fit = keys.iter().fold(Choice::from(0), |fit, key| fit | sign_of(key, t).ct_eq(&received));
    if bool::from(fit) { Ok(()) } else { Err(Refusal::BadSignature) }
}

/// Lower-case hex, as the cloud writes it.
fn sign_of(key: &SecretString, t: &str) -> [u8; 32] {
    let digest = Md5::new().chain_update(key.expose_secret()).chain_update(t).finalize();
    let mut sign = [0; 32];
    // 16 bytes are 32 digits.
    let _ = hex::encode_to_slice(digest, &mut sign);
    sign
}

fn in_force(door: &Door, t: &str, now: Timestamp) -> Result<(), Refusal> {
    let t = Timestamp::from_secs(t.parse().map_err(|_| Refusal::BadSignature)?);
    let (past, ahead) = (now.since(t), t.since(now));
    if past > door.clock_skew {
        return Err(Refusal::Past(past.as_secs()));
    }
    if ahead > door.max_validity {
        return Err(Refusal::Ahead(ahead.as_secs()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_754_623_210_000);

    fn door() -> Door {
        Door { keys: vec!["testkey".into(), "adasda131312".into()], ..Door::default() }
    }

    fn check(door: &Door, body: &str, now: Timestamp) -> Result<(), Refusal> {
        verify(door, Callback::parse(body.as_bytes())?, now).map(|_| ())
    }

    fn signed(t: &str, sign: &str) -> String {
        format!(r#"{{"event_type":321,"t":{t},"sign":"{sign}"}}"#)
    }

    #[test]
    fn the_vectors_of_the_facts_page_fit_each_of_two_keys() {
        assert_eq!(&sign_of(&"testkey".into(), "1754623810"), b"84f60b8d716efc4af91f2a539b81cbd4");
        assert_eq!(&sign_of(&"adasda131312".into(), "1703732078"), b"3517b319dd20f5e7fe6550ca167198f8");
        assert_eq!(check(&door(), &signed("1754623810", "84f60b8d716efc4af91f2a539b81cbd4"), NOW), Ok(()));
        let then = Timestamp(1_703_731_478_000);
        assert_eq!(check(&door(), &signed("1703732078", "3517b319dd20f5e7fe6550ca167198f8"), then), Ok(()));
    }

    #[test]
    fn capitals_and_a_quoted_t_fit_too() {
        let body = signed("\"1754623810\"", "84F60B8D716EFC4AF91F2A539B81CBD4");
        assert_eq!(check(&door(), &body, NOW), Ok(()));
    }

    #[test]
    fn t_is_signed_as_the_text_it_was_received_as() {
        let door = door();
        let sign = String::from_utf8(sign_of(&door.keys[0], "01754623810").to_vec()).unwrap();
        assert_eq!(check(&door, &signed("\"01754623810\"", &sign), NOW), Ok(()));
        assert_eq!(check(&door, &signed("1754623810", &sign), NOW), Err(Refusal::BadSignature));
    }

    #[test]
    fn another_sign_is_refused_whatever_its_length() {
        for sign in [
            "",
            "84f60b8d",
            "84f60b8d716efc4af91f2a539b81cbd5",
            "84f60b8d716efc4af91f2a539b81cbd4a",
            "流流流流流流流流流流aa",
        ] {
            assert_eq!(check(&door(), &signed("1754623810", sign), NOW), Err(Refusal::BadSignature), "{sign}");
        }
        // The documented placeholder fits nothing.
        let body = signed("1754623810", "ca3e25e5dc17a6f9909a9ae7281e300d");
        assert_eq!(check(&door(), &body, NOW), Err(Refusal::BadSignature));
    }

    #[test]
    fn t_is_good_from_max_validity_before_it_to_the_skew_after_it() {
        let body = signed("1754623810", "84f60b8d716efc4af91f2a539b81cbd4");
        let at = |ms: i64| check(&door(), &body, Timestamp(1_754_623_810_000 + ms));
        assert_eq!(at(60_000), Ok(()));
        assert_eq!(at(60_001), Err(Refusal::Past(60)));
        assert_eq!(at(-1_800_000), Ok(()));
        assert_eq!(at(-1_800_001), Err(Refusal::Ahead(1800)));
    }

    #[test]
    fn a_wrong_sign_is_named_before_an_old_t() {
        let body = signed("1754623810", "00000000000000000000000000000000");
        assert_eq!(check(&door(), &body, Timestamp(i64::MAX)), Err(Refusal::BadSignature));
    }

    #[test]
    fn unsigned_is_refused_but_for_listed_types_and_these_may_not_carry_a_wrong_sign() {
        let listed = Door { unsigned_events: vec![314], ..door() };
        for body in
            [r#"{"event_type":314}"#, r#"{"event_type":314,"t":1754623810}"#, r#"{"event_type":314,"sign":"x"}"#]
        {
            assert_eq!(check(&listed, body, NOW), Ok(()), "{body}");
            assert_eq!(check(&door(), body, NOW), Err(Refusal::Unsigned), "{body}");
        }
        assert_eq!(check(&listed, r#"{"event_type":321}"#, NOW), Err(Refusal::Unsigned));
        assert_eq!(check(&listed, r#"{"event_type":314,"t":1,"sign":"x"}"#, NOW), Err(Refusal::BadSignature));
    }

    #[test]
    fn without_keys_everything_or_nothing_comes_in() {
        let open = Door { allow_unsigned: true, ..Door::default() };
        for body in [r#"{"event_type":321}"#.to_owned(), signed("1", "ca3e25e5dc17a6f9909a9ae7281e300d")] {
            assert_eq!(check(&open, &body, NOW), Ok(()), "{body}");
            assert_eq!(check(&Door::default(), &body, NOW), Err(Refusal::Unsigned), "{body}");
        }
        // With keys the permission means nothing.
        let both = Door { allow_unsigned: true, ..door() };
        assert_eq!(check(&both, r#"{"event_type":321}"#, NOW), Err(Refusal::Unsigned));
    }
}
