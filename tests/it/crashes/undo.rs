//! A password that was written for a commit that never came to be applied, because the agent was killed and another commit
//! came: it is taken back, whatever kind of write it was and wherever the taking back is cut off.

use std::collections::BTreeMap;
use std::time::Duration;

use bindery_agent::failpoint::Point;
use bindery_schema::secret::Secret;
use bindery_tests::documents::{contract, mno, operator, routes};
use bindery_tests::failpoints::Failpoints;
use bindery_tests::outside::Outside;
use bindery_tests::program::{Agent, Program};
use bindery_tests::world::{PATIENCE, World, eventually};
use git2::Oid;
use serde_json::Value;

use super::script::{Fate, Stage};
use crate::sync::id;

pub(super) const POINTS: &[Point] = &[Point::UndoFenced, Point::Undone, Point::UndoCleared];

type Files = Vec<(&'static str, Option<String>)>;

/// The credentials that can be read now, by operator.
async fn live(outside: &Outside) -> BTreeMap<String, Value> {
    let histories = outside.secret_history().await.into_iter().filter(|(_, (_, is_live))| *is_live);
    histories.filter_map(|(id, (mut contents, _))| Some((id, contents.pop()?))).collect()
}

/// Waits until a commit is applied in full, the agent has ended at all those places, and runs.
async fn settle(agent: &mut Program, stage: &Stage<'_>, commit: Oid, failpoints: &Failpoints, points: &[Point]) {
    let begun = tokio::time::Instant::now();
    loop {
        if agent.has_ended() {
            *agent = Agent::launch(&stage.world.config);
        }
        let fired = failpoints.fired();
        let all = points.iter().all(|point| fired.contains(point.name()));
        if all && !agent.has_ended() && stage.has_settled(commit, Fate::Applied).await {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "it never came to its end; it ended at {fired:?}:\n{}", agent.written());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Twelve operators, of which four have a sealed password and one a password of which git knows nothing; two of them are
/// deleted again.
async fn begin(world: &World, stage: &Stage<'_>, agent: &mut Program, failpoints: &Failpoints) {
    let mut files = vec![
        ("operators/carrier/mno.yaml".to_owned(), Some(mno("carrier"))),
        ("contracts/carrier.yaml".to_owned(), Some(contract("carrier", 500))),
    ];
    for n in 0..12 {
        let id = format!("op{n:02}");
        let sealed = [0, 1, 2, 4].contains(&n).then(|| world.seal(&id, &format!("s3cret{n:02}")));
        let text = operator(&id, "carrier", &format!("{id}.example"), sealed.as_deref());
        files.push((format!("operators/carrier/{id}.yaml"), Some(text)));
        files.push((format!("operators/carrier/{id}.routes.yaml"), Some(routes(&id, &[&format!("9376{n:02}")]))));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let first = world.commit("Twelve operators", &files);
    settle(agent, stage, first, failpoints, &[]).await;
    let vault = world.stores().await.vault;
    vault.write_credentials(&id("op03"), "sys-op03", &Secret::new("byh4nd03"), Some(0)).await.unwrap();
    let gone = ["op02", "op03"]
        .map(|id| [format!("operators/carrier/{id}.yaml"), format!("operators/carrier/{id}.routes.yaml")]);
    let gone: Vec<_> = gone.as_flattened().iter().map(|path| (path.as_str(), None)).collect();
    let second = world.commit("Delete two", &gone);
    settle(agent, stage, second, failpoints, &[]).await;
}

/// Every kind of write, with the operators that it takes the password from.
fn kinds(world: &World) -> Vec<(&'static str, Files, &'static [&'static str])> {
    let text = |id: &str, password: Option<&str>| {
        let sealed = password.map(|password| world.seal(id, password));
        operator(id, "carrier", &format!("{id}.example"), sealed.as_deref())
    };
    let kept = world.file("operators/carrier/op01.yaml").unwrap().replace("sys-op01", "sys-other");
    let renamed = world.file("operators/carrier/op04.yaml").unwrap().replace(
        "metadata: {id: op04, mno: carrier}",
        "metadata: {id: new04, mno: carrier, renamedFrom: {id: op04, effectiveAt: \"2026-01-01T00:00:00Z\"}}",
    );
    vec![
        ("create", vec![("operators/carrier/op12.yaml", Some(text("op12", Some("cr3ated12"))))], &[]),
        ("rotate", vec![("operators/carrier/op00.yaml", Some(text("op00", Some("r0tated00"))))], &[]),
        ("another system id", vec![("operators/carrier/op01.yaml", Some(kept))], &[]),
        (
            "rename",
            vec![
                ("operators/carrier/op04.yaml", None),
                ("operators/carrier/op04.routes.yaml", None),
                ("operators/carrier/new04.yaml", Some(renamed)),
                ("operators/carrier/new04.routes.yaml", Some(routes("new04", &["937604"]))),
            ],
            &["op04"],
        ),
        ("restore", vec![("operators/carrier/op02.yaml", Some(text("op02", Some("r3stored2"))))], &[]),
        ("restore what git does not have", vec![("operators/carrier/op03.yaml", Some(text("op03", None)))], &[]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_whose_commit_another_one_overtook_is_taken_back() {
    let world = World::new().await;
    let stage = Stage::in_world(&world).await;
    let failpoints = Failpoints::of(&world.config);
    let mut agent = Agent::launch(&world.config);
    begin(&world, &stage, &mut agent, &failpoints).await;
    let outside = &stage.outside;
    for (at, (kind, files, gone)) in kinds(&world).into_iter().enumerate() {
        let before = live(outside).await;
        let events = outside.events().await.len();
        let tip = world.head().id();
        let as_it_was: Files = files.iter().map(|(path, _)| (*path, world.file(path))).collect();

        failpoints.abort_at(&[Point::PasswordsWritten]);
        world.commit(kind, &files);
        let begun = tokio::time::Instant::now();
        while !agent.has_ended() {
            assert!(begun.elapsed() < PATIENCE, "{kind}: {}", agent.written());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let ahead = live(outside).await;
        assert!(ahead != before, "{kind}: Vault is not ahead");

        // The commit is gone from the branch, or another one takes it back.
        let told = if at % 2 == 0 {
            world.point_branch_at(tip);
            0
        } else {
            let moved = operator("op11", "carrier", &format!("moved{at}.example"), None);
            let mut instead = as_it_was;
            instead.push(("operators/carrier/op11.yaml", Some(moved)));
            world.commit("Something else instead", &instead);
            2
        };
        failpoints.take_fired();
        failpoints.abort_at(POINTS);
        settle(&mut agent, &stage, world.head().id(), &failpoints, POINTS).await;
        assert!(live(outside).await == before, "{kind}: what was there is not back");
        if kind == "rotate" {
            // As it was, the write, and the taking back, which was cut off twice and is written once.
            assert_eq!(outside.secret("op00").await.unwrap().1, 3);
        }
        eventually("events", async || outside.events().await.len() == events + told).await;

        // And it can be applied after all.
        failpoints.take_fired();
        let commit = world.commit(kind, &files);
        settle(&mut agent, &stage, commit, &failpoints, &[]).await;
        let wanted: BTreeMap<String, Value> =
            ahead.into_iter().filter(|(id, _)| !gone.contains(&id.as_str())).collect();
        assert!(live(outside).await == wanted, "{kind}: it is not applied");
    }
    // What was created and taken back is gone for good one day, as what was deleted is.
    let noted = "select count(*) from ops.deleted_secrets where operator_id = 'op12'";
    assert_eq!(outside.count(noted).await, 1);
    agent.kill();
}
