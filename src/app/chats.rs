//! The chats' doors, and the public listener that leads to them and to the callback path.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use poem::{Endpoint, Request, Response};

use crate::chat::{self, Chat, Telegram};
use crate::command::Desk;
use crate::core::{Handle, Rooms};
use crate::deliver::{self, Answers, Budgets};
use crate::model::{Channel, Timestamp};
use crate::store::sqlite::Sqlite;

/// The one executor of commands.
pub(super) fn desk(rooms: &Rooms, handle: Handle, store: &Arc<Sqlite>) -> Arc<Desk> {
    let kept = (&*rooms.store, Arc::clone(store) as _, Arc::clone(store) as _);
    Arc::new(Desk::new(handle, kept, Arc::clone(&rooms.rules), Arc::clone(&rooms.clock)))
}

/// What people type and click in chats comes in here.
pub(super) fn doors(rooms: &Rooms, desk: Arc<Desk>, budgets: Arc<Budgets>) -> Arc<Chat> {
    let shared = (Arc::clone(&rooms.clock), Arc::clone(&rooms.metrics));
    let delivery = Shared(Answers::new(Arc::clone(&rooms.store), budgets, Arc::clone(&rooms.clock)));
    let telegram = Telegram::new(rooms.store.as_ref(), Arc::new(delivery), rooms.clock.steady());
    Arc::new(Chat::new(desk, Arc::clone(&rooms.rules), shared, deliver::http_client(), telegram))
}

/// What answers share with delivery.
struct Shared(Answers);

impl chat::Delivery for Shared {
    fn spend(&self, channel: &Channel) -> Result<(), Timestamp> {
        self.0.spend(channel)
    }

    fn hold<'a>(&'a self, channel: &'a Channel, length: Duration) -> BoxFuture<'a, ()> {
        Box::pin(self.0.hold(channel, length))
    }

    fn home<'a>(&'a self, channel: &'a Channel) -> BoxFuture<'a, Option<i64>> {
        Box::pin(self.0.home(channel))
    }

    fn moved<'a>(&'a self, channel: &'a Channel, from: i64, to: i64) -> BoxFuture<'a, ()> {
        Box::pin(self.0.moved(channel, from, to))
    }
}

/// The whole public listener.
pub(super) fn public(
    callbacks: impl Endpoint<Output = Response> + 'static,
    chat: Arc<Chat>,
) -> impl Endpoint<Output = Response> {
    Public { callbacks, chats: chat::endpoint(chat) }
}

struct Public<A, B> {
    callbacks: A,
    chats: B,
}

impl<A, B> Endpoint for Public<A, B>
where
    A: Endpoint<Output = Response>,
    B: Endpoint<Output = Response>,
{
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        match request.uri().path().starts_with("/chat/") {
            true => self.chats.call(request).await,
            false => self.callbacks.call(request).await,
        }
    }
}
