//! What a message is about, by name: a stream, one of its pushes, a domain, an address, everything.

use super::clean::short;
use super::markup::quote;
use super::phrase::Phrases;
use crate::model::{Key, StreamName};

/// A key as people are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Title {
    /// Our own words before the name, or in its place: `all pushes from `.
    pub(super) about: &'static str,
    /// Whether a name follows.
    pub(super) named: bool,
    /// The name, hostile; never empty. Our own words again where there is no name.
    pub(super) name: String,
}

impl Title {
    /// The title of a key, its name cut.
    pub(super) fn of(key: &Key, most: usize, phrases: &Phrases<'_>) -> Title {
        let (about, text) = match key {
            Key::All {} => {
                let about = phrases.pick("all streams", "全部推流");
                return Title { about, named: false, name: about.to_owned() };
            }
            Key::UserIp { user_ip } => (phrases.pick("all pushes from ", "推流 IP "), user_ip.to_string()),
            Key::Session(push) => ("", format!("{}#{}", push.stream.stream(), push.session)),
            Key::Stream(_) | Key::App(_) | Key::Domain { .. } | Key::Labels { .. } => ("", key.name().into_owned()),
        };
        Title { about, named: true, name: name(&text, most, phrases) }
    }
}

/// A title among plain words.
pub(super) fn plain(about: &str, named: bool, name: &str) -> String {
    match named {
        true => format!("{about}{}", quote(name)),
        false => about.to_owned(),
    }
}

/// A name, cut and never empty.
pub(super) fn name(name: &str, most: usize, phrases: &Phrases<'_>) -> String {
    match name {
        "" => phrases.pick("(no name)", "(无名)").to_owned(),
        name => short(name, most),
    }
}

/// Different streams among keys; `None` where one of them is no stream and no push of one.
pub(super) fn streams<'k>(keys: impl Iterator<Item = &'k Key>) -> Option<usize> {
    let mut streams = keys.map(Key::stream).collect::<Option<Vec<&StreamName>>>()?;
    streams.sort_unstable();
    streams.dedup();
    Some(streams.len())
}
