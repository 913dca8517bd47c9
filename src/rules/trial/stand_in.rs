//! Made-up values in place of secrets and addresses that a rule test does not need. Pure.

use crate::rules::document::{Kind, Node};

/// Puts a made-up value wherever `tencent` or a channel takes one from the environment or from a secret file.
pub(super) fn fill(root: &mut Node) {
    let Kind::Map(entries) = &mut root.kind else { return };
    for (key, section) in entries {
        match (key.text.as_str(), &mut section.kind) {
            ("tencent", _) => walk(section, None),
            ("channels", Kind::Map(channels)) => channels.iter_mut().for_each(|(_, channel)| walk(channel, None)),
            _ => {}
        }
    }
}

/// `made_up` stands in for whatever is found below.
fn walk(node: &mut Node, made_up: Option<&'static str>) {
    if let Some(value) = made_up.filter(|_| is_reference(node)) {
        node.kind = Kind::Text { text: value.to_owned(), written: value.to_owned() };
        return;
    }
    match &mut node.kind {
        Kind::Seq(items) => items.iter_mut().for_each(|item| walk(item, made_up)),
        Kind::Map(entries) => entries.iter_mut().for_each(|(key, value)| walk(value, made_up.or(value_of(&key.text)))),
        Kind::Null | Kind::Text { .. } | Kind::Broken => {}
    }
}

/// Whether a value comes from elsewhere.
fn is_reference(node: &Node) -> bool {
    match &node.kind {
        Kind::Text { text, .. } => text.replace("$${", "").contains("${"),
        Kind::Map(entries) => matches!(entries.as_slice(), [(key, _)] if key.text == "file"),
        Kind::Null | Kind::Seq(_) | Kind::Broken => false,
    }
}

/// A value that passes for one of this key. Others, such as `language`, must be there.
fn value_of(key: &str) -> Option<&'static str> {
    Some(match key {
        "url" | "webhook_url" | "api_url" | "public_url" => "https://made-up.invalid",
        "template" => "{}",
        "chat_id" | "thread_id" | "agent_id" => "1",
        "sources" | "trusted_proxies" => "127.0.0.1",
        // 43 letters of base64: 32 bytes.
        "encoding_aes_key" => "madeUpmadeUpmadeUpmadeUpmadeUpmadeUpmadeUpA",
        "keys" | "path_secret" | "token" | "key" | "channel" | "headers" | "signing_secret" | "webhook_secret"
        | "secret" | "corp_id" | "to" | "callback_token" => "made-up",
        "allow" => "everyone",
        _ => return None,
    })
}
