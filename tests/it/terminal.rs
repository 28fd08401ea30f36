//! A night shift at a terminal: every command that asks a running agent, as people run it.

use bindery_agent::http::permissions::Role;
use bindery_agent::runtime::Agent;
use bindery_schema::wire::api::SyncPhase;
use bindery_tests::documents::operator;
use bindery_tests::program::{Program, ask};
use bindery_tests::world::{World, until, until_applied};
use serde_json::Value;

use crate::control::{held, ten, without};

/// Somebody's terminal.
struct Terminal<'a> {
    agent: &'a Agent,
    token: String,
}

impl Terminal<'_> {
    fn admin(&self) -> String {
        format!("http://{}", self.agent.listeners().admin)
    }

    /// Exit code and both streams of a command.
    async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let (admin, token) = (self.admin(), self.token.clone());
        let output = tokio::task::spawn_blocking(move || {
            ask(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &admin, &token)
        });
        let output = output.await.unwrap();
        let text = [output.stdout, output.stderr].map(|stream| String::from_utf8(stream).unwrap()).concat();
        (output.status.code().unwrap(), text)
    }

    /// What a command that succeeds prints.
    async fn says(&self, arguments: &[&str]) -> String {
        let (code, text) = self.run(arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {text}");
        text
    }

    /// The list that a command prints as JSON.
    async fn list(&self, arguments: &[&str]) -> Vec<Value> {
        serde_json::from_str(&self.says(arguments).await).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_shift_pauses_releases_and_rolls_back_at_a_terminal() {
    // Only a trigger makes the agent look.
    let mut world = World::new().await;
    world.config.repository.poll_seconds = 3_600.0;
    let first = ten(&world);
    let agent = world.agent().await;
    until_applied(&agent, first).await;
    let sam = Terminal { agent: &agent, token: world.token("sam", Role::Sre) };
    let rita = Terminal { agent: &agent, token: world.token("rita", Role::ReadOnly) };
    let watching = ["status", "--watch", "--json", "--url", &sam.admin(), "--token", &rita.token];
    let mut watch = Program::start("bindery-agent", &watching, &world.config.data_dir.with_file_name("watch"));

    // One who watches sees it all, a line a change.
    let watched = |wanted: &'static str| {
        move |line: &str| serde_json::from_str::<Value>(line).ok().filter(|status| status["phase"] == wanted)
    };

    // Who may only read gets a reason, and nothing happens.
    let (code, text) = rita.run(&["pause", "--for", "1h", "--reason", "mischief"]).await;
    assert!(code == 1 && text.contains("403 Forbidden: this needs one of the roles"), "{text}");
    let (code, text) = sam.run(&["pause", "--for", "8d", "--reason", "a long one"]).await;
    assert!(code != 0 && text.contains("week"), "{text}");

    let text = sam.says(&["pause", "--for", "1h", "--reason", "maintenance, INC-4711"]).await;
    assert!(text.starts_with("paused until ") && text.contains("bindery-agent resume"), "{text}");
    let moved = operator("op9", "carrier", "moved.example", None);
    let second = world.commit("Move the ninth", &[("operators/carrier/op9.yaml", Some(moved))]);
    assert_eq!(sam.says(&["trigger"]).await, "the agent looks at the branch\n");
    until(&agent, "a commit that waits", |status| status.phase == SyncPhase::Paused && status.blocked.is_some()).await;
    let (code, text) = rita.run(&["status"]).await;
    assert!(code == 3 && text.contains("INC-4711") && text.contains(&second.to_string()[..7]), "{text}");
    watch.line(watched("paused")).await;
    assert_eq!(sam.says(&["resume"]).await, "the sync goes on\n");
    until_applied(&agent, second).await;

    // A plan that a guardrail holds is shown, and released by its hash alone.
    let gone = without(&world, "Delete four", &[0, 1, 2, 3]);
    sam.says(&["trigger"]).await;
    let hash = held(&agent, gone).await.blocked.unwrap().plan_hash.unwrap();
    watch.line(watched("held")).await;
    let (code, text) = sam.run(&["release", &"0".repeat(64)]).await;
    assert!(code == 1 && text.contains(&hash), "{text}");
    let (code, text) = rita.run(&["status"]).await;
    assert!(code == 3 && text.contains(&hash) && text.contains("operator op3"), "{text}");
    assert!(sam.says(&["release", &hash]).await.starts_with("released"));
    until_applied(&agent, gone).await;

    // What was released turns out to be wrong, and later is wanted all the same.
    let text = sam.says(&["rollback", &gone.to_string()[..7], "--reason", "traffic to +9370 drops"]).await;
    assert!(text.contains("takes ") && text.contains("rollback --allow"), "{text}");
    let revert = world.git.refname_to_id("refs/heads/main").unwrap();
    until_applied(&agent, revert).await;
    assert!(rita.says(&["status"]).await.contains("rolled back by sam"));
    let text = sam.says(&["rollback", "--allow", &gone.to_string()]).await;
    assert!(text.ends_with("may be applied again\n"), "{text}");

    let outcomes: Vec<Value> =
        rita.list(&["history", "--json"]).await.iter().map(|run| run["outcome"].clone()).collect();
    assert_eq!(outcomes, ["applied", "applied", "held", "applied", "applied"]);
    let text = rita.says(&["history", "--last", "1"]).await;
    assert!(text.contains(&revert.to_string()[..7]) && !text.contains(&first.to_string()[..7]), "{text}");

    let entries = rita.list(&["audit", "--since", "1h", "--json"]).await;
    let by_sam = entries.iter().rev().filter(|entry| entry["actor"] == "sam");
    let by_sam: Vec<&str> = by_sam.filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(by_sam, ["sync.pause", "sync.resume", "sync.release", "sync.rollback", "sync.allow"]);
    let text = rita.says(&["audit", "--object", "op3"]).await;
    assert!(text.contains("operator.delete") && text.contains("operator.restore"), "{text}");

    watch.line(watched("inSync")).await;
    watch.kill();
    let mine = sam.token.clone();
    assert!(!watch.written().contains(&mine));
    agent.shutdown().await;
}
