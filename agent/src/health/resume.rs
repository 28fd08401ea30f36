//! What a new leader goes on from: the states that Postgres recorded, and what Redis shows of each connector.
//!
//! Postgres has every change, Redis every signal: how many in a row asked for what, and when each connector was heard.
//! Lost is what was said while nobody led, and what was shown within the last moments where Redis is away too.

use bindery_schema::value::OperatorId;
use bindery_schema::wire::health::{HealthState, HealthView};
use jiff::Timestamp;

use super::board::Board;
use super::project;
use crate::store::Stores;
use crate::store::postgres;
use crate::store::postgres::health;

/// The states an earlier leader left: recorded changes, and the newer signals Redis still shows.
pub async fn load(stores: &Stores) -> Result<Board, postgres::Error> {
    let watched = health::watched(&stores.postgres).await?;
    let mut known = health::views(&stores.postgres).await?;
    known.retain(|operator, _| watched.contains_key(operator));
    let ids: Vec<OperatorId> = known.keys().cloned().collect();
    let shown = project::read_all(&stores.redis, &ids).await;
    let now = Timestamp::now();
    for (operator, view) in &mut known {
        match &shown {
            // A key that has expired says that nobody was heard for longer than any silence time.
            Some(shown) => shown.get(operator).into_iter().for_each(|shown| take_over(view, shown, now)),
            // Without the cache nobody knows who spoke last.
            None => listen_anew(view, now),
        }
    }
    let mut board = Board::default();
    board.watch(watched, &known);
    Ok(board)
}

/// Goes on from a recorded state with what was shown of its connectors. The state stays the recorded one: a change that
/// was shown but not recorded is found again.
fn take_over(view: &mut HealthView, shown: &HealthView, now: Timestamp) {
    for (id, shown) in &shown.connectors {
        // By the connector's own clock, which alone says what is newer of one connector.
        if view.connectors.get(id).is_none_or(|recorded| recorded.at <= shown.at) {
            view.connectors.insert(id.clone(), shown.clone());
        }
    }
    let last = view.connectors.values().max_by_key(|connector| connector.heard_at);
    view.last_signal_at = last.map(|connector| connector.at);
    listen_anew(view, now);
}

/// Nobody listened until now, so nobody has been silent: that counts from now. Who was silent before still is.
fn listen_anew(view: &mut HealthView, now: Timestamp) {
    let heard = view.connectors.values_mut().filter(|connector| connector.state != HealthState::Unknown);
    heard.for_each(|connector| connector.heard_at = now.into());
}

#[cfg(test)]
mod tests {
    use bindery_schema::wire::health::{BindState, ConnectorView, SignalRuns};

    use super::*;

    fn connector(state: HealthState, at: i64, heard_at: i64, bad: u16) -> ConnectorView {
        let instant = |second| Timestamp::from_second(second).unwrap().into();
        ConnectorView {
            state,
            reason: String::new(),
            bind_state: BindState::Bound,
            error_rate: 0.0,
            p95_millis: 0,
            in_flight: 0,
            at: instant(at),
            heard_at: instant(heard_at),
            runs: SignalRuns { unhealthy: bad, ..SignalRuns::default() },
        }
    }

    #[test]
    fn a_new_leader_goes_on_with_the_newest_of_each_connector() {
        use HealthState::{Healthy, Unhealthy, Unknown};
        let view = |state, connectors: &[(&str, ConnectorView)]| HealthView {
            state,
            connectors: connectors.iter().map(|(id, connector)| ((*id).to_owned(), connector.clone())).collect(),
            ..HealthView::unheard()
        };
        // The clock of `ahead` is an hour before that of `behind`, which spoke last and of nothing good.
        let mut recorded =
            view(Healthy, &[("ahead", connector(Healthy, 4_000, 100, 0)), ("behind", connector(Healthy, 400, 99, 0))]);
        let shown = view(
            Unhealthy,
            &[
                ("ahead", connector(Healthy, 4_000, 100, 0)),
                ("behind", connector(Healthy, 402, 102, 2)),
                ("silent", connector(Unknown, 300, 50, 0)),
            ],
        );
        take_over(&mut recorded, &shown, Timestamp::from_second(110).unwrap());
        assert_eq!(recorded.state, Healthy, "what was not recorded did not happen yet");
        let heard: Vec<_> = recorded.connectors.values().map(|connector| connector.heard_at.to_string()).collect();
        assert_eq!(heard, ["1970-01-01T00:01:50.000Z", "1970-01-01T00:01:50.000Z", "1970-01-01T00:00:50.000Z"]);
        assert_eq!(recorded.connectors["behind"].runs.unhealthy, 2);
        assert_eq!(recorded.last_signal_at.unwrap().to_string(), "1970-01-01T00:06:42.000Z");

        // What Redis shows is older than a change: the key was written by an agent that hung.
        let mut recorded = view(Healthy, &[("behind", connector(Healthy, 500, 120, 1))]);
        take_over(&mut recorded, &shown, Timestamp::from_second(130).unwrap());
        assert_eq!(recorded.connectors["behind"].runs.unhealthy, 1);
    }
}
