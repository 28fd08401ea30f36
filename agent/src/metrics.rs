//! Every metric family the agent exposes, in one place.
//!
//! Names follow OpenMetrics: base units, `_total` for counters (added by the encoder). A label never holds a secret or
//! an unbounded value; operator ids are bounded by the repository.

use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::HealthState;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::telemetry;

/// What every family's name begins with.
pub const PREFIX: &str = "bindery";

/// One label, `outcome`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    /// How it ended, such as `applied` or `error`.
    pub outcome: &'static str,
}

/// Labels `operation` and `outcome`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Operation {
    /// What was asked for, such as `read` or `write`.
    pub operation: &'static str,
    /// How it ended: `ok` or `error`.
    pub outcome: &'static str,
}

/// Labels of a published event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Publication {
    /// The event's type.
    pub event: String,
    /// How it ended: `ok` or `error`.
    pub outcome: &'static str,
}

/// Labels of a health transition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Transition {
    /// The state before.
    pub from: &'static str,
    /// The state after.
    pub to: &'static str,
}

/// One label, `action`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Action {
    /// What happened to an operator, such as `create`.
    pub action: &'static str,
}

/// One label, `source`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Trigger {
    /// Where it came from: `admin`, `follower`, `nats` or `webhook`.
    pub source: &'static str,
}

/// One label, `store`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Store {
    /// `postgres`, `vault`, `redis` or `nats`.
    pub store: &'static str,
}

/// Labels of differences between a store and git.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Difference {
    /// Which store.
    pub store: &'static str,
    /// `missing`, `unknown` or `differs`.
    pub direction: &'static str,
}

/// One label, `operator`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Operator {
    /// The operator's id.
    pub operator: String,
}

/// Labels of an HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Request {
    /// Which listener: `admin`, `internal` or `ops`.
    pub listener: &'static str,
    /// The route's template.
    pub route: String,
    /// The status code.
    pub status: u16,
}

/// The families, and the registry that encodes them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Sync runs by outcome: `applied`, `unchanged`, `rejected`, `held`, `failed`.
    pub sync_runs: Family<Outcome, Counter>,
    /// Time from the start of a run to its end, in seconds.
    pub sync_duration: Histogram,
    /// The step the stores are equal to.
    pub generation: Gauge,
    /// 1 while the branch's tip is rejected, else 0.
    pub commit_rejected: Gauge,
    /// 1 while a guardrail holds the tip's plan, else 0.
    pub plan_held: Gauge,
    /// 1 while the sync is paused, else 0.
    pub sync_paused: Gauge,
    /// When the branch was last fetched successfully, in seconds since the epoch.
    pub last_fetch: Gauge,
    /// Fetches by outcome: `ok`, `error`.
    pub fetches: Family<Outcome, Counter>,
    /// Wishes to have the branch fetched at once, by source.
    pub triggers: Family<Trigger, Counter>,
    /// Operators changed, by action.
    pub operator_changes: Family<Action, Counter>,
    /// Operators in the applied catalog.
    pub operators: Gauge,
    /// Rules in the applied catalog.
    pub routing_rules: Gauge,
    /// Events owed and not yet published.
    pub outbox_pending: Gauge,
    /// Events by type and outcome.
    pub events_published: Family<Publication, Counter>,
    /// Requests to Vault by operation and outcome.
    pub vault_requests: Family<Operation, Counter>,
    /// Time a request to Vault takes, in seconds.
    pub vault_duration: Histogram,
    /// 1 while Redis does not show the applied step, else 0.
    pub redis_degraded: Gauge,
    /// Full looks at the stores by outcome: `complete`, `incomplete` where a store was not observed.
    pub drift_runs: Family<Outcome, Counter>,
    /// Differences from git that the last full look found, at most a thousand in all stores.
    pub drift_differences: Family<Difference, Gauge>,
    /// When a store was last observed in full, in seconds since the epoch.
    pub drift_observed: Family<Store, Gauge>,
    /// Differences that were healed.
    pub drift_healed: Family<Store, Counter>,
    /// Answers of the credentials endpoint: `ok`, `not_found`, `not_set`, `forbidden`, `unavailable`.
    pub credentials_requests: Family<Outcome, Counter>,
    /// Changed certificates of the internal listener by outcome: `ok`, `error` where the last good ones stay.
    pub certificate_reloads: Family<Outcome, Counter>,
    /// Health signals by outcome: `accepted`, `stale`, `invalid`, `unknown_operator`.
    pub health_signals: Family<Outcome, Counter>,
    /// Health transitions by states.
    pub health_transitions: Family<Transition, Counter>,
    /// State of each operator while this agent leads: 0 unknown, 1 unhealthy, 2 degraded, 3 healthy. One number, since a
    /// series for each state would be four times as many.
    pub operator_health: Family<Operator, Gauge>,
    /// Streams of changes of health that are open.
    pub health_streams: Gauge,
    /// HTTP answers by listener, route and status.
    pub http_requests: Family<Request, Counter>,
}

/// From a millisecond to about half a minute: a cached read to a sync of a million rules.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix(PREFIX),
            sync_runs: Family::default(),
            sync_duration: seconds(),
            generation: Gauge::default(),
            commit_rejected: Gauge::default(),
            plan_held: Gauge::default(),
            sync_paused: Gauge::default(),
            last_fetch: Gauge::default(),
            fetches: Family::default(),
            triggers: Family::default(),
            operator_changes: Family::default(),
            operators: Gauge::default(),
            routing_rules: Gauge::default(),
            outbox_pending: Gauge::default(),
            events_published: Family::default(),
            vault_requests: Family::default(),
            vault_duration: seconds(),
            redis_degraded: Gauge::default(),
            drift_runs: Family::default(),
            drift_differences: Family::default(),
            drift_observed: Family::default(),
            drift_healed: Family::default(),
            credentials_requests: Family::default(),
            certificate_reloads: Family::default(),
            health_signals: Family::default(),
            health_transitions: Family::default(),
            operator_health: Family::default(),
            health_streams: Gauge::default(),
            http_requests: Family::default(),
        };
        metrics.register();
        metrics.begin();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("sync_runs", "Sync runs by outcome", self.sync_runs.clone());
        r.register_with_unit("sync_duration", "Duration of a sync run", Unit::Seconds, self.sync_duration.clone());
        r.register("generation", "The step the stores are equal to", self.generation.clone());
        r.register("commit_rejected", "1 while the branch's tip does not compile", self.commit_rejected.clone());
        r.register("plan_held", "1 while a guardrail holds the tip's plan", self.plan_held.clone());
        r.register("sync_paused", "1 while the sync is paused", self.sync_paused.clone());
        r.register(
            "last_fetch_timestamp_seconds",
            "When the branch was last fetched; its age is time() minus this",
            self.last_fetch.clone(),
        );
        r.register("fetches", "Fetches of the branch by outcome", self.fetches.clone());
        r.register("triggers", "Wishes to have the branch fetched at once by source", self.triggers.clone());
        r.register("operator_changes", "Operators changed by action", self.operator_changes.clone());
        r.register("operators", "Operators in the applied catalog", self.operators.clone());
        r.register("routing_rules", "Rules in the applied catalog", self.routing_rules.clone());
        r.register("outbox_pending", "Events owed and not yet published", self.outbox_pending.clone());
        r.register("events_published", "Events by type and outcome", self.events_published.clone());
        r.register("vault_requests", "Requests to Vault by operation and outcome", self.vault_requests.clone());
        r.register_with_unit(
            "vault_duration",
            "Duration of a request to Vault",
            Unit::Seconds,
            self.vault_duration.clone(),
        );
        r.register("redis_degraded", "1 while Redis does not show the applied step", self.redis_degraded.clone());
        r.register("drift_runs", "Full looks at the stores by outcome", self.drift_runs.clone());
        r.register("drift_differences", "Differences from git in the last look", self.drift_differences.clone());
        r.register(
            "drift_observed_timestamp_seconds",
            "When a store was last observed in full",
            self.drift_observed.clone(),
        );
        r.register("drift_healed", "Differences from git that were healed", self.drift_healed.clone());
        r.register("credentials_requests", "Credentials answers by outcome", self.credentials_requests.clone());
        r.register("certificate_reloads", "Changed certificates by outcome", self.certificate_reloads.clone());
        r.register("health_signals", "Health signals by outcome", self.health_signals.clone());
        r.register("health_transitions", "Health transitions by states", self.health_transitions.clone());
        r.register(
            "operator_health",
            "State of an operator: 0 unknown, 1 unhealthy, 2 degraded, 3 healthy",
            self.operator_health.clone(),
        );
        r.register("health_streams", "Streams of changes of health that are open", self.health_streams.clone());
        r.register("http_requests", "HTTP answers by listener, route and status", self.http_requests.clone());
        r.register("spans_dropped", "Spans that did not reach the collector by reason", telemetry::dropped().clone());
    }

    /// Counters with few labels are there from the start: one that comes into being at 1 has not increased, and no alert
    /// would see it.
    fn begin(&self) {
        let outcomes: [(&Family<Outcome, Counter>, &[&'static str]); 6] = [
            (&self.sync_runs, &["applied", "unchanged", "rejected", "held", "paused", "failed"]),
            (&self.fetches, &["ok", "error"]),
            (&self.drift_runs, &["complete", "incomplete"]),
            (&self.credentials_requests, &["ok", "not_found", "not_set", "forbidden", "unavailable"]),
            (&self.certificate_reloads, &["ok", "error"]),
            (&self.health_signals, &["accepted", "stale", "invalid", "unknown_operator"]),
        ];
        for (family, outcomes) in outcomes {
            for outcome in outcomes {
                drop(family.get_or_create(&Outcome { outcome }));
            }
        }
        for action in ["create", "update", "delete", "restore", "rename"] {
            drop(self.operator_changes.get_or_create(&Action { action }));
        }
        for source in ["admin", "follower", "nats", "webhook"] {
            drop(self.triggers.get_or_create(&Trigger { source }));
        }
        for store in ["postgres", "vault", "redis", "nats"] {
            drop(self.drift_healed.get_or_create(&Store { store }));
        }
    }

    /// Shows the state of an operator.
    pub fn show_health(&self, operator: &OperatorId, state: HealthState) {
        let number = match state {
            HealthState::Unknown => 0,
            HealthState::Unhealthy => 1,
            HealthState::Degraded => 2,
            HealthState::Healthy => 3,
        };
        self.operator_health.get_or_create(&Operator { operator: operator.to_string() }).set(number);
    }

    /// Shows nothing of an operator any more.
    pub fn forget_health(&self, operator: &OperatorId) {
        self.operator_health.remove(&Operator { operator: operator.to_string() });
    }

    /// The OpenMetrics text of every family.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}
