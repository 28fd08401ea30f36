//! Spans, as a real collector receives them from the program: US-OPS-08, AC2.

mod causes;
mod traced;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bindery_schema::secret::Secret;
use bindery_tests::api::{premium, small_branch};
use bindery_tests::consumer;
use bindery_tests::observed::file;
use bindery_tests::program::Agent;
use bindery_tests::spans::{Span, documented};
use bindery_tests::world::{PATIENCE, World, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use traced::{Context, HEADER, TRIGGER, Traced, signal};

const DOCUMENT: &str = "OBSERVABILITY.md";

#[tokio::test(flavor = "multi_thread")]
async fn every_use_case_has_its_span_and_every_span_its_row() {
    let traced = Traced::new().await;
    let routes = causes::ask_every_route(&traced).await;
    causes::change(&traced).await;
    causes::control(&traced).await;
    causes::trigger(&traced).await;
    traced.until_heard().await;
    causes::read(&traced).await;
    causes::drift(&traced).await;
    causes::overtake(&traced).await;

    let rows = documented(&file(DOCUMENT));
    let collector = &traced.collector;
    let missing = || {
        let spans = collector.spans();
        let found: BTreeSet<&str> = spans.iter().flat_map(|span| [span.row(), span.name.as_str()]).collect();
        let wanted = rows.keys().chain(&routes).filter(|name| !found.contains(name.as_str()));
        wanted.cloned().collect::<Vec<_>>()
    };
    let begun = std::time::Instant::now();
    while !missing().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "in the document, and never arrived: {:?}", missing());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    traced.assert_no_secret_is_told().await;

    // What waits is sent before the end, so that each span that was made is there, its parent too.
    let Traced { agent, collector, .. } = traced;
    agent.program.stop().await;
    eventually("every parent has arrived", async || {
        let spans = collector.spans();
        let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
        spans.iter().all(|span| {
            let remote = rows.get(span.row()).is_none_or(|row| row.parents.contains("remote"));
            span.parent.is_empty() || remote || ids.contains(span.parent.as_str())
        })
    })
    .await;
    let spans = collector.spans();
    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    let mut seen = BTreeMap::<&str, BTreeSet<&str>>::new();
    for span in &spans {
        let row = rows.get(span.row()).unwrap_or_else(|| panic!("not in the document: {span:?}"));
        assert_eq!(span.kind, row.kind, "{}", span.name);
        assert_eq!(span.full_name().as_ref().unwrap_or(&span.name), &span.name);
        let parent = match by_id.get(span.parent.as_str()) {
            None if span.parent.is_empty() => "none",
            None => "remote",
            Some(parent) => parent.row(),
        };
        let allowed = ["any", "remote", parent].iter().any(|name| row.parents.contains(*name));
        assert!(
            allowed && (parent != "none" || !row.parents.is_disjoint(&["any", "none"].map(str::to_owned).into())),
            "{} is made in {parent}, not in {:?}",
            span.name,
            row.parents
        );
        seen.entry(span.row()).or_default().extend(span.attributes.keys().map(String::as_str));
    }
    for (name, attributes) in seen {
        let said: BTreeSet<&str> = rows[name].attributes.iter().map(String::as_str).collect();
        assert_eq!(attributes, said, "attributes of {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on_through_requests_messages_and_events() {
    let traced = Traced::new().await;
    // Somebody whose trace is not sent.
    let unsent = Context { sampled: false, ..Context::new('d') };
    assert_eq!(unsent.on(traced.request(Method::GET, "/operators")).send().await.unwrap().status(), 200);

    // A change.
    let caller = Context::new('a');
    let request = caller.on(traced.request(Method::POST, "/operators")).json(&premium("premium.example"));
    let made: Value = request.send().await.unwrap().json().await.unwrap();
    let commit = made["commit"].as_str().unwrap();
    let server = traced.span("the request", |span| span.trace == caller.trace && span.kind == "server").await;
    assert_eq!((server.parent.as_str(), server.state.as_str()), (caller.span, "vendor=1"));
    assert_eq!((server.name.as_str(), server.failed), ("POST /v1/admin/operators", false));
    let change = traced.span("the change", |span| span.name == "write.change").await;
    assert_eq!((&change.trace, &change.parent), (&caller.trace, &server.id));
    assert_eq!(change.attributes["bindery.commit"], commit);

    // The step that applied it, and what it told.
    let applied = |span: &Span| span.attributes.get("bindery.outcome").is_some_and(|outcome| outcome == "applied");
    let step = traced
        .span("the step", |span| {
            span.name == "sync.step" && span.attributes["bindery.commit"] == commit && applied(span)
        })
        .await;
    assert_eq!(step.parent, "");
    let event = "operator.config.created.v1";
    let published = |span: &Span| span.name == format!("publish {event}") && span.trace == step.trace;
    let published = traced.span("the event", published).await;
    let transaction = traced.span("the transaction", |span| span.id == published.parent).await;
    assert_eq!((transaction.name.as_str(), &transaction.trace), ("sync.transaction", &step.trace));
    let headers = traced.headers_of(event, "carrier-premium").await;
    assert_eq!(headers.get("traceparent").unwrap().as_str(), format!("00-{}-{}-01", step.trace, published.id));

    // A signal, and the change of health it told.
    traced.until_heard().await;
    let connector = Context::new('b');
    traced.signal(&signal("UNBOUND"), Some(&connector)).await;
    let heard = traced.span("the signal", |span| span.trace == connector.trace && span.kind == "consumer").await;
    assert_eq!((heard.parent.as_str(), heard.state.as_str()), (connector.span, "vendor=1"));
    assert_eq!(heard.attributes["bindery.operator.id"], "first");
    let recorded = |span: &Span| span.name == "health.record" && span.trace == connector.trace;
    assert_eq!(traced.span("the record", recorded).await.parent, heard.id);
    let told = |span: &Span| span.name == "publish operator.health.v1" && span.trace == connector.trace;
    let told = traced.span("the event of health", told).await;
    assert_eq!((told.parent, told.state.as_str()), (heard.id, "vendor=1"));
    let kept = traced.outside.column("select tracestate from ops.outbox where tracestate is not null").await;
    assert_eq!(kept, ["vendor=1"]);

    // A trigger leads to the step by a link.
    let sender = Context::new('c');
    eventually("a step is linked to a trigger", async || {
        traced.message(TRIGGER, "now".to_owned(), Some(&sender)).await;
        traced.collector.spans().iter().any(|span| span.name == "sync.step" && span.links.contains(&sender.trace))
    })
    .await;

    // A read over mutual TLS, and the line it leaves in the log.
    let reader = Context::new('e');
    let path = "/operators/carrier-premium/credentials";
    assert_eq!(reader.on(traced.internal(path)).send().await.unwrap().status(), 200);
    let server = traced.span("the read", |span| span.trace == reader.trace && span.kind == "server").await;
    let inner = traced.span("the credentials", |span| span.name == "credentials.read").await;
    assert_eq!((&inner.trace, &inner.parent), (&reader.trace, &server.id));
    let written = traced.agent.program.written();
    let mut lines = written.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["fields"]["message"] == "credentials were asked for").unwrap();
    assert_eq!((&line["trace_id"], &line["span_id"]), (&json!(reader.trace), &json!(server.id)));
    assert_eq!((&line["level"], line.get("spans")), (&json!("INFO"), None));

    // The client of other services says which trace it asks in.
    let mut config = consumer::config(&traced.world, &traced.agent.internal);
    config.trace = Some(|| vec![("traceparent", Context::new('f').parent()), ("no header", "\n".to_owned())]);
    let client = bindery_client::Client::start(config).await.unwrap();
    client.credentials().get(&"carrier-premium".parse().unwrap()).await.unwrap();
    let asked = |span: &Span| span.trace == Context::new('f').trace && span.kind == "server";
    assert_eq!(traced.span("the client's request", asked).await.parent, Context::new('f').span);
    client.shutdown().await;

    // What fails is told by its status, innermost first.
    let forge = traced.world.dir.path().join("forge.git");
    std::fs::rename(&forge, forge.with_extension("away")).unwrap();
    let fetch = traced.span("the fetch that failed", |span| span.name == "sync.fetch" && span.failed).await;
    let step = traced.span("its step", |span| span.id == fetch.parent).await;
    assert_eq!((step.name.as_str(), step.failed), ("sync.step", true));
    assert_eq!(step.attributes["bindery.outcome"], "failed");

    assert!(traced.collector.spans().iter().all(|span| span.trace != unsent.trace));
    traced.assert_no_secret_is_told().await;
    traced.agent.program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_holds_up_nothing() {
    let mut world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.config.telemetry.otlp_endpoint = Some(format!("http://{}/otlp/", listener.local_addr().unwrap()));
    world.config.telemetry.otlp_headers = Some(Secret::new(format!("authorization=Bearer {HEADER}")).into());
    small_branch(&world);
    let agent = Agent::start(&world.config).await;

    // What it is sent, which says whose the spans are.
    let (mut first, _) = listener.accept().await.unwrap();
    let holder = std::fs::read_to_string(world.config.data_dir.join("agent-id")).unwrap();
    let wanted = [
        "POST /otlp/v1/traces HTTP/1.1\r\n",
        &format!("authorization: Bearer {HEADER}\r\n"),
        "content-type: application/x-protobuf\r\n",
        "service.name",
        "bindery-agent",
        "service.version",
        "service.instance.id",
        holder.trim(),
        "deployment.environment.name",
    ];
    let mut sent = String::new();
    while !wanted.iter().all(|text| sent.contains(text)) {
        let mut some = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, first.read(&mut some)).await;
        let read = read.unwrap_or_else(|_| panic!("never sent: {sent}")).unwrap();
        assert!(read > 0, "it ended: {sent}");
        sent.push_str(&String::from_utf8_lossy(&some[..read]));
    }

    // Later ones are told nothing either, or are refused.
    let silent = tokio::spawn(async move {
        let mut open = vec![first];
        while let Ok((mut next, _)) = listener.accept().await {
            if open.len() % 2 == 0 {
                let _ = next.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").await;
            }
            open.push(next);
        }
    });
    let metrics = async || agent.ops("/metrics").await.1;
    eventually("the branch is applied", async || metrics().await.contains("bindery_operators 1\n")).await;
    let lost = |metrics: &str| {
        let number = metrics
            .lines()
            .find_map(|line| line.strip_prefix(r#"bindery_spans_dropped_total{reason="export_failed"} "#));
        number.unwrap().parse::<u64>().unwrap()
    };
    eventually("spans are dropped", async || lost(&metrics().await) > 0).await;
    let written = agent.program.written();
    assert!(written.contains("the collector does not take spans") && !written.contains(HEADER), "{written}");
    agent.program.stop().await;
    silent.abort();
}

/// Those that no test causes too: a name in the code is one of the document.
#[test]
fn every_name_in_the_code_is_in_the_document() {
    let rows = documented(&file(DOCUMENT));
    // Named by their attributes, when they are made.
    let renamed = ["request", "vault", "publish", "process"];
    let mut found = BTreeSet::new();
    let mut folders = vec![bindery_tests::stack::workspace().join("agent/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
            let made =
                text.split("info_span!(").skip(1).map(|rest| rest.trim_start().trim_start_matches("parent: None,"));
            let marked = text
                .split("#[tracing::instrument(")
                .skip(1)
                .map(|rest| rest.trim_start().trim_start_matches("name = "));
            for rest in made.chain(marked) {
                let name = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                found.insert(name.unwrap_or_else(|| panic!("{}: a span without a name", path.display())).to_owned());
            }
        }
    }
    for name in &found {
        assert!(rows.contains_key(name) || renamed.contains(&name.as_str()), "not in the document: {name}");
    }
    for (name, row) in &rows {
        assert!(row.kind != "internal" || found.contains(name), "not in the code: {name}");
    }
}
