//! Composition root: builds the rooms, starts them, stops them in reverse order.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin, Part, Readiness};
use crate::clock::Clock;
use crate::config;
use crate::core::{Core, CoreError, Rooms};
use crate::deliver::{self, Budgets, Console};
use crate::ingest::{self, Ingest, Journal};
use crate::listen::{self, Limits};
use crate::metrics::Metrics;
use crate::model::{Channel, ChannelName, Door, NewEntry};
use crate::render::Renderer;
use crate::rules::{self, RuleSet};
use crate::store::sqlite::{self, OpenError, Sqlite};
use crate::store::{Appended, Shard, Store, StoreError};

/// Table and key under which the last good text of the rules is kept.
const RULES: (&str, &str) = ("rules", "last_good");

/// Beyond the time a signature lives, a callback may be repeated for this long: 12 retries a minute apart, and some.
const RETRIES: Duration = Duration::from_secs(20 * 60);

/// What is taken for `max_validity` while it is not known.
const LONGEST_VALIDITY: Duration = Duration::from_secs(24 * 3600);

/// What `serve` and `demo` start the bot with.
#[derive(Debug)]
pub struct Settings {
    /// rules.yaml.
    pub rules_file: PathBuf,
    /// Folder of the operator's own templates.
    pub templates: Option<PathBuf>,
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
    #[error(
        "no callback key is set, so anybody could send callbacks. Set the key of your callback template (Tencent Cloud \
         console: Live > Event Center > Live Callback) in the variable that tencent.keys names, TENCENT_CALLBACK_KEY in \
         the shipped rules.yaml; or say tencent.allow_unsigned: true if only the cloud can reach this address"
    )]
    NoKeys,
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
    let clock = Arc::new(Clock::start());
    let metrics = Arc::new(Metrics::new());
    let ready = Arc::new(Readiness::new());
    let renderer = Renderer::load(settings.templates.as_deref()).map_err(|problems| {
        AppError::BadTemplates(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;

    let written = read_rules(&settings.rules_file);
    // Broken rules: the last good ones are in the store, and may let signatures live as long as any may.
    let longest = || Door { max_validity: LONGEST_VALIDITY, ..Door::default() };
    let door = written.as_ref().map_or_else(|_| longest(), |(set, _)| set.door.clone());
    let kept = sqlite::Settings {
        retention: settings.retention,
        max_bytes: settings.max_bytes,
        dedup_horizon: door.max_validity + door.clock_skew + RETRIES,
        ..sqlite::Settings::new(&settings.data_dir)
    };
    let store = Sqlite::open(kept, Arc::clone(&clock), Arc::clone(&metrics))?;
    let rules = Arc::new(choose_rules(written, &*store, &ready, &metrics).await?);
    if rules.door.keys.is_empty() {
        tracing::warn!("tencent.allow_unsigned: callbacks are taken from anybody who can reach this address");
    }
    metrics.rules_loaded(clock.wall().0 as f64 / 1000.0);

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

    let stage = app.stage();
    let door = Arc::new(admin::endpoint(Arc::new(Admin {
        metrics: Arc::clone(&metrics),
        ready: Arc::clone(&ready),
        token: settings.admin_token,
    })));
    let serve = listen::serve(operators, door, Limits::default(), Arc::clone(&metrics), stage.0.clone());
    stage.1.spawn(async move {
        serve.await;
        Ok(())
    });

    let rooms = Rooms {
        store: Arc::clone(&store) as Arc<dyn Store>,
        rules: Arc::clone(&rules),
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
    };
    app.start_channels(&rooms, renderer);
    let core = Core::open(rooms).await?;
    ready.on(Part::Store);
    let mut caught_up = core.caught_up();
    let light = Arc::clone(&ready);
    let stage = app.stage();
    let stop = stage.0.clone();
    stage.1.spawn(async move { Ok(core.run(stop).await?) });
    let stop = stage.0.clone();
    stage.1.spawn(async move {
        if let Some(Ok(_)) = stop.run_until_cancelled(caught_up.wait_for(|yes| *yes)).await {
            light.on(Part::Engine);
        }
        stop.cancelled().await;
        Ok(())
    });

    let stage = app.stage();
    let limits = Limits { exempt: rules.door.trusted_proxies.clone(), ..Limits::default() }.fit_process();
    let journal = EngineJournal { store: Arc::clone(&store), ready, refusing: AtomicBool::new(false) };
    let door = Ingest::new(Arc::new(rules.door.clone()), Arc::new(journal), Arc::clone(&clock), Arc::clone(&metrics));
    let door = Arc::new(ingest::endpoint(Arc::new(door)));
    let serve = listen::serve(public, door, limits, metrics, stage.0.clone());
    stage.1.spawn(async move {
        serve.await;
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

    /// One worker a channel.
    fn start_channels(&mut self, rooms: &Rooms, renderer: Renderer) {
        let context = Arc::new(deliver::Context {
            store: Arc::clone(&rooms.store),
            reader: Arc::clone(&self.store) as _,
            renderer: Arc::new(renderer),
            catalogue: Arc::clone(&rooms.rules.catalogue),
            clock: Arc::clone(&rooms.clock),
            metrics: Arc::clone(&rooms.metrics),
            http: deliver::http_client(),
            console: Console::stdout(),
            budgets: Arc::new(Budgets::new()),
        });
        let channels: Vec<Arc<Channel>> = rooms.rules.channels.values().cloned().collect();
        let known = |name: &ChannelName| rooms.rules.channels.contains_key(name);
        let gone: Vec<ChannelName> = channels_of(&rooms.store.owned().borrow()).filter(|name| !known(name)).collect();
        let announced = self.announced.clone();
        let stage = self.stage();
        let (retiring, stop) = (Arc::clone(&context), stage.0.clone());
        stage.1.spawn(async move {
            for name in gone {
                deliver::retire(&name, &retiring).await?;
            }
            stop.cancelled().await;
            Ok(())
        });
        for channel in channels {
            let (context, stop, announced) = (Arc::clone(&context), stage.0.clone(), announced.clone());
            stage.1.spawn(async move {
                match stop.run_until_cancelled(announced.cancelled()).await {
                    Some(()) => Ok(deliver::run(channel, context, stop).await?),
                    None => Ok(()),
                }
            });
        }
    }
}

fn channels_of(shards: &[Shard]) -> impl Iterator<Item = ChannelName> {
    shards.iter().filter_map(|shard| match shard {
        Shard::Channel(name) => Some(name.clone()),
        Shard::Engine => None,
    })
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

/// The rules as written: the set and its text, or what is wrong with them.
fn read_rules(file: &PathBuf) -> Result<(RuleSet, String), AppError> {
    let text = std::fs::read_to_string(file).map_err(|error| AppError::NoRules(file.clone(), error))?;
    match rules::load(&text, &file.display().to_string(), &config::variable) {
        Ok(set) => Ok((set, text)),
        Err(mistakes) => {
            let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            Err(AppError::BadRules(mistakes.join("\n")))
        }
    }
}

/// The written rules, kept as the last good ones; if they are broken, the last good ones, loudly.
async fn choose_rules(
    written: Result<(RuleSet, String), AppError>,
    store: &dyn Store,
    ready: &Readiness,
    metrics: &Metrics,
) -> Result<RuleSet, AppError> {
    let (table, key) = RULES;
    let kept = store.table(table);
    let broken = match written {
        Ok((set, _)) if set.door.keys.is_empty() && !set.door.allow_unsigned => return Err(AppError::NoKeys),
        Ok((set, text)) => {
            kept.put(key, &text).await?;
            ready.on(Part::Rules);
            return Ok(set);
        }
        Err(broken) => broken,
    };
    let Some(text) = kept.get(key).await? else { return Err(broken) };
    let Ok(set) = rules::load(&text, "the last good rules", &config::variable) else { return Err(broken) };
    metrics.reload_failed();
    tracing::error!("{broken}\nThe rules are broken: the last good ones are in force until they are mended");
    ready.on(Part::Rules);
    Ok(set)
}
