//! Two agents of which one leads: it is stopped for longer than its lease lasts and goes on, or killed again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use bindery_agent::config::Config;
use bindery_agent::failpoint::Point;
use bindery_agent::http::permissions::Role;
use bindery_schema::secret::Secret;
use bindery_tests::documents::{contract, mno, operator, routes};
use bindery_tests::failpoints::Failpoints;
use bindery_tests::outside::Outside;
use bindery_tests::program::{Agent, Program, signal};
use bindery_tests::snapshot::Snapshot;
use bindery_tests::world::{World, eventually};
use git2::Oid;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::crashes::script::{Fate, Stage};
use crate::sync::id;

type Files = Vec<(String, Option<String>)>;

/// Where a leader is stopped: before it writes a password, in the middle of a statement and with an open transaction,
/// before the cache, in the middle of it, before a deletion in Vault and before it is known of what, and between an event
/// and its mark.
const PLACES: [Point; 8] = [
    Point::BeforeWrite,
    Point::Copying,
    Point::BeforeCommit,
    Point::CatalogRead,
    Point::HalfProjected,
    Point::DeletionFenced,
    Point::DeletionRead,
    Point::Published,
];
/// Operators of the second test.
const OPERATORS: usize = 10;
/// Its commits.
const COMMITS: usize = 200;

fn path(id: &str) -> String {
    format!("operators/carrier/{id}.yaml")
}

fn file(id: &str, host: &str, sealed: Option<&str>) -> (String, Option<String>) {
    (path(id), Some(operator(id, "carrier", host, sealed)))
}

/// A carrier and operators, the first with a password.
fn begin(sealed: &str) -> Files {
    let mut files = vec![
        ("operators/carrier/mno.yaml".to_owned(), Some(mno("carrier"))),
        ("contracts/carrier.yaml".to_owned(), Some(contract("carrier", 500))),
    ];
    for n in 0..OPERATORS {
        let id = format!("op{n:02}");
        files.push(file(&id, &format!("{id}.example"), (n == 0).then_some(sealed)));
        files.push((format!("operators/carrier/{id}.routes.yaml"), Some(routes(&id, &[&format!("9376{n:02}")]))));
    }
    files
}

fn commit(world: &World, message: &str, files: &Files) -> Oid {
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    world.commit(message, &files)
}

/// The configuration of another agent for the same stores.
fn another(config: &Config) -> Config {
    let mut config = config.clone();
    config.data_dir = config.data_dir.with_file_name("second").join("agent");
    config
}

async fn settled(stage: &Stage<'_>, commit: Oid) {
    eventually("the commit is applied and shown", async || stage.has_settled(commit, Fate::Applied).await).await;
}

/// The commits of the first test, with passwords sealed once for all worlds: in the second the leader is stopped.
async fn history(world: &World) -> &'static [Files] {
    static HISTORY: OnceCell<Vec<Files>> = OnceCell::const_new();
    let written = || async {
        let seal = |password: &str| world.seal("op00", password);
        let (first, second, third) = (seal("s3cret01"), seal("s3cret02"), seal("s3cret03"));
        let gone = |id: &str| vec![(path(id), None), (format!("operators/carrier/{id}.routes.yaml"), None)];
        let back = vec![
            file("op03", "op03.example", None),
            ("operators/carrier/op03.routes.yaml".to_owned(), Some(routes("op03", &["937603"]))),
        ];
        let change = vec![
            file("op00", "moved.example", Some(&second)),
            file("op04", "moved4.example", None),
            ("operators/carrier/op04.routes.yaml".to_owned(), Some(routes("op04", &["937604", "937614"]))),
        ];
        vec![
            begin(&first),
            [change, gone("op03")].concat(),
            [vec![file("op00", "moved.example", Some(&third))], back].concat(),
            vec![file("op04", "later4.example", None)],
            vec![file("op05", "last5.example", None)],
        ]
    };
    HISTORY.get_or_init(written).await
}

/// The first commit, and a password that git does not know.
async fn first(stage: &mut Stage<'_>, history: &[Files]) {
    let begun = commit(stage.world, "Commit 0", &history[0]);
    stage.commits.push(begun);
    settled(stage, begun).await;
    let vault = stage.world.stores().await.vault;
    vault.write_credentials(&id("op03"), "sys-op03", &Secret::new("byh4nd03"), Some(0)).await.unwrap();
}

/// The next commit, applied in full.
async fn next(stage: &mut Stage<'_>, history: &[Files]) {
    let at = stage.commits.len();
    let commit = commit(stage.world, &format!("Commit {at}"), &history[at]);
    stage.commits.push(commit);
    settled(stage, commit).await;
}

/// What the stores hold where nothing happened.
async fn undisturbed() -> Snapshot {
    let world = World::new().await;
    let mut stage = Stage::in_world(&world).await;
    let history = history(&world).await;
    let mut agent = Agent::launch(&world.config);
    first(&mut stage, history).await;
    while stage.commits.len() < history.len() {
        next(&mut stage, history).await;
    }
    agent.kill();
    Snapshot::of(&stage.outside, &stage.commits).await
}

/// The same with a leader that stands still in the middle of the second commit until the fourth is applied.
async fn stopped_at(place: Point) -> Snapshot {
    let world = World::new().await;
    let mut stage = Stage::in_world(&world).await;
    let history = history(&world).await;
    let failpoints = Failpoints::of(&world.config);
    let leader = Agent::start(&world.config).await;
    first(&mut stage, history).await;
    let follower = Agent::start(&another(&world.config)).await;
    let pid = leader.program.id();
    failpoints.stop_at(place);
    let stopped = commit(&world, "Commit 1", &history[1]);
    stage.commits.push(stopped);
    failpoints.stopped(place, pid).await;
    settled(&stage, stopped).await;
    next(&mut stage, history).await;
    next(&mut stage, history).await;

    signal("CONT", &pid.to_string());
    // Its step is at an end once it says, as a follower, what the other has applied.
    let (token, applied) = (world.token("nora", Role::Noc), stage.commits.last().unwrap().to_string());
    eventually("the woken leader follows", async || {
        let answer = reqwest::Client::new().get(format!("{}/v1/admin/sync", leader.admin)).bearer_auth(&token);
        let status: Value = answer.send().await.unwrap().json().await.unwrap();
        status["leads"] == json!(false) && status["applied"]["commit"] == json!(applied)
    })
    .await;
    next(&mut stage, history).await;
    let snapshot = Snapshot::of(&stage.outside, &stage.commits).await;
    leader.program.stop().await;
    follower.program.stop().await;
    snapshot
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_was_stopped_past_its_lease_does_no_harm() {
    // The wait is for a lease to run out, so all are stopped at once.
    let stopped = PLACES.map(|place| Box::pin(stopped_at(place)));
    let (clean, stopped) = futures::join!(Box::pin(undisturbed()), futures::future::join_all(stopped));
    for (place, snapshot) in PLACES.iter().zip(stopped) {
        snapshot.assert_equals(&clean, place.name());
    }
}

/// An agent that is killed and started, and what it is known by as the holder of the lease.
struct Killed {
    config: Config,
    program: Program,
}

impl Killed {
    fn start(config: Config) -> Self {
        Self { program: Agent::launch(&config), config }
    }

    /// Whether it holds the lease.
    async fn leads(&self, outside: &Outside) -> bool {
        let Ok(name) = std::fs::read_to_string(self.config.data_dir.join("agent-id")) else { return false };
        let holder = "select holder from ops.leases where expires_at > now()";
        let holder: Option<String> = sqlx::query_scalar(holder).fetch_optional(&outside.postgres).await.unwrap_or(None);
        holder.as_deref() == Some(name.trim())
    }
}

async fn generation(outside: &Outside) -> i64 {
    outside.count_if_there("select generation from ops.sync_state").await.unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_commits_while_the_leader_is_killed_again_and_again_are_applied_once() {
    const BURST: usize = 10;
    let world = World::new().await;
    let outside = world.outside().await;
    let mut agents = [Killed::start(world.config.clone()), Killed::start(another(&world.config))];
    let mut commits = vec![commit(&world, "Begin", &begin(&world.seal("op00", "s3cret000")))];
    let mut password = String::new();
    for number in 1..=COMMITS {
        let n = number % OPERATORS;
        let sealed = (n == 0).then(|| {
            password = format!("s3cret{number:03}");
            world.seal("op00", &password)
        });
        let id = format!("op{n:02}");
        let change = vec![file(&id, &format!("host{number}.example"), sealed.as_deref())];
        commits.push(commit(&world, &format!("Commit {number}"), &change));
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..60))).await;
        if number % BURST != 0 {
            continue;
        }
        // It has done something since the last time; then it is killed at any moment of what comes next.
        let before = generation(&outside).await;
        let burst = number / BURST;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..300))).await;
        for at in 0..agents.len() {
            if !agents[at].leads(&outside).await {
                continue;
            }
            agents[at].program.kill();
            if burst % 10 == 5 {
                // Long enough for the other one to take over.
                eventually("the other one leads", async || agents[1 - at].leads(&outside).await).await;
            }
            agents[at].program = Agent::launch(&agents[at].config);
            break;
        }
        if burst.is_multiple_of(2) {
            let tip = commits[commits.len() - 1].to_string();
            eventually("something is applied", async || {
                generation(&outside).await > before || outside.column(APPLIED).await == [tip.clone()]
            })
            .await;
        }
    }
    let stage = Stage::in_world(&world).await;
    settled(&stage, *commits.last().unwrap()).await;
    everything_is_there_once(&world, &outside, &commits).await;
    let secret = outside.secret("op00").await.unwrap().0;
    assert!(
        secret == json!({ "systemId": "sys-op00", "password": password }),
        "the last password is not the one in Vault"
    );
    for agent in &mut agents {
        agent.program.kill();
    }
}

const APPLIED: &str = "select coalesce(applied_commit, '') from ops.sync_state";

/// The operators whose files differ between two commits.
fn changed(world: &World, before: Option<Oid>, after: Oid) -> Vec<String> {
    let tree = |commit: Oid| world.git.find_commit(commit).unwrap().tree().unwrap();
    let diff = world.git.diff_tree_to_tree(before.map(tree).as_ref(), Some(&tree(after)), None).unwrap();
    let paths = diff.deltas().filter_map(|delta| Some(delta.new_file().path()?.to_str()?.to_owned()));
    let ids = paths.filter_map(|path| Some(path.strip_prefix("operators/carrier/")?.strip_suffix(".yaml")?.to_owned()));
    let mut ids: Vec<String> = ids.filter(|id| id.starts_with("op") && !id.contains('.')).collect();
    ids.sort();
    ids
}

/// Each commit is applied or skipped, once and on record; the events are those of the applied steps, once and in order;
/// the stores say what the branch says.
async fn everything_is_there_once(world: &World, outside: &Outside, commits: &[Oid]) {
    let runs: Vec<(String, Option<String>, i64, Value)> = sqlx::query_as(
        "select commit, previous_commit, generation, skipped from ops.sync_runs where outcome = 'applied' order by id",
    )
    .fetch_all(&outside.postgres)
    .await
    .unwrap();
    let numbers: BTreeMap<String, usize> =
        commits.iter().enumerate().map(|(number, commit)| (commit.to_string(), number)).collect();
    let mut on_record = Vec::new();
    let mut events = Vec::new();
    let mut before: Option<Oid> = None;
    for (at, (commit, previous, generation, skipped)) in runs.iter().enumerate() {
        assert_eq!(*generation, i64::try_from(at).unwrap() + 1);
        assert_eq!(previous.as_deref(), before.map(|before| before.to_string()).as_deref());
        on_record.extend(skipped.as_array().unwrap().iter().map(|skipped| numbers[skipped.as_str().unwrap()]));
        on_record.push(numbers[commit]);
        let oid: Oid = commit.parse().unwrap();
        let told = if before.is_none() { "operator.config.created.v1" } else { "operator.config.updated.v1" };
        let ids = changed(world, before, oid).into_iter();
        events.extend(ids.map(|id| (told.to_owned(), id, *generation)));
        events.push(("ops.sync.applied.v1".to_owned(), commit.clone(), *generation));
        before = Some(oid);
    }
    // What was there before the first step was not skipped by it.
    let first = on_record[0];
    assert_eq!(on_record, (first..commits.len()).collect::<Vec<_>>(), "a commit is not on record, or twice");
    assert!(runs.len() > 20, "only {} steps", runs.len());
    let audited =
        "select coalesce(detail ->> 'skipped', '') from ops.audit_log where action = 'sync.apply' order by id";
    let audited: Vec<Value> =
        outside.column(audited).await.iter().map(|skipped| serde_json::from_str(skipped).unwrap()).collect();
    assert_eq!(audited, runs.iter().map(|run| run.3.clone()).collect::<Vec<_>>());

    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told: Vec<(String, String, i64)> = (outside.events().await.iter())
        .map(|event| (text(&event["type"]), text(&event["subject"]), event["data"]["generation"].as_i64().unwrap()))
        .collect();
    assert_eq!(told, events);

    let hosts: Vec<String> = (0..OPERATORS)
        .map(|n| {
            let text = world.file(&path(&format!("op{n:02}"))).unwrap();
            text.split_once("host: ").unwrap().1.split(',').next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(outside.column("select host from ops.operators order by id").await, hosts);
    for (n, host) in hosts.iter().enumerate() {
        assert_eq!(outside.cached(&format!("ops:operator:op{n:02}")).await.unwrap()["smpp"]["host"], json!(host));
    }
}
