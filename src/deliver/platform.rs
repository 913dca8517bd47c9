//! The way from a call to the platform's file that makes it.

use secrecy::ExposeSecret;

use super::call::Call;
use super::verdict::Verdict;
use super::{Console, Context, Tokens, console, slack, telegram, webhook, wecom, wecom_app};
use crate::clock::Clock;
use crate::model::{Channel, SlackDoor, Target, WecomDoor};

/// What calls are made with.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) http: &'a reqwest::Client,
    pub(crate) console: &'a Console,
    pub(crate) clock: &'a Clock,
    pub(crate) wecom_tokens: &'a Tokens,
}

impl<'a> Means<'a> {
    /// Those that all workers share.
    pub(crate) fn of(context: &'a Context) -> Means<'a> {
        let Context { http, console, clock, wecom_tokens, .. } = context;
        Means { http, console, clock, wecom_tokens }
    }
}

/// Makes a call and says what became of it. No secret is in the verdict.
pub(crate) async fn make(channel: &Channel, call: &Call, means: Means<'_>) -> Verdict {
    let http = means.http;
    let verdict = match &channel.target {
        Target::Slack { door: SlackDoor::Bot { token, channel }, api_url, .. } => {
            slack::bot(http, api_url, token, channel, call).await
        }
        Target::Slack { door: SlackDoor::Webhook { url }, .. } => slack::webhook(http, url, call).await,
        Target::Wecom { door: WecomDoor::Robot { key }, api_url } => wecom::robot(http, api_url, key, call).await,
        Target::Wecom { door: WecomDoor::App(app), api_url } => {
            let line = wecom_app::Line { http, api_url, clock: means.clock, tokens: means.wecom_tokens };
            wecom_app::tell(line, &channel.name, app, call).await
        }
        Target::Telegram { token, chat_id, thread_id, api_url, .. } => {
            let chat = telegram::Chat { id: call.moved.unwrap_or(*chat_id), thread: *thread_id };
            telegram::bot(http, api_url, token, chat, call).await
        }
        Target::Webhook { url, headers, template } => webhook::post(http, url, headers, template.as_ref(), call).await,
        Target::Console => console::print(means.console, call).await,
    };
    verdict.clean(&secrets(&channel.target))
}

/// Answers one member of a company by the app of a WeCom channel: what went wrong, where something did. Made once, and
/// never again: nobody waits long for an answer.
pub async fn answer_member(
    channel: &Channel,
    (member, text): (&str, &str),
    http: &reqwest::Client,
    (clock, tokens): (&Clock, &Tokens),
) -> Verdict {
    let verdict = match &channel.target {
        Target::Wecom { door: WecomDoor::App(app), api_url } => {
            wecom_app::answer(wecom_app::Line { http, api_url, clock, tokens }, app, member, text).await
        }
        Target::Wecom { door: WecomDoor::Robot { .. }, .. }
        | Target::Slack { .. }
        | Target::Telegram { .. }
        | Target::Webhook { .. }
        | Target::Console => Verdict::PermanentTarget { why: "only a WeCom app writes to members of a company".into() },
    };
    verdict.clean(&secrets(&channel.target))
}

fn secrets(target: &Target) -> Vec<&str> {
    match target {
        Target::Slack { door, inbound, .. } => {
            let mut secrets = match door {
                SlackDoor::Bot { token, .. } => vec![token.expose_secret()],
                SlackDoor::Webhook { url } => address_secrets(url.expose_secret()),
            };
            secrets.extend(inbound.iter().map(|inbound| inbound.signing_secret.expose_secret()));
            secrets
        }
        Target::Wecom { door: WecomDoor::Robot { key }, .. } => vec![key.expose_secret()],
        Target::Wecom { door: WecomDoor::App(app), .. } => {
            let callback = app.callback.iter().flat_map(|callback| [&callback.token, &callback.encoding_aes_key]);
            std::iter::once(&app.secret).chain(callback).map(ExposeSecret::expose_secret).collect()
        }
        Target::Telegram { token, webhook, .. } => {
            let webhook = webhook.iter().map(|webhook| webhook.secret.expose_secret());
            std::iter::once(token.expose_secret()).chain(webhook).collect()
        }
        Target::Webhook { url, headers, .. } => {
            let mut secrets = address_secrets(url.expose_secret());
            secrets.extend(headers.values().map(ExposeSecret::expose_secret));
            secrets
        }
        Target::Console => Vec::new(),
    }
}

/// An address that is a secret is repeated whole, or as the path that was asked for.
fn address_secrets(url: &str) -> Vec<&str> {
    let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|slash| &rest[slash..]));
    std::iter::once(url).chain(path.filter(|path| path.len() > 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_secret_address_is_a_secret_too() {
        assert_eq!(address_secrets("https://h/services/T0/B0/x"), ["https://h/services/T0/B0/x", "/services/T0/B0/x"]);
        assert_eq!(address_secrets("https://h/"), ["https://h/"]);
    }
}
