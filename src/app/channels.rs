//! The channels' workers: one each, and others in their place when the rules or the templates change. A worker begins
//! only after the one before it has finished what it was sending, so no row has two owners.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::AppError;
use super::outbox::Workers;
use crate::core::Rooms;
use crate::deliver::{self, Assignment, Budgets, Console, Context, Order, Parking, Tokens};
use crate::model::{Catalogue, Channel, ChannelName};
use crate::render::Renderer;
use crate::rules::RuleSet;
use crate::store::{Reader, Shard, StoreError};

/// Orders that may wait for one worker.
const ORDERS: usize = 8;

/// Who is told, and in which words.
pub(super) struct Lineup {
    channels: Vec<Arc<Channel>>,
    /// `defaults.notify`.
    defaults: Vec<ChannelName>,
    catalogue: Arc<Catalogue>,
    renderer: Arc<Renderer>,
}

impl Lineup {
    /// That of some rules and templates.
    pub(super) fn new(rules: &RuleSet, renderer: Arc<Renderer>) -> Lineup {
        let channels = rules.channels.values().cloned().collect();
        let (defaults, catalogue) = (rules.notify.clone(), Arc::clone(&rules.catalogue));
        Lineup { channels, defaults, catalogue, renderer }
    }

    /// The work of one of its channels.
    fn assignment(&self, channel: &Arc<Channel>, orders: mpsc::Receiver<Order>) -> Assignment {
        let named = |name: &ChannelName| self.channels.iter().find(|channel| channel.name == *name).cloned();
        let fallback = channel.fallback.as_ref().and_then(named);
        let others = self.defaults.iter().filter(|name| **name != channel.name).cloned();
        let hearers = match &fallback {
            Some(fallback) => vec![fallback.name.clone()],
            None => others.collect(),
        };
        Assignment { channel: Arc::clone(channel), fallback, hearers, orders }
    }
}

/// A lineup, and whom to tell that nobody begins anything by an earlier one any more.
pub(super) type Change = (Lineup, oneshot::Sender<()>);

/// All workers of the process.
pub(super) struct Channels {
    pub(super) rooms: Rooms,
    pub(super) reader: Arc<dyn Reader>,
    pub(super) http: reqwest::Client,
    pub(super) console: Console,
    pub(super) budgets: Arc<Budgets>,
    pub(super) wecom_tokens: Arc<Tokens>,
    pub(super) parking: Arc<Parking>,
    /// The way to the workers, for operators.
    pub(super) workers: Workers,
    /// Turns true once everything of an earlier run is judged: until then rows may come for a channel that the rules
    /// no longer have.
    pub(super) caught_up: watch::Receiver<bool>,
    /// Nothing is told before: a console channel prints where the line that says ready is printed.
    pub(super) announced: CancellationToken,
}

/// A worker, or the end of a channel's rows.
struct Post {
    stop: CancellationToken,
    ended: CancellationToken,
    serves: bool,
}

type Tasks = JoinSet<Result<(), StoreError>>;

impl Channels {
    /// Keeps the workers of the latest lineup going until `stop`.
    ///
    /// # Errors
    /// [`AppError`] if a worker broke.
    pub(super) async fn run(
        mut self,
        first: Lineup,
        mut changes: mpsc::Receiver<Change>,
        stop: CancellationToken,
    ) -> Result<(), AppError> {
        if stop.run_until_cancelled(self.announced.cancelled()).await.is_none() {
            return Ok(());
        }
        let (mut posts, mut tasks) = (HashMap::new(), Tasks::new());
        self.fill(&first, &mut posts, &mut tasks);
        let mut latest = self.context(&first);
        let mut caught_up = self.caught_up.clone();
        let mut is_first = true;
        let result = loop {
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                Some((lineup, changed)) = changes.recv() => {
                    self.fill(&lineup, &mut posts, &mut tasks);
                    latest = self.context(&lineup);
                    self.clear(&latest, &mut posts, &mut tasks);
                    // Whoever asked may have gone.
                    let _ = changed.send(());
                }
                _ = caught_up.wait_for(|yes| *yes), if is_first => {
                    is_first = false;
                    self.clear(&latest, &mut posts, &mut tasks);
                }
                Some(ended) = tasks.join_next() => if let Err(error) = outcome(ended) {
                    break Err(error);
                },
            }
        };
        posts.values().for_each(|post| post.stop.cancel());
        let mut result = result;
        while let Some(ended) = tasks.join_next().await {
            result = result.and(outcome(ended));
        }
        result
    }

    fn context(&self, lineup: &Lineup) -> Arc<Context> {
        Arc::new(Context {
            store: Arc::clone(&self.rooms.store),
            reader: Arc::clone(&self.reader),
            renderer: Arc::clone(&lineup.renderer),
            catalogue: Arc::clone(&lineup.catalogue),
            clock: Arc::clone(&self.rooms.clock),
            metrics: Arc::clone(&self.rooms.metrics),
            http: self.http.clone(),
            console: self.console.clone(),
            budgets: Arc::clone(&self.budgets),
            wecom_tokens: Arc::clone(&self.wecom_tokens),
            parking: Arc::clone(&self.parking),
        })
    }

    /// A new worker for each channel of the lineup; those of other channels are stopped.
    fn fill(&mut self, lineup: &Lineup, posts: &mut HashMap<ChannelName, Post>, tasks: &mut Tasks) {
        posts.values().for_each(|post| post.stop.cancel());
        posts.values_mut().for_each(|post| post.serves = false);
        let context = self.context(lineup);
        let mut workers = HashMap::new();
        for channel in &lineup.channels {
            let (post, before) = relieve(posts.get(&channel.name), true);
            let (orders, ordered) = mpsc::channel(ORDERS);
            workers.insert(channel.name.clone(), orders);
            let (assignment, context) = (lineup.assignment(channel, ordered), Arc::clone(&context));
            let (stop, ended) = (post.stop.clone(), post.ended.clone().drop_guard());
            posts.insert(channel.name.clone(), post);
            tasks.spawn(async move {
                let _ended = ended;
                before.cancelled().await;
                deliver::run(assignment, context, stop).await
            });
        }
        self.workers.set(workers);
    }

    /// Ends the rows of all channels that the lineup does not have.
    fn clear(&self, context: &Arc<Context>, posts: &mut HashMap<ChannelName, Post>, tasks: &mut Tasks) {
        let owned = self.rooms.store.owned().borrow().clone();
        let names = owned.into_iter().filter_map(|shard| match shard {
            Shard::Channel(name) => Some(name),
            Shard::Engine => None,
        });
        let gone: Vec<_> = names.filter(|name| posts.get(name).is_none_or(|post| !post.serves)).collect();
        for name in gone {
            let (post, before) = relieve(posts.get(&name), false);
            let (context, ended) = (Arc::clone(context), post.ended.clone().drop_guard());
            posts.insert(name.clone(), post);
            tasks.spawn(async move {
                let _ended = ended;
                before.cancelled().await;
                deliver::retire(&name, &context).await
            });
        }
    }
}

/// A post for a channel, and what ends with the one before it.
fn relieve(before: Option<&Post>, serves: bool) -> (Post, CancellationToken) {
    let before = before.map(|post| post.ended.clone()).unwrap_or_else(|| {
        let nobody = CancellationToken::new();
        nobody.cancel();
        nobody
    });
    (Post { stop: CancellationToken::new(), ended: CancellationToken::new(), serves }, before)
}

fn outcome(ended: Result<Result<(), StoreError>, JoinError>) -> Result<(), AppError> {
    match ended {
        Ok(ended) => Ok(ended?),
        Err(panic) => Err(AppError::Ended(panic.to_string())),
    }
}
