//! A routing engine in small: starts with nothing, waits for the routing table, and says for each number on standard input
//! who gets a message to it. One line an answer: the number, the prefix, and the operators that share it, by id; `-` where
//! nobody does.
//!
//! ```sh
//! set -a; source .bindery/dev/env; set +a     # while `make run` serves
//! cargo run -p bindery-client --example routing_engine < numbers.txt
//! ```

use std::io::{BufRead as _, BufWriter, Write as _};
use std::time::Instant;

use anyhow::Context as _;
use bindery_client::config::{Config, Nats, Redis, Tls};
use bindery_client::{Client, share_key};
use bindery_schema::value::E164Prefix;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let variable = |name: &str| std::env::var(name).with_context(|| format!("set {name}"));
    let file = |name: &str| variable(name).map(Into::into);
    let tls =
        Tls { ca: file("BINDERY_CA")?, certificate: file("BINDERY_CLIENT_CERT")?, key: file("BINDERY_CLIENT_KEY")? };
    let mut config = Config::new(variable("BINDERY_INTERNAL_URL")?, tls);
    config.nats = Some(Nats::at(variable("NATS_URL")?));
    config.redis = Some(Redis::at(variable("REDIS_URL")?));

    let begun = Instant::now();
    let client = Client::start(config).await?;
    client.routing().ready().await;
    let table = client.routing().table();
    let mut notes = std::io::stderr().lock();
    writeln!(notes, "{} prefixes of step {} after {:?}", table.prefix_count(), table.generation(), begun.elapsed())?;

    let mut answers = BufWriter::new(std::io::stdout().lock());
    let states = client.health().states();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let number = E164Prefix::from_digits(line.trim().trim_start_matches('+')).context("no E.164 number")?;
        let decision = table.route(number, share_key(line.as_bytes()), &*states);
        let Some(route) = decision.route else {
            writeln!(answers, "{number} - -")?;
            continue;
        };
        let serving = client.routing().serving(number, &*states);
        anyhow::ensure!(serving.contains(&route.operator.to_string()), "{number} goes to nobody who serves it");
        writeln!(answers, "{number} {} {}", route.prefix, serving.join(","))?;
    }
    answers.flush()?;
    drop(table);
    client.shutdown().await;
    Ok(())
}
