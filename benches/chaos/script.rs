//! What goes wrong when: each chat's misbehaviour and the kills, in scripted minutes after a well-behaved first one.

use std::time::Duration;

use crate::chats::{Kind, Mode};

/// All chats behave for so long, for the first minute of the storm is measured.
pub(crate) const CALM: Duration = Duration::from_secs(65);

/// How many scripted minutes things go wrong for.
pub(crate) const MINUTES: f64 = 10.0;

/// Something that happens to a chat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    /// From now on it behaves so.
    Be(Mode),
    /// Every message in it is deleted by a person.
    DeleteAll,
    /// The Telegram group becomes a supergroup.
    Migrate,
    /// WeCom's access token ends before its time.
    Expire,
}

/// The script in order: when, to whom, what. `minute` is how long a scripted minute takes.
pub(crate) fn script(minute: Duration) -> Vec<(Duration, Kind, Event)> {
    use Event::{Be, DeleteAll, Expire, Migrate};
    use Kind::{SlackBot, SlackHook, Telegram, Webhook, Wecom, WecomApp};
    let part = |share: f64| minute.mul_f64(share).as_secs().max(1);
    let mut script: Vec<(f64, Kind, Event)> = vec![
        (0.0, SlackBot, Be(Mode::Limiting(part(0.5)))),
        (4.0, SlackBot, DeleteAll),
        (4.0, SlackBot, Be(Mode::Well)),
        (6.0, SlackBot, Be(Mode::Slow(Duration::from_secs(3)))),
        (8.0, SlackBot, Be(Mode::Busy)),
        (9.0, SlackBot, Be(Mode::Well)),
        (0.0, SlackHook, Be(Mode::Refusing)),
        (3.0, SlackHook, Be(Mode::Resetting)),
        (4.0, SlackHook, Be(Mode::Well)),
        (6.0, SlackHook, Be(Mode::Page)),
        (7.0, SlackHook, Be(Mode::Empty)),
        (8.0, SlackHook, Be(Mode::Well)),
        (1.0, Telegram, Migrate),
        (2.0, Telegram, Be(Mode::Limiting(part(0.75)))),
        (5.0, Telegram, Be(Mode::Well)),
        (6.0, Telegram, DeleteAll),
        (7.0, Telegram, Be(Mode::Resetting)),
        (8.0, Telegram, Be(Mode::Well)),
        (0.0, Wecom, Be(Mode::Limiting(60))),
        (3.0, Wecom, Be(Mode::Busy)),
        (5.0, Wecom, Be(Mode::Well)),
        (6.0, Wecom, Be(Mode::Silent)),
        (8.0, Wecom, Be(Mode::Well)),
        (0.0, WecomApp, Expire),
        (1.0, WecomApp, Be(Mode::Resetting)),
        (2.0, WecomApp, Be(Mode::Limiting(60))),
        (4.0, WecomApp, Be(Mode::Page)),
        (5.0, WecomApp, Be(Mode::Well)),
        (5.0, WecomApp, Expire),
        (7.0, WecomApp, Be(Mode::Refusing)),
        (9.0, WecomApp, Be(Mode::Well)),
        (0.0, Webhook, Be(Mode::Silent)),
        (10.0, Webhook, Be(Mode::Well)),
    ];
    script.sort_by(|a, b| a.0.total_cmp(&b.0));
    script.into_iter().map(|(at, kind, event)| (CALM + minute.mul_f64(at), kind, event)).collect()
}

/// When the process is killed: once while all is well, twice while it is not.
pub(crate) fn kills(minute: Duration, seed: u64) -> [Duration; 3] {
    let mut rng = fastrand::Rng::with_seed(seed);
    let first = Duration::from_secs_f64(7.0 + rng.f64() * 40.0);
    [first, CALM + minute.mul_f64(0.5 + rng.f64() * 4.0), CALM + minute.mul_f64(5.0 + rng.f64() * 4.5)]
}

/// How long the simulation takes: nine tenths of its streams are well after half of it, the last after three quarters.
pub(crate) fn storm(minute: Duration) -> Duration {
    2 * (CALM + minute.mul_f64(4.0))
}
