//! What the operators' door answers, to whom.

use poem::test::{TestClient, TestResponse};
use serde_json::{Value, json};

use super::*;

fn admin(token: Option<&str>) -> Arc<Admin> {
    Arc::new(Admin {
        metrics: Arc::new(Metrics::new()),
        ready: Arc::new(Readiness::new()),
        token: token.map(|token| SecretString::from(token.to_owned())),
        rules: Arc::new(FakeDesk),
        explain: Arc::new(FakeDesk),
        outbox: Arc::new(deliveries::tests::Fake),
        commands: Arc::new(FakeDesk),
    })
}

/// Refuses what it is asked to reload.
#[derive(Debug)]
struct FakeDesk;

impl RulesDesk for FakeDesk {
    fn list(&self) -> Value {
        json!({ "items": [], "next": null })
    }

    fn reload(&self) -> futures_util::future::BoxFuture<'_, Result<Reloaded, NotReloaded>> {
        let (file, message, hint) = ("rules.yaml".to_owned(), "unknown key `on2`".to_owned(), None);
        Box::pin(async { Err(NotReloaded::Refused(vec![Mistake { file, line: 3, column: 5, message, hint }])) })
    }
}

impl Commands for FakeDesk {
    fn answer(&self, asked: Wanted) -> futures_util::future::BoxFuture<'_, Answered> {
        Box::pin(async move { Answered { status: 200, body: json!({ "asked": format!("{asked:?}") }) } })
    }
}

impl Explain for FakeDesk {
    fn explain(
        &self,
        stream: String,
        last: usize,
    ) -> futures_util::future::BoxFuture<'_, Result<Explanation, NotExplained>> {
        let why = format!("no callback of {stream} among {last}");
        Box::pin(async { Err(NotExplained::Unknown(why)) })
    }
}

#[tokio::test]
async fn deliveries_and_channels_have_their_places_in_the_api() {
    let client = TestClient::new(endpoint(admin(None)));
    client.get("/api/v1/deliveries?state=dead").send().await.assert_status_is_ok();
    client.get("/api/v1/deliveries?state=lost").send().await.assert_status(StatusCode::BAD_REQUEST);
    client.post("/api/v1/deliveries/1/retry").send().await.assert_status_is_ok();
    client.post("/api/v1/channels/ops/test").send().await.assert_status_is_ok();
    client.post("/api/v1/channels/ops/retry").send().await.assert_status_is_ok();
    client.get("/api/v1/deliveriesX").send().await.assert_status(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_sent_along_is_bounded() {
    let client = TestClient::new(endpoint(admin(None)));
    let mute = |reason: &str| json!({ "matchers": "a=b", "duration": "1h", "reason": reason }).to_string();
    let asked = client.post("/api/v1/mutes").body(mute("works")).send().await;
    asked.assert_status_is_ok();
    assert!(asked.0.into_body().into_string().await.unwrap().contains("works"));
    let large = client.post("/api/v1/mutes").body(mute(&"x".repeat(70_000))).send().await;
    large.assert_status(StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn explain_is_asked_for_by_get() {
    let client = TestClient::new(endpoint(admin(None)));
    let unknown = client.get("/api/v1/explain?stream=cam1&last=3").send().await;
    unknown.assert_status(StatusCode::NOT_FOUND);
    let body = unknown.0.into_body().into_string().await.unwrap();
    assert!(body.contains("no callback of cam1 among 3"), "{body}");
    client.post("/api/v1/explain?stream=cam1").send().await.assert_status(StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_api_answers_in_json_and_says_in_words_what_is_wrong() {
    let client = TestClient::new(endpoint(admin(None)));
    let json_of = async |response: TestResponse| -> Value {
        response.assert_content_type("application/json");
        serde_json::from_str(&response.0.into_body().into_string().await.unwrap()).unwrap()
    };
    let rules = client.get("/api/v1/rules").send().await;
    rules.assert_status_is_ok();
    assert_eq!(json_of(rules).await, json!({ "items": [], "next": null }));
    let refused = client.post("/api/v1/reload").send().await;
    refused.assert_status(StatusCode::UNPROCESSABLE_ENTITY);
    let mistake = json!({ "file": "rules.yaml", "line": 3, "column": 5, "message": "unknown key `on2`", "hint": null });
    assert_eq!(json_of(refused).await["mistakes"], json!([mistake]));
    let wrong = client.get("/api/v1/reload").send().await;
    wrong.assert_status(StatusCode::METHOD_NOT_ALLOWED);
    wrong.assert_header("allow", "POST");
    let nowhere = client.get("/api/v1/nowhere").send().await;
    nowhere.assert_status(StatusCode::NOT_FOUND);
    assert!(json_of(nowhere).await["error"].is_string());
}

#[tokio::test]
async fn the_api_needs_the_token_and_takes_no_orders_from_the_page_of_another_site() {
    let client = TestClient::new(endpoint(admin(Some("s3cret"))));
    client.post("/api/v1/reload").send().await.assert_status(StatusCode::UNAUTHORIZED);
    let order = || client.post("/api/v1/reload").header("authorization", "Bearer s3cret");
    order().header("sec-fetch-site", "cross-site").send().await.assert_status(StatusCode::FORBIDDEN);
    order().header("sec-fetch-site", "same-origin").send().await.assert_status(StatusCode::UNPROCESSABLE_ENTITY);
    order().send().await.assert_status(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_banner_is_shown_while_the_bot_is_ready_and_taken_down() {
    let admin = admin(None);
    Part::ALL.into_iter().for_each(|part| admin.ready.on(part));
    admin.ready.show(Banner::Refused, "1 mistake".to_owned());
    let response = get(&admin, "/readyz").await;
    response.assert_status_is_ok();
    let body: Value = serde_json::from_str(&response.0.into_body().into_string().await.unwrap()).unwrap();
    assert_eq!(body["warnings"], json!({ "rules_refused": "1 mistake" }));
    admin.ready.take_down(Banner::Refused);
    assert!(admin.ready.to_json().get("warnings").is_none());
}

async fn get(admin: &Arc<Admin>, path: &str) -> TestResponse {
    TestClient::new(endpoint(Arc::clone(admin))).get(path).send().await
}

async fn get_with(admin: &Arc<Admin>, path: &str, authorization: &str) -> StatusCode {
    let client = TestClient::new(endpoint(Arc::clone(admin)));
    client.get(path).header("authorization", authorization).send().await.0.status()
}

#[tokio::test]
async fn ready_only_when_every_part_is() {
    let admin = admin(None);
    let response = get(&admin, "/readyz").await;
    response.assert_status(StatusCode::SERVICE_UNAVAILABLE);
    admin.ready.on(Part::Store);
    admin.ready.on(Part::Rules);
    admin.ready.off(Part::Engine, "12 callbacks behind");
    let response = get(&admin, "/readyz").await;
    response.assert_status(StatusCode::SERVICE_UNAVAILABLE);
    response.assert_content_type("application/json");
    let body: Value = serde_json::from_str(&response.0.into_body().into_string().await.unwrap()).unwrap();
    assert_eq!(body, json!({"ready": false, "store": "ok", "engine": "12 callbacks behind", "rules": "ok"}));
    admin.ready.on(Part::Engine);
    get(&admin, "/readyz").await.assert_status_is_ok();
    admin.ready.off(Part::Store, "disk full");
    get(&admin, "/readyz").await.assert_status(StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn metrics_are_prometheus_text_and_open_metrics_for_who_asks() {
    let admin = admin(None);
    let response = get(&admin, "/metrics").await;
    response.assert_status_is_ok();
    response.assert_content_type("text/plain; version=0.0.4; charset=utf-8");
    let body = response.0.into_body().into_string().await.unwrap();
    assert!(body.contains("pushwatch_callbacks_total{outcome=\"accepted\"} 0"), "{body}");
    assert!(!body.contains("# EOF"), "{body}");
    assert!(body.ends_with('\n'));
    let client = TestClient::new(endpoint(admin));
    let accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5";
    let response = client.get("/metrics").header("accept", accept).send().await;
    response.assert_content_type("application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(response.0.into_body().into_string().await.unwrap().ends_with("# EOF\n"));
}

#[tokio::test]
async fn alive_even_when_not_ready_and_silent_elsewhere() {
    let admin = admin(None);
    get(&admin, "/healthz").await.assert_status_is_ok();
    for path in ["/", "/callback", "/metrics/", "/healthz2"] {
        let response = get(&admin, path).await;
        response.assert_status(StatusCode::NOT_FOUND);
        assert!(response.0.headers().get("server").is_none());
        response.assert_text("").await;
    }
    let client = TestClient::new(endpoint(admin));
    client.post("/metrics").send().await.assert_status(StatusCode::METHOD_NOT_ALLOWED);
    client.head("/readyz").send().await.assert_status(StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_token_is_demanded_on_every_path_and_only_the_whole_one_opens() {
    let admin = admin(Some("s3cret"));
    for path in ["/healthz", "/readyz", "/metrics", "/nowhere"] {
        let response = get(&admin, path).await;
        response.assert_status(StatusCode::UNAUTHORIZED);
        response.assert_header("www-authenticate", "Bearer");
    }
    for wrong in ["Bearer", "Bearer ", "Bearer s3cre", "Bearer s3crett", "Basic s3cret", "s3cret"] {
        assert_eq!(get_with(&admin, "/healthz", wrong).await, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    assert_eq!(get_with(&admin, "/healthz", "Bearer s3cret").await, StatusCode::OK);
    assert_eq!(get_with(&admin, "/healthz", "bearer s3cret").await, StatusCode::OK);
    assert!(!format!("{admin:?}").contains("s3cret"));
}

#[test]
fn no_address_of_the_network_without_a_token() {
    let token = SecretString::from("s3cret".to_owned());
    let empty = SecretString::from(String::new());
    for open in ["0.0.0.0:8081", "10.0.0.1:8081", "[::]:8081", "[::ffff:10.0.0.1]:8081"] {
        let open: SocketAddr = open.parse().unwrap();
        assert_eq!(guard(open, None), Err(OpenDoor(open)));
        assert_eq!(guard(open, Some(&empty)), Err(OpenDoor(open)));
        assert_eq!(guard(open, Some(&token)), Ok(()));
    }
    for closed in ["127.0.0.1:8081", "127.9.9.9:0", "[::1]:8081", "[::ffff:127.0.0.1]:8081"] {
        assert_eq!(guard(closed.parse().unwrap(), None), Ok(()));
    }
}
