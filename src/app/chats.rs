//! The chats' doors, and the public listener that leads to them and to the callback path.

use std::sync::Arc;

use poem::{Endpoint, Request, Response};

use crate::chat::{self, Chat};
use crate::command::Desk;
use crate::core::{Handle, Rooms};
use crate::deliver;
use crate::store::sqlite::Sqlite;

/// The one executor of commands.
pub(super) fn desk(rooms: &Rooms, handle: Handle, store: &Arc<Sqlite>) -> Arc<Desk> {
    let kept = (&*rooms.store, Arc::clone(store) as _, Arc::clone(store) as _);
    Arc::new(Desk::new(handle, kept, Arc::clone(&rooms.rules), Arc::clone(&rooms.clock)))
}

/// What people type and click in chats comes in here.
pub(super) fn doors(rooms: &Rooms, desk: Arc<Desk>) -> Arc<Chat> {
    let shared = (Arc::clone(&rooms.clock), Arc::clone(&rooms.metrics));
    Arc::new(Chat::new(desk, Arc::clone(&rooms.rules), shared, deliver::http_client()))
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
