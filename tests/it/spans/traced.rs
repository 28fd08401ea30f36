//! An agent whose spans a collector receives, and callers with a trace of their own.

use async_nats::HeaderMap;
use async_nats::jetstream;
use bindery_agent::http::permissions::Role;
use bindery_schema::secret::Secret;
use bindery_tests::api::{PASSWORD, small_branch};
use bindery_tests::canary::Texts;
use bindery_tests::listeners::client;
use bindery_tests::outside::Outside;
use bindery_tests::program::Agent;
use bindery_tests::spans::{Collector, Span};
use bindery_tests::world::{World, eventually};
use jiff::Timestamp;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

pub(super) const WEBHOOK: &str = "w3bh00k-never-shown";
pub(super) const HEADER: &str = "h3ad3r-never-shown";
pub(super) const TRIGGER: &str = "ops.sync.trigger.v1";
pub(super) const SIGNAL: &str = "operator.health.signal.v1.first";

/// An agent of one carrier with the operator `first`, whose spans a collector receives.
pub(super) struct Traced {
    pub(super) world: World,
    pub(super) agent: Agent,
    pub(super) collector: Collector,
    pub(super) outside: Outside,
    pub(super) http: Client,
    pub(super) token: String,
}

impl Traced {
    pub(super) async fn new() -> Self {
        let mut world = World::new().await;
        let collector = Collector::start(&world.dir.path().join("collector")).await;
        world.config.telemetry.otlp_endpoint = Some(collector.endpoint());
        world.config.telemetry.otlp_headers = Some(Secret::new(format!("authorization=Bearer {HEADER}")).into());
        world.config.triggers.webhook_secret = Some(Secret::new(WEBHOOK).into());
        world.config.triggers.nats_subject = Some(TRIGGER.to_owned());
        small_branch(&world);
        let agent = Agent::start(&world.config).await;
        let (outside, token) = (world.outside().await, world.token("ana", Role::CarrierAdmin));
        let traced = Self { world, agent, collector, outside, http: Client::new(), token };
        traced.until_applied("first").await;
        traced
    }

    /// Waits until an operator is one of those that are applied.
    pub(super) async fn until_applied(&self, operator: &str) {
        let path = format!("/operators/{operator}");
        eventually(operator, async || self.admin(Method::GET, &path, None).await.0 == 200).await;
    }

    /// Waits until the leader hears signals, and has recorded one of the operator `first`.
    pub(super) async fn until_heard(&self) {
        eventually("a signal is heard", async || {
            self.signal(&signal("BOUND"), None).await;
            self.outside.count("select count(*) from ops.operator_health").await > 0
        })
        .await;
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/v1/admin{path}", self.agent.admin)).bearer_auth(&self.token)
    }

    /// Status and answer of the admin listener.
    pub(super) async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A request to the internal listener.
    pub(super) fn internal(&self, path: &str) -> RequestBuilder {
        let pki = &self.world.stack.pki;
        client(&pki.ca, Some(&pki.smpp_connector)).get(format!("{}/v1/internal{path}", self.agent.internal))
    }

    pub(super) async fn signal(&self, signal: &Value, trace: Option<&Context>) {
        self.message(SIGNAL, signal.to_string(), trace).await;
    }

    /// Sends a message over NATS.
    pub(super) async fn message(&self, subject: &str, payload: String, trace: Option<&Context>) {
        let subject = format!("{}{subject}", self.world.config.nats.subject_prefix);
        let headers = trace.map(Context::headers).unwrap_or_default();
        self.outside.nats.publish_with_headers(subject, headers, payload.into()).await.unwrap();
        self.outside.nats.flush().await.unwrap();
    }

    /// Waits until a span has arrived.
    pub(super) async fn span(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        let find = || self.collector.spans().into_iter().find(|span| wanted(span));
        eventually(what, async || find().is_some()).await;
        find().unwrap()
    }

    /// The headers of the event of a type about an object.
    pub(super) async fn headers_of(&self, event_type: &str, object: &str) -> HeaderMap {
        let stream =
            jetstream::new(self.outside.nats.clone()).get_stream(&self.world.config.nats.stream).await.unwrap();
        for sequence in 1..=stream.cached_info().state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            let event: Value = serde_json::from_slice(&message.payload).unwrap();
            if event["type"] == event_type && event["subject"] == object {
                return message.headers;
            }
        }
        panic!("there is no {event_type} of {object}");
    }

    /// All that could hold a secret and may not.
    pub(super) async fn assert_no_secret_is_told(&self) {
        let mut texts = Texts::default();
        texts.add("spans", self.collector.text());
        texts.add("log", self.agent.program.written());
        texts.add_stores(&self.outside).await;
        assert!(texts.places("spans", "\"first\"") > 0 && texts.places("log", "trace_id") > 0);
        let vault = self.world.config.vault.token.as_ref().unwrap().read().unwrap();
        let secrets = [PASSWORD, WEBHOOK, HEADER, &self.token, vault.expose()].map(str::to_owned);
        assert_eq!(texts.that_hold(&secrets), [""; 0]);
    }
}

/// A caller's place in a trace of its own.
pub(super) struct Context {
    pub(super) trace: String,
    pub(super) span: &'static str,
    pub(super) sampled: bool,
}

impl Context {
    pub(super) fn new(digit: char) -> Self {
        Self { trace: digit.to_string().repeat(32), span: "00f067aa0ba902b7", sampled: true }
    }

    pub(super) fn parent(&self) -> String {
        format!("00-{}-{}-0{}", self.trace, self.span, u8::from(self.sampled))
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", self.parent());
        headers.insert("tracestate", "vendor=1");
        headers
    }

    pub(super) fn on(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("traceparent", self.parent()).header("tracestate", "vendor=1")
    }
}

pub(super) fn signal(bind: &str) -> Value {
    json!({"operatorId": "first", "connectorId": "c1", "bindState": bind, "submitted": 9, "failed": 0, "throttled": 0,
        "p95Millis": 20, "inFlight": 0, "at": Timestamp::now().to_string()})
}
