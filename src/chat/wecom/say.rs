//! What WeCom is answered with: a reply to whoever wrote, and the sealed envelope around it. Pure.

use super::crypto::Keys;
use crate::model::ChannelKind;
use crate::render::limits::Room;
use crate::render::markup::defuse;
use crate::render::{self, Card};

/// To whom, from whom and when, as a reply says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// The user id of whoever wrote.
    pub(super) to: &'a str,
    /// The company.
    pub(super) corp_id: &'a str,
    /// Seconds since 1970.
    pub(super) at: i64,
}

impl Head<'_> {
    /// A reply in plain text.
    pub(super) fn text(self, text: &str) -> String {
        self.message("text", &format!("<Content>{}</Content>", cdata(text)))
    }

    /// A card in the place of the one that was clicked, which was called `task`. Whoever clicked sees it, and nobody else.
    pub(super) fn card(self, card: &Card, task: &str) -> String {
        let mut xml = format!(
            "<CardType>{}</CardType><Source><Desc>{}</Desc><DescColor>{}</DescColor></Source>\
             <MainTitle><Title>{}</Title><Desc>{}</Desc></MainTitle><SubTitleText>{}</SubTitleText>",
            cdata("button_interaction"),
            cdata(&card.source),
            card.color(),
            cdata(&card.title),
            cdata(&card.under),
            cdata(&card.text),
        );
        for row in &card.rows {
            let (name, value) = (cdata(&row.name), cdata(&row.value));
            let link = row.url.as_deref().map(|url| ("<Type>1</Type>", format!("<Url>{}</Url>", cdata(url))));
            let (kind, url) = link.unwrap_or_default();
            xml.push_str(&format!(
                "<HorizontalContentList>{kind}<KeyName>{name}</KeyName><Value>{value}</Value>{url}</HorizontalContentList>"
            ));
        }
        xml.push_str(&format!("<TaskId>{}</TaskId>", cdata(task)));
        for button in &card.buttons {
            let (label, key) = (cdata(button.label), cdata(&button.press.to_string()));
            let style = render::style(button.press);
            xml.push_str(&format!(
                "<ButtonList><Text>{label}</Text><Style>{style}</Style><Key>{key}</Key></ButtonList>"
            ));
        }
        if card.buttons.is_empty() {
            // In the place of all buttons, and nothing to click.
            xml.push_str(&format!("<ReplaceText>{}</ReplaceText>", cdata(&card.source)));
        }
        self.message("update_template_card", &format!("<TemplateCard>{xml}</TemplateCard>"))
    }

    fn message(self, kind: &str, inside: &str) -> String {
        let Head { to, corp_id, at } = self;
        let (to, from, kind) = (cdata(to), cdata(corp_id), cdata(kind));
        format!(
            "<xml><ToUserName>{to}</ToUserName><FromUserName>{from}</FromUserName><CreateTime>{at}</CreateTime>\
             <MsgType>{kind}</MsgType>{inside}</xml>"
        )
    }
}

/// An answer as WeCom's text takes it: in its bytes, and with nothing in it that becomes a link or a mention. A text of
/// WeCom's has no code spans, but `<a href>` is a link in it.
pub(super) fn plain(answer: &str) -> String {
    Room::usual(ChannelKind::Wecom).cut_plain(&defuse(answer), |missing| format!(" … +{missing}"))
}

/// A reply, encrypted and signed; `random` and `nonce` must be new each time.
pub(super) fn envelope(keys: &Keys, reply: &str, random: [u8; 16], nonce: &str, at: i64) -> String {
    let encrypted = keys.encrypt(reply, random);
    let at = at.to_string();
    let signature = keys.sign(&at, nonce, &encrypted);
    format!(
        "<xml><Encrypt>{}</Encrypt><MsgSignature>{}</MsgSignature><TimeStamp>{at}</TimeStamp><Nonce>{}</Nonce></xml>",
        cdata(&encrypted),
        cdata(&signature),
        cdata(nonce)
    )
}

/// A text in XML, whatever is in it: an end of CDATA inside is split over two, and what XML has no place for is left out.
fn cdata(text: &str) -> String {
    let legal = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}') || matches!(c, '\n' | '\t');
    let text: String = text.chars().filter(legal).collect();
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}
