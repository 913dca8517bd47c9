//! The small shared maps.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::{oneshot, watch};

use super::queue::Op;
use super::readers::Readers;
use super::shards;
use super::shared::Shared;
use crate::store::{StoreError, Table};

/// One map.
#[derive(Debug)]
pub(super) struct Map {
    name: &'static str,
    shared: Arc<Shared>,
    readers: Arc<Readers>,
}

impl Map {
    /// The map of a name.
    pub(super) fn new(name: &'static str, shared: Arc<Shared>, readers: Arc<Readers>) -> Map {
        Map { name, shared, readers }
    }
}

impl Table for Map {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        let (name, key) = (self.name, key.to_owned());
        async move { self.readers.read(move |conn| shards::get(conn, name, &key)).await }.boxed()
    }

    fn put<'a>(&'a self, key: &'a str, value: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        let (key, value) = (key.to_owned(), value.to_owned());
        async move {
            let (answer, answered) = oneshot::channel();
            match self.shared.queue.ask(Op::Put { map: self.name, key, value, answer }) {
                true => answered.await.unwrap_or(Err(StoreError::Closed)),
                false => Err(StoreError::Closed),
            }
        }
        .boxed()
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.shared.watched(self.name).subscribe()
    }
}
