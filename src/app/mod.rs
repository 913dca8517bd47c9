//! Composition root: builds the rooms, starts them, stops them in reverse order; reload changes them while they run.

mod begin;
mod files;
mod kept;

mod channels;
mod chats;
mod commands;
mod explain;
mod lights;
mod listing;
mod outbox;
mod reload;
mod triggers;
pub use files::Templates;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::channels::{Change, Channels, Lineup};
use self::commands::Operators;
use self::explain::Explainer;
use self::files::{Files, NO_KEYS};
use self::kept::Kept;
use self::outbox::{Outbox, Workers};
use self::reload::{Desk, Reins, Reloader};
use crate::admin::{self, Admin, Banner, Part, Readiness};
use crate::clock::Clock;
use crate::core::{Core, CoreError, Rooms, Rulebook};
use crate::deliver::{self, Budgets, Console, Parking, Tokens};
use crate::ingest::{self, Ingest, Journal};
use crate::listen::{self, Exempt, Limits};
use crate::metrics::Metrics;
use crate::model::{Door, NewEntry, Notice};
use crate::store::sqlite::{self, OpenError, Sqlite};
use crate::store::{Appended, Shard, Store, StoreError};

/// Orders that may wait for the reloader: each is an operator's, or says that something changed.
const ORDERS: usize = 16;

/// Beyond the time a signature lives, a callback may be repeated for this long: 12 retries a minute apart, and some.
const RETRIES: Duration = Duration::from_secs(20 * 60);

/// What is taken for `max_validity` while it is not known.
const LONGEST_VALIDITY: Duration = Duration::from_secs(24 * 3600);

/// What `serve` and `demo` start the bot with.
#[derive(Debug)]
pub struct Settings {
    /// rules.yaml.
    pub rules_file: PathBuf,
    /// The operator's own templates.
    pub templates: Templates,
    /// What the end of a terminal, or an operator's SIGHUP, does.
    pub hang_up: HangUp,
    /// Folder for everything that must survive a restart.
    pub data_dir: PathBuf,
    /// The callback door.
    pub listen: SocketAddr,
    /// The operators' door.
    pub admin_listen: SocketAddr,
    /// What operators must show.
    pub admin_token: Option<SecretString>,
    /// How long callbacks are kept.
    pub retention: Duration,
    /// How large the journal may grow.
    pub max_bytes: u64,
}

/// What SIGHUP does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// It has the files read anew.
    Reloads,
    /// It ends the process, as it does where nobody listens for it.
    Ends,
}

/// Why the bot could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The rules file can't be read, and there is no older one to go on with.
    #[error("can't read {0}: {1}")]
    NoRules(PathBuf, std::io::Error),
    /// The rules are wrong, and there is no older set to go on with. Every mistake, ready to be shown.
    #[error("{0}")]
    BadRules(String),
    /// Templates that can't be used. Every problem, a line each.
    #[error("{0}")]
    BadTemplates(String),
    /// Anybody could send callbacks.
    #[error("{NO_KEYS}")]
    NoKeys,
    /// SIGHUP can't be listened for.
    #[error("can't listen for SIGHUP: {0}")]
    Signal(std::io::Error),
    /// The data folder can't be used.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// An address can't be listened on.
    #[error("can't listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The core can't go on.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The store can't go on.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// The disk failed in a way that forbids to go on.
    #[error("the store can not go on, and what is believed to be on disk may not be: {}", .0.as_deref().unwrap_or("closed"))]
    Disk(Option<Arc<str>>),
    /// A part ended that never should.
    #[error("a part of pushwatch ended unexpectedly: {0}")]
    Ended(String),
}

/// The running bot.
pub struct App {
    /// Where callbacks come in.
    pub listen: SocketAddr,
    /// Where operators come in.
    pub admin: SocketAddr,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    store: Arc<Sqlite>,
    /// Cancelled once the caller has said that we are ready: a console channel prints to the same place.
    announced: CancellationToken,
    /// Started parts, each with the token that stops it; stopped from the last to the first.
    stages: Vec<(CancellationToken, JoinSet<Result<(), AppError>>)>,
}

/// Starts the bot.
///
/// # Errors
/// [`AppError`]: what is missing or wrong, in words for operators.
pub async fn start(settings: Settings) -> Result<App, AppError> {
    let (orders, ordered) = mpsc::channel(ORDERS);
    let hang_up = match settings.hang_up {
        HangUp::Reloads => Some(triggers::hang_up(orders.clone()).map_err(AppError::Signal)?),
        HangUp::Ends => None,
    };
    let clock = Arc::new(Clock::start());
    let metrics = Arc::new(Metrics::new());
    let ready = Arc::new(Readiness::new());
    let files = Files { rules: settings.rules_file, templates: settings.templates };
    let (print, read) = (files.print(), files.load());
    // Broken rules: the last good ones are in the store, and may let signatures live as long as any may.
    let longest = || Door { max_validity: LONGEST_VALIDITY, ..Door::default() };
    let door = read.as_ref().map_or_else(|_| longest(), |loaded| loaded.rules.door.clone());
    let kept = sqlite::Settings {
        retention: settings.retention,
        max_bytes: settings.max_bytes,
        dedup_horizon: dedup_horizon(&door),
        ..sqlite::Settings::new(&settings.data_dir)
    };
    let store = Sqlite::open(kept, Arc::clone(&clock), Arc::clone(&metrics))?;
    let kept = Kept::new(&*store);
    let (in_force, mistakes) = begin::begin_with(read, (print, clock.wall()), &files, &kept).await?;
    let rules = Arc::clone(&in_force.rules);
    if rules.door.keys.is_empty() {
        tracing::warn!("tencent.allow_unsigned: callbacks are taken from anybody who can reach this address");
    }
    if !mistakes.is_empty() {
        metrics.reload_failed();
        ready.show(Banner::Refused, reload::banner(&mistakes, in_force.since, in_force.since, &rules));
    }
    ready.on(Part::Rules);
    metrics.rules_loaded(in_force.since.0 as f64 / 1000.0);

    let rulebook = {
        let files = files.clone();
        let compile = move |text: &str| files.compile(text).ok();
        Arc::new(Rulebook::new(Arc::clone(&rules), kept.texts().await?, compile))
    };

    let (public, listen) = bind(settings.listen).await?;
    let (operators, admin) = bind(settings.admin_listen).await?;
    let mut app = App {
        listen,
        admin,
        metrics: Arc::clone(&metrics),
        store: Arc::clone(&store),
        announced: CancellationToken::new(),
        stages: Vec::new(),
    };

    let (listing, listed) = watch::channel(listing::list(&rules, &files.rules, in_force.since));
    let desk = Desk { orders: orders.clone(), listing: listed };
    let (workers, parking) = (Workers::default(), Arc::<Parking>::default());
    let commands = Arc::new(Operators::default());
    let stage = app.stage();
    let door = Arc::new(admin::endpoint(Arc::new(Admin {
        metrics: Arc::clone(&metrics),
        ready: Arc::clone(&ready),
        token: settings.admin_token,
        rules: Arc::new(desk),
        explain: Arc::new(Explainer::new(settings.data_dir, Arc::clone(&rulebook), Arc::clone(&clock))),
        outbox: Arc::new(Outbox { reader: Arc::clone(&store) as _, workers: workers.clone() }),
        commands: Arc::clone(&commands) as _,
    })));
    let serve = listen::serve(operators, door, Limits::default(), Arc::clone(&metrics), stage.0.clone());
    stage.1.spawn(async move {
        serve.await;
        Ok(())
    });

    let rooms = Rooms {
        store: Arc::clone(&store) as Arc<dyn Store>,
        rules: rulebook,
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
    };
    let core = Core::open(rooms.clone()).await?;
    let handle = core.handle();
    let answering = chats::desk(&rooms, handle.clone(), &store);
    commands.begin(Arc::clone(&answering), Arc::clone(&store) as _, Arc::clone(&clock));
    let (budgets, tokens) = (Arc::new(Budgets::new()), Arc::new(Tokens::new()));
    let chat = chats::doors(&rooms, answering, (Arc::clone(&budgets), Arc::clone(&tokens)));
    ready.on(Part::Store);
    let first = Lineup::new(&rules, Arc::clone(&in_force.renderer));
    let shared = (workers, Arc::clone(&parking), budgets, tokens);
    let lineups = app.start_channels(&rooms, first, core.caught_up(), shared);
    let (caught_up, warnings, came_in_force) = (core.caught_up(), core.warnings(), core.in_force());
    let stage = app.stage();
    let stop = stage.0.clone();
    stage.1.spawn(async move { Ok(core.run(stop).await?) });
    let (stop, kept_in, clock_of_roster) = (stage.0.clone(), Arc::clone(&rooms.store), Arc::clone(&clock));
    stage.1.spawn(async move {
        stop.run_until_cancelled(handle.roster().tend(&*kept_in, &clock_of_roster)).await;
        Ok(())
    });
    let (stop, lights) = (stage.0.clone(), Arc::clone(&ready));
    stage.1.spawn(async move {
        let parked = lights::show_parked(Arc::clone(&lights), parking.watch());
        let shown = futures_util::future::join(lights::light_up(lights, caught_up, warnings), parked);
        stop.run_until_cancelled(shown).await;
        Ok(())
    });

    let stage = app.stage();
    let (stop, listening) = (stage.0.clone(), Arc::clone(&chat));
    stage.1.spawn(async move {
        listening.listen(stop).await;
        Ok(())
    });

    let exempt = Exempt::from(rules.door.trusted_proxies.clone());
    let (door, open_door) = watch::channel(Arc::new(rules.door.clone()));
    let reins = Reins {
        rooms,
        store: Arc::clone(&store),
        kept,
        ready: Arc::clone(&ready),
        door,
        exempt: exempt.clone(),
        lineups,
        listing,
        in_force: came_in_force,
    };
    if !mistakes.is_empty() {
        reins.notice(Notice::LastGoodRules { problems: reload::problems(&mistakes) }).await?;
    }
    let watcher = triggers::watch(&files, orders);
    let reloader = Reloader::new(files, reins, in_force, print);
    let stage = app.stage();
    let stop = stage.0.clone();
    stage.1.spawn(async move {
        let _watcher = watcher;
        let hang_up = async { futures_util::future::OptionFuture::from(hang_up).await };
        stop.run_until_cancelled(futures_util::future::join(reloader.run(ordered), hang_up)).await;
        Ok(())
    });

    let stage = app.stage();
    let limits = Limits { exempt, ..Limits::default() }.fit_process();
    let journal = EngineJournal { store: Arc::clone(&store), ready, refusing: AtomicBool::new(false) };
    let door = Ingest::new(open_door, Arc::new(journal), Arc::clone(&clock), Arc::clone(&metrics));
    let door = Arc::new(chats::public(ingest::endpoint(Arc::new(door)), Arc::clone(&chat)));
    let serve = listen::serve(public, door, limits, metrics, stage.0.clone());
    stage.1.spawn(async move {
        serve.await;
        chat.finish().await;
        Ok(())
    });
    Ok(app)
}

impl App {
    /// Serves until `stop` resolves, then ends in order: first the door, then what is behind it. What is in flight
    /// is finished, the rest is kept.
    ///
    /// # Errors
    /// [`AppError`] if a part broke; everything that was answered 200 is kept all the same.
    pub async fn run_until(mut self, stop: impl Future<Output = ()> + Send) -> Result<(), AppError> {
        self.announced.cancel();
        let mut fatal = self.store.fatal();
        let mut result = {
            let parts = self.stages.iter_mut().map(|(_, tasks)| Box::pin(first_end(tasks)));
            tokio::select! {
                () = stop => Ok(()),
                why = fatal.wait_for(Option::is_some) => Err(AppError::Disk(why.ok().and_then(|why| why.clone()))),
                (ended, ..) = futures_util::future::select_all(parts) => Err(ended),
            }
        };
        while let Some((token, mut tasks)) = self.stages.pop() {
            token.cancel();
            while let Some(joined) = tasks.join_next().await {
                let ended = joined.unwrap_or_else(|panic| Err(AppError::Ended(panic.to_string())));
                result = result.and(ended);
            }
        }
        self.store.close().await;
        result
    }

    fn stage(&mut self) -> &mut (CancellationToken, JoinSet<Result<(), AppError>>) {
        self.stages.push((CancellationToken::new(), JoinSet::new()));
        let last = self.stages.len() - 1;
        &mut self.stages[last]
    }

    /// The workers of the channels; whoever changes them sends another lineup.
    fn start_channels(
        &mut self,
        rooms: &Rooms,
        first: Lineup,
        caught_up: watch::Receiver<bool>,
        (workers, parking, budgets, wecom_tokens): (Workers, Arc<Parking>, Arc<Budgets>, Arc<Tokens>),
    ) -> mpsc::Sender<Change> {
        let channels = Channels {
            rooms: rooms.clone(),
            reader: Arc::clone(&self.store) as _,
            http: deliver::http_client(),
            console: Console::stdout(),
            budgets,
            wecom_tokens,
            parking,
            workers,
            caught_up,
            announced: self.announced.clone(),
        };
        let (changes, changed) = mpsc::channel(1);
        let stage = self.stage();
        let stop = stage.0.clone();
        stage.1.spawn(channels.run(first, changed, stop));
        changes
    }
}

/// How long a callback may be repeated, by the door's settings.
fn dedup_horizon(door: &Door) -> Duration {
    door.max_validity + door.clock_skew + RETRIES
}

/// How the first of these tasks ends; none of them should.
async fn first_end(tasks: &mut JoinSet<Result<(), AppError>>) -> AppError {
    match tasks.join_next().await {
        None => std::future::pending().await,
        Some(Ok(Ok(()))) => AppError::Ended("without an error".to_owned()),
        Some(Ok(Err(error))) => error,
        Some(Err(panic)) => AppError::Ended(panic.to_string()),
    }
}

/// The door's way into the journal; tells `/readyz` whether it is open.
struct EngineJournal {
    store: Arc<Sqlite>,
    ready: Arc<Readiness>,
    refusing: AtomicBool,
}

impl Journal for EngineJournal {
    fn append(&self, entry: NewEntry) -> BoxFuture<'_, Result<Appended, StoreError>> {
        Box::pin(async move {
            let kept = self.store.append(&Shard::Engine, entry).await;
            let refused = kept.as_ref().err();
            if self.refusing.swap(refused.is_some(), Ordering::Relaxed) != refused.is_some() {
                match refused {
                    Some(error) => self.ready.off(Part::Store, &error.to_string()),
                    None => self.ready.on(Part::Store),
                }
            }
            kept
        })
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), AppError> {
    let wrong = |error| AppError::Listen(address, error);
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    Ok((listener, bound))
}
