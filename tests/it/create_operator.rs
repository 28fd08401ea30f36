//! US-OPS-01 over HTTP, a test for each acceptance criterion: a created operator is a commit, and its effects are where
//! they belong.

use bindery_agent::http::permissions::Role;
use bindery_tests::api::{Api, OPERATORS, PASSWORD, premium, small};
use bindery_tests::canary::Texts;
use bindery_tests::world::{World, eventually};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn ac1_a_valid_payload_is_created_without_showing_the_password() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana@example.org", Role::CarrierAdmin);
    let answer = ana.post(OPERATORS, &premium("smpp.premium.example")).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["id"], "carrier-premium");
    assert_eq!(answer.location.as_deref(), Some("/v1/admin/operators/carrier-premium"));
    assert_eq!(answer.body["spec"]["smpp"]["host"], "smpp.premium.example");
    assert!(!answer.body.to_string().contains("password") && !answer.body.to_string().contains(PASSWORD));
    assert_eq!(ana.get("/operators/carrier-premium").await.body, answer.body);

    // One commit, by the caller, committed by the agent, in a file of its own.
    let commit = world.head();
    assert_eq!(answer.body["commit"], commit.id().to_string());
    assert_eq!(commit.author().email().unwrap(), "ana@example.org");
    assert_eq!(commit.committer().name().unwrap(), "bindery-agent");
    assert_eq!(commit.summary().unwrap().unwrap(), "Create operator carrier-premium");
    assert!(world.file("operators/carrier/carrier-premium.yaml").is_some());
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac2_the_password_is_in_vault_and_nowhere_else() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    assert_eq!(ana.post(OPERATORS, &premium("smpp.premium.example")).await.status, 201);
    let outside = world.outside().await;
    assert_eq!(outside.password("carrier-premium").await.as_deref(), Some(PASSWORD));
    let mut texts = Texts::default();
    texts.add_stores(&outside).await;
    texts.add_repository(world.git.path());
    texts.add_repository(&world.clone_of_agent());
    assert_ne!(texts.places("git", "smpp.premium.example"), 0);
    assert_eq!(texts.that_hold(&[PASSWORD.to_owned()]), [""; 0]);
    // What was written ahead is settled.
    assert_eq!(outside.count("select count(*) from ops.secret_intents").await, 0);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac3_a_second_operator_at_an_endpoint_is_a_duplicate() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let before = world.head().id();
    let mut same = premium("first.example");
    same["spec"]["smpp"]["systemId"] = json!("sys-first");
    let answer = ana.post(OPERATORS, &same).await;
    assert_eq!(answer.problem(), (409, "DUPLICATE_OPERATOR"), "{}", answer.body);
    assert!(answer.body["detail"].as_str().unwrap().contains("first"), "{}", answer.body);
    assert_eq!(answer.body["findings"][0]["code"], "BND0401");
    let mut named = premium("other.example");
    named["id"] = json!("first");
    assert_eq!(ana.post(OPERATORS, &named).await.problem(), (409, "DUPLICATE_OPERATOR"));
    assert_eq!(world.head().id(), before);
    assert_eq!(world.outside().await.secrets().await, 0);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac4_without_vault_nothing_is_left_of_a_create() {
    let world = World::alone().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let before = world.head().id();
    world.stack.vault.kill().await;
    let answer = ana.post(OPERATORS, &premium("smpp.premium.example")).await;
    assert_eq!(answer.problem(), (503, "VAULT_UNAVAILABLE"), "{}", answer.body);
    assert_eq!(world.head().id(), before);
    let outside = world.outside().await;
    assert_eq!(outside.count("select count(*) from ops.operators").await, 1);
    assert_eq!(outside.count("select count(*) from ops.secret_intents").await, 0);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ac5_an_event_tells_of_the_operator() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Api::of(&world, &agent, "ana", Role::CarrierAdmin);
    let answer = ana.post(OPERATORS, &premium("smpp.premium.example")).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let expected = json!({"operatorId": "carrier-premium", "mnoId": "carrier", "author": "ana <ana@bindery.invalid>",
        "commit": answer.body["commit"], "generation": answer.body["generation"]});
    eventually("the event", async || {
        world
            .told("operator.config.created.v1")
            .await
            .iter()
            .any(|data| expected.as_object().unwrap().iter().all(|(name, value)| data[name] == *value))
    })
    .await;
    agent.shutdown().await;
}
