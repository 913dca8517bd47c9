//! One HTTP call: what was answered, or a verdict where nothing was. Bounded in time and size; no address is told.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::Value;

use super::verdict::Verdict;
use crate::model::Timestamp;

/// Most bytes read of an answer; a real one has a few hundred.
pub(crate) const MOST_BODY: usize = 64 * 1024;

/// How long to wait where a chat says "too many" and not for how long. WeCom's window is a minute; the others'
/// are shorter.
pub(crate) const WAIT_UNTOLD: Duration = Duration::from_secs(60);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    /// HTTP status.
    pub(crate) status: u16,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// The body, or as much of it as came within the bounds.
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The body as a JSON object, if it is one.
    pub(crate) fn object(&self) -> Option<serde_json::Map<String, Value>> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(map)) => Some(map),
            _ => None,
        }
    }

    /// How long the answer asks to wait, at least a second.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let asked = text(self.headers.get(RETRY_AFTER))?;
        let secs = match asked.parse::<u64>() {
            Ok(secs) => secs,
            Err(_) => {
                // A date is read against the answer's own date, so that no clock has to agree with another.
                let (until, date) = (http_date(asked)?, http_date(text(self.headers.get(DATE))?)?);
                until.since(date).as_secs()
            }
        };
        Some(Duration::from_secs(secs.max(1)))
    }

    /// The verdict where only the status tells: a proxy's page, an empty body, a chat's front door.
    pub(crate) fn judge_status(&self) -> Verdict {
        let why = format!("HTTP {}, not an answer of the chat", self.status);
        match self.status {
            // The chat never said yes; it may still have taken the message.
            200..=299 => Verdict::Unknown { why },
            429 => Verdict::RateLimited { after: self.retry_after().unwrap_or(WAIT_UNTOLD) },
            503 => match self.retry_after() {
                Some(after) => Verdict::RateLimited { after },
                None => Verdict::Retry { why },
            },
            // A gateway that waited in vain does not know whether the chat behind it took the message.
            504 => Verdict::Unknown { why },
            400 | 408 | 409 | 425 => Verdict::Retry { why },
            413 | 414 => Verdict::PermanentMessage { why },
            300..=499 => Verdict::PermanentTarget { why },
            _ => Verdict::Retry { why },
        }
    }
}

/// Makes the call and reads the answer.
///
/// # Errors
/// The verdict, where there is no answer: never sent (`Retry`), perhaps sent (`Unknown`), or impossible to send
/// (`PermanentTarget`).
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Result<Reply, Verdict> {
    let mut response = request.send().await.map_err(judge_error)?;
    let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = MOST_BODY - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() >= room {
                    break;
                }
            }
            Ok(None) => break,
            // The status stands; a body cut short reads as none, which a chat's judge takes as "unknown".
            Err(_) => {
                body.clear();
                break;
            }
        }
    }
    Ok(Reply { status, headers, body })
}

fn judge_error(error: reqwest::Error) -> Verdict {
    // The address may hold a token or a key.
    let error = error.without_url();
    let why = chain(&error);
    if error.is_builder() {
        Verdict::PermanentTarget { why: format!("the address or a header can't be used: {why}") }
    } else if error.is_connect() {
        Verdict::Retry { why }
    } else {
        Verdict::Unknown { why }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value?.to_str().ok().map(str::trim)
}

/// RFC 9110's preferred form, `Sun, 06 Nov 1994 08:49:37 GMT`; the two obsolete ones read as none.
fn http_date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(zoned.as_millisecond()))
}

#[cfg(test)]
pub(crate) fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
    let headers = headers
        .iter()
        .map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap()))
        .collect();
    Reply { status, headers, body: body.as_bytes().to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_seconds_or_as_a_date_and_never_shortened() {
        let asks = |headers: &[(&'static str, &str)]| reply(429, headers, "").retry_after().map(|d| d.as_secs());
        assert_eq!(asks(&[("retry-after", "7")]), Some(7));
        assert_eq!(asks(&[("retry-after", " 86400 ")]), Some(86_400));
        assert_eq!(asks(&[("retry-after", "0")]), Some(1));
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(asks(&[date, ("retry-after", "Sun, 06 Nov 1994 08:51:37 GMT")]), Some(120));
        assert_eq!(asks(&[date, ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]), Some(1));
        assert_eq!(asks(&[("retry-after", "Sun, 06 Nov 1994 08:51:37 GMT")]), None);
        assert_eq!(asks(&[("retry-after", "soon")]), None);
        assert_eq!(asks(&[("retry-after", "-3")]), None);
        assert_eq!(asks(&[]), None);
    }
}
