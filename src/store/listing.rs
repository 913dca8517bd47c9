//! Lists of deliveries, a page at a time.

use crate::model::{ChannelName, Delivery, DeliveryId};

/// Which deliveries are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Those without an outcome.
    Pending,
    /// Those that have one: sent, or nothing was to be done.
    Sent,
    /// Those that were given up.
    Dead,
}

/// What is asked for: newest first.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of this fate, or of any.
    pub fate: Option<Fate>,
    /// Of this channel, or of all.
    pub channel: Option<ChannelName>,
    /// Older than this one.
    pub before: Option<DeliveryId>,
    /// At most so many.
    pub most: usize,
}

/// A delivery and what it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The row.
    pub delivery: Delivery,
    /// The stream or other key of its group, while that is kept: hostile text.
    pub key: Option<String>,
}

/// Some of what was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Newest first; may be fewer than asked for although there are more.
    pub items: Vec<Listed>,
    /// Ask for what is before this; `None` at the end.
    pub next: Option<DeliveryId>,
}
