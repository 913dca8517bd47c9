//! Slack's proof: an HMAC-SHA256 over the raw body and the time at which it was signed. Pure; secrets never leave it.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::model::Timestamp;

/// How far a call's time may be from ours, in either direction. Slack advises five minutes.
pub(super) const WINDOW: Duration = Duration::from_secs(300);

/// A call as it came; nothing of it is believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claimed<'c> {
    /// The `X-Slack-Request-Timestamp`: seconds since the epoch.
    pub(super) at: Option<&'c str>,
    /// The `X-Slack-Signature`: `v0=` and 64 hexadecimal digits.
    pub(super) signature: Option<&'c str>,
    /// The body, byte by byte.
    pub(super) body: &'c [u8],
}

/// A body that Slack signed for one of our apps, a short while ago. Only [`verify`] makes one.
#[derive(Clone, Copy)]
pub(super) struct Verified<'c> {
    body: &'c [u8],
    app: usize,
    mark: [u8; 32],
    at: Timestamp,
}

impl<'c> Verified<'c> {
    /// What was signed.
    pub(super) fn body(&self) -> &'c [u8] {
        self.body
    }

    /// Which of the secrets signed it, by its place among those that were tried.
    pub(super) fn app(&self) -> usize {
        self.app
    }

    /// The signature itself: no two calls have the same.
    pub(super) fn mark(&self) -> [u8; 32] {
        self.mark
    }

    /// When it was signed.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }
}

/// Why a call is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgery {
    /// It has no signature or time, or none that can be read.
    Unsigned,
    /// Signed too long ago, or ahead of time.
    Untimely,
    /// By none of the secrets.
    BadSignature,
}

impl Forgery {
    /// For the log.
    pub(super) fn why(self) -> &'static str {
        match self {
            Forgery::Unsigned => "it is not signed",
            Forgery::Untimely => "it was signed too long ago, or ahead of time",
            Forgery::BadSignature => "none of the signing secrets signed it",
        }
    }
}

/// Believes a call that one of the secrets signed at about `now`, by the wall clock. All secrets are tried whatever the
/// ones before gave, and compared in constant time.
pub(super) fn verify<'c>(
    claimed: Claimed<'c>,
    secrets: &[&SecretString],
    now: Timestamp,
) -> Result<Verified<'c>, Forgery> {
    let (Some(at_text), Some(signature)) = (claimed.at, claimed.signature) else { return Err(Forgery::Unsigned) };
    let at = seconds(at_text).ok_or(Forgery::Unsigned)?;
    let mark = signature.strip_prefix("v0=").and_then(digits).ok_or(Forgery::Unsigned)?;
    if now.since(at) > WINDOW || at.since(now) > WINDOW {
        return Err(Forgery::Untimely);
    }
    let mut app = None;
    for (place, secret) in secrets.iter().enumerate() {
        if is_of(secret, at_text, claimed.body, &mark) {
            app = Some(place);
        }
    }
    let app = app.ok_or(Forgery::BadSignature)?;
    Ok(Verified { body: claimed.body, app, mark, at })
}

fn is_of(secret: &SecretString, at: &str, body: &[u8], mark: &[u8; 32]) -> bool {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    for part in [b"v0:", at.as_bytes(), b":", body] {
        mac.update(part);
    }
    mac.verify_slice(mark).is_ok()
}

fn seconds(text: &str) -> Option<Timestamp> {
    let is_number = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok().map(Timestamp::from_secs))?
}

fn digits(text: &str) -> Option<[u8; 32]> {
    let mut mark = [0; 32];
    hex::decode_to_slice(text, &mut mark).ok()?;
    Some(mark)
}

#[cfg(test)]
pub(super) fn sign(secret: &str, at: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("v0:{at}:{body}").as_bytes());
    format!("v0={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Slack's own sample, from its page on verifying requests.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const AT: i64 = 1_531_420_618;
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
                        &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
                        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554\
                        %2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn check(at: &str, signature: &str, body: &str, now: i64) -> Result<usize, Forgery> {
        let (other, secret) = (SecretString::from("0123456789abcdef"), SecretString::from(SECRET));
        let claimed = Claimed { at: Some(at), signature: Some(signature), body: body.as_bytes() };
        verify(claimed, &[&other, &secret], Timestamp::from_secs(now)).map(|verified| verified.app())
    }

    #[test]
    fn slacks_own_sample_is_believed_within_five_minutes() {
        let at = AT.to_string();
        for now in [AT, AT - 300, AT + 300] {
            assert_eq!(check(&at, SIGNATURE, BODY, now), Ok(1));
        }
        for now in [AT - 301, AT + 301, 0, i64::MAX / 1000] {
            assert_eq!(check(&at, SIGNATURE, BODY, now), Err(Forgery::Untimely));
        }
        assert_eq!(sign(SECRET, AT, BODY), SIGNATURE);
        assert_eq!(check(&at, &sign("0123456789abcdef", AT, BODY), BODY, AT), Ok(0));
        assert_eq!(check(&at, &sign("anothersecret", AT, BODY), BODY, AT), Err(Forgery::BadSignature));
    }

    #[test]
    fn a_call_without_a_readable_time_and_signature_is_unsigned() {
        let at = AT.to_string();
        let short = &SIGNATURE[..SIGNATURE.len() - 2];
        for (at, signature) in [
            ("", SIGNATURE),
            ("-1", SIGNATURE),
            ("+1531420618", SIGNATURE),
            ("1531420618.0", SIGNATURE),
            ("9999999999999999999999", SIGNATURE),
            (at.as_str(), ""),
            (at.as_str(), "v0="),
            (at.as_str(), &SIGNATURE[3..]),
            (at.as_str(), &SIGNATURE.replace("v0", "v1")),
            (at.as_str(), short),
            (at.as_str(), &format!("{SIGNATURE}00")),
            (at.as_str(), &format!("{short}zz")),
        ] {
            assert_eq!(check(at, signature, BODY, AT), Err(Forgery::Unsigned), "{at:?} {signature:?}");
        }
        let secret = SecretString::from(SECRET);
        for (at, signature) in [(None, Some(SIGNATURE)), (Some(&*at), None), (None, None)] {
            let claimed = Claimed { at, signature, body: BODY.as_bytes() };
            let verified = verify(claimed, &[&secret], Timestamp::from_secs(AT));
            assert_eq!(verified.map(|verified| verified.app()), Err(Forgery::Unsigned));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_changed_it_is_no_longer_signed(at in 0..BODY.len(), byte in 0u8..127, later in 1i64..300) {
            let mut body = BODY.as_bytes().to_vec();
            prop_assume!(body[at] != byte);
            body[at] = byte;
            let body = String::from_utf8(body).unwrap();
            prop_assert_eq!(check(&AT.to_string(), SIGNATURE, &body, AT), Err(Forgery::BadSignature));
            prop_assert_eq!(check(&(AT + later).to_string(), SIGNATURE, BODY, AT), Err(Forgery::BadSignature));
        }

        #[test]
        fn nothing_makes_it_panic(at in ".*", signature in ".*", body in ".*", now in any::<i64>()) {
            let _ = check(&at, &signature, &body, now);
        }
    }
}
