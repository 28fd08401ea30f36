//! `bindery-agent health`: the state of an operator, what it was, and changes as they happen.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::{HealthChange, HealthView};
use clap::Args;
use reqwest::Response;

use super::admin::Admin;
use crate::backoff::Delays;

/// Shortest and longest wait before a stream is opened again.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Arguments of `health`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent health ke-safaricom-1
  bindery-agent health ke-safaricom-1 --history --last 50
  bindery-agent health --follow
  bindery-agent health ke-safaricom-1 --follow --json | jq -r .reason

--follow goes on where it was when the agent restarts, and shows no change twice.")]
pub struct Health {
    #[command(flatten)]
    admin: Admin,
    /// The operator; all of them for --follow without one
    #[arg(required_unless_present = "follow")]
    operator: Option<OperatorId>,
    /// Show its changes of state, newest first
    #[arg(long, conflicts_with = "follow")]
    history: bool,
    /// How many changes
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "follow")]
    last: usize,
    /// Show changes as they happen, until interrupted
    #[arg(long)]
    follow: bool,
    /// Print JSON; of changes one object a line
    #[arg(long)]
    json: bool,
}

impl Health {
    /// Prints what was asked for.
    pub async fn run(self) -> anyhow::Result<()> {
        if self.follow {
            return self.follow().await;
        }
        let Some(operator) = &self.operator else { bail!("which operator is meant?") };
        let path = format!("/v1/admin/operators/{operator}/health");
        if self.history {
            let changes: Vec<HealthChange> = self.admin.list(&format!("{path}/history"), &[], self.last).await?;
            return changes.iter().try_for_each(|change| self.print(change));
        }
        let view: Option<HealthView> = self.admin.find(&path, &[]).await?;
        let view = view.with_context(|| format!("there is no operator {operator}"))?;
        let mut out = anstream::stdout().lock();
        if self.json {
            writeln!(out, "{:#}", serde_json::to_value(&view)?)?;
        } else {
            out.write_all(shown(&view).as_bytes())?;
        }
        Ok(())
    }

    fn print(&self, change: &HealthChange) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        let text = if self.json { serde_json::to_string(change)? } else { line(change) };
        Ok(writeln!(out, "{text}")?)
    }

    /// Prints changes as they come. The first connection has to work; one that is lost later is opened again.
    async fn follow(&self) -> anyhow::Result<()> {
        const STREAM: &str = "/v1/admin/health/stream";
        let mut stream = self.admin.open(STREAM, None).await?;
        let (mut seen, mut delays) = (None, Delays::new(AGAIN.0, AGAIN.1));
        loop {
            if let Some(response) = stream {
                if self.print_all(response, &mut seen).await? {
                    delays.reset();
                }
            } else {
                writeln!(anstream::stderr().lock(), "changes were missed: the agent does not keep them any more")?;
                seen = None;
            }
            stream = self.open_again(STREAM, seen, &mut delays).await?;
        }
    }

    /// Opens the stream anew, for as long as it takes, and says why it takes long.
    async fn open_again(&self, path: &str, seen: Option<i64>, delays: &mut Delays) -> anyhow::Result<Option<Response>> {
        let mut is_told = false;
        loop {
            tokio::time::sleep(delays.longer()).await;
            match self.admin.open(path, seen).await {
                Ok(stream) => return Ok(stream),
                Err(error) if !is_told => {
                    writeln!(anstream::stderr().lock(), "{error:#}; it is asked again")?;
                    is_told = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Prints a stream until it ends or breaks off, and says whether it had anything.
    async fn print_all(&self, mut response: Response, seen: &mut Option<i64>) -> anyhow::Result<bool> {
        let mut blocks = Blocks::default();
        let mut any = false;
        // A connection that breaks off has ended too: the next one goes on after what was seen.
        while let Ok(Some(piece)) = response.chunk().await {
            blocks.read(&piece);
            while let Some(event) = blocks.next() {
                any = true;
                *seen = event.id.or(*seen);
                if event.name != "change" {
                    continue;
                }
                let change: HealthChange = serde_json::from_str(&event.data).context("the agent sent no change")?;
                if self.operator.as_ref().is_none_or(|operator| *operator == change.operator_id) {
                    self.print(&change)?;
                }
            }
        }
        Ok(any)
    }
}

/// A change on one line.
fn line(change: &HealthChange) -> String {
    let HealthChange { at, operator_id, previous, state, reason, .. } = change;
    format!("{at}  {operator_id:24}  {previous:9} → {state:9}  {reason}")
}

/// A state with what it rests on.
fn shown(view: &HealthView) -> String {
    let since = view.since.map(|since| format!(" since {since}")).unwrap_or_default();
    let mut text = format!("{}{since}: {}\n", view.state, view.reason);
    for (id, connector) in &view.connectors {
        let (rate, bind) = (connector.error_rate * 100.0, format!("{:?}", connector.bind_state).to_uppercase());
        text.push_str(&format!(
            "  {id:20}  {:9}  {bind:7}  errors {rate:.1} %, p95 {} ms, in flight {}, heard {}\n",
            connector.state, connector.p95_millis, connector.in_flight, connector.heard_at
        ));
    }
    text
}

/// An event of a stream.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: Option<i64>,
    data: String,
}

/// Events as they come in, cut anywhere (WHATWG HTML, 9.2.6; the agent ends its lines with a line feed and has one line
/// of data an event).
#[derive(Debug, Default)]
struct Blocks(Vec<u8>);

impl Blocks {
    fn read(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
    }

    /// The next whole event; comments are passed over.
    fn next(&mut self) -> Option<Event> {
        loop {
            let end = self.0.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.0.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&block);
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let Some(data) = field("data:") {
                let name = field("event:").unwrap_or("message").to_owned();
                return Some(Event { name, id: field("id:").and_then(|id| id.parse().ok()), data: data.to_owned() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_they_are_cut() {
        let text =
            ": \n\nevent: ready\nid: 7\nretry: 1000\ndata: {}\n\nevent: change\nid: 9\ndata: {\"a\":\"ä: b\"}\n\n";
        let event = |name: &str, id, data: &str| Event { name: name.to_owned(), id: Some(id), data: data.to_owned() };
        for size in [1, 3, 7, text.len()] {
            let (mut blocks, mut found) = (Blocks::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                blocks.read(piece);
                found.extend(std::iter::from_fn(|| blocks.next()));
            }
            assert_eq!(found, [event("ready", 7, "{}"), event("change", 9, "{\"a\":\"ä: b\"}")], "{size}");
        }
    }
}
