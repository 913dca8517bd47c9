//! The chats' doors, and the public listener that leads to them and to the callback path.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use poem::{Endpoint, Request, Response};

use crate::chat::{self, Chat, Courier, Telegram, Wecom};
use crate::clock::Clock;
use crate::command::Desk;
use crate::core::{Handle, Rooms};
use crate::deliver::{self, Answers, Budgets, Tokens};
use crate::model::{Channel, Timestamp};
use crate::store::sqlite::Sqlite;

/// How long an answer may wait for the channel's budget: later nobody looks for it any more.
const WORTH: Duration = Duration::from_secs(30);

/// Shortest wait for a budget.
const LEAST_WAIT: Duration = Duration::from_millis(50);

/// The one executor of commands.
pub(super) fn desk(rooms: &Rooms, handle: Handle, store: &Arc<Sqlite>) -> Arc<Desk> {
    let kept = (&*rooms.store, Arc::clone(store) as _, Arc::clone(store) as _);
    Arc::new(Desk::new(handle, kept, Arc::clone(&rooms.rules), Arc::clone(&rooms.clock)))
}

/// What people type and click in chats comes in here. WeCom's apps have one access token each, also for answers.
pub(super) fn doors(rooms: &Rooms, desk: Arc<Desk>, (budgets, tokens): (Arc<Budgets>, Arc<Tokens>)) -> Arc<Chat> {
    let shared = (Arc::clone(&rooms.clock), Arc::clone(&rooms.metrics));
    let http = deliver::http_client();
    let answers = || Answers::new(Arc::clone(&rooms.store), Arc::clone(&budgets), Arc::clone(&rooms.clock));
    let delivery = Shared(answers());
    let telegram = Telegram::new(rooms.store.as_ref(), Arc::new(delivery), rooms.clock.steady());
    let runner = Runner { answers: answers(), http: http.clone(), clock: Arc::clone(&rooms.clock), tokens };
    let wecom = Wecom::new(rooms.store.as_ref(), Arc::new(runner));
    Arc::new(Chat::new(desk, Arc::clone(&rooms.rules), shared, http, telegram, wecom))
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

/// Carries answers to members of a company on WeCom.
struct Runner {
    answers: Answers,
    http: reqwest::Client,
    clock: Arc<Clock>,
    tokens: Arc<Tokens>,
}

impl Courier for Runner {
    fn write<'a>(&'a self, channel: &'a Channel, to: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let worth = self.clock.steady() + WORTH;
            while let Err(until) = self.answers.spend(channel) {
                if until > worth {
                    return Err("the channel has more to say than WeCom takes in a minute".to_owned());
                }
                tokio::time::sleep(until.since(self.clock.steady()).max(LEAST_WAIT)).await;
            }
            let means = (&*self.clock, &*self.tokens);
            match deliver::answer_member(channel, (to, text), &self.http, means).await.why() {
                None => Ok(()),
                Some(why) => Err(why),
            }
        })
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
