//! A history of commits that has every kind of change in it, the same for every world it is played in.

use bindery_agent::store::Stores;
use bindery_schema::secret::Secret;
use bindery_tests::documents::{contract, mno, operator, routes};
use bindery_tests::outside::Outside;
use bindery_tests::world::World;
use git2::Oid;
use tokio::sync::OnceCell;

use crate::sync::id;

/// A file of a commit: its path, and its text or nothing.
type File = (String, Option<String>);

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is applied.
    Applied,
    /// It does not compile.
    Rejected,
    /// A guardrail holds it.
    Held,
    /// The branch went back to the commit that is applied.
    TakenBack,
}

/// What happens before a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// A password that git does not have is put into Vault.
    Password,
    /// A pause ends.
    Pause,
    /// The tree of the tip is refused, as after a rollback.
    Refusal,
}

/// One commit.
#[derive(Debug)]
pub(crate) struct Step {
    /// Its message.
    pub(crate) name: &'static str,
    /// What becomes of it.
    pub(crate) fate: Fate,
    before: Before,
    files: Vec<File>,
}

/// The commit's trailer that lets the held plan go, or allows the refused revision.
const ALLOW: &str = "\n\nBindery-Allow: ";

fn path(id: &str) -> String {
    format!("operators/carrier/{id}.yaml")
}

fn routes_path(id: &str) -> String {
    format!("operators/carrier/{id}.routes.yaml")
}

fn gone(id: &str) -> [File; 2] {
    [(path(id), None), (routes_path(id), None)]
}

/// The operator `op{n}` at a host.
fn at(n: usize, host: &str, sealed: Option<&str>) -> File {
    let id = format!("op{n:02}");
    (path(&id), Some(operator(&id, "carrier", host, sealed)))
}

/// Its rules: its own prefix, which no other has anything of, with these digits after it.
fn ruled(n: usize, digits: &[&str]) -> File {
    let prefixes: Vec<String> = digits.iter().map(|digits| format!("9376{n:02}{digits}")).collect();
    let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
    let id = format!("op{n:02}");
    (routes_path(&id), Some(routes(&id, &prefixes)))
}

/// An operator as it begins.
fn new(n: usize, sealed: Option<&str>) -> [File; 2] {
    [at(n, &format!("op{n:02}.example"), sealed), ruled(n, &[""])]
}

/// The history. Passwords are sealed once: a sealed text is never the same twice, and its hash is compared.
pub(crate) async fn script(world: &World) -> &'static [Step] {
    static SCRIPT: OnceCell<Vec<Step>> = OnceCell::const_new();
    SCRIPT.get_or_init(|| async { written(world) }).await
}

fn written(world: &World) -> Vec<Step> {
    let seal = |n: usize, password: &str| world.seal(&format!("op{n:02}"), password);
    let (zero, one, two) = (seal(0, "s3cret00"), seal(1, "s3cret01"), seal(2, "s3cret02"));
    let (zero_again, one_again, ten) = (seal(0, "r0tated00"), seal(1, "r0tated01"), seal(10, "s3cret10"));
    let last = seal(1, "l4st0001");
    let other_system = || {
        let (path, text) = at(0, "op00.example", Some(&zero_again));
        (path, text.map(|text| text.replace("sys-op00", "sys-zero")))
    };
    let renamed = operator("new02", "carrier", "op02.example", Some(&two)).replace("sys-new02", "sys-op02").replace(
        "metadata: {id: new02, mno: carrier}",
        "metadata: {id: new02, mno: carrier, renamedFrom: {id: op02, effectiveAt: \"2026-01-01T00:00:00Z\"}}",
    );
    let begin: Vec<File> = [
        ("operators/carrier/mno.yaml".to_owned(), Some(mno("carrier"))),
        ("contracts/carrier.yaml".to_owned(), Some(contract("carrier", 500))),
    ]
    .into_iter()
    .chain((0..10).flat_map(|n| new(n, [Some(&zero), Some(&one), Some(&two)].get(n).copied().flatten().map(|x| &**x))))
    .collect();
    let five = |back: bool| -> Vec<File> {
        (4..9).flat_map(|n| if back { new(n, None) } else { gone(&format!("op{n:02}")) }).collect()
    };
    let many: Vec<String> = (0..10).map(|digit| format!("{digit}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let step = |name, fate, before, files| Step { name, fate, before, files };
    let applied = |name, files| step(name, Fate::Applied, Before::Nothing, files);
    vec![
        applied("Begin", begin),
        step(
            "Move and route",
            Fate::Applied,
            Before::Password,
            vec![at(4, "moved.example", None), ruled(5, &["1", "2"])],
        ),
        applied(
            "Rotate",
            vec![
                at(0, "op00.example", Some(&zero_again)),
                at(1, "op01.example", Some(&one_again)),
                at(6, "moved6.example", None),
            ],
        ),
        applied("Another system id", vec![other_system()]),
        applied(
            "Rename",
            [
                gone("op02").to_vec(),
                vec![(path("new02"), Some(renamed)), (routes_path("new02"), Some(routes("new02", &["937602"])))],
            ]
            .concat(),
        ),
        applied("Delete two", [gone("op00"), gone("op03")].concat()),
        applied("Restore two", [vec![other_system(), ruled(0, &[""])], new(3, None).to_vec()].concat()),
        applied(
            "Contract and reservation",
            vec![(
                "contracts/carrier.yaml".to_owned(),
                Some(contract("carrier", 501).replace("reservedTps: 10", "reservedTps: 11")),
            )],
        ),
        applied("Rules", vec![ruled(7, &many), ruled(5, &["2"])]),
        step("Broken", Fate::Rejected, Before::Nothing, vec![(path("op08"), Some("kind: Nothing\n".to_owned()))]),
        applied("Mended", vec![at(8, "moved8.example", None)]),
        step("Delete five", Fate::Held, Before::Nothing, five(false)),
        applied("Let them go", Vec::new()),
        applied("Restore five and create one", [five(true), new(10, Some(&ten)).to_vec()].concat()),
        step("Delete five again", Fate::Held, Before::Nothing, five(false)),
        step("Taken back", Fate::TakenBack, Before::Nothing, Vec::new()),
        step("After a pause", Fate::Applied, Before::Pause, vec![at(9, "moved9.example", None)]),
        step("Allow it", Fate::Applied, Before::Refusal, Vec::new()),
        applied("Rotate the last", vec![at(1, "op01.example", Some(&last)), at(4, "last.example", None)]),
    ]
}

/// Where a history is played.
pub(crate) struct Stage<'a> {
    pub(crate) world: &'a World,
    pub(crate) outside: Outside,
    stores: Stores,
    /// Those made so far.
    pub(crate) commits: Vec<Oid>,
}

impl<'a> Stage<'a> {
    pub(crate) async fn in_world(world: &'a World) -> Self {
        Self { world, outside: world.outside().await, stores: world.stores().await, commits: Vec::new() }
    }

    /// Makes a step's commit, and returns what the branch points to.
    pub(crate) async fn perform(&mut self, step: &Step) -> Oid {
        let tip = self.commits.last().copied();
        self.prepare(step).await;
        let trailer = match (step.name, step.before) {
            ("Let them go", _) => self.outside.column("select plan_hash from ops.held_plan").await.pop(),
            (_, Before::Refusal) => tip.map(|tip| tip.to_string()),
            _ => None,
        };
        if step.fate == Fate::TakenBack {
            let back = self.world.head().parent_id(0).unwrap();
            self.world.point_branch_at(back);
            return back;
        }
        let message = trailer.map_or_else(|| step.name.to_owned(), |hash| format!("{}{ALLOW}{hash}\n", step.name));
        let files: Vec<_> = step.files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        let commit = self.world.commit(&message, &files);
        self.commits.push(commit);
        commit
    }

    async fn prepare(&self, step: &Step) {
        match step.before {
            Before::Nothing => {}
            Before::Password => {
                let (vault, three) = (&self.stores.vault, id("op03"));
                vault.write_credentials(&three, "sys-op03", &Secret::new("byh4nd03"), Some(0)).await.unwrap();
            }
            Before::Pause => {
                let pause = "insert into ops.sync_pause (reason, paused_by, since, until)
                             values ('works', 'sam', '2026-01-01T00:00:00Z', '2026-01-01T01:00:00Z')";
                sqlx::query(pause).execute(&self.outside.postgres).await.unwrap();
            }
            Before::Refusal => {
                let refuse = "insert into ops.refused_trees (tree, revision, reason, refused_by, refused_at)
                              values ($1, $2, 'traffic drops', 'sam', '2026-01-01T00:00:00Z')";
                let tip = self.world.head();
                let refuse = sqlx::query(refuse).bind(tip.tree_id().to_string()).bind(tip.id().to_string());
                refuse.execute(&self.outside.postgres).await.unwrap();
            }
        }
    }

    /// Whether all that is to come of a commit is there, events and cache included.
    pub(crate) async fn has_settled(&self, commit: Oid, fate: Fate) -> bool {
        let sql = match fate {
            Fate::Applied | Fate::TakenBack => {
                "select coalesce(applied_commit = $1, false) and not exists (select from ops.secret_intents)
                     and not exists (select from ops.held_plan) and not exists (select from ops.sync_pause)
                     and not exists (select from ops.outbox where published_at is null) from ops.sync_state"
            }
            Fate::Rejected => {
                "select exists (select from ops.sync_runs where commit = $1 and outcome = 'rejected')
                     and not exists (select from ops.outbox where published_at is null)"
            }
            Fate::Held => {
                "select exists (select from ops.held_plan where commit = $1)
                     and not exists (select from ops.outbox where published_at is null)"
            }
        };
        let commit = commit.to_string();
        // There are no tables before the first start.
        let settled = sqlx::query_scalar(sql).bind(&commit).fetch_one(&self.outside.postgres).await.unwrap_or(false);
        settled
            && (!matches!(fate, Fate::Applied | Fate::TakenBack)
                || self.outside.cached("ops:catalog").await.is_some_and(|shown| shown["commit"] == commit))
    }
}
