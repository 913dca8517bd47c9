//! Signs callbacks as the cloud does: `sign = MD5(key + t)`, with `t` ten minutes ahead.

use std::io::Write as _;

use md5::{Digest as _, Md5};
use secrecy::{ExposeSecret, SecretString};

use crate::model::Timestamp;

/// How long a signature is good for, s: the cloud's default.
const VALIDITY: i64 = 600;

/// Remembers the last signature, because all callbacks of one second share it.
#[derive(Debug)]
pub(crate) struct Signer {
    key: Option<SecretString>,
    last: Option<(i64, String)>,
}

impl Signer {
    /// Signs with this key; without one, not at all.
    pub(crate) fn new(key: Option<SecretString>) -> Signer {
        Signer { key, last: None }
    }

    /// Closes a JSON object that lacks its last brace with `sign` and `t`, fresh at `now`.
    pub(crate) fn close(&mut self, body: &mut Vec<u8>, now: Timestamp) {
        if let Some(key) = &self.key {
            let t = now.secs() + VALIDITY;
            let sign = match &self.last {
                Some((last, sign)) if *last == t => sign,
                _ => &self.last.insert((t, sign(key, t))).1,
            };
            // Writing to a Vec can't fail.
            let _ = write!(body, ",\"sign\":\"{sign}\",\"t\":{t}");
        }
        body.push(b'}');
    }
}

fn sign(key: &SecretString, t: i64) -> String {
    let digest = Md5::new().chain_update(key.expose_secret()).chain_update(t.to_string()).finalize();
    hex::encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SecretString {
        SecretString::from(text.to_owned())
    }

    #[test]
    fn signs_as_documented() {
        assert_eq!(sign(&key("testkey"), 1_754_623_810), "84f60b8d716efc4af91f2a539b81cbd4");
        assert_eq!(sign(&key("adasda131312"), 1_703_732_078), "3517b319dd20f5e7fe6550ca167198f8");
    }

    #[test]
    fn is_fresh_each_second_and_absent_without_a_key() {
        let mut signer = Signer::new(Some(key("testkey")));
        let close = |signer: &mut Signer, at| {
            let mut body = b"{\"a\":1".to_vec();
            signer.close(&mut body, Timestamp(at));
            String::from_utf8(body).unwrap()
        };
        let signed = r#"{"a":1,"sign":"84f60b8d716efc4af91f2a539b81cbd4","t":1754623810}"#;
        assert_eq!(close(&mut signer, 1_754_623_210_000), signed);
        assert_eq!(close(&mut signer, 1_754_623_210_999), signed);
        assert_ne!(close(&mut signer, 1_754_623_211_000), signed);
        assert_eq!(close(&mut Signer::new(None), 0), r#"{"a":1}"#);
        assert!(!format!("{signer:?}").contains("testkey"));
    }
}
