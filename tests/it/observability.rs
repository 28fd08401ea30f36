//! OBSERVABILITY.md, the alerts and their runbooks say what is so.

use std::collections::BTreeSet;
use std::process::Output;

use bindery_tests::observed::{Observed, documented, exposed, file, quoted};
use bindery_tests::program::{bindery, run};
use bindery_tests::stack::{programs, workspace};

const DOCUMENT: &str = "OBSERVABILITY.md";
const ALERTS: &str = "observability/alerts.yaml";
const CASES: &str = "observability/alerts.test.yaml";
const FOLDER: &str = "runbooks/alerts";

#[tokio::test(flavor = "multi_thread")]
async fn the_document_has_the_metrics_and_log_fields_that_there_are() {
    let mut observed = Observed::new().await;
    observed.look();
    // The first signals may come before the agent hears them, the first events before it publishes.
    for told in ["bindery_health_transitions_total{", "bindery_events_published_total{"] {
        let mut tries = 0;
        while !observed.metrics().await.contains(told) {
            observed.exercise().await;
            tries += 1;
            assert!(tries < 1_000, "never told of: {told}");
        }
    }
    observed.exercise().await;
    let text = file(DOCUMENT);
    let (written, shown) = (documented(&text), exposed(&observed.metrics().await));
    let names = |families: &std::collections::BTreeMap<String, _>| families.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&shown), names(&written));
    for (name, family) in &shown {
        let said = &written[name];
        assert_eq!(family.kind, said.kind, "{name}");
        let labels = |labels: &std::collections::BTreeMap<String, _>| labels.keys().cloned().collect::<Vec<_>>();
        assert_eq!(labels(&family.labels), labels(&said.labels), "{name}");
        for (label, values) in &family.labels {
            let allowed = &said.labels[label];
            assert!(allowed.is_empty() || values.is_subset(allowed), "{name}: {label} is {values:?}");
        }
    }
    let log = text.split("## Log").nth(1).unwrap();
    let rows =
        log.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next().map(|cell| format!("`{cell}")));
    let fields: BTreeSet<_> = rows.flat_map(|cell| quoted(&cell)).collect();
    let logged = observed.logged();
    assert!(logged.contains("commit") && logged.contains("outcome"), "{logged:?}");
    assert!(logged.is_subset(&fields), "not in the document: {:?}", logged.difference(&fields));
    observed.agent.program.stop().await;
}

/// Rules, dashboard and runbooks ask for nothing that is not there: such a query would be empty and no alert would fire.
#[test]
fn only_documented_metrics_are_asked_for() {
    let known = documented(&file(DOCUMENT));
    let mut asked = 0;
    let paths = [ALERTS, CASES, "observability/grafana.json"].map(str::to_owned).into_iter();
    for path in paths.chain(runbooks()) {
        let text = file(&path);
        for name in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.starts_with("bindery_")) {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            assert!(known.contains_key(name) || known.contains_key(family), "{path}: {name}");
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
}

#[test]
fn each_alert_has_a_runbook_and_cases_and_each_runbook_an_alert() {
    let (rules, cases, document) = (file(ALERTS), file(CASES), file(DOCUMENT));
    let values = |text: &str, key: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix(key));
        lines.map(|value| value.trim().to_owned()).collect()
    };
    let (alerts, links) = (values(&rules, "alert:"), values(&rules, "runbook_url:"));
    assert_eq!((alerts.len(), alerts.iter().collect::<BTreeSet<_>>().len()), (links.len(), 6));
    let mut linked = BTreeSet::new();
    for (alert, link) in alerts.iter().zip(&links) {
        let path = link.split_once("/blob/main/").unwrap().1.to_owned();
        assert!(file(&path).starts_with(&format!("# {alert}\n")), "{path} is not of {alert}");
        assert!(document.contains(&path) && document.contains(&format!("| {alert} |")), "{alert}");
        let silent = format!("alertname: {alert}, exp_alerts: []");
        let fires = format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels:");
        assert!(cases.contains(&silent) && cases.contains(&fires), "{alert}");
        linked.insert(path);
    }
    assert_eq!(linked, runbooks().collect());
}

#[test]
fn runbooks_say_what_to_do_with_commands_that_exist() {
    let mut commands = 0;
    for path in runbooks() {
        let text = file(&path);
        assert!(text.lines().count() <= 80, "{path} is too long for somebody who was woken");
        for section in ["**Means:**", "## Look at", "## Do", "## Escalate"] {
            assert!(text.contains(section), "{path} lacks {section}");
        }
        let lines =
            text.lines().filter(|line| line.trim_start().starts_with("bindery")).map(|line| line.trim().to_owned());
        let inline = text.lines().flat_map(quoted).filter(|code| code.starts_with("bindery"));
        for command in lines
            .chain(inline)
            .filter(|command| command.starts_with("bindery-agent ") || command.starts_with("bindery "))
        {
            let output = understood(&command);
            assert!(output.status.success(), "{path}: {command}: {}", String::from_utf8_lossy(&output.stderr));
            commands += 1;
        }
    }
    assert!(commands > 15, "{commands}");
    assert!(!understood("bindery-agent drift --nonsense").status.success());
}

/// Whether a command takes these arguments: with `--help` behind them it reads them and does nothing.
fn understood(command: &str) -> Output {
    let command = command.replace("PLAN_HASH", &"0".repeat(64)).replace("REVISION", "4f2a91c").replace(" ID", " first");
    let mut words = command.split_whitespace().map(|word| word.trim_matches('\''));
    let program = words.next().unwrap();
    let arguments: Vec<_> = words.chain(["--help"]).collect();
    match program {
        "bindery" => bindery(&arguments, &workspace(), None),
        _ => run(programs().join(program).to_str().unwrap(), &arguments, &workspace(), None),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_runbooks_fit_the_tables() {
    let world = bindery_tests::world::World::new().await;
    let agent = bindery_tests::api::small(&world).await;
    let outside = world.outside().await;
    let mut statements = 0;
    for path in runbooks() {
        for statement in file(&path).lines().filter_map(|line| line.trim().strip_prefix("psql $DATABASE_URL -c \"")) {
            let statement = statement.trim_end_matches('"').to_owned();
            sqlx::query(sqlx::AssertSqlSafe(statement)).fetch_all(&outside.postgres).await.unwrap();
            statements += 1;
        }
    }
    assert!(statements > 0);
    agent.shutdown().await;
}

#[test]
fn promtool_and_amtool_take_the_files() {
    let folder = workspace().join("observability");
    let tool = |program: &str, arguments: &[&str]| {
        let output = run(program, arguments, &folder, None);
        let [text, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{program} {arguments:?}: {text}{errors}");
        text
    };
    tool("promtool", &["check", "config", "prometheus.yaml"]);
    tool("promtool", &["check", "rules", "alerts.yaml"]);
    tool("promtool", &["test", "rules", "alerts.test.yaml"]);
    tool("amtool", &["check-config", "alertmanager.yaml"]);
    for (severity, receiver) in [("page", "on-call"), ("ticket", "tickets")] {
        let label = format!("severity={severity}");
        let told = tool("amtool", &["config", "routes", "test", "--config.file=alertmanager.yaml", &label]);
        assert_eq!(told.trim(), receiver);
    }
}

/// The cases can fail: each bound, moved a little, is noticed.
#[test]
fn cases_notice_a_bound_that_moved() {
    let rules = file(ALERTS);
    let moves = [
        (
            "(bindery_store_up{store=\"vault\"}) == 0\n        for: 2m",
            "(bindery_store_up{store=\"vault\"}) == 0\n        for: 3m",
        ),
        ("min by (instance) (bindery_store_up{store=\"vault\"}) == 0", "max(bindery_store_up{store=\"vault\"}) == 0"),
        ("> 300 or absent(bindery_last_fetch_timestamp_seconds)", "> 300"),
        ("> 300 or", ">= 300 or"),
        ("time() - max(", "time() - min("),
        ("unless sum(increase(bindery_sync_runs_total{outcome!=\"failed\"}[5m])) > 0", ""),
        ("max(bindery_commit_rejected) == 1\n        for: 15m", "max(bindery_commit_rejected) == 1\n        for: 14m"),
        ("max(bindery_plan_held) == 1\n        for: 15m", "max(bindery_plan_held) == 1\n        for: 16m"),
        ("max(bindery_outbox_pending) > 0\n        for: 5m", "max(bindery_outbox_pending) > 0\n        for: 4m"),
        ("(bindery_operator_health) == 1", "(bindery_operator_health) <= 1"),
        ("[5m])) > 3", "[5m])) > 2"),
        ("< 0.1\n", "<= 0.1\n"),
    ];
    for (from, to) in moves {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(rules.matches(from).count(), 1, "{from}");
        std::fs::write(dir.path().join("alerts.yaml"), rules.replace(from, to)).unwrap();
        std::fs::write(dir.path().join("cases.yaml"), file(CASES)).unwrap();
        let output = run("promtool", &["test", "rules", "cases.yaml"], dir.path(), None);
        assert!(!output.status.success(), "no case notices {to}");
    }
}

/// Every runbook of an alert, from the root of the repository.
fn runbooks() -> impl Iterator<Item = String> {
    let found = std::fs::read_dir(workspace().join(FOLDER)).unwrap();
    found.map(|entry| format!("{FOLDER}/{}", entry.unwrap().file_name().into_string().unwrap()))
}
