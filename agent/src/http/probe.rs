//! Whether each store answers, asked when somebody looks: by the orchestrator's probes and by the monitoring.

use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::metrics::{PREFIX, Store};
use crate::store::Stores;
use crate::store::postgres::read;
use crate::store::vault::Health;

/// Longest wait for a part: below the second that probes commonly wait.
pub(super) const TIMEOUT: Duration = Duration::from_millis(800);

/// Whether one answers, or why not.
pub(super) type Probe = Result<(), &'static str>;

/// All four, as they are now.
pub(super) struct Probes {
    pub(super) postgres: Probe,
    pub(super) vault: Probe,
    pub(super) nats: Probe,
    pub(super) redis: Probe,
}

impl Probes {
    /// Asks them, at once.
    pub(super) async fn of(stores: &Stores) -> Self {
        let (postgres, vault, redis) = tokio::join!(
            probe(async { read::ping(&stores.postgres).await.map_err(|_| "unreachable") }),
            probe(async {
                match stores.vault.ping().await {
                    Ok(Health::Ready | Health::Standby) => Ok(()),
                    Ok(Health::Sealed) => Err("sealed"),
                    Ok(Health::Uninitialized) => Err("not initialised"),
                    Err(_) => Err("unreachable"),
                }
            }),
            probe(async { stores.redis.ping().await.map_err(|_| "unreachable") }),
        );
        let nats = if stores.nats.is_connected() { Ok(()) } else { Err("not connected") };
        Self { postgres, vault, nats, redis }
    }

    /// Their OpenMetrics text, to go before the end of the agent's own.
    pub(super) fn encode(&self) -> Result<String, std::fmt::Error> {
        let up = Family::<Store, Gauge>::default();
        let all = [("postgres", self.postgres), ("vault", self.vault), ("nats", self.nats), ("redis", self.redis)];
        for (store, probe) in all {
            up.get_or_create(&Store { store }).set(i64::from(probe.is_ok()));
        }
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register("store_up", "1 while a store answers this agent", up);
        let mut out = String::new();
        text::encode_registry(&mut out, &registry)?;
        Ok(out)
    }
}

async fn probe(check: impl Future<Output = Probe>) -> Probe {
    tokio::time::timeout(TIMEOUT, check).await.unwrap_or(Err("no answer in time"))
}
