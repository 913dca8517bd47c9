//! WeCom's signature and encryption of callbacks: who signed, what was meant, and the same for answers. Pure.
//!
//! By the scheme that WeCom publishes (developer.work.weixin.qq.com, path 90968): the signature is the SHA-1 of token,
//! timestamp, nonce and ciphertext, sorted; the text is AES-256-CBC under the 43-letter key, padded to 32 bytes, with
//! random bytes, a length and the receiver's id around what is said.

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use crate::model::{WecomApp, WecomCallback};

/// Padding is to multiples of this, not of AES' own 16 bytes.
const BLOCK: usize = 32;

/// Random bytes before the text.
const RANDOM: usize = 16;

/// The 43 letters of a key carry two bits more than 32 bytes have: a strict reader would refuse WeCom's own sample.
const LAX: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How old or new a call may be, in seconds: WeCom's signatures have no age of their own.
const WINDOW: u64 = 300;

/// What an app's callbacks are checked, read and answered with. Shows nothing of itself.
pub(super) struct Keys {
    token: SecretString,
    key: [u8; BLOCK],
    corp_id: String,
}

/// What a call says of itself in its query; as it came, hostile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) signature: String,
    /// Seconds since 1970, as digits.
    pub(super) timestamp: String,
    pub(super) nonce: String,
}

/// What WeCom said to this app of this company. There is no other way to one than [`Keys::open`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened(Vec<u8>);

impl Opened {
    /// The text, as bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why a call is not taken. For the operator's log; a caller is told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Forged {
    /// Something of it is missing, or no XML.
    #[error("it is not made as WeCom makes its calls")]
    Shape,
    /// Another token, or something was changed.
    #[error("its signature does not fit; `callback_token` must be the app's Token")]
    Signature,
    /// Sent long ago, or clocks differ.
    #[error("its time is more than 5 minutes away from this machine's clock")]
    Age,
    /// It can't be decrypted.
    #[error("it can't be decrypted; `encoding_aes_key` must be the app's EncodingAESKey")]
    Cipher,
    /// It is for somebody else.
    #[error("it is for another company than `corp_id`")]
    Receiver,
    /// It is for another app of the company.
    #[error("it is for another app than `agent_id`")]
    Agent,
    /// It came before, and not as one of WeCom's own repeats.
    #[error("it is a copy of an earlier call")]
    Repeated,
}

impl Keys {
    /// Those of an app; `None` if the key is no key, which the rules do not let through.
    pub(super) fn of(app: &WecomApp, callback: &WecomCallback) -> Option<Keys> {
        let key = LAX.decode(callback.encoding_aes_key.expose_secret()).ok()?;
        Some(Keys { token: callback.token.clone(), key: key.try_into().ok()?, corp_id: app.corp_id.clone() })
    }

    /// Checks and decrypts what a call brings; `now` is the wall clock's, in ms since 1970.
    ///
    /// # Errors
    /// [`Forged`]; nothing that was brought is to be believed then.
    pub(super) fn open(&self, seal: &Seal, encrypted: &str, now: i64) -> Result<Opened, Forged> {
        let signature = self.sign(&seal.timestamp, &seal.nonce, encrypted);
        if !bool::from(signature.as_bytes().ct_eq(seal.signature.as_bytes())) {
            return Err(Forged::Signature);
        }
        let sent: i64 = seal.timestamp.parse().map_err(|_| Forged::Age)?;
        if sent.abs_diff(now.div_euclid(1000)) > WINDOW {
            return Err(Forged::Age);
        }
        let (text, receiver) = self.decrypt(encrypted).ok_or(Forged::Cipher)?;
        match bool::from(receiver.ct_eq(self.corp_id.as_bytes())) {
            true => Ok(Opened(text)),
            false => Err(Forged::Receiver),
        }
    }

    /// Encrypts an answer. `random` must be new each time: all texts begin from the same state of the cipher.
    pub(super) fn encrypt(&self, text: &str, random: [u8; RANDOM]) -> String {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let mut plain = [&random[..], &length.to_be_bytes(), text.as_bytes(), self.corp_id.as_bytes()].concat();
        let missing = BLOCK - plain.len() % BLOCK;
        plain.extend(std::iter::repeat_n(missing as u8, missing));
        LAX.encode(
            cbc::Encryptor::<Aes256>::new(&self.key.into(), &self.start().into())
                .encrypt_padded_vec::<NoPadding>(&plain),
        )
    }

    /// The signature of a ciphertext, in lower-case hexadecimal digits.
    pub(super) fn sign(&self, timestamp: &str, nonce: &str, encrypted: &str) -> String {
        let mut parts = [self.token.expose_secret(), timestamp, nonce, encrypted];
        parts.sort_unstable();
        let mut hash = Sha1::new();
        for part in parts {
            hash.update(part.as_bytes());
        }
        hex::encode(hash.finalize())
    }

    /// The text and the receiver's id; `None` whatever is wrong with it.
    fn decrypt(&self, encrypted: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        let cipher = LAX.decode(encrypted).ok()?;
        let cbc = cbc::Decryptor::<Aes256>::new(&self.key.into(), &self.start().into());
        let mut plain = cbc.decrypt_padded_vec::<NoPadding>(&cipher).ok()?;
        let padding = usize::from(*plain.last()?);
        let end = plain.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding))?;
        if plain[end..].iter().any(|byte| usize::from(*byte) != padding) {
            return None;
        }
        plain.truncate(end);
        let (length, rest) = plain.get(RANDOM..)?.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (text, receiver) = rest.split_at_checked(length)?;
        Some((text.to_vec(), receiver.to_vec()))
    }

    /// The state that each text begins from.
    fn start(&self) -> [u8; 16] {
        let mut start = [0; 16];
        start.copy_from_slice(&self.key[..16]);
        start
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Receivers;

    /// WeCom's published sample (path 91144).
    const TIME: &str = "1409659813";
    const NONCE: &str = "1372623149";
    const SIGNATURE: &str = "477715d11cdb4164915debcba66cb864d751f3e6";
    const ENCRYPTED: &str = "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==";
    const NOW: i64 = 1_409_659_813_000;

    fn keys(token: &str, key: &str, corp_id: &str) -> Keys {
        let callback = WecomCallback { token: token.into(), encoding_aes_key: key.into() };
        let app = WecomApp {
            corp_id: corp_id.into(),
            agent_id: 218,
            secret: "s".into(),
            to: Receivers::default(),
            callback: None,
        };
        Keys::of(&app, &callback).unwrap()
    }

    fn sample() -> Keys {
        keys("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7")
    }

    fn seal(keys: &Keys, encrypted: &str) -> Seal {
        Seal { signature: keys.sign(TIME, NONCE, encrypted), timestamp: TIME.into(), nonce: NONCE.into() }
    }

    #[test]
    fn the_published_sample_is_read_and_made_again_to_the_letter() {
        let (keys, published) =
            (sample(), Seal { signature: SIGNATURE.into(), timestamp: TIME.into(), nonce: NONCE.into() });
        let opened = keys.open(&published, ENCRYPTED, NOW).unwrap();
        let text = std::str::from_utf8(opened.bytes()).unwrap();
        assert!(text.contains("<Content><![CDATA[hello]]></Content>") && text.contains("mycreate"), "{text}");
        let plain = cbc::Decryptor::<Aes256>::new(&keys.key.into(), &keys.start().into())
            .decrypt_padded_vec::<NoPadding>(&LAX.decode(ENCRYPTED).unwrap())
            .unwrap();
        assert_eq!(keys.encrypt(text, plain[..RANDOM].try_into().unwrap()), ENCRYPTED);
    }

    #[test]
    fn what_is_not_wecoms_word_to_this_app_now_is_refused_by_name() {
        let keys = sample();
        let fine = || Seal { signature: SIGNATURE.into(), timestamp: TIME.into(), nonce: NONCE.into() };
        for (seconds, window) in [(300, true), (-300, true), (301, false), (-301, false)] {
            assert_eq!(keys.open(&fine(), ENCRYPTED, NOW + seconds * 1000).is_ok(), window, "{seconds}");
        }
        let open = |seal: &Seal, encrypted: &str| keys.open(seal, encrypted, NOW).unwrap_err();
        let upper = Seal { signature: SIGNATURE.to_uppercase(), ..fine() };
        for seal in [
            Seal { signature: String::new(), ..fine() },
            Seal { signature: format!("{SIGNATURE}0"), ..fine() },
            Seal { nonce: "1".into(), ..fine() },
            Seal { timestamp: "1409659814".into(), ..fine() },
            upper,
        ] {
            assert_eq!(open(&seal, ENCRYPTED), Forged::Signature, "{seal:?}");
        }
        let tampered = ENCRYPTED.replacen('R', "S", 1);
        assert_eq!(open(&fine(), &tampered), Forged::Signature, "the signature covers the ciphertext");
        for broken in ["", "=", "AAAA", "not base64!", &ENCRYPTED[..20], &tampered[..ENCRYPTED.len() - 24]] {
            assert_eq!(open(&seal(&keys, broken), broken), Forged::Cipher, "{broken}");
        }
        let timeless =
            Seal { signature: keys.sign("soon", NONCE, ENCRYPTED), timestamp: "soon".into(), nonce: NONCE.into() };
        assert_eq!(open(&timeless, ENCRYPTED), Forged::Age);
        for other in ["wx5823bf96d3bd56c8", "", "wx5823bf96d3bd56c7x"] {
            let encrypted = super::tests::keys("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", other)
                .encrypt("<xml/>", [7; RANDOM]);
            assert_eq!(open(&seal(&keys, &encrypted), &encrypted), Forged::Receiver, "{other}");
        }
    }

    #[test]
    fn a_padding_that_is_none_and_a_length_that_lies_are_refused_alike() {
        let keys = sample();
        let raw = |plain: &[u8]| {
            let cbc = cbc::Encryptor::<Aes256>::new(&keys.key.into(), &keys.start().into());
            LAX.encode(cbc.encrypt_padded_vec::<NoPadding>(plain))
        };
        let mut plain = [[1; RANDOM].as_slice(), &2u32.to_be_bytes(), b"hi", b"wx5823bf96d3bd56c7"].concat();
        let missing = 64 - plain.len();
        plain.extend(std::iter::repeat_n(missing as u8, missing));
        assert!(keys.open(&seal(&keys, &raw(&plain)), &raw(&plain), NOW).is_ok());
        let mut bad = Vec::new();
        for (at, byte) in [(63, 0u8), (63, 33), (63, 255), (62, 1), (RANDOM, 255), (RANDOM + 3, 60)] {
            let mut changed = plain.clone();
            changed[at] = byte;
            bad.push(changed);
        }
        bad.push(vec![16; 16]);
        bad.push(Vec::new());
        for plain in bad {
            let raw = raw(&plain);
            assert_eq!(keys.open(&seal(&keys, &raw), &raw, NOW), Err(Forged::Cipher), "{plain:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_is_opened_and_whatever_else_comes_never_panics(
            text in "\\PC{0,80}", random in any::<[u8; RANDOM]>(), noise in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let keys = sample();
            let encrypted = keys.encrypt(&text, random);
            let opened = keys.open(&seal(&keys, &encrypted), &encrypted, NOW).unwrap();
            prop_assert_eq!(opened.bytes(), text.as_bytes());
            let noise = LAX.encode(noise);
            let _ = keys.open(&seal(&keys, &noise), &noise, NOW);
        }
    }
}
