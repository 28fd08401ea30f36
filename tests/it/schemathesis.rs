//! Schemathesis reads the documents of a running agent and asks it everything they allow, and much that they do not: no
//! answer may be a fault of the server, of a status, type or form that is not documented, or accept what is wrong.
//!
//! The cases are the same in every run, so that a failure comes again. A program that is not installed is a failure.

use std::process::Output;

use bindery_agent::dev::KeyPairFiles;
use bindery_agent::http::permissions::Role;
use bindery_schema::secret::Secret;
use bindery_tests::api::small;
use bindery_tests::document::Document;
use bindery_tests::program::run;
use bindery_tests::servers::tested_with;
use bindery_tests::stack::workspace;
use bindery_tests::world::World;

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      response_headers_conformance,negative_data_rejection,unsupported_method";

/// Runs it in a folder of its own.
async fn ask(world: &World, base: String, arguments: &[&str]) -> Output {
    let dir = world.dir.path().join("schemathesis");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::copy(workspace().join("tests/schemathesis.toml"), dir.join("schemathesis.toml")).unwrap();
    let document = format!("{base}/openapi.json");
    let common = ["run", &document, "--checks", CHECKS, "--no-color", "--continue-on-failure"];
    let repeatable = ["--generation-deterministic", "--workers", "1", "--no-shrink"];
    let arguments: Vec<String> =
        common.iter().chain(&repeatable).chain(arguments).map(|argument| (*argument).to_owned()).collect();
    let program = tested_with("schemathesis");
    tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(program.to_str().unwrap(), &arguments, &dir, None)
    })
    .await
    .unwrap()
}

fn passed(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    anstream::println!("{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_api_is_as_documented() {
    let mut world = World::new().await;
    world.config.limits.requests_per_second = 0;
    world.config.triggers.webhook_secret = Some(Secret::new("s3cret").into());
    let agent = small(&world).await;
    let base = format!("http://{}", agent.listeners().admin);
    let token = format!("Authorization: Bearer {}", world.token("ana", Role::CarrierAdmin));
    // What the examples of paths name is there.
    let document = Document::of(&base).await;
    for id in ["createMno", "createContract", "createOperator", "createRule", "createReservation"] {
        let operation = document.operation(id);
        let request = reqwest::Client::new().post(format!("{base}{}", operation.example_path()));
        let request = request.bearer_auth(world.token("ana", Role::CarrierAdmin)).json(&operation.bodies()[0].1);
        assert_eq!(request.send().await.unwrap().status(), 201, "{id}");
    }
    // While the sync is paused every change is answered 503, as documented: pauses are asked for apart.
    let apart = "/v1/admin/sync/pause";
    // A stream does not end, and the program waits for the end of an answer: tests/it/health_stream.rs reads it.
    let all = ["--header", &token, "--exclude-path", apart, "--exclude-path", "/v1/admin/health/stream"];
    passed(&ask(&world, base.clone(), &[&all[..], &["--max-examples", "10"]].concat()).await);
    passed(&ask(&world, base, &["--header", &token, "--include-path", apart, "--max-examples", "20"]).await);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_internal_and_ops_apis_are_as_documented() {
    let world = World::new().await;
    let agent = small(&world).await;
    let pki = &world.stack.pki;
    let KeyPairFiles { certificate, key, .. } = &pki.smpp_connector;
    let base = format!("https://localhost:{}", agent.listeners().internal.port());
    let [ca, certificate, key] = [&pki.ca, certificate, key].map(|path| path.to_str().unwrap());
    let apart = "/v1/internal/health/stream";
    let mutual = ["--tls-verify", ca, "--request-cert", certificate, "--request-cert-key", key];
    let mutual = [&mutual[..], &["--exclude-path", apart, "--max-examples", "20"]].concat();
    passed(&ask(&world, base, &mutual).await);
    passed(&ask(&world, format!("http://{}", agent.listeners().ops), &["--max-examples", "10"]).await);
    agent.shutdown().await;
}
