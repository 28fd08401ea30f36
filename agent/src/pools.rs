//! What carriers' contracts allow, what of it is reserved and what is free, as metrics.
//!
//! They are read from Postgres when somebody looks, so that every agent shows the same and a new day's contract counts at
//! once. Where Postgres does not answer the families are empty: no number is better than an old one.

use bindery_schema::contract::Direction;
use bindery_schema::value::Day;
use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::metrics::PREFIX;
use crate::store::Stores;
use crate::store::postgres::{self, carriers};
use crate::sync::project;

/// One direction of a carrier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Carrier {
    mno: String,
    direction: &'static str,
}

/// The families of every carrier with contracts, as they are now.
#[derive(Debug, Default)]
pub struct Pools {
    contracted: Family<Carrier, Gauge>,
    reserved: Family<Carrier, Gauge>,
    on_demand: Family<Carrier, Gauge>,
}

impl Pools {
    /// Reads them.
    pub async fn read(stores: &Stores, now: Timestamp) -> Result<Self, postgres::Error> {
        let contracts = carriers::contracts_of(&mut *stores.postgres.acquire().await?, None).await?;
        let pools = Self::default();
        for (mno, contracts) in &contracts {
            for direction in Direction::ALL {
                let tps = project::tps(contracts, direction, Day::of(now));
                let carrier = Carrier { mno: mno.to_string(), direction: direction.as_str() };
                pools.contracted.get_or_create(&carrier).set(tps.contracted.into());
                pools.reserved.get_or_create(&carrier).set(tps.reserved.into());
                pools.on_demand.get_or_create(&carrier).set(tps.on_demand_pool.into());
            }
        }
        Ok(pools)
    }

    /// Their OpenMetrics text, to go before the end of the agent's own.
    pub fn encode(self) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register("tps_contracted", "Messages a second the contract in force allows", self.contracted);
        registry.register("tps_reserved", "Messages a second that tenants reserved", self.reserved);
        registry.register("tps_on_demand_pool", "Messages a second that are free for everybody", self.on_demand);
        let mut out = String::new();
        text::encode_registry(&mut out, &registry)?;
        Ok(out)
    }
}
