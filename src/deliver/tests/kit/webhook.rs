//! Any endpoint that takes JSON: judged by its status alone.

use super::super::super::fake;
use super::*;

pub(super) fn endpoint() -> Kind {
    Kind {
        channel: fake::webhook,
        yes: || Answer::Say(204, "", String::new()),
        before: 0,
        by_status: true,
        rows,
        inspect,
    }
}

fn rows() -> Vec<Row> {
    use Comes::{Plain, Refused, Sent};
    let said = |status: u16| Answer::Say(status, "", format!("no, {SECRET} from {OUR_ADDRESS}"));
    let of =
        |statuses: &[u16], comes| statuses.iter().map(|s| row(&s.to_string(), said(*s), comes)).collect::<Vec<_>>();
    let all = [of(&[201, 202, 299], Sent), of(&[400, 415, 422], Plain), of(&[405, 407, 410], Refused)];
    all.into_iter().flatten().collect()
}

fn inspect(asked: &Asked) -> bool {
    let body = asked.body.as_object().unwrap();
    assert!(!body["text"].as_str().unwrap().trim().is_empty() && body["version"].is_number(), "{body:?}");
    assert!(asked.body.to_string().len() <= 1 << 20);
    !body.contains_key("facts")
}
