//! `bindery-agent dev` and `bindery`, the programs themselves, on the configuration this repository ships.

use std::collections::BTreeSet;
use std::path::Path;

use bindery_compiler::{Compiler, Options};
use bindery_schema::catalog::Catalog;
use bindery_schema::wire::api::SyncPhase;
use bindery_tests::canary::Texts;
use bindery_tests::dev::{Dev, WorkingCopy};
use bindery_tests::program::{run, signal};
use bindery_tests::world::eventually;
use serde_json::{Value, json};

const CREATED: &str = "operator.config.created.v1";
const UPDATED: &str = "operator.config.updated.v1";
const KEYS: [&str; 15] = [
    "BINDERY_ADMIN_TOKEN",
    "BINDERY_ADMIN_URL",
    "BINDERY_CA",
    "BINDERY_CLIENT_CERT",
    "BINDERY_CLIENT_KEY",
    "BINDERY_INTERNAL_URL",
    "BINDERY_OPS_URL",
    "BINDERY_OTHER_CLIENT_CERT",
    "BINDERY_OTHER_CLIENT_KEY",
    "BINDERY_REPO",
    "DATABASE_URL",
    "NATS_URL",
    "REDIS_URL",
    "VAULT_ADDR",
    "VAULT_TOKEN",
];

/// What the tip of a repository says.
fn catalog(repository: &str) -> Catalog {
    let repository = git2::Repository::open(repository).unwrap();
    let tip = repository.refname_to_id("refs/heads/main").unwrap();
    let options = Options { now: jiff::Timestamp::now(), environment: None };
    Compiler::default().compile_revision(&repository, tip, &options).unwrap().catalog().unwrap().clone()
}

/// All that anybody could read who may not read passwords.
async fn readable(dev: &Dev) -> Texts {
    let mut texts = Texts::default();
    texts.add_stores(&dev.outside).await;
    texts.add_repository(Path::new(&dev.env["BINDERY_REPO"]));
    texts.add_repository(&dev.data_dir.join("agent/repository.git"));
    texts.add("output", dev.program.written());
    for log in std::fs::read_dir(dev.data_dir.join("log")).unwrap() {
        let text = std::fs::read(log.unwrap().path()).unwrap();
        texts.add("log", String::from_utf8_lossy(&text));
    }
    texts.add("metrics", dev.ops("/metrics").await.1);
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seed_arrives_in_full_and_its_passwords_in_vault_alone() {
    let dev = Dev::start("dev-seed").await;
    assert_eq!(dev.env.keys().map(String::as_str).collect::<Vec<_>>(), KEYS);
    let catalog = catalog(&dev.env["BINDERY_REPO"]);
    let ids: Vec<String> = catalog.operators.keys().map(ToString::to_string).collect();
    assert_eq!(ids.len(), 155);
    let rows = r#"select id from ops.operators where deleted_at is null order by id collate "C""#;
    assert_eq!(dev.outside.column(rows).await, ids);
    let wanted: BTreeSet<String> = (catalog.operators.iter())
        .flat_map(|(id, operator)| operator.rules.iter().map(move |rule| format!("{id} {}", rule.prefix)))
        .collect();
    let rows = dev.outside.column("select operator_id || ' +' || prefix from ops.routing_rules").await;
    assert_eq!((rows.len(), rows.into_iter().collect::<BTreeSet<_>>()), (wanted.len(), wanted));

    dev.until_published().await;
    let created = dev.outside.events_of(CREATED).await;
    let told: BTreeSet<_> = created.iter().map(|event| event["data"]["operatorId"].as_str().unwrap()).collect();
    assert_eq!((created.len(), told), (155, ids.iter().map(String::as_str).collect()));

    let mut passwords = Vec::new();
    for id in &ids {
        passwords.push(dev.outside.password(id).await.unwrap());
    }
    assert_eq!(passwords.iter().collect::<BTreeSet<_>>().len(), 155);
    only_the_connector_gets_passwords(&dev, &ids, &passwords).await;

    let texts = readable(&dev).await;
    // The search would find what is there.
    for (place, text) in [
        ("postgres ops.operators", "smpp1.af-roshan.example"),
        ("redis ops:operator:af-roshan-1", "smpp1.af-roshan.example"),
        ("nats", "af-roshan-1"),
        ("git", "smpp1.af-roshan.example"),
        ("output", "Ctrl-C ends it"),
        ("metrics", "bindery_operators 155"),
    ] {
        assert_ne!(texts.places(place, text), 0, "{place}");
    }
    assert_eq!(texts.that_hold(&passwords), [""; 0]);
    dev.program.stop().await;
}

/// The server's alert comes after the client's own half of the handshake is over: a request that went out in between
/// may see the closed connection first. It gets no answer either way, and the alert shows sooner or later.
async fn nobody_without_a_certificate(dev: &Dev, operator: &str) {
    let url = dev.credentials_url(operator);
    eventually("the refusal names the missing certificate", async || {
        let error = dev.client(None).get(&url).send().await.expect_err("an answer without a certificate");
        format!("{error:?}").contains("CertificateRequired")
    })
    .await;
}

async fn only_the_connector_gets_passwords(dev: &Dev, ids: &[String], passwords: &[String]) {
    nobody_without_a_certificate(dev, &ids[0]).await;
    let refused = dev.client(Some("OTHER_CLIENT")).get(dev.credentials_url(&ids[0])).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let client = dev.client(Some("CLIENT"));
    for (id, password) in ids.iter().zip(passwords) {
        let answer = client.get(dev.credentials_url(id)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{id}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!((&body["operatorId"], &body["password"]), (&json!(id), &json!(password)));
    }
    // The line that was printed does the same.
    let written = dev.program.written();
    let line = written.lines().find(|line| line.trim_start().starts_with("curl ")).unwrap();
    let printed: Value = serde_json::from_slice(&run("sh", &["-c", line], Path::new("/"), None).stdout).unwrap();
    let of = ids.iter().position(|id| printed["operatorId"] == **id).unwrap();
    assert_eq!(printed["password"], *passwords[of]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_applied_or_rejected_and_servers_that_die_come_back() {
    let dev = Dev::start("dev-push").await;
    let work = dev.check_out();
    a_good_commit_converges(&dev, &work).await;
    a_bad_commit_is_rejected(&dev, &work).await;
    dead_servers_come_back(&dev, &work).await;
    dev.program.stop().await;
}

const BIND: &str = "operators/af-roshan/af-roshan-1.yaml";
const ROUTES: &str = "operators/af-roshan/af-roshan-1.routes.yaml";

async fn a_good_commit_converges(dev: &Dev, work: &WorkingCopy) {
    let before = dev.outside.secret("af-roshan-1").await.unwrap();
    // Drawn, since the repository that is searched below holds this file as well.
    let password = format!("new{:05}", fastrand::u32(..100_000));
    work.edit(BIND, "windowSize: 30", "windowSize: 31");
    work.edit(BIND, "outbound: 150", "outbound: 149");
    work.append(ROUTES, "    - prefix: \"+93999\"\n");
    let seal = ["seal", "--operator", "af-roshan-1", "--write", "--password-stdin"];
    assert_eq!(work.bindery(&seal, Some(&format!("{password}\n"))).0, 0);
    assert_eq!(work.bindery(&["check"], None).0, 0);
    assert_eq!(work.bindery(&["plan", "--base", "origin/main"], None).0, 2);
    let commit = work.push("Widen the window of af-roshan-1");
    dev.until_applied(&commit).await;

    let outside = &dev.outside;
    let row = "select tps_outbound || ' ' || (spec->'smpp'->>'windowSize') || ' ' || source_commit
               from ops.operators where id = 'af-roshan-1'";
    assert_eq!(outside.column(row).await, [format!("149 31 {commit}")]);
    let rules = "select prefix from ops.routing_rules where operator_id = 'af-roshan-1' order by prefix";
    assert_eq!(outside.column(rules).await, ["9372", "9379", "93999"]);
    let shown = outside.cached("ops:operator:af-roshan-1").await.unwrap();
    assert_eq!((&shown["tps"]["outbound"], &shown["smpp"]["windowSize"]), (&json!(149), &json!(31)));
    let secret = json!({ "systemId": "afroshan1", "password": password });
    assert_eq!(outside.secret("af-roshan-1").await.unwrap(), (secret, before.1 + 1));

    dev.until_published().await;
    let updated = outside.events_of(UPDATED).await;
    assert_eq!(updated.len(), 1);
    let data = &updated[0]["data"];
    assert_eq!((&data["operatorId"], &data["commit"]), (&json!("af-roshan-1"), &json!(commit)));
    assert_eq!(data["changedFields"], json!(["smpp.windowSize", "tps.outbound", "routes", "credentials"]));
    assert_eq!(data["author"], "Ada Carrier <ada@example.org>");
    assert_eq!(outside.events_of(CREATED).await.len(), 155);
    let both = [password, before.0["password"].as_str().unwrap().to_owned()];
    assert_eq!(readable(dev).await.that_hold(&both), [""; 0]);
}

/// The codes of findings with the files of all their places.
fn places(findings: &[Value]) -> BTreeSet<(String, BTreeSet<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let files = |finding: &Value| {
        let related = finding["related"].as_array().unwrap().iter().map(|place| text(&place["file"]));
        related.chain([text(&finding["file"])]).collect()
    };
    findings.iter().map(|finding| (text(&finding["code"]), files(finding))).collect()
}

async fn a_bad_commit_is_rejected(dev: &Dev, work: &WorkingCopy) {
    let good = dev.sync().await.applied.unwrap().commit;
    let (bind, routes) = ("operators/af-roshan/af-roshan-2.yaml", "operators/af-roshan/af-roshan-2.routes.yaml");
    work.edit(bind, "smpp2.af-roshan.example", "smpp1.af-roshan.example");
    work.edit(bind, "afroshan2", "afroshan1");
    work.edit(routes, "\"+9372\"\n      priority: 20", "\"+9372\"\n      priority: 10");
    let (code, found) = work.bindery(&["check", "--format", "json"], None);
    let found: Value = serde_json::from_str(&found).unwrap();
    let wanted = [("BND0401", BIND, bind), ("BND0503", ROUTES, routes)];
    let wanted = wanted.map(|(code, one, two)| (code.to_owned(), BTreeSet::from([one.to_owned(), two.to_owned()])));
    assert_eq!(code, 1);
    assert_eq!(places(found["findings"].as_array().unwrap()), BTreeSet::from(wanted.clone()));

    let bad = work.push("Two operators on one endpoint");
    eventually("the commit is rejected", async || dev.sync().await.phase == SyncPhase::Rejected).await;
    let status = dev.sync().await;
    let blocked = status.blocked.unwrap();
    assert_eq!((status.applied.unwrap().commit, blocked.commit), (good, bad));
    assert_eq!(places(&blocked.findings), BTreeSet::from(wanted));
    let metrics = dev.ops("/metrics").await.1;
    for line in ["bindery_commit_rejected 1\n", r#"bindery_sync_runs_total{outcome="rejected"} "#] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    let answer = dev.client(Some("CLIENT")).get(dev.credentials_url("af-roshan-2")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), dev.ops("/health/ready").await.0), (200, 200));

    work.edit(bind, "smpp1.af-roshan.example", "smpp3.af-roshan.example");
    work.edit(routes, "\"+9372\"\n      priority: 10", "\"+9372\"\n      priority: 20");
    dev.until_applied(&work.push("An endpoint of its own")).await;
    assert!(dev.ops("/metrics").await.1.contains("bindery_commit_rejected 0\n"));
    let host = "select host || ' ' || system_id from ops.operators where id = 'af-roshan-2'";
    assert_eq!(dev.outside.column(host).await, ["smpp3.af-roshan.example afroshan1"]);
    dev.until_published().await;
    assert_eq!(dev.outside.events_of("ops.sync.rejected.v1").await.len(), 1);
}

async fn dead_servers_come_back(dev: &Dev, work: &WorkingCopy) {
    for (number, server) in ["postgres", "nats", "redis", "openbao"].into_iter().enumerate() {
        let file = dev.data_dir.join(format!("run/{server}.pid"));
        let pid = || std::fs::read_to_string(&file).unwrap_or_default();
        let killed = pid();
        signal("KILL", killed.trim());
        work.edit(BIND, &format!("windowSize: {}", 31 + number), &format!("windowSize: {}", 32 + number));
        let commit = work.push("While a server is dead");
        eventually("another server runs", async || !pid().is_empty() && pid() != killed).await;
        dev.until_applied(&commit).await;
        eventually("the cache shows it", async || {
            dev.outside.cached("ops:catalog").await.is_some_and(|shown| shown["commit"] == commit)
        })
        .await;
        dev.until_published().await;
        assert_eq!(dev.outside.events_of(UPDATED).await.len(), 3 + number, "{server}");
        eventually("all is well", async || dev.ops("/health/ready").await.0 == 200).await;
    }
}
