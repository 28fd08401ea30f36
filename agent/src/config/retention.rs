//! How long history is kept.

use serde::Deserialize;

/// How long history is kept, in days. The audit trail is kept for good.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Published events.
    pub outbox_days: u16,
    /// The change feed of routing.
    pub routing_changes_days: u16,
    /// What became of commits.
    pub sync_runs_days: u16,
    /// Changes of health. They go by whole months, so that some stay up to a month longer.
    pub health_log_days: u16,
    /// Answers to calls with an `Idempotency-Key`.
    pub idempotency_keys_days: u16,
    /// Deleted passwords in Vault, until they are destroyed.
    pub deleted_secrets_days: u16,
}

impl Default for Retention {
    /// A fortnight and a month to look into what happened, a year of history, a weekend to send a call again, a quarter to
    /// bring an operator back.
    fn default() -> Self {
        Self {
            outbox_days: 14,
            routing_changes_days: 30,
            sync_runs_days: 365,
            health_log_days: 365,
            idempotency_keys_days: 3,
            deleted_secrets_days: 90,
        }
    }
}
