//! What one channel's worker is given: the channel, who hears of it when it fails, and the way orders come.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::orders::Order;
use crate::model::{Channel, ChannelName};

/// One channel's work.
#[derive(Debug)]
pub struct Assignment {
    /// The channel.
    pub channel: Arc<Channel>,
    /// Its `fallback`.
    pub fallback: Option<Arc<Channel>>,
    /// Who hears of messages that were given up: the fallback, or without one the other channels of `defaults.notify`.
    pub hearers: Vec<ChannelName>,
    /// What operators order.
    pub orders: mpsc::Receiver<Order>,
}

impl Assignment {
    /// A channel without a fallback, of which nobody hears and that nobody orders about.
    #[cfg(test)]
    pub(crate) fn alone(channel: &Arc<Channel>) -> Assignment {
        Assignment { channel: Arc::clone(channel), fallback: None, hearers: Vec::new(), orders: mpsc::channel(1).1 }
    }
}
