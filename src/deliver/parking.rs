//! Which channels refuse everything just now, for whoever looks after the process.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::model::ChannelName;

/// The parked channels, each with what its chat said; one list for the process, over reloads too.
#[derive(Debug)]
pub struct Parking(watch::Sender<BTreeMap<ChannelName, String>>);

impl Default for Parking {
    fn default() -> Parking {
        Parking(watch::Sender::new(BTreeMap::new()))
    }
}

impl Parking {
    /// Sets what is to be known of a channel; `None` takes it off the list.
    pub(crate) fn set(&self, channel: &ChannelName, shown: Option<String>) {
        self.0.send_if_modified(|parked| match shown {
            Some(shown) => parked.insert(channel.clone(), shown.clone()).as_ref() != Some(&shown),
            None => parked.remove(channel).is_some(),
        });
    }

    /// The list, and when it changes. Shows no secret.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<BTreeMap<ChannelName, String>> {
        self.0.subscribe()
    }
}
