//! A running agent that is made to do a little of everything it tells of, and what OBSERVABILITY.md says of it.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use bindery_agent::http::permissions::Role;
use jiff::Timestamp;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::api::{premium, small_branch};
use crate::listeners::client;
use crate::outside::Outside;
use crate::program::{self, ask};
use crate::stack::workspace;
use crate::world::{World, eventually};

/// An agent with one carrier, of which the operator `first` is there from the start.
pub struct Observed {
    /// Where it lives.
    pub world: World,
    /// The program.
    pub agent: program::Agent,
    outside: Outside,
    http: Client,
    rounds: u32,
}

impl std::fmt::Debug for Observed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observed").field("agent", &self.agent).finish_non_exhaustive()
    }
}

impl Observed {
    /// Starts it and waits until it has applied the branch.
    pub async fn new() -> Self {
        let world = World::new().await;
        small_branch(&world);
        let agent = program::Agent::start(&world.config).await;
        eventually("the branch is applied", async || agent.ops("/metrics").await.1.contains("bindery_operators 1\n"))
            .await;
        let (outside, http) = (world.outside().await, Client::new());
        Self { world, agent, outside, http, rounds: 0 }
    }

    /// A write, a health signal, a read of a password, each as its users do it.
    pub async fn exercise(&mut self) {
        self.rounds += 1;
        let (method, path, body) = if self.rounds == 1 {
            (Method::POST, "operators", premium("premium.example"))
        } else {
            let tps = json!({"spec": {"tps": {"outbound": 20 + self.rounds % 10}}});
            (Method::PATCH, "operators/carrier-premium", tps)
        };
        let token = self.world.token("ana", Role::CarrierAdmin);
        let url = format!("{}/v1/admin/{path}", self.agent.admin);
        let answer = self.http.request(method, url).bearer_auth(token).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");

        let connector = client(&self.world.stack.pki.ca, Some(&self.world.stack.pki.smpp_connector));
        let url = format!("{}/v1/internal/operators/carrier-premium/credentials", self.agent.internal);
        connector.get(url).send().await.unwrap();

        let subject = format!("{}operator.health.signal.v1.first", self.world.config.nats.subject_prefix);
        let signal = json!({"operatorId": "first", "connectorId": "c1", "bindState": "BOUND", "submitted": 9,
            "failed": 0, "throttled": 0, "p95Millis": 20, "inFlight": 0, "at": Timestamp::now().to_string()});
        self.outside.nats.publish(subject, signal.to_string().into()).await.unwrap();
        self.outside.nats.flush().await.unwrap();
    }

    /// A full look at the stores.
    pub fn look(&self) {
        let token = self.world.token("sam", Role::Sre);
        let output = ask(&["drift"], &self.agent.admin, &token);
        assert!(output.status.code().is_some_and(|code| code != 1), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What the monitoring reads.
    pub async fn metrics(&self) -> String {
        self.agent.ops("/metrics").await.1
    }

    /// The fields of every line the agent itself has logged.
    pub fn logged(&self) -> BTreeSet<String> {
        let text = self.agent.program.written();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let own = lines.filter(|line| line["target"].as_str().is_some_and(|target| target.starts_with("bindery")));
        own.flat_map(|line| line["fields"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()).collect()
    }
}

/// A metric family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Labels with their values; in the document no values mean any.
    pub labels: BTreeMap<String, BTreeSet<String>>,
}

/// A file of the repository.
pub fn file(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The families of a document's tables, by the name that is queried: rows of name, type, unit, labels, meaning, reaction.
pub fn documented(text: &str) -> BTreeMap<String, Family> {
    let rows = text.lines().filter(|line| line.starts_with("| `bindery_"));
    let families = rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, unit, labels, meaning, reaction] = cells[..] else { panic!("six cells, not {row}") };
        assert!(![unit, meaning, reaction].contains(&""), "an empty cell: {row}");
        let labels = labels.split(';').filter_map(|label| {
            let (name, values) = label.split_once(':')?;
            Some((name.trim().trim_matches('`').to_owned(), quoted(values)))
        });
        (name.trim_matches('`').to_owned(), Family { kind: kind.to_owned(), labels: labels.collect() })
    });
    families.collect()
}

/// What stands in backticks.
pub fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The families of an OpenMetrics text, by the name that is queried.
pub fn exposed(text: &str) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::<String, Family>::new();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: Vec<_> = types.collect();
    for (name, kind) in &types {
        let name = if *kind == "counter" { format!("{name}_total") } else { (*name).to_owned() };
        families.insert(name, Family { kind: (*kind).to_owned(), labels: BTreeMap::new() });
    }
    for sample in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = sample.split_once(['{', ' ']).unwrap();
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let name = if families.contains_key(name) { name } else { histogram.unwrap_or(name) };
        let family = families.get_mut(name).unwrap_or_else(|| panic!("a sample without a type: {sample}"));
        // The last brace: routes have some of their own.
        let labels = rest.rsplit_once('}').map_or("", |(labels, _)| labels).trim_end_matches('"');
        for label in labels.split("\",").filter_map(|label| label.split_once("=\"")) {
            // A bucket's bound is the type's own.
            if label.0 != "le" {
                family.labels.entry(label.0.to_owned()).or_default().insert(label.1.to_owned());
            }
        }
    }
    families
}
