//! From a spreadsheet to routing (US-OPS-07), as the guide `runbooks/coming-from-a-spreadsheet.md` tells people to go: a new
//! repository, a dry run, an import with sealed passwords, a commit and a push. An agent that follows brings every column
//! into Postgres and every password into Vault, and a routing engine that starts with nothing routes as the spreadsheet says.

mod routing;
mod sheet;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use bindery_agent::http::permissions::Role;
use bindery_schema::wire::api::SyncStatus;
use bindery_tests::canary::Texts;
use bindery_tests::listeners::{answer, client};
use bindery_tests::outside::Outside;
use bindery_tests::program::{Agent, bindery, git};
use bindery_tests::stack::workspace;
use bindery_tests::world::{World, eventually};
use serde_json::{Value, json};

use sheet::{Carriers, Row, Rule, Sheet};

/// How every password of the spreadsheet begins.
const CANARY: &str = "cn4r";

/// A working copy that somebody brings the spreadsheet into.
struct Migration {
    world: World,
    csv: PathBuf,
    work: PathBuf,
    report: PathBuf,
}

impl Migration {
    async fn begin() -> Self {
        let world = World::new().await;
        let csv = workspace().join("tests/fixtures/import/seventy-one/legacy.csv");
        let (work, report) = (world.dir.path().join("carriers"), world.dir.path().join("import.json"));
        Self { world, csv, work, report }
    }

    fn bindery(&self, arguments: &[&str]) -> Output {
        bindery(arguments, &self.work, None)
    }

    /// What a command that works says.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.bindery(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Imports, and returns the last line and the report.
    fn import(&self, more: &[&str]) -> (String, Value) {
        let (csv, report) = (self.csv.to_str().unwrap(), self.report.to_str().unwrap());
        let terms = ["--contract-from", "2026-01-01", "--document-prefix", "s3://contracts/legacy"];
        let output = self.bindery(&[&["import", csv, "--into", ".", "--report", report], &terms[..], more].concat());
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        // Rows were refused: a script that goes on after that does so knowingly.
        assert_eq!(output.status.code(), Some(1), "{text}");
        let written = fs::read_to_string(&self.report).unwrap();
        assert!(!text.contains(CANARY) && !written.contains(CANARY), "{text}\n{written}");
        (text.lines().last().unwrap().to_owned(), serde_json::from_str(&written).unwrap())
    }

    /// A new repository, with the key the agent opens passwords with, and without the example.
    fn init(&self) {
        let carriers = self.work.to_str().unwrap();
        assert!(bindery(&["init", carriers], self.world.dir.path(), None).status.success());
        git(&["init", "--quiet", "--initial-branch=main"], &self.work);
        fs::remove_dir_all(self.work.join("operators/example")).unwrap();
        fs::remove_file(self.work.join("contracts/example.yaml")).unwrap();
        fs::remove_file(self.work.join("runbooks/mno/example.md")).unwrap();
        let policy = self.work.join("policy.yaml");
        let text = fs::read_to_string(&policy).unwrap();
        let recipients = format!("recipients:\n      - {}", self.world.stack.pki.age_recipient);
        assert!(text.contains("recipients: []"));
        fs::write(policy, text.replace("recipients: []", &recipients)).unwrap();
    }

    /// Commits everything and pushes it; returns the commit.
    fn push(&self, message: &str) -> String {
        git(&["add", "--all"], &self.work);
        git(&["commit", "--quiet", "--message", message], &self.work);
        git(&["push", "--quiet", self.world.git.path().to_str().unwrap(), "HEAD:main"], &self.work);
        git(&["rev-parse", "HEAD"], &self.work)
    }

    async fn status(&self, agent: &Agent) -> SyncStatus {
        let token = self.world.token("ana", Role::ReadOnly);
        let url = format!("{}/v1/admin/sync", agent.admin);
        reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_spreadsheet_arrives_in_the_stores_and_is_routed() {
    let migration = Migration::begin().await;
    migration.init();
    let before = git(&["status", "--porcelain"], &migration.work);
    let (line, tried) = migration.import(&["--dry-run"]);
    assert!(line.starts_with("71 rows: 10 imported, 25 normalised, 34 refused, 2 blank"), "{line}");
    assert_eq!(git(&["status", "--porcelain"], &migration.work), before, "a dry run writes nothing");

    let (line, report) = migration.import(&["--seal"]);
    assert!(line.contains("files created"), "{line}");
    assert_eq!((&tried["rows"], &tried["dryRun"]), (&report["rows"], &json!(true)), "a dry run says what comes");
    let sheet = Sheet::read(&migration.csv, &report);
    assert_eq!((sheet.taken.len(), sheet.refused.len()), (35, 34));
    assert!(migration.says(&["check"]).contains(": 0 errors"));
    migration.says(&["fmt", "--check"]);
    notes_are_kept(&migration.work, &sheet);
    let commit = migration.push("Bring in the spreadsheet");

    let agent = Agent::start(&migration.world.config).await;
    let outside = migration.world.outside().await;
    eventually("the commit is applied", async || {
        let status = migration.status(&agent).await;
        status.applied.is_some_and(|applied| (applied.commit, applied.generation) == (commit.clone(), 1))
    })
    .await;
    every_column_is_in_postgres(&outside, &sheet).await;
    passwords_are_served(&migration.world, &agent, &sheet).await;
    eventually("all is published and shown", async || {
        outside.count("select count(*) from ops.outbox where published_at is null").await == 0
            && outside.cached("ops:catalog").await.is_some_and(|shown| shown["commit"] == commit)
    })
    .await;
    nothing_else_is_anywhere(&migration, &agent, &outside, &sheet).await;
    routing::as_the_spreadsheet_says(&migration, &agent, &sheet).await;

    // The production run after the sign-off, into the same repository.
    let (line, signed) = migration.import(&["--seal", "--production", "--signed-off-by", "Jane Doe"]);
    assert!(line.ends_with("; 0 files created, 0 changed"), "{line}");
    assert_eq!((&signed["rows"], &signed["signedOffBy"]), (&report["rows"], &json!("Jane Doe")));
    assert_eq!(signed["sha256"], report["sha256"]);
    assert_eq!(git(&["status", "--porcelain"], &migration.work), "");
    let looked = migration.status(&agent).await.last_fetch_at;
    eventually("the branch is looked at again", async || migration.status(&agent).await.last_fetch_at > looked).await;
    let now = migration.status(&agent).await.applied.unwrap();
    assert_eq!((now.commit, now.generation), (commit, 1));
    assert_eq!(outside.events_of("ops.sync.applied.v1").await.len(), 1);
    agent.program.stop().await;
}

/// What no field has a place for stands as a comment at the head of the operator's file.
fn notes_are_kept(work: &Path, sheet: &Sheet) {
    let files: BTreeMap<String, String> = git(&["ls-files", "--others", "--exclude-standard", "operators"], work)
        .lines()
        .map(|path| (path.rsplit('/').next().unwrap().to_owned(), fs::read_to_string(work.join(path)).unwrap()))
        .collect();
    for row in &sheet.taken {
        let file = &files[&format!("{}.yaml", row.id())];
        for line in row.cell("Notes").lines() {
            assert!(file.contains(&format!("# {line}\n")), "{line}\n{file}");
        }
    }
}

/// Each operator with its carrier's name and country.
const OPERATORS: &str = "select json_build_object('id', o.id, 'row', json_build_object(
        'carrier', m.name, 'country', m.country, 'host', o.host, 'port', o.port, 'systemId', o.system_id,
        'systemType', o.spec->'smpp'->'systemType', 'bindMode', o.bind_mode,
        'windowSize', o.spec->'smpp'->'windowSize', 'outbound', o.tps_outbound, 'inbound', o.tps_inbound))::text
    from ops.operators o join ops.mnos m on m.id = o.mno_id";
const RULES: &str =
    "select json_build_array(prefix, operator_id, priority, weight, trim_scale(cost)::text, currency)::text
    from ops.routing_rules where active";
const CARRIERS: &str = "select json_build_array(json_build_array(country, name), json_build_array(
        coalesce(spec->'mccmnc', '[]'), jsonb_path_query_array(spec, '$.contacts.t1[*].email')))::text from ops.mnos";
const CONTRACTS: &str = "select json_build_array(json_build_array(m.name, bind_direction),
        json_build_array(contract_ref, contracted_tps))::text from ops.tps_contracts c join ops.mnos m on m.id = c.mno_id";

fn read<T: serde::de::DeserializeOwned>(rows: &[String]) -> Vec<T> {
    rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

async fn every_column_is_in_postgres(outside: &Outside, sheet: &Sheet) {
    let rows: Vec<Value> = read(&outside.column(OPERATORS).await);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let operators: BTreeMap<String, Value> = rows.iter().map(|row| (text(&row["id"]), row["row"].clone())).collect();
    assert_eq!(operators, sheet.operators());
    assert_eq!(read(&outside.column(RULES).await).into_iter().collect::<BTreeSet<Rule>>(), sheet.rules());
    assert_eq!(read(&outside.column(CARRIERS).await).into_iter().collect::<Carriers>(), sheet.carriers());
    let contracts: Vec<((String, String), (String, u64))> = read(&outside.column(CONTRACTS).await);
    let expected = sheet.contracts();
    assert_eq!(expected.len(), 3, "one of the four has a row without a reference: {expected:?}");
    let expected =
        expected.into_iter().map(|((carrier, direction), contract)| ((carrier, direction.to_owned()), contract));
    assert_eq!(contracts.into_iter().collect::<BTreeMap<_, _>>(), expected.collect());
}

/// Over mutual TLS, each password as the spreadsheet has it; of refused rows there is none.
async fn passwords_are_served(world: &World, agent: &Agent, sheet: &Sheet) {
    let http = client(&world.stack.pki.ca, Some(&world.stack.pki.smpp_connector));
    let url = |id: &str| format!("{}/v1/internal/operators/{id}/credentials", agent.internal);
    for row in &sheet.taken {
        let (status, body) = answer(http.get(url(row.id())).send().await.unwrap()).await;
        assert_eq!(status, 200, "{}", row.id());
        // Compared without being shown where it differs.
        assert!(body["password"] == row.cell("Password"), "the password of {} is another one", row.id());
        assert_eq!(body["smpp"]["systemId"], row.cell("System ID"), "{}", row.id());
    }
    let taken: BTreeSet<&str> = sheet.taken.iter().map(Row::id).collect();
    let refused = sheet.refused.iter().map(Row::id).filter(|id| !taken.contains(id));
    let named: Vec<&str> = refused.filter(|id| id.starts_with("ht-")).collect();
    assert!(named.len() > 20, "{named:?}");
    for id in named {
        assert_eq!(http.get(url(id)).send().await.unwrap().status(), 404, "{id}");
    }
}

/// The stores hold the rows that were taken and nothing of those that were refused, and passwords are in Vault alone.
async fn nothing_else_is_anywhere(migration: &Migration, agent: &Agent, outside: &Outside, sheet: &Sheet) {
    let ids: BTreeSet<String> = sheet.taken.iter().map(|row| row.id().to_owned()).collect();
    assert_eq!(outside.secret_names().await.into_iter().collect::<BTreeSet<_>>(), ids);
    let shown = outside.cache("ops:operator:").await.into_iter();
    let shown: BTreeSet<String> = shown.map(|(key, _)| key.trim_start_matches("ops:operator:").to_owned()).collect();
    assert_eq!(shown, ids);
    let created = outside.events_of("operator.config.created.v1").await;
    let told: Vec<&str> = created.iter().map(|event| event["data"]["operatorId"].as_str().unwrap()).collect();
    assert_eq!(told.len(), ids.len());
    assert_eq!(told.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), ids);

    let mut texts = Texts::default();
    texts.add_stores(outside).await;
    texts.add_repository(migration.world.git.path());
    texts.add_repository(&migration.world.clone_of_agent());
    texts.add("output", agent.program.written());
    texts.add("metrics", agent.ops("/metrics").await.1);
    for place in ["postgres ops.operators", "redis ops:operator:ht-1", "git"] {
        assert_ne!(texts.places(place, "smsc1.gamma.example"), 0, "{place}");
    }
    assert_eq!(texts.that_hold(&[CANARY.to_owned()]), [""; 0]);
    // What only rows have that were refused: Excel's spelling of a host would not be found, its lower case is looked for.
    let has = |row: &Row, host: &str| row.cell("SMPP Host").eq_ignore_ascii_case(host);
    let hosts = sheet.refused.iter().map(|row| row.cell("SMPP Host").trim_end_matches('.').to_lowercase());
    let hosts = hosts.filter(|host| host.ends_with(".gamma.example") && !host.contains([' ', '/']));
    let gone: Vec<String> = hosts.filter(|host| !sheet.taken.iter().any(|row| has(row, host))).collect();
    assert!(gone.len() > 20, "{gone:?}");
    assert_eq!(texts.that_hold(&gone), [""; 0]);
}
