//! What the four stores hold, without what legitimately differs between two installations with the same history: times,
//! ids, fencing numbers, and the names of commits, which are told by their place in the history.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use git2::Oid;
use serde_json::Value;

use crate::outside::Outside;

/// Each table of the contract, as one JSON text a row in an order that means something or none.
const TABLES: [(&str, &str); 15] = [
    (
        "mnos",
        "select (to_jsonb(t) - '{created_at,updated_at,deleted_at}'::text[] \
              || jsonb_build_object('gone', deleted_at is not null))::text from ops.mnos t order by id",
    ),
    (
        "operators",
        "select (to_jsonb(t) - '{created_at,updated_at,deleted_at}'::text[] \
                   || jsonb_build_object('gone', deleted_at is not null))::text from ops.operators t order by id",
    ),
    ("rules", "select to_jsonb(t)::text from ops.routing_rules t order by operator_id, prefix"),
    ("contracts", "select to_jsonb(t)::text from ops.tps_contracts t order by mno_id, bind_direction, contract_ref"),
    ("reservations", "select to_jsonb(t)::text from routing.tenant_preferences t order by 1"),
    (
        "routing changes",
        "select (to_jsonb(t) - 'at')::text from ops.routing_changes t \
                         order by generation, operator_id, prefix",
    ),
    ("sync state", "select (to_jsonb(t) - '{fence,applied_at}'::text[])::text from ops.sync_state t"),
    (
        "runs",
        "select (to_jsonb(t) - '{id,started_at,finished_at}'::text[])::text from ops.sync_runs t \
              where outcome <> 'failed' order by id",
    ),
    ("audit", "select (to_jsonb(t) - '{id,at}'::text[])::text from ops.audit_log t order by id"),
    (
        "outbox",
        "select (jsonb_build_object('subject', subject, 'object', object_id, 'published', published_at is not null) \
                || (payload - '{id,time}'::text[]))::text from ops.outbox t order by seq",
    ),
    (
        "intents",
        "select (to_jsonb(t) - '{created_at,version}'::text[])::text from ops.secret_intents t order by operator_id",
    ),
    ("deleted secrets", "select operator_id from ops.deleted_secrets order by 1"),
    ("held", "select (to_jsonb(t) - 'held_at')::text from ops.held_plan t"),
    ("pause", "select to_jsonb(t)::text from ops.sync_pause t"),
    ("refused", "select (to_jsonb(t) - 'refused_at')::text from ops.refused_trees t order by tree"),
];

/// What can be compared and not shown.
#[derive(Clone, PartialEq, Eq)]
struct Hidden(Value);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// The four stores at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Postgres, Redis and the stream: lines by table, key or operator.
    lines: BTreeMap<String, Vec<String>>,
    /// Vault: by operator the versions that can be read, and whether the newest is one of them.
    secrets: BTreeMap<String, (Vec<Hidden>, bool)>,
}

impl Snapshot {
    /// Reads all four. `commits` are those of the branch, in the order they were made.
    pub async fn of(outside: &Outside, commits: &[Oid]) -> Self {
        let told = |text: &str| {
            let commits = commits.iter().enumerate();
            commits
                .fold(text.to_owned(), |text, (at, commit)| text.replace(&commit.to_string(), &format!("commit {at}")))
        };
        let mut lines = BTreeMap::new();
        for (table, sql) in TABLES {
            let rows = outside.column(sql).await;
            lines.insert(format!("postgres {table}"), rows.iter().map(|row| told(row)).collect());
        }
        for (key, text) in outside.cache("ops:").await {
            let mut value: Value = serde_json::from_str(&text).unwrap();
            let object = value.as_object_mut().unwrap();
            if key == "ops:catalog" {
                object.remove("appliedAt");
            } else if key.starts_with("ops:operator:") {
                // Any step up to the one that is shown: filled anew, all say the same.
                object.remove("generation");
            }
            lines.insert(format!("redis {key}"), vec![told(&value.to_string())]);
        }
        let events = outside.events().await;
        let ids: BTreeSet<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), events.len(), "an event is on the stream twice");
        for mut event in events {
            let object = event.as_object_mut().unwrap();
            object.remove("id");
            object.remove("time");
            let line = told(&event.to_string());
            let subject = told(event["subject"].as_str().unwrap());
            // The order of all, and that of each operator alone, which is what consumers rely on.
            lines.entry("events".to_owned()).or_insert_with(Vec::new).push(line.clone());
            lines.entry(format!("events of {subject}")).or_insert_with(Vec::new).push(line);
        }
        let hidden = |(contents, is_live): (Vec<Value>, bool)| (contents.into_iter().map(Hidden).collect(), is_live);
        let secrets = outside.secret_history().await.into_iter().map(|(id, history)| (id, hidden(history))).collect();
        Self { lines, secrets }
    }

    /// Fails and says how, unless this is what another is.
    pub fn assert_equals(&self, clean: &Self, what: &str) {
        let mut found = Vec::new();
        let none = Vec::new();
        let names: BTreeSet<&String> = self.lines.keys().chain(clean.lines.keys()).collect();
        for name in names {
            let (here, there) = (self.lines.get(name).unwrap_or(&none), clean.lines.get(name).unwrap_or(&none));
            if here == there {
                continue;
            }
            let at = here.iter().zip(there).take_while(|(here, there)| here == there).count();
            found.push(format!(
                "{name}, line {at}:\n    is     {:?}\n    wanted {:?}",
                here.get(at..(at + 2).min(here.len())),
                there.get(at..(at + 2).min(there.len()))
            ));
        }
        let operators: BTreeSet<&String> = self.secrets.keys().chain(clean.secrets.keys()).collect();
        for id in operators.into_iter().filter(|id| self.secrets.get(*id) != clean.secrets.get(*id)) {
            let told = |secrets: &BTreeMap<String, (Vec<Hidden>, bool)>| {
                secrets.get(id).map(|(contents, is_live)| (contents.len(), *is_live))
            };
            let (here, there) = (told(&self.secrets), told(&clean.secrets));
            found.push(format!("vault {id}: (versions, live) is {here:?}, wanted {there:?}, or contents differ"));
        }
        assert!(found.is_empty(), "{what}: the stores are not those of a clean run\n{}", found.join("\n"));
    }

    /// How many events there are.
    pub fn events(&self) -> usize {
        self.lines.get("events").map_or(0, Vec::len)
    }
}
