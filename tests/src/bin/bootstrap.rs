//! How soon a routing engine is ready: a million prefixes in Postgres, an agent that has packed nothing, and a client that
//! knows nothing. Then a second client, for which the agent has the table packed. Run it in release mode.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bindery_client::Client;
use bindery_client::config::{Config, Tls};
use bindery_tests::listeners::Served;
use serde_json::json;

const PREFIXES: usize = 1_000_000;
/// Longest wait for a table.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    let served = Box::pin(Served::alone()).await;
    for id in ["af-roshan-1", "af-roshan-2"] {
        served.operator(id, "ACTIVE", json!({})).await;
    }
    served
        .sql(
            "insert into ops.routing_rules (operator_id, prefix, priority, weight, cost, currency, active)
             select 'af-roshan-' || (1 + n % 2), (9000000 + n * 7 + abs(hashint4(n) % 7))::text,
                 100 + abs(hashint4(-n) % 3), 100, 0.0110, 'EUR', true
             from generate_series(1, 1000000) n",
        )
        .await;
    let tls = Tls {
        ca: served.stack.pki.ca.clone(),
        certificate: served.reader.certificate.clone(),
        key: served.reader.key.clone(),
    };
    anstream::println!("| a million prefixes, from nothing to the first lookup | s |\n|---|---|");
    for what in ["the agent reads and packs the table", "the agent has packed it"] {
        let config = Config::new(served.internal_url(""), tls.clone());
        let begun = Instant::now();
        let client = Client::start(config).await?;
        tokio::time::timeout(PATIENCE, client.routing().ready()).await?;
        let took = begun.elapsed();
        ensure!(client.routing().table().prefix_count() == PREFIXES, "{:?}", client.routing().table());
        anstream::println!("| {what} | {:.2} |", took.as_secs_f64());
        client.shutdown().await;
    }
    Ok(())
}
