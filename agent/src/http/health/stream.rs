//! Every change of health as it is written, as server-sent events (WHATWG HTML, 9.2).
//!
//! Each event has its id in the log, so a client that comes back with `Last-Event-ID` is told what it missed, by any agent.
//! The first event, `ready`, has the id everything follows: a client that reads states after it misses no change. The last
//! one, `reconnect`, says why it is the last.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;

use crate::health::feed::STREAMS;
use crate::health::subscription::{Patience, Subscription, Told};
use crate::http::error::{Code, Problem};
use crate::metrics::Metrics;
use crate::shared::Shared;
use crate::store::postgres::health_log::{self, Extent};

/// How long a client may leave what waits for it, and how long it may stay: then its certificate or token is looked at anew.
const PATIENCE: Patience = Patience { slow: Duration::from_secs(10), whole: Duration::from_secs(3_600) };
/// Time between two signs of life, which keep proxies from closing a quiet connection.
const SIGN: Duration = Duration::from_secs(15);
/// How soon a client comes back.
const RETRY: Duration = Duration::from_secs(1);
/// What a client sends that comes back.
const LAST_EVENT_ID: &str = "last-event-id";

/// The place of one stream, counted until it is dropped.
struct Place {
    _permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
}

impl Place {
    fn take(shared: &Shared) -> Option<Self> {
        let permit = shared.feed.place()?;
        shared.metrics.health_streams.inc();
        Some(Self { _permit: permit, metrics: shared.metrics.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.health_streams.dec();
    }
}

/// The stream, from where the client left off or from now on.
#[tracing::instrument(name = "health.stream", skip_all)]
pub(super) async fn stream(State(shared): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let full = || Problem::new(Code::Overloaded).detail(format!("{STREAMS} streams are open: ask another agent"));
    let place = Place::take(&shared).ok_or_else(full)?;
    let extent = health_log::extent(&shared.stores.postgres).await?;
    let after = match headers.get(LAST_EVENT_ID) {
        None => extent.newest,
        Some(value) => begin(value.to_str().unwrap_or_default(), extent)?,
    };
    let subscription = Subscription::begin(&shared, after, PATIENCE);
    let events = stream::once(async move { Ok(ready(after)) }).chain(events(subscription, place));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(SIGN)).into_response())
}

/// The change a client saw last, where all that came after it is known.
fn begin(text: &str, extent: Extent) -> Result<i64, Problem> {
    let bad = || Problem::new(Code::BadRequest).detail("Last-Event-ID is the id of an event of this stream");
    let id: i64 = text.parse().ok().filter(|id| *id >= 0).ok_or_else(bad)?;
    let gone = |why: &str| {
        let next = "read the states anew and connect without Last-Event-ID";
        Problem::new(Code::ChangesGone).detail(format!("{why}: {next}"))
    };
    if id < extent.dropped_through {
        return Err(gone("the changes after that event are not kept any more"));
    }
    if id > extent.newest {
        return Err(gone("that event was never sent here"));
    }
    Ok(id)
}

fn ready(after: i64) -> Event {
    Event::default().event("ready").id(after.to_string()).retry(RETRY).data(format!("{{\"after\":{after}}}"))
}

fn events(subscription: Subscription, place: Place) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((subscription, place), |(mut subscription, place)| async move {
        let event = match subscription.next().await? {
            // Plain values, one line: their JSON cannot fail.
            Told::Change(change) => Event::default()
                .event("change")
                .id(change.id.to_string())
                .data(serde_json::to_string(&*change).unwrap_or_default()),
            Told::End(end) => Event::default().event("reconnect").data(format!("{{\"reason\":\"{}\"}}", end.as_str())),
        };
        Some((Ok(event), (subscription, place)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_only_where_nothing_is_missing() {
        let extent = Extent { dropped_through: 7, newest: 9 };
        let code = |text: &str| begin(text, extent).map_err(|problem| problem.code());
        for (text, expected) in [
            ("7", Ok(7)),
            ("9", Ok(9)),
            ("6", Err(Code::ChangesGone)),
            ("0", Err(Code::ChangesGone)),
            ("10", Err(Code::ChangesGone)),
            ("-1", Err(Code::BadRequest)),
            ("", Err(Code::BadRequest)),
            ("seven", Err(Code::BadRequest)),
            ("99999999999999999999", Err(Code::BadRequest)),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }
}
