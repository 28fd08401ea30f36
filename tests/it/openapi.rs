//! The OpenAPI documents: fresh, served, true of what is served, with examples that are accepted.

use std::process::Command;

use bindery_agent::http::openapi::{Listener, text};
use bindery_agent::http::permissions::Role;
use bindery_tests::api::Answered;
use bindery_tests::document::{Document, Operation};
use bindery_tests::documents;
use bindery_tests::listeners::{Served, answer};
use bindery_tests::stack::{programs, workspace};
use bindery_tests::world::{World, until, until_applied};
use reqwest::{Client, Method};
use serde_json::{Value, json};

fn program(arguments: &[&str]) -> std::process::Output {
    Command::new(programs().join("bindery-agent")).args(arguments).current_dir(workspace()).output().unwrap()
}

#[test]
fn the_documents_in_the_repository_are_fresh_and_are_what_the_program_prints() {
    let check = program(&["openapi", "--check"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    for listener in Listener::ALL {
        let printed = program(&["openapi", listener.as_str()]);
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), text(listener));
        let kept = workspace().join(format!("schema/json/openapi/{listener}.json"));
        assert_eq!(std::fs::read_to_string(kept).unwrap(), text(listener));
    }
    let empty = tempfile::tempdir().unwrap();
    let stale = program(&["openapi", "--check", "--folder", empty.path().to_str().unwrap()]);
    assert_eq!(stale.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&stale.stderr).contains("openapi --write"));
}

#[tokio::test]
async fn each_listener_serves_its_document() {
    let world = Served::new().await;
    let inside = world.client(Some(&world.reader)).get(world.internal_url("/openapi.json")).send().await.unwrap();
    let answers = [
        (Listener::Admin, reqwest::get(format!("http://{}/openapi.json", world.listeners.admin)).await.unwrap()),
        (Listener::Internal, inside),
        (Listener::Ops, world.ops("/openapi.json").await),
    ];
    for (listener, answer) in answers {
        assert_eq!(answer.headers()["content-type"], "application/json", "{listener}");
        assert_eq!(answer.text().await.unwrap(), text(listener));
    }
}

#[tokio::test]
async fn what_is_served_and_what_is_documented_are_the_same() {
    let world = Served::with(|config| {
        config.limits.requests_per_second = 0;
        config.triggers.webhook_secret = Some(bindery_schema::secret::Secret::new("s3cret").into());
    })
    .await;
    let token = world.token("ana", Role::CarrierAdmin);
    let inside = world.client(Some(world.connector()));
    let bases = [
        (Listener::Admin, Client::new(), format!("http://{}", world.listeners.admin)),
        (Listener::Internal, inside, world.internal_url("")),
        (Listener::Ops, Client::new(), format!("http://{}", world.listeners.ops)),
    ];
    for (listener, client, base) in bases {
        let document = Document(serde_json::from_str(text(listener)).unwrap());
        let operations = document.operations();
        for path in document.0["paths"].as_object().unwrap().keys() {
            let mut served = Vec::new();
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let asked: Method = method.parse().unwrap();
                // No value of a parameter is good, and no body is there: nothing is done.
                let path = path.replace(['{', '}'], "~");
                let request = client.request(asked, format!("{base}{path}")).bearer_auth(&token);
                let body = answer(request.send().await.unwrap()).await.1;
                if body["code"] != "METHOD_NOT_ALLOWED" && body["code"] != "NOT_FOUND" {
                    served.push(method);
                }
            }
            let of_path = operations.iter().filter(|operation| operation.path == *path);
            let mut documented: Vec<&str> = of_path.map(|operation| operation.method.as_str()).collect();
            documented.sort_by_key(|method| ["GET", "POST", "PUT", "PATCH", "DELETE"].iter().position(|m| m == method));
            assert_eq!(served, documented, "{listener} {path}");
        }
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere_and_runs_nothing_that_is_written_into_it() {
    let world = Served::new().await;
    for (path, kind) in [("/docs", "text/html"), ("/docs/page.js", "text/javascript"), ("/docs/page.css", "text/css")] {
        let answer = reqwest::get(format!("http://{}{path}", world.listeners.admin)).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], format!("{kind}; charset=utf-8"), "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let text = answer.text().await.unwrap();
        for foreign in ["://", "innerHTML", "<style", "style=", "onclick", "eval(", "localStorage"] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
        // Each script is a file of its own.
        assert_eq!(text.matches("<script").count(), text.matches("<script src=\"docs/").count(), "{path}");
    }
}

/// In this order each request finds what it needs.
const STORY: [&str; 41] = [
    "createMno",
    "createContract",
    "createOperator",
    "createRule",
    "createReservation",
    "listMnos",
    "listContracts",
    "listOperators",
    "listRules",
    "listReservations",
    "getMno",
    "getContract",
    "getOperator",
    "getHealth",
    "listHealthChanges",
    "streamHealthChanges",
    "getRule",
    "getReservation",
    "updateMno",
    "updateContract",
    "updateOperator",
    "updateRule",
    "updateReservation",
    "createChangeset",
    "getSync",
    "listRuns",
    "getDrift",
    "findDrift",
    "listAudit",
    "deleteReservation",
    "deleteRule",
    "deleteContract",
    "deleteOperator",
    "deleteMno",
    "triggerSync",
    "pauseSync",
    "resumeSync",
    "rollBack",
    "allowRevision",
    "getHeldPlan",
    "releasePlan",
];

/// Sends the example of an operation, at a path and with bodies that say what only a running agent knows.
async fn send(world: &World, base: &str, operation: &Operation, path: &str, body: Option<Value>) -> Answered {
    let client = Client::new();
    let mut request = client.request(operation.method.parse().unwrap(), format!("{base}{path}"));
    request = request.bearer_auth(world.token("ana", Role::CarrierAdmin));
    if let (Some((media, _)), Some(body)) = (operation.bodies().first(), body) {
        request = request.header("content-type", media).body(body.to_string());
    }
    Answered::of(request.send().await.unwrap()).await
}

fn documented(document: &Document, operation: &Operation, answered: &Answered) {
    let shown = format!("{}: {} {}", operation.name(), answered.status, answered.body);
    let response = document.response(operation, answered.status);
    assert!(response.is_object(), "{shown}: not documented");
    match response["content"].get("application/json") {
        Some(content) => {
            let schema = document.schema(&content["schema"]);
            let validator = jsonschema::validator_for(&schema).unwrap();
            let errors: Vec<_> = validator.iter_errors(&answered.body).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{shown}: {errors:#?}");
        }
        None => assert_eq!(answered.body, Value::Null, "{shown}"),
    }
    for name in response["headers"].as_object().into_iter().flat_map(serde_json::Map::keys) {
        let there = if name == "ETag" { &answered.tag } else { &answered.location };
        // The plan of a dry run is no object and has no tag.
        assert!(there.is_some(), "{shown}: no {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_accepted_and_answered_as_documented() {
    let world = World::new().await;
    let recipient = &world.stack.pki.age_recipient;
    let policy =
        format!("{}    maxDeletes: {{percent: 60}}\n  secrets:\n    recipients: [{recipient}]\n", documents::POLICY);
    world.commit("Begin", &[]);
    let files = [
        ("policy.yaml", Some(policy)),
        ("operators/carrier/mno.yaml", Some(documents::mno("carrier"))),
        ("operators/carrier/first.yaml", Some(documents::operator("first", "carrier", "first.example", None))),
        ("operators/carrier/first.routes.yaml", Some(documents::routes("first", &["9370"]))),
    ];
    let begun = world.commit("A carrier and an operator", &files);
    let agent = world.agent().await;
    until_applied(&agent, begun).await;
    let base = format!("http://{}", agent.listeners().admin);
    let document = Document::of(&base).await;

    let mut told: Vec<&str> = STORY.to_vec();
    let guarded: Vec<Operation> = document.operations().into_iter().filter(Operation::needs_token).collect();
    let mut all: Vec<&str> = guarded.iter().map(|operation| operation.said["operationId"].as_str().unwrap()).collect();
    told.sort_unstable();
    all.sort_unstable();
    assert_eq!(told, all, "an operation is in no story");

    for id in STORY {
        let operation = document.operation(id);
        let (mut path, mut example) =
            (operation.example_path(), operation.bodies().first().map(|(_, example)| example.clone()));
        match id {
            "rollBack" => {
                let wrong = documents::operator("first", "carrier", "wrong.example", None);
                let wrong = world.commit("Wrong", &[("operators/carrier/first.yaml", Some(wrong))]);
                until_applied(&agent, wrong).await;
                example.as_mut().unwrap()["revision"] = json!(wrong.to_string());
            }
            "allowRevision" => {
                let status = until(&agent, "the refusal", |status| !status.refused.is_empty()).await;
                path = path.replace("231f281856", &status.refused[0].revision);
            }
            "getHeldPlan" => {
                let gone = ["operators/carrier/first.yaml", "operators/carrier/first.routes.yaml"];
                world.commit("Delete", &gone.map(|path| (path, None)));
                until(&agent, "the held plan", |status| {
                    status.blocked.as_ref().is_some_and(|blocked| blocked.plan_hash.is_some())
                })
                .await;
            }
            "releasePlan" => {
                let hash = agent.status().borrow().blocked.clone().unwrap().plan_hash.unwrap();
                path = path.replace(&"0".repeat(64), &hash);
            }
            // What the changeset brought in stands in the way.
            "deleteMno" => {
                let second = document.operation("deleteOperator").example_path().replace("ke-acme-1", "ke-acme-2");
                let client = Client::new().delete(format!("{base}{second}"));
                let answer = client.bearer_auth(world.token("ana", Role::CarrierAdmin)).send().await.unwrap();
                assert_eq!(answer.status(), 204);
            }
            _ => {}
        }
        let answered = send(&world, &base, &operation, &path, example).await;
        assert!((200..300).contains(&answered.status), "{id}: {} {}", answered.status, answered.body);
        documented(&document, &operation, &answered);
    }
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_answered_with_a_plan_as_documented() {
    let world = World::new().await;
    let agent = bindery_tests::api::small(&world).await;
    let base = format!("http://{}", agent.listeners().admin);
    let document = Document::of(&base).await;
    let operation = document.operation("createMno");
    let example = operation.bodies()[0].1.clone();
    let answered = send(&world, &base, &operation, "/v1/admin/mnos?dryRun=true", Some(example)).await;
    assert_eq!(answered.status, 200, "{}", answered.body);
    documented(&document, &operation, &answered);
    let problem = send(&world, &base, &operation, "/v1/admin/mnos", Some(json!({"spec": {"name": 1}}))).await;
    let content = &document.response(&operation, problem.status)["content"]["application/problem+json"];
    let validator = jsonschema::validator_for(&document.schema(&content["schema"])).unwrap();
    assert!(validator.is_valid(&problem.body), "{}", problem.body);
    assert!(!validator.is_valid(&json!({"code": "UNHEARD_OF"})));
    agent.shutdown().await;
}
