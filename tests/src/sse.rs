//! A client of server-sent events (WHATWG HTML, 9.2), as small as it can be.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use reqwest::{Client, Response};
use serde_json::Value;

use crate::listeners::answer;
use crate::world::PATIENCE;

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its type.
    pub name: String,
    /// Its id, where it has one.
    pub id: Option<i64>,
    /// What it says.
    pub data: Value,
}

/// A stream that is read.
#[derive(Debug)]
pub struct Events {
    response: Response,
    read: String,
}

impl Events {
    /// Opens a stream, as one that comes back where an id is known. Else status and body of the refusal.
    pub async fn open(client: &Client, url: &str, last: Option<i64>) -> Result<Self, (u16, Value)> {
        let request = client.get(url);
        let request = last.map_or(request.try_clone().unwrap(), |id| request.header("Last-Event-ID", id));
        let response = request.send().await.unwrap();
        if response.status() != 200 {
            return Err(answer(response).await);
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self { response, read: String::new() })
    }

    /// The next event; none once the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("no event came")
    }

    /// The ids of the next changes.
    pub async fn changes(&mut self, count: usize) -> Vec<i64> {
        let mut ids = Vec::with_capacity(count);
        while ids.len() < count {
            let event = self.next().await.expect("the stream ended");
            assert_eq!(event.name, "change", "{event:?}");
            assert_eq!(event.data["id"].as_i64(), event.id);
            ids.extend(event.id);
        }
        ids
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.read.find("\n\n") {
                let block: String = self.read.drain(..end + 2).collect();
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                // Comments are signs of life.
                if let Some(data) = field("data:") {
                    return Some(Event {
                        name: field("event:").unwrap_or("message").to_owned(),
                        id: field("id:").map(|id| id.parse().unwrap()),
                        data: serde_json::from_str(data).unwrap(),
                    });
                }
            }
            let piece = self.response.chunk().await.unwrap()?;
            self.read.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}
