//! The demo's rules.yaml: short times, so that "well again" is seen too, and the chats that the environment has
//! secrets for.

/// A chat that messages go to besides the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chat {
    /// For people and as the channel's name.
    pub(super) name: &'static str,
    /// The channel, with its secrets as references: the file holds none.
    channel: &'static str,
}

/// Each chat with the variables that it needs.
const CHATS: [(&[&str], Chat); 4] = [
    (
        &["SLACK_BOT_TOKEN", "SLACK_CHANNEL"],
        Chat {
            name: "slack",
            channel: "{ type: slack, token: \"${SLACK_BOT_TOKEN}\", channel: \"${SLACK_CHANNEL}\" }",
        },
    ),
    (
        &["SLACK_WEBHOOK_URL"],
        Chat { name: "slack_webhook", channel: "{ type: slack, webhook_url: \"${SLACK_WEBHOOK_URL}\" }" },
    ),
    (
        &["WECOM_ROBOT_KEY"],
        Chat { name: "wecom", channel: "{ type: wecom, key: \"${WECOM_ROBOT_KEY}\", language: zh }" },
    ),
    (
        &["TELEGRAM_TOKEN", "TELEGRAM_CHAT_ID"],
        Chat {
            name: "telegram",
            channel: "{ type: telegram, token: \"${TELEGRAM_TOKEN}\", chat_id: \"${TELEGRAM_CHAT_ID}\" }",
        },
    ),
];

/// The rules, with places for key, channels and their names.
const RULES: &str = r#"version: 1
tencent:
  keys: ["@KEY@"]
channels:
  screen: { type: console }
@CHANNELS@defaults:
  notify: [@NAMES@]
  resolve_after: 8s
  reopen_within: 5s
  repeat_interval: 1h
  rate_limit: { burst: 5, every: 30s }
rules:
  - name: gop_too_large
    on: push_error
    types: [gop_too_large]
  - name: frames_late
    on: push_error
    types: [video_frames_late, audio_frames_late]
    threshold: { within: 1m }
    severity: { warning: 2, critical: 12 }
  - name: encoder_clock
    on: push_error
    types: [video_timestamp_backwards, audio_timestamp_backwards, video_timestamp_jump, audio_timestamp_jump, audio_timestamp_gap]
    severity: warning
  - name: codec_changed
    on: push_error
    types: [video_codec_changed, audio_codec_changed]
    severity: critical
  - name: video_fps_low
    on: push_error
    types: [video_fps_low]
  - name: stream_down
    on: push_end
    where: { errcode: { not: [1, 2] } }
    grace: 2s
    severity: critical
"#;

/// The chats whose secrets are set.
pub(super) fn chats(variable: &dyn Fn(&str) -> Option<String>) -> Vec<Chat> {
    let is_set = |needed: &&[&str]| needed.iter().all(|name| variable(name).is_some());
    CHATS.iter().filter(|(needed, _)| is_set(needed)).map(|(_, chat)| chat.clone()).collect()
}

/// The text of the demo's rules.yaml.
pub(super) fn text(key: &str, chats: &[Chat]) -> String {
    let channels: String = chats.iter().map(|chat| format!("  {}: {}\n", chat.name, chat.channel)).collect();
    let names: Vec<&str> = ["screen"].into_iter().chain(chats.iter().map(|chat| chat.name)).collect();
    RULES.replace("@KEY@", key).replace("@CHANNELS@", &channels).replace("@NAMES@", &names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::load;

    #[test]
    fn only_chats_with_all_their_secrets_are_used_and_the_file_holds_references() {
        assert_eq!(chats(&|_| None), []);
        let half = |name: &str| (name == "TELEGRAM_TOKEN").then(|| "123:secret".to_owned());
        assert_eq!(chats(&half), []);
        let all = chats(&|_| Some("secret".to_owned()));
        assert_eq!(all.len(), 4);
        let text = text("k3y", &all);
        assert!(text.contains("notify: [screen, slack, slack_webhook, wecom, telegram]"));
        assert!(text.contains("keys: [\"k3y\"]") && text.contains("${TELEGRAM_TOKEN}") && !text.contains("secret"));
        assert!(!text.contains('@'));
    }

    #[test]
    fn the_rules_load_with_every_chat_and_with_none() {
        let value = |name: &str| {
            Some(match name {
                "SLACK_WEBHOOK_URL" => "https://hooks.slack.com/services/T0/B0/x".to_owned(),
                "TELEGRAM_CHAT_ID" => "-1001234".to_owned(),
                "SLACK_BOT_TOKEN" => "xoxb-1-2-x".to_owned(),
                "TELEGRAM_TOKEN" => "123:abc".to_owned(),
                "WECOM_ROBOT_KEY" => "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa".to_owned(),
                _ => "C012345".to_owned(),
            })
        };
        for chats in [Vec::new(), chats(&value)] {
            let loaded = load(&text("k3y", &chats), "rules.yaml", &value);
            let rules = loaded.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
            assert_eq!((rules.rules.len(), rules.channels.len()), (6, chats.len() + 1));
        }
    }
}
