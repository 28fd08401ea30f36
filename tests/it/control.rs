//! What people tell the sync over the admin API and by trailers: releases and pauses.

use bindery_agent::http::permissions::Role;
use bindery_agent::runtime::Agent;
use bindery_schema::wire::api::{SyncPhase, SyncStatus};
use bindery_tests::documents::{mno, operator, routes};
use bindery_tests::listeners::answer;
use bindery_tests::program::{agent as command, ask};
use bindery_tests::world::{World, eventually, until, until_applied};
use git2::Oid;
use reqwest::Method;
use serde_json::{Value, json};

use crate::sync::{all_published, count, small, without_time};

/// Asks an agent's admin listener in somebody's name.
pub(crate) async fn say(
    agent: &Agent,
    token: &str,
    (method, path): (Method, &str),
    body: Option<Value>,
) -> (u16, Value) {
    let url = format!("http://{}/v1/admin{path}", agent.listeners().admin);
    let mut request = reqwest::Client::new().request(method, url).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    answer(request.send().await.unwrap()).await
}

const POST: fn(&str) -> (Method, &str) = |path| (Method::POST, path);
const GET: fn(&str) -> (Method, &str) = |path| (Method::GET, path);
const DELETE: fn(&str) -> (Method, &str) = |path| (Method::DELETE, path);

/// Ten operators with a rule each.
pub(crate) fn ten(world: &World) -> Oid {
    let mut files = vec![("operators/carrier/mno.yaml".to_owned(), Some(mno("carrier")))];
    for n in 0..10 {
        let (id, host) = (format!("op{n}"), format!("op{n}.example"));
        files.push((format!("operators/carrier/{id}.yaml"), Some(operator(&id, "carrier", &host, None))));
        files.push((format!("operators/carrier/{id}.routes.yaml"), Some(routes(&id, &[&format!("937{n}")]))));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    world.commit("Ten operators", &files)
}

pub(crate) fn without(world: &World, message: &str, gone: &[u8]) -> Oid {
    let files: Vec<String> = (gone.iter())
        .flat_map(|n| [format!("operators/carrier/op{n}.yaml"), format!("operators/carrier/op{n}.routes.yaml")])
        .collect();
    let files: Vec<_> = files.iter().map(|path| (path.as_str(), None)).collect();
    world.commit(message, &files)
}

pub(crate) async fn held(agent: &Agent, commit: Oid) -> SyncStatus {
    let commit = commit.to_string();
    until(agent, "the held plan", |status| {
        status.phase == SyncPhase::Held && status.blocked.as_ref().is_some_and(|blocked| blocked.commit == commit)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_operator_stays_where_it_binds_until_released() {
    let world = World::new().await;
    let policy = "apiVersion: bindery/v1\nkind: Policy\nspec:\n  guardrails:\n    protect: [op0]\n";
    ten(&world);
    let first = world.commit("Protect one", &[("policy.yaml", Some(policy.to_owned()))]);
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let moved = |n: u8| {
        let (id, path) = (format!("op{n}"), format!("operators/carrier/op{n}.yaml"));
        world.commit("Move", &[(&path, Some(operator(&id, "carrier", &format!("moved{n}.example"), None)))])
    };
    until_applied(&agent, moved(1)).await;
    let blocked = held(&agent, moved(0)).await.blocked.unwrap();
    assert_eq!(
        blocked.holds,
        ["guardrails.protect: the plan moves the endpoint of the operator `op0`, which the policy protects"]
    );
    let stores = world.stores().await;
    let there = "select count(*) from ops.operators where id = 'op0' and host = 'op0.example'";
    assert_eq!(count(&stores.postgres, there).await, 1);
    let release = format!("Go on\n\nBindery-Allow: {}\n", blocked.plan_hash.unwrap());
    until_applied(&agent, world.commit(&release, &[])).await;
    assert_eq!(count(&stores.postgres, there).await, 0);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_of_40_percent_waits_for_its_own_hash() {
    let world = World::new().await;
    let first = ten(&world);
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let gone = without(&world, "Delete four\n\nand add to the fifth", &[0, 1, 2, 3]);
    let blocked = held(&agent, gone).await.blocked.unwrap();
    let hash = blocked.plan_hash.unwrap();
    assert_eq!(
        blocked.holds,
        ["guardrails.maxDeletes.percent: the plan deletes 4 of 10 operators; the policy allows 25 %"]
    );
    assert!(blocked.next_step.contains(&format!("bindery-agent release {hash}")), "{}", blocked.next_step);

    // Shown in full.
    let (sre, noc) = (world.token("sam", Role::Sre), world.token("nora", Role::Noc));
    let (status, plan) = say(&agent, &noc, GET("/sync/held"), None).await;
    assert_eq!((status, &plan["planHash"], &plan["commit"]), (200, &json!(hash), &json!(gone.to_string())));
    let operators = plan["plan"]["operators"].as_array().unwrap();
    let deleted: Vec<_> = operators.iter().map(|change| (change["id"].clone(), change["action"].clone())).collect();
    assert_eq!(deleted, [0, 1, 2, 3].map(|n| (json!(format!("op{n}")), json!("delete"))));
    assert_eq!(operators[0]["routes"]["removed"][0]["prefix"], "+9370");
    let admin = format!("http://{}", agent.listeners().admin);
    let shown = tokio::task::spawn_blocking({
        let (admin, noc) = (admin.clone(), noc.clone());
        move || ask(&["status"], &admin, &noc)
    });
    let shown = shown.await.unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(shown.status.code(), Some(3), "{text}");
    for part in ["held: ", "4 of 10 operators", "- operator op0 (carrier carrier)", "- operator op3", &hash] {
        assert!(text.contains(part), "{part}\n{text}");
    }

    // A wrong hash releases nothing, by whichever way.
    let wrong = "0".repeat(64);
    let still = world.commit(&format!("Go on\n\nBindery-Allow: {wrong}\n"), &[]);
    assert_eq!(held(&agent, still).await.blocked.unwrap().plan_hash.as_ref(), Some(&hash));
    let release = |hash: &str| format!("/sync/held/{hash}/release");
    let (status, problem) = say(&agent, &sre, POST(&release(&wrong)), None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("PLAN_HASH_MISMATCH")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(&hash));
    assert_eq!(say(&agent, &noc, POST(&release(&hash)), None).await.0, 403);
    let stores = world.stores().await;
    let live = "select count(*) from ops.operators where deleted_at is null";
    assert_eq!(count(&stores.postgres, live).await, 10);
    assert_eq!(count(&stores.postgres, "select count(*) from ops.routing_rules").await, 10);
    assert_eq!(count(&stores.postgres, "select generation from ops.sync_state").await, 1);

    // The right one in a trailer does.
    let released = world.commit(&format!("Go on\n\nBindery-Allow: {hash}\n"), &[]);
    until_applied(&agent, released).await;
    assert_eq!(count(&stores.postgres, live).await, 6);
    assert_eq!(say(&agent, &noc, GET("/sync/held"), None).await.1["code"], "NOTHING_HELD");
    assert_eq!(say(&agent, &sre, POST(&release(&hash)), None).await.1["code"], "NOTHING_HELD");

    eventually("all is published", || all_published(&stores.postgres)).await;
    let told = without_time(&world.events().await);
    let told: Vec<_> = told.iter().filter(|event| event.0 == "ops.sync.held.v1").map(|event| event.1.clone()).collect();
    assert_eq!(told, [gone.to_string(), still.to_string()]);
    let row: (String, String, String, Option<String>) =
        sqlx::query_as("select actor, via, object, commit from ops.audit_log where action = 'sync.release'")
            .fetch_one(&stores.postgres)
            .await
            .unwrap();
    let ada = "Ada Carrier <ada@example.org>".to_owned();
    assert_eq!(row, (ada, "commit".to_owned(), format!("plan/{hash}"), Some(released.to_string())));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_plan_outlives_a_restart_and_is_released_over_the_api() {
    let world = World::new().await;
    let first = ten(&world);
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let gone = without(&world, "Delete three", &[7, 8, 9]);
    let before = held(&agent, gone).await.blocked.unwrap();
    agent.shutdown().await;
    let agent = world.agent().await;
    let blocked = held(&agent, gone).await.blocked.unwrap();
    assert_eq!((&blocked.plan_hash, blocked.since.to_string()), (&before.plan_hash, before.since.to_string()));

    // A newer commit takes its place.
    let other = without(&world, "And one more", &[6]);
    let blocked = held(&agent, other).await.blocked.unwrap();
    let (old, hash) = (before.plan_hash.unwrap(), blocked.plan_hash.unwrap());
    assert_ne!(old, hash);
    let admin = world.token("ana", Role::CarrierAdmin);
    assert_eq!(say(&agent, &admin, POST(&format!("/sync/held/{old}/release")), None).await.0, 409);
    let (status, answer) = say(&agent, &admin, POST(&format!("/sync/held/{hash}/release")), None).await;
    assert_eq!((status, &answer["releasedBy"]), (202, &json!("ana")));
    until_applied(&agent, other).await;
    let stores = world.stores().await;
    let row: (String, String, Option<String>, Option<String>) =
        sqlx::query_as("select actor, via, plan_hash, commit from ops.audit_log where action = 'sync.release'")
            .fetch_one(&stores.postgres)
            .await
            .unwrap();
    assert_eq!(row, ("ana".to_owned(), "api".to_owned(), Some(hash), Some(other.to_string())));

    let (_, runs) = say(&agent, &admin, GET("/sync/runs?limit=2"), None).await;
    let outcomes = |runs: &Value| -> Vec<Value> {
        runs["items"].as_array().unwrap().iter().map(|run| run["outcome"].clone()).collect()
    };
    assert_eq!(outcomes(&runs), ["applied", "held"]);
    assert_eq!(runs["items"][0]["detail"]["counts"]["deleted"], 4);
    assert_eq!(runs["items"][0]["detail"]["releasedBy"], "ana");
    let cursor = runs["nextCursor"].as_str().unwrap();
    let (_, rest) = say(&agent, &admin, GET(&format!("/sync/runs?cursor={cursor}")), None).await;
    assert_eq!((outcomes(&rest), &rest["nextCursor"]), (vec![json!("held"), json!("applied")], &Value::Null));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_sync_looks_on_and_applies_nothing_until_it_goes_on() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let (noc, reader) = (world.token("nora", Role::Noc), world.token("rita", Role::ReadOnly));
    let pause = |seconds: u32| Some(json!({ "reason": "maintenance", "seconds": seconds }));
    assert_eq!(say(&agent, &reader, POST("/sync/pause"), pause(60)).await.0, 403);
    assert_eq!(say(&agent, &noc, POST("/sync/pause"), pause(0)).await.1["code"], "BAD_REQUEST");
    assert_eq!(say(&agent, &noc, POST("/sync/pause"), Some(json!({ "reason": " ", "seconds": 9 }))).await.0, 400);
    let escape = json!({ "reason": "\u{1b}[2J", "seconds": 9 });
    assert_eq!(say(&agent, &noc, POST("/sync/pause"), Some(escape)).await.0, 400);
    let (status, answer) = say(&agent, &noc, POST("/sync/pause"), pause(3_600)).await;
    assert_eq!((status, &answer["by"]), (200, &json!("nora")));
    let shown = until(&agent, "the pause", |status| status.phase == SyncPhase::Paused).await;
    assert!(shown.blocked.is_none());

    let moved = operator("two", "carrier", "moved.example", None);
    let second = world.commit("Second", &[("operators/carrier/two.yaml", Some(moved))]);
    let waits = |status: &SyncStatus| {
        status.phase == SyncPhase::Paused
            && status.blocked.as_ref().is_some_and(|blocked| blocked.commit == second.to_string())
    };
    let blocked = until(&agent, "a commit that waits", waits).await.blocked.unwrap();
    assert!(blocked.reason.contains("1 operators, 0 rules"), "{}", blocked.reason);
    assert_eq!(blocked.until.unwrap().to_string(), answer["until"].as_str().unwrap());
    agent.shutdown().await;
    let agent = world.agent().await;
    until(&agent, "the same after a restart", waits).await;
    assert_eq!(agent.status().borrow().applied.as_ref().unwrap().commit, first.to_string());
    // What is wrong is said all the same.
    let bad = world.commit("Bad", &[("operators/carrier/two.yaml", Some("kind: Nothing\n".to_owned()))]);
    until(&agent, "a rejection", |status| status.phase == SyncPhase::Rejected).await;
    world.point_branch_at(second);
    until(&agent, "the good one again", waits).await;

    assert_eq!(say(&agent, &noc, DELETE("/sync/pause"), None).await.0, 204);
    until_applied(&agent, second).await;
    assert_ne!(bad, second);

    // A pause ends by itself.
    say(&agent, &noc, POST("/sync/pause"), pause(2)).await;
    until(&agent, "the pause", |status| status.phase == SyncPhase::Paused).await;
    let moved = operator("two", "carrier", "later.example", None);
    let third = world.commit("Third", &[("operators/carrier/two.yaml", Some(moved))]);
    until_applied(&agent, third).await;
    let stores = world.stores().await;
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select action, actor, detail->>'reason' from ops.audit_log where object = 'sync/pause' order by id",
    )
    .fetch_all(&stores.postgres)
    .await
    .unwrap();
    let row = |action: &str, actor: &str| (action.to_owned(), actor.to_owned(), "maintenance".to_owned());
    let expected = [
        row("sync.pause", "nora"),
        row("sync.resume", "nora"),
        row("sync.pause", "nora"),
        row("sync.pause.end", "bindery-agent"),
    ];
    assert_eq!(rows, expected);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_step_is_previewed_and_taken_without_a_running_agent() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let run = |arguments: &'static [&'static str]| {
        let config = world.config.clone();
        async move {
            let output = tokio::task::spawn_blocking(move || command(arguments, &config)).await.unwrap();
            let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
            (output.status.code(), text)
        }
    };
    let (code, text) = run(&["sync", "--once"]).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("in sync") && text.contains(&first.to_string()[..10]), "{text}");
    let stores = world.stores().await;
    assert!(all_published(&stores.postgres).await);
    assert_eq!(world.events().await.len(), 3);

    let moved = operator("two", "carrier", "moved.example", None);
    let second = world.commit("Second", &[("operators/carrier/two.yaml", Some(moved))]);
    let (code, text) = run(&["sync", "--once", "--dry-run"]).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("~ operator two") && text.contains("moved.example"), "{text}");
    assert_eq!(count(&stores.postgres, "select count(*) from ops.sync_runs").await, 1);
    assert_eq!(count(&stores.postgres, "select count(*) from ops.operators where host = 'two.example'").await, 1);

    let agent = world.agent().await;
    until_applied(&agent, second).await;
    let (code, text) = run(&["sync", "--once"]).await;
    assert!(code == Some(1) && text.contains("another agent leads"), "{code:?} {text}");
    assert_eq!(run(&["sync", "--once", "--dry-run"]).await.0, Some(0));
    assert!(agent.shared().leading.borrow().is_some());
    agent.shutdown().await;
}
