//! `bindery-agent events`: the stream of events on standard output, one JSON object a line.

use std::collections::VecDeque;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::{self, Message};
use bindery_schema::secret::Secret;
use clap::Args;
use futures::StreamExt as _;
use serde::Deserialize;

use crate::store::nats;

/// Longest wait for the next message of the history.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Arguments of `events`.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent events --last 10
  bindery-agent events --follow --subject 'operator.health.*'
  bindery-agent events --last 1 --object ke-safaricom-1 | jq .data.changedFields

Subjects are the types of the events: operator.config.updated.v1, ops.sync.rejected.v1 and so on.")]
pub struct Events {
    /// Go on with events as they come, until interrupted
    #[arg(long)]
    follow: bool,
    /// Only the last N of those that match, then what --follow brings
    #[arg(long, value_name = "N")]
    last: Option<usize>,
    /// Only events of subjects like this; `*` stands for any characters
    #[arg(long, value_name = "GLOB")]
    subject: Option<String>,
    /// Only events about objects, such as operators, with an id like this
    #[arg(long, value_name = "GLOB")]
    object: Option<String>,
    /// Address of NATS with user and password; several are separated by commas
    #[arg(long, env = "NATS_URL", hide_env_values = true, value_name = "URL", value_parser = super::secret)]
    url: Secret,
    /// Name of the stream
    #[arg(long, value_name = "NAME", default_value = "OPS")]
    stream: String,
}

impl Events {
    /// Prints until the history ends, or until it is interrupted.
    pub async fn run(self) -> anyhow::Result<()> {
        let (servers, options) = nats::addresses(self.url.expose())?;
        let client = options.connect(servers).await.context("NATS cannot be reached")?;
        let jetstream = jetstream::new(client);
        let stream = jetstream
            .get_stream(&self.stream)
            .await
            .with_context(|| format!("there is no stream `{}`; an agent makes it when it starts", self.stream))?;
        let deliver_policy = match self.last {
            // What does not match is left out here, so that only an unfiltered tail is known in advance.
            Some(last) if self.subject.is_none() && self.object.is_none() => {
                let last = u64::try_from(last)?;
                let next = stream.cached_info().state.last_sequence.saturating_add(1);
                DeliverPolicy::ByStartSequence { start_sequence: next.saturating_sub(last).max(1) }
            }
            _ => DeliverPolicy::All,
        };
        let consumer = stream
            .create_consumer(OrderedConfig { deliver_policy, ..OrderedConfig::default() })
            .await
            .context("the stream cannot be read")?;
        let mut pending = consumer.cached_info().num_pending;
        let mut messages = consumer.messages().await.context("the stream cannot be read")?;
        let mut tail = VecDeque::new();
        while pending > 0 {
            let next = tokio::time::timeout(TIMEOUT, messages.next()).await.context("NATS does not answer")?;
            let message = next.context("the stream ended")?.context("the stream cannot be read")?;
            pending = message.info().map_err(|error| anyhow::anyhow!(error))?.pending;
            if !self.matches(&message) {
                continue;
            }
            match self.last {
                None => print(&message)?,
                Some(last) => {
                    tail.push_back(message);
                    if tail.len() > last {
                        tail.pop_front();
                    }
                }
            }
        }
        tail.iter().try_for_each(print)?;
        if !self.follow {
            return Ok(());
        }
        loop {
            let message = messages.next().await.context("the stream ended")?.context("the stream cannot be read")?;
            if self.matches(&message) {
                print(&message)?;
            }
        }
    }

    fn matches(&self, message: &Message) -> bool {
        self.subject.as_ref().is_none_or(|glob| matches(glob, &message.subject))
            && self.object.as_ref().is_none_or(|glob| matches(glob, &object(&message.payload)))
    }
}

/// The id of the object an event is about.
fn object(payload: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Event {
        #[serde(default)]
        subject: String,
    }
    serde_json::from_slice::<Event>(payload).map(|event| event.subject).unwrap_or_default()
}

fn print(message: &Message) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    // As it was published: events have no line breaks of their own.
    out.write_all(&message.payload)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Whether a text is like a pattern in which `*` stands for any characters, dots too.
fn matches(glob: &str, text: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else { return glob == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts = rest.split('*');
    let end = parts.next_back().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        for glob in ["operator.config.*", "*", "*.v1", "operator.*.updated.v1", "o*c*u*1", "operator.config.updated.v1"]
        {
            assert!(matches(glob, "operator.config.updated.v1"), "{glob}");
        }
        for glob in ["operator.config", "*.v2", "config.*", "operator.*.created.v1", "", "operator.config.updated.v1*1"]
        {
            assert!(!matches(glob, "operator.config.updated.v1"), "{glob}");
        }
    }
}
