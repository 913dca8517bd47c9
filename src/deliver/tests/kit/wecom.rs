//! WeCom's error codes, all inside a 200, and what a robot and an app may say.

use super::super::super::fake;
use super::*;

pub(super) fn robot() -> Kind {
    Kind {
        channel: |url| fake::wecom(url, SECRET),
        yes: || Answer::json(200, json!({ "errcode": 0, "errmsg": "ok" })),
        before: 0,
        by_status: false,
        rows: || {
            let mut rows = codes();
            rows.extend([40014, 41001, 42001].map(|code| row(&code.to_string(), said(code), Comes::Refused)));
            rows
        },
        inspect: |asked| inspect(asked, 4_096),
    }
}

pub(super) fn app() -> Kind {
    Kind {
        channel: fake::wecom_app,
        // The same yes gives a token to whoever asks for one.
        yes: || {
            let token = format!("access-{SECRET}");
            Answer::json(200, json!({ "errcode": 0, "access_token": token, "expires_in": 7200, "invaliduser": "" }))
        },
        before: 1,
        by_status: false,
        rows: || {
            let mut rows = codes();
            // The token is replaced, and the message sent by the same call.
            rows.extend([40014, 41001, 42001].map(|code| row(&code.to_string(), said(code), Comes::Sent)));
            let some = json!({ "errcode": 0, "invaliduser": "ann", "invalidparty": "2" });
            rows.push(row("some receivers left out", Answer::json(200, some), Comes::Sent));
            let all = json!({ "errcode": 0, "invaliduser": "ann|bob", "invalidparty": "2", "invalidtag": "7" });
            rows.push(row("all receivers left out", Answer::json(200, all), Comes::Refused));
            rows
        },
        inspect: |asked| inspect(asked, 2_048),
    }
}

fn said(code: i64) -> Answer {
    let hint =
        format!("no, hint: [1], from ip: {OUR_ADDRESS}, key {SECRET}, more info at https://example.com/?e={code}");
    Answer::json(200, json!({ "errcode": code, "errmsg": hint }))
}

fn codes() -> Vec<Row> {
    use Comes::{Plain, PlainLater, Refused, Retry, Unknown, Wait};
    let table: [(Comes, &[i64]); 5] = [
        (Retry, &[-1, 6000, 45033]),
        (Wait(60), &[45009]),
        (
            Refused,
            &[93000, 93004, 93008, 40001, 40013, 40056, 48002, 50003, 60020, 301_002, 81013, 60111, 40003, 82001],
        ),
        (Plain, &[40008, 40058, 44004, 45002, 45008, 47001, 301_019, 42014, 42045, 85002]),
        (PlainLater, &[99999]),
    ];
    let each = |(comes, codes): (Comes, &'static [i64])| {
        codes.iter().map(move |code| row(&code.to_string(), said(*code), comes)).collect::<Vec<_>>()
    };
    let mut rows: Vec<Row> = table.into_iter().flat_map(each).collect();
    rows.push(row("a code that is none", Answer::json(200, json!({ "errcode": "zero" })), Unknown));
    rows
}

fn inspect(asked: &Asked, markdown: usize) -> bool {
    let kind = asked.body["msgtype"].as_str().unwrap();
    let text = asked.body[kind]["content"].as_str().unwrap();
    hold_harmless(text);
    let most = if kind == "text" { 2_048 } else { markdown };
    assert!(text.len() <= most, "{} bytes of {kind}", text.len());
    // What is left of `<` is our own colour, never `<@somebody>`.
    let markup = text.match_indices('<').map(|(at, _)| &text[at..]);
    let known = ["<font color=\"info\">", "<font color=\"comment\">", "<font color=\"warning\">", "</font>"];
    assert!(markup.into_iter().all(|rest| known.iter().any(|known| rest.starts_with(known))), "{text}");
    assert!(asked.body.get("mentioned_list").is_none());
    kind == "text"
}
