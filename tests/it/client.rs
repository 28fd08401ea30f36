//! `bindery-agent get`, `create`, `update` and `delete`, the program itself.

use std::path::Path;
use std::process::Output;

use bindery_agent::http::permissions::Role;
use bindery_agent::runtime::Agent;
use bindery_tests::api::{PASSWORD, small};
use bindery_tests::documents;
use bindery_tests::program::{ask_with, run};
use bindery_tests::world::World;
use serde_json::{Value, json};

/// Somebody in front of a terminal.
struct Terminal {
    admin: String,
    token: String,
}

impl Terminal {
    fn of(world: &World, agent: &Agent) -> Self {
        let admin = format!("http://{}", agent.listeners().admin);
        Self { admin, token: world.token("ana", Role::CarrierAdmin) }
    }

    /// Runs a command with a text on its standard input.
    fn run(&self, arguments: &[&str], input: Option<&str>) -> Output {
        ask_with(arguments, &self.admin, &self.token, input)
    }

    /// What a command that works prints.
    fn says(&self, arguments: &[&str], input: Option<&str>) -> String {
        let output = self.run(arguments, input);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// What a command that is refused says.
    fn refused(&self, arguments: &[&str], input: Option<&str>) -> String {
        let output = self.run(arguments, input);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_created_shown_changed_and_deleted() {
    let world = World::new().await;
    let agent = small(&world).await;
    world.let_go(&agent).await;
    let ana = Terminal::of(&world, &agent);
    // As it would stand in the repository.
    let file = world.dir.path().join("second.yaml");
    std::fs::write(&file, documents::operator("second", "carrier", "second.example", None)).unwrap();
    let file = file.to_str().unwrap();
    let tip = world.head().id();
    let plan = ana.says(&["create", "operator", "-f", file, "--dry-run"], None);
    assert!(plan.starts_with("create  second"), "{plan}");
    assert_eq!(world.head().id(), tip);

    let create = ["create", "operator", "-f", file, "--password-stdin"];
    assert_eq!(ana.says(&create, Some(&format!("{PASSWORD}\n"))), "created operator second\n");
    assert_eq!(world.outside().await.password("second").await.as_deref(), Some(PASSWORD));
    let refused = ana.refused(&create, Some(&format!("{PASSWORD}\n")));
    assert!(refused.contains("409") && refused.contains("operator second already"), "{refused}");
    assert!(!refused.contains(PASSWORD));

    let table = ana.says(&["get", "operators", "--filter", "q=second"], None);
    let expected = "ID      CARRIER  STATUS  HOST            PORT  SYSTEM ID   OUT  IN\n\
                    second  carrier  ACTIVE  second.example  2775  sys-second  20   0\n";
    assert_eq!(table, expected);
    let yaml = ana.says(&["get", "operator", "second", "-o", "yaml"], None);
    assert!(yaml.contains("host: second.example") && !yaml.contains("password"), "{yaml}");

    let patch = "spec: {tps: {outbound: 5}}";
    let changed: Value =
        serde_json::from_str(&ana.says(&["update", "operator", "second", "-f", "-", "--json"], Some(patch))).unwrap();
    assert_eq!(changed["spec"]["tps"]["outbound"], 5);
    let tag = changed["etag"].as_str().unwrap();
    let update = ["update", "operator", "second", "-f", "-", "--if-match", tag];
    assert_eq!(ana.says(&update, Some(r#"{"spec": {"tps": {"outbound": 6}}}"#)), "updated operator second\n");
    assert!(ana.refused(&update, Some(patch)).contains("412"));
    assert_eq!(
        ana.says(&["update", "operator", "second", "--password-stdin"], Some("n3wer0ne")),
        "updated operator second\n"
    );
    assert_eq!(world.outside().await.password("second").await.as_deref(), Some("n3wer0ne"));

    assert_eq!(ana.says(&["delete", "operator", "second"], None), "deleted operator second\n");
    assert!(ana.refused(&["get", "operator", "second"], None).contains("there is no operator second"));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_has_its_place_and_its_errors() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Terminal::of(&world, &agent);
    let rule = Some("prefix: \"+9379\"\npriority: 10\n");
    assert_eq!(ana.says(&["create", "rule", "--operator", "first", "-f", "-"], rule), "created rule 9379\n");
    let rules = ana.says(&["get", "rules", "--operator", "first", "--filter", "prefix=9379"], None);
    assert_eq!(rules, "PREFIX  PRIORITY  WEIGHT  ACTIVE\n+9379   10        100     true\n");
    assert!(ana.refused(&["create", "rule", "--operator", "first", "-f", "-"], rule).contains("409"));
    assert_eq!(ana.says(&["delete", "rule", "9379", "--operator", "first"], None), "deleted rule 9379\n");

    let contract = json!({"mno": "carrier", "ref": "IN 1/2", "direction": "INBOUND", "contractedTps": 50,
        "effectiveFrom": "2026-01-01", "document": "s3://contracts/carrier-in.pdf"});
    let id = "carrier:INBOUND:IN 1/2";
    let created = ana.says(&["create", "contract", "-f", "-"], Some(&contract.to_string()));
    assert_eq!(created, format!("created contract {id}\n"));
    let shown: Value = serde_json::from_str(&ana.says(&["get", "contract", id, "--json"], None)).unwrap();
    assert_eq!(shown["ref"], "IN 1/2");
    let reservation = Some("{mno: carrier, direction: INBOUND, reservedTps: 20}");
    let reserved = ana.says(&["create", "reservation", "--tenant", "shop", "-f", "-"], reservation);
    assert_eq!(reserved, "created reservation carrier:INBOUND:2026-01-01\n");
    assert!(ana.says(&["get", "contracts"], None).contains("IN 1/2  50   2026-01-01  20        30"));
    let changes = json!({"operations": [{"op": "createRule", "operator": "first", "rule": {"prefix": "+9378"}},
        {"op": "createRule", "operator": "first", "rule": {"prefix": "+9377"}}]});
    let made = ana.says(&["create", "changeset", "-f", "-"], Some(&changes.to_string()));
    assert!(made.starts_with("made 2 changes with commit "), "{made}");

    for (arguments, input, says) in [
        (&["get", "rules"][..], None, "name it with --operator"),
        (&["get", "mno", "nobody"], None, "there is no carrier nobody"),
        (&["get", "operators", "--filter", "status=idle"], None, "400"),
        (&["create", "operator", "-f", "-"], Some("a: b: c"), "neither YAML nor JSON"),
        (&["create", "operator", "-f", "-"], Some("{}\n---\n{}"), "2 documents"),
        (&["create", "operator", "-f", "-", "--password-stdin"], Some("{}"), "cannot be both"),
        (&["create", "mno", "-f", "/nowhere", "--password-stdin"], None, "only an operator has a password"),
        (&["create", "operator", "-f", "/nowhere"], None, "cannot read /nowhere"),
        (&["update", "operator", "first", "-f", "-"], Some("{id: other, spec: {}}"), "is about \"other\""),
        (&["create", "operator", "-f", "-"], Some("{mno: carrier, spec: {}}"), "422"),
    ] {
        let said = ana.refused(arguments, input);
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_sent_again_and_made_once_and_the_token_comes_from_a_file() {
    let world = World::new().await;
    let agent = small(&world).await;
    let ana = Terminal::of(&world, &agent);
    let tip = world.head().id();
    let create = ["create", "rule", "--operator", "first", "-f", "-", "--idempotency-key", "order-1"];
    let rule = Some("prefix: \"+9379\"");
    assert_eq!(ana.says(&create, rule), ana.says(&create, rule));
    assert_eq!(world.head().parent_id(0).unwrap(), tip);

    let token = world.dir.path().join("token");
    std::fs::write(&token, format!("{}\n", ana.token)).unwrap();
    let program = bindery_tests::stack::programs().join("bindery-agent");
    let get = ["get", "mnos", "--server", &ana.admin, "--token-file", token.to_str().unwrap()];
    let output = run(program.to_str().unwrap(), &get, Path::new("/"), None);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "ID       COUNTRY  NAME\ncarrier  AF       Carrier carrier\n"
    );
    agent.shutdown().await;
    let unreachable = ana.refused(&create, rule);
    assert!(unreachable.contains("cannot be reached"), "{unreachable}");
}
