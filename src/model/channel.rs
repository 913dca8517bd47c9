//! A channel as compiled from `rules.yaml`: where to tell people, in which language, with which secret.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{BodyTemplate, Severity};

/// The channel's name in `rules.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelName(pub Arc<str>);

impl ChannelName {
    /// From its text.
    #[must_use]
    pub fn new(name: &str) -> ChannelName {
        ChannelName(name.into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Language of the texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 2] = [Language::En, Language::Zh];

    /// The folder name under `templates/`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Zh => "zh",
        }
    }
}

/// The platform, as far as texts and templates differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// Slack, by bot token or by incoming webhook.
    Slack,
    /// WeCom, by group robot or by app.
    Wecom,
    /// Telegram bot.
    Telegram,
    /// Any HTTP endpoint.
    Webhook,
    /// Standard output.
    Console,
}

impl ChannelKind {
    /// All of them.
    pub const ALL: [ChannelKind; 5] =
        [ChannelKind::Slack, ChannelKind::Wecom, ChannelKind::Telegram, ChannelKind::Webhook, ChannelKind::Console];

    /// The word in `type:` and the folder name under `templates/<lang>/`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ChannelKind::Slack => "slack",
            ChannelKind::Wecom => "wecom",
            ChannelKind::Telegram => "telegram",
            ChannelKind::Webhook => "webhook",
            ChannelKind::Console => "console",
        }
    }
}

/// Slack's two ways in.
#[derive(Clone, Debug)]
pub enum SlackDoor {
    /// A bot token (`xoxb-…`) and the channel's id: can edit and answer in threads.
    Bot {
        /// The token.
        token: SecretString,
        /// The channel id or name.
        channel: String,
    },
    /// An incoming webhook: can only post. The address is the secret.
    Webhook {
        /// The whole address.
        url: SecretString,
    },
}

/// How Slack's commands and buttons are known to come from Slack, and from where they may come.
#[derive(Clone, Debug)]
pub struct SlackInbound {
    /// The app's signing secret.
    pub signing_secret: SecretString,
    /// The channel's id or name, as the calls name it.
    pub channel: String,
}

/// How Telegram brings updates, where it does so instead of being asked.
#[derive(Clone, Debug)]
pub struct TelegramWebhook {
    /// What each call shows in its `X-Telegram-Bot-Api-Secret-Token`.
    pub secret: SecretString,
    /// pushwatch's own public base address, without a slash at its end, if Telegram is to be told of it.
    pub public_url: Option<String>,
}

/// Who may give commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allow {
    /// Nobody, and nothing says that there ever will be anybody.
    #[default]
    Nobody,
    /// Those with one of these ids, as the platform writes them; perhaps none yet.
    These(BTreeSet<Box<str>>),
    /// Whoever is in the chat.
    Everyone,
}

impl Allow {
    /// Whether somebody of this id may.
    #[must_use]
    pub fn holds(&self, id: &str) -> bool {
        match self {
            Allow::Nobody => false,
            Allow::These(ids) => ids.contains(id),
            Allow::Everyone => true,
        }
    }

    /// Whether there is anybody who may.
    #[must_use]
    pub fn names_anybody(&self) -> bool {
        match self {
            Allow::Nobody => false,
            Allow::These(ids) => !ids.is_empty(),
            Allow::Everyone => true,
        }
    }
}

/// WeCom's two ways in. Neither can edit what was said.
#[derive(Clone, Debug)]
pub enum WecomDoor {
    /// A group robot. The key is the only secret.
    Robot {
        /// The robot's key.
        key: SecretString,
    },
    /// An app of the company, which writes to people.
    App(Box<WecomApp>),
}

/// An app of a company on WeCom, and whom it tells.
#[derive(Clone, Debug)]
pub struct WecomApp {
    /// The company.
    pub corp_id: String,
    /// The app's number in the company.
    pub agent_id: i64,
    /// The app's secret.
    pub secret: SecretString,
    /// Who hears.
    pub to: Receivers,
    /// With what WeCom's calls to us are checked and read, if it is to call.
    pub callback: Option<WecomCallback>,
}

/// Who hears an app's messages; at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receivers {
    /// User ids; `@all`, which stands alone, is everybody whom the app may see.
    pub users: Vec<String>,
    /// Numbers of departments.
    pub parties: Vec<i64>,
    /// Numbers of tags.
    pub tags: Vec<i64>,
}

/// The two secrets of an app's callback; either is nothing without the other.
#[derive(Clone, Debug)]
pub struct WecomCallback {
    /// Signs.
    pub token: SecretString,
    /// Encrypts: 43 letters and digits, which stand for 32 bytes.
    pub encoding_aes_key: SecretString,
}

/// Where messages go, with what secret.
#[derive(Clone, Debug)]
pub enum Target {
    /// Slack.
    Slack {
        /// Token or webhook.
        door: SlackDoor,
        /// Base address of the Web API, without a trailing slash.
        api_url: String,
        /// With what commands and buttons are checked, if any are to be taken.
        inbound: Option<SlackInbound>,
    },
    /// WeCom.
    Wecom {
        /// Robot or app.
        door: WecomDoor,
        /// Base address, without a trailing slash.
        api_url: String,
    },
    /// Telegram bot.
    Telegram {
        /// The bot's token.
        token: SecretString,
        /// The chat; 52 bits.
        chat_id: i64,
        /// The forum topic, if any.
        thread_id: Option<i64>,
        /// Base address, without a trailing slash.
        api_url: String,
        /// If updates are brought; otherwise they are asked for.
        webhook: Option<TelegramWebhook>,
    },
    /// Any HTTP endpoint that takes JSON.
    Webhook {
        /// The address; may carry a secret.
        url: SecretString,
        /// Extra headers; values may be secrets.
        headers: BTreeMap<String, SecretString>,
        /// The body, if not the one that pushwatch makes.
        template: Option<BodyTemplate>,
    },
    /// Standard output.
    Console,
}

/// A channel, ready for use. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its name in `rules.yaml`.
    pub name: ChannelName,
    /// Where to.
    pub target: Target,
    /// In which language.
    pub language: Language,
    /// Incidents below this are not told here.
    pub min_severity: Severity,
    /// Who hears it when this channel fails for good.
    pub fallback: Option<ChannelName>,
    /// Times are shown in this zone.
    pub timezone: TimeZone,
    /// Who may give commands here.
    pub allow: Allow,
}

impl Channel {
    /// The platform.
    #[must_use]
    pub fn kind(&self) -> ChannelKind {
        match self.target {
            Target::Slack { .. } => ChannelKind::Slack,
            Target::Wecom { .. } => ChannelKind::Wecom,
            Target::Telegram { .. } => ChannelKind::Telegram,
            Target::Webhook { .. } => ChannelKind::Webhook,
            Target::Console => ChannelKind::Console,
        }
    }

    /// Whether the platform can bring what people type and click here.
    #[must_use]
    pub fn can_hear(&self) -> bool {
        match &self.target {
            Target::Slack { inbound, .. } => inbound.is_some(),
            Target::Telegram { .. } => true,
            Target::Wecom { door: WecomDoor::App(app), .. } => app.callback.is_some(),
            Target::Wecom { door: WecomDoor::Robot { .. }, .. } | Target::Webhook { .. } | Target::Console => false,
        }
    }

    /// Whether messages about incidents carry buttons: somebody may click them, and it can be heard.
    #[must_use]
    pub fn has_buttons(&self) -> bool {
        self.can_hear() && self.allow.names_anybody()
    }

    /// Whether a message can be changed after it was posted. Where it can't, news is posted anew, sparingly.
    #[must_use]
    pub fn can_edit(&self) -> bool {
        match &self.target {
            Target::Slack { door: SlackDoor::Bot { .. }, .. } | Target::Telegram { .. } => true,
            Target::Slack { door: SlackDoor::Webhook { .. }, .. }
            | Target::Wecom { .. }
            | Target::Webhook { .. }
            | Target::Console => false,
        }
    }
}
