//! Commits that are taken back.

use bindery_agent::http::permissions::Role;
use bindery_agent::runtime::Agent;
use bindery_schema::wire::api::{SyncPhase, SyncStatus};
use bindery_tests::documents::operator;
use bindery_tests::world::{World, until, until_applied};
use git2::Oid;
use reqwest::Method;
use serde_json::{Value, json};

use crate::control::say;
use crate::sync::{count, small};

const TWO: &str = "operators/carrier/two.yaml";

async fn roll_back(world: &World, agent: &Agent, revision: &str) -> (u16, Value) {
    let body = json!({ "revision": revision, "reason": "traffic drops" });
    say(agent, &world.token("sam", Role::Sre), (Method::POST, "/sync/rollback"), Some(body)).await
}

fn moved(world: &World, message: &str, host: &str) -> Oid {
    world.commit(message, &[(TWO, Some(operator("two", "carrier", host, None)))])
}

fn tip(world: &World) -> Oid {
    world.git.refname_to_id("refs/heads/main").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_tree_is_refused_until_it_is_allowed() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let bad = moved(&world, "Move two", "bad.example");
    let agent = world.agent().await;
    until_applied(&agent, bad).await;

    let noc = world.token("nora", Role::Noc);
    let body = json!({ "revision": bad.to_string() });
    assert_eq!(say(&agent, &noc, (Method::POST, "/sync/rollback"), Some(body)).await.0, 403);
    let (status, answer) = roll_back(&world, &agent, &bad.to_string()[..8]).await;
    assert_eq!((status, &answer["revision"]), (200, &json!(bad.to_string())), "{answer}");
    let revert = tip(&world);
    assert_eq!(answer["commit"], revert.to_string());
    let commit = world.git.find_commit(revert).unwrap();
    assert_eq!(commit.tree_id(), world.git.find_commit(first).unwrap().tree_id());
    assert_eq!(commit.parent_id(0).unwrap(), bad);
    let message = format!("Revert \"Move two\"\n\nThis reverts commit {bad}.\n\ntraffic drops\n");
    assert_eq!((commit.message().unwrap(), commit.author().name().unwrap()), (message.as_str(), "sam"));
    until_applied(&agent, revert).await;
    // The branch may have been fetched between the push and the refusal.
    let is_refused =
        |status: &SyncStatus| status.refused.iter().map(|refused| &*refused.revision).eq([&*bad.to_string()]);
    until(&agent, "the refusal is shown", is_refused).await;

    // The same tree in another commit, and the commit itself by force, after a restart too.
    let again = moved(&world, "Move two again", "bad.example");
    let refused = |commit: Oid| {
        move |status: &SyncStatus| {
            status.phase == SyncPhase::Rejected
                && status.blocked.as_ref().is_some_and(|blocked| blocked.commit == commit.to_string())
        }
    };
    let blocked = until(&agent, "a refusal", refused(again)).await.blocked.unwrap();
    assert!(
        blocked.reason.contains("sam rolled back") && blocked.reason.contains("traffic drops"),
        "{}",
        blocked.reason
    );
    assert!(blocked.next_step.contains(&format!("rollback --allow {bad}")), "{}", blocked.next_step);
    agent.shutdown().await;
    world.point_branch_at(bad);
    let agent = world.agent().await;
    until(&agent, "a refusal", refused(bad)).await;
    let stores = world.stores().await;
    let host = "select count(*) from ops.operators where host = 'two.example'";
    assert_eq!(count(&stores.postgres, host).await, 1);

    let admin = world.token("ana", Role::CarrierAdmin);
    let allow = format!("/sync/refused/{bad}");
    assert_eq!(say(&agent, &admin, (Method::DELETE, &allow), None).await.0, 204);
    let status = until_applied(&agent, bad).await;
    assert!(status.refused.is_empty());
    assert_eq!(say(&agent, &admin, (Method::DELETE, &allow), None).await.1["code"], "REVISION_NOT_FOUND");

    // Once more; this time a trailer allows it.
    assert_eq!(roll_back(&world, &agent, &bad.to_string()).await.0, 200);
    until_applied(&agent, tip(&world)).await;
    let trailer = moved(&world, &format!("It was not that\n\nBindery-Allow: {bad}\n"), "bad.example");
    assert!(until_applied(&agent, trailer).await.refused.is_empty());
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("select action, actor, via from ops.audit_log where object = $1 order by id")
            .bind(format!("revision/{bad}"))
            .fetch_all(&stores.postgres)
            .await
            .unwrap();
    let row = |action: &str, actor: &str, via: &str| (action.to_owned(), actor.to_owned(), via.to_owned());
    let expected = [
        row("sync.rollback", "sam", "api"),
        row("sync.allow", "ana", "api"),
        row("sync.rollback", "sam", "api"),
        row("sync.allow", "Ada Carrier <ada@example.org>", "commit"),
    ];
    assert_eq!(rows, expected);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_back_changes_nothing() {
    let world = World::new().await;
    let first = world.commit("First", &small(&world));
    let second = moved(&world, "Move two", "second.example");
    let third = moved(&world, "Move two on", "third.example");
    let agent = world.agent().await;
    until_applied(&agent, third).await;
    let code = |(status, problem): (u16, Value)| (status, problem["code"].as_str().unwrap_or_default().to_owned());

    let (status, problem) = roll_back(&world, &agent, &second.to_string()).await;
    assert_eq!((status, &problem["code"]), (409, &json!("REVERT_CONFLICT")));
    assert!(problem["detail"].as_str().unwrap().contains(TWO), "{problem}");
    let unknown = "0123456789abcdef";
    assert_eq!(code(roll_back(&world, &agent, unknown).await), (404, "REVISION_NOT_FOUND".to_owned()));
    assert_eq!(code(roll_back(&world, &agent, "refs/bindery/tip").await), (404, "REVISION_NOT_FOUND".to_owned()));
    let (status, problem) = roll_back(&world, &agent, &first.to_string()).await;
    assert_eq!((status, &problem["code"]), (422, &json!("VALIDATION_FAILED")));

    // Without the carrier its operators do not compile.
    let other = bindery_tests::documents::mno("other");
    let added = world.commit("Add a carrier", &[("operators/other/mno.yaml", Some(other))]);
    let bind = operator("three", "other", "three.example", None);
    let used = world.commit("Use it", &[("operators/other/three.yaml", Some(bind))]);
    until_applied(&agent, used).await;
    let (status, problem) = roll_back(&world, &agent, &added.to_string()).await;
    assert_eq!((status, &problem["code"]), (422, &json!("VALIDATION_FAILED")));
    assert!(problem["detail"].as_str().unwrap().contains("BND0301"), "{problem}");

    assert_eq!(tip(&world), used);
    let stores = world.stores().await;
    assert_eq!(count(&stores.postgres, "select count(*) from ops.refused_trees").await, 0);
    agent.shutdown().await;
}
