//! The reducer's tables: each transition, each edge of a threshold, hysteresis, silence, order, several connectors.

use super::*;
use HealthState::{Degraded, Healthy, Unhealthy, Unknown};

const START: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

fn signal(connector: &str, second: i64) -> HealthSignal {
    HealthSignal {
        operator_id: "af-roshan-1".parse().unwrap(),
        connector_id: connector.to_owned(),
        bind_state: BindState::Bound,
        submitted: 100,
        failed: 0,
        throttled: 0,
        p95_millis: 300,
        in_flight: 0,
        at: at(second).into(),
    }
}

/// One letter a signal: `h`ealthy, `d`egraded, `u`nhealthy by error rate, `b`inding, `x` unbound, `s`ilence.
fn play(reducer: &HealthStateReducer, script: &str) -> (HealthView, Vec<Transition>) {
    let (mut view, mut second, mut transitions) = (HealthView::unheard(), 0, Vec::new());
    for letter in script.chars() {
        second += 1;
        let mut next = signal("c1", second);
        match letter {
            'h' => {}
            'd' => next.failed = 10,
            'u' => next.failed = 50,
            'b' => next.bind_state = BindState::Binding,
            'x' => next.bind_state = BindState::Unbound,
            _ => second += i64::from(reducer.thresholds.silence_seconds),
        }
        let input = if letter == 's' { Input::Tick } else { Input::Signal(&next) };
        let step = reducer.reduce(view, input, at(second));
        assert_eq!(step.verdict, Verdict::Accepted);
        transitions.extend(step.transition);
        view = step.view;
    }
    (view, transitions)
}

/// The table of OBSERVABILITY.md: from, to, and the examples.
fn documented() -> Vec<(HealthState, HealthState, Vec<String>)> {
    let text = include_str!("../../../OBSERVABILITY.md").split("## Health states").nth(1).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| From |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [from, to, why, examples] = cells[..] else { panic!("four cells, not {row}") };
        assert!(!why.is_empty(), "{row}");
        let examples: Vec<_> = examples.split('`').skip(1).step_by(2).map(str::to_lowercase).collect();
        assert!(!examples.is_empty(), "{row}");
        (from.parse().unwrap(), to.parse().unwrap(), examples)
    });
    rows.collect()
}

#[test]
fn every_pair_of_states_is_documented_and_its_examples_are_true() {
    let table = documented();
    let pairs: Vec<_> = table.iter().map(|(from, to, _)| (*from, *to)).collect();
    let differ = |from| HealthState::ALL.into_iter().filter(move |to| *to != from).map(move |to| (from, to));
    let all: Vec<_> = HealthState::ALL.into_iter().flat_map(differ).collect();
    assert_eq!(pairs.len(), 12);
    assert!(all.iter().all(|pair| pairs.contains(pair)), "{pairs:?}");
    for (from, to, examples) in table {
        for script in examples {
            let (before, after) = script.split_at(script.len() - 1);
            let (view, _) = play(&HealthStateReducer::default(), before);
            assert_eq!(view.state, from, "{script} without its last letter");
            let (view, transitions) = play(&HealthStateReducer::default(), &script);
            let last = transitions.last().unwrap();
            assert_eq!((last.previous, last.state, view.state), (from, to, to), "{script}");
            assert_eq!(transitions.len(), if before.is_empty() { 1 } else { 2 }, "{script}");
            assert_eq!(last.connector_id.as_deref(), if after == "s" { None } else { Some("c1") }, "{script}");
            assert_eq!(view.since.unwrap().timestamp(), last.at, "{script}");
        }
    }
}

#[test]
fn no_state_changes_into_itself() {
    for (script, state) in [("hhhhh", Healthy), ("ddddd", Degraded), ("uuuuu", Unhealthy), ("xxxxx", Unhealthy)] {
        let (view, transitions) = play(&HealthStateReducer::default(), script);
        assert_eq!((view.state, transitions.len()), (state, 1), "{script}");
    }
    let (view, transitions) = play(&HealthStateReducer::default(), "hsss");
    assert_eq!((view.state, transitions.len()), (Unknown, 2), "silence is told once");
}

#[test]
fn story_ops_06_unknown_to_healthy() {
    assert_eq!(play(&HealthStateReducer::default(), "h").0.state, Healthy);
}

#[test]
fn story_ops_06_healthy_to_degraded() {
    assert_eq!(play(&HealthStateReducer::default(), "hddd").0.state, Degraded);
}

#[test]
fn story_ops_06_degraded_to_unhealthy() {
    assert_eq!(play(&HealthStateReducer::default(), "hddduuu").0.state, Unhealthy);
}

#[test]
fn story_ops_06_unhealthy_to_healthy() {
    assert_eq!(play(&HealthStateReducer::default(), "uhhh").0.state, Healthy);
}

#[test]
fn story_ops_06_degraded_to_healthy() {
    assert_eq!(play(&HealthStateReducer::default(), "dhhh").0.state, Healthy);
}

#[test]
fn hysteresis_counts_signals_in_a_row() {
    let table = [
        ("hdd", Healthy),
        ("hddhdd", Healthy),
        ("huu", Healthy),
        ("hx", Unhealthy),
        ("dx", Unhealthy),
        ("x", Unhealthy),
        ("hbbb", Degraded),
        ("b", Degraded),
        ("xhh", Unhealthy),
        ("xhhuhh", Unhealthy),
        ("xhhh", Healthy),
        // A signal that wants a state further away counts for the nearer one too.
        ("hudu", Degraded),
        ("hududud", Degraded),
        ("huduuu", Unhealthy),
        ("uhdh", Degraded),
        // Runs do not live through silence: the first signal after it decides alone.
        ("hddsd", Degraded),
        ("huush", Healthy),
    ];
    for (script, state) in table {
        assert_eq!(play(&HealthStateReducer::default(), script).0.state, state, "{script}");
    }
}

#[test]
fn confirm_and_recover_are_counted_apart() {
    let thresholds = HealthThresholds { confirm: 1, recover: 5, ..HealthThresholds::default() };
    let reducer = HealthStateReducer { thresholds };
    for (script, state) in [("hd", Degraded), ("hu", Unhealthy), ("huhhhh", Unhealthy), ("huhhhhh", Healthy)] {
        assert_eq!(play(&reducer, script).0.state, state, "{script}");
    }
}

#[test]
fn thresholds_are_exceeded_only_from_above() {
    // submitted, failed, throttled, p95 → the state the first signal gives
    let table = [
        (100, 5, 0, 2_000, Healthy),
        (100, 6, 0, 2_000, Degraded),
        (100, 5, 0, 2_001, Degraded),
        (100, 25, 0, 10_000, Degraded),
        (100, 26, 0, 0, Unhealthy),
        (100, 0, 0, 10_001, Unhealthy),
        (100, 0, 100, 0, Healthy),
        (0, 7, 0, 0, Healthy),
        (1, u64::MAX, 0, 0, Unhealthy),
        (u64::MAX, u64::MAX, u64::MAX, u32::MAX, Unhealthy),
    ];
    for (submitted, failed, throttled, p95_millis, state) in table {
        let next = HealthSignal { submitted, failed, throttled, p95_millis, ..signal("c1", 1) };
        let step = HealthStateReducer::default().reduce(HealthView::unheard(), Input::Signal(&next), at(1));
        assert_eq!(step.view.state, state, "{submitted} {failed} {throttled} {p95_millis}");
        assert!(step.view.connectors["c1"].error_rate <= 1.0);
    }
}

#[test]
fn late_repeated_and_future_signals_change_nothing() {
    let reducer = HealthStateReducer::default();
    let view = reducer.reduce(HealthView::unheard(), Input::Signal(&signal("c1", 10)), at(10)).view;
    let long = "c".repeat(LONGEST_CONNECTOR_ID + 1);
    let table = [
        (signal("c1", 10), Verdict::Stale),
        (signal("c1", 9), Verdict::Stale),
        (signal("c1", 11), Verdict::Accepted),
        (signal("c2", 9), Verdict::Accepted),
        (signal("c1", 11 + 60), Verdict::Accepted),
        (signal("c1", 11 + 61), Verdict::Invalid),
        (signal("", 11), Verdict::Invalid),
        (signal("a\nb", 11), Verdict::Invalid),
        (signal(&long, 11), Verdict::Invalid),
    ];
    for (mut next, verdict) in table {
        next.bind_state = BindState::Unbound;
        let step = reducer.reduce(view.clone(), Input::Signal(&next), at(11));
        assert_eq!(step.verdict, verdict, "{next:?}");
        if verdict != Verdict::Accepted {
            assert_eq!((step.view, step.transition), (view.clone(), None), "{next:?}");
        }
    }
}

#[test]
fn silence_counts_from_hearing_not_from_the_connectors_clock() {
    let reducer = HealthStateReducer::default();
    // The connector's clock is an hour behind.
    let view = reducer.reduce(HealthView::unheard(), Input::Signal(&signal("c1", -3_600)), at(0)).view;
    let tick = |view: &HealthView, second| reducer.reduce(view.clone(), Input::Tick, at(second));
    assert_eq!(tick(&view, 59).transition, None);
    let step = tick(&view, 60);
    assert_eq!(step.transition.unwrap().reason, "no signal for 60 s");
    assert_eq!(tick(&step.view, 61).transition, None, "silence is reported once");
    assert_eq!(tick(&HealthView::unheard(), 61).transition, None, "who never spoke cannot fall silent");
}

#[test]
fn the_best_connector_counts_and_the_worst_is_named() {
    let reducer = HealthStateReducer::default();
    let step = |view, next: HealthSignal, second| reducer.reduce(view, Input::Signal(&next), at(second));
    let unbound = |mut next: HealthSignal| {
        next.bind_state = BindState::Unbound;
        next
    };
    let view = step(HealthView::unheard(), unbound(signal("c1", 1)), 1).view;
    assert_eq!((view.state, view.reason.as_str()), (Unhealthy, "c1: unbound"));
    let view = step(view, signal("c2", 2), 2).view;
    assert_eq!((view.state, view.reason.as_str()), (Healthy, "worst of 2 connectors: c1 UNHEALTHY, unbound"));
    // c2 falls silent while c1 goes on: what is left is UNHEALTHY.
    let view = step(view, unbound(signal("c1", 61)), 61).view;
    let last = reducer.reduce(view, Input::Tick, at(62));
    let transition = last.transition.unwrap();
    assert_eq!((transition.previous, transition.state, transition.connector_id), (Healthy, Unhealthy, None));
    assert_eq!(last.view.connectors["c2"].state, Unknown);
}

#[test]
fn connectors_are_bounded() {
    let reducer = HealthStateReducer::default();
    let mut view = HealthView::unheard();
    for (id, second) in (0..MOST_CONNECTORS).zip(0..) {
        view = reducer.reduce(view, Input::Signal(&signal(&format!("c{id}"), second % 10)), at(second % 10)).view;
    }
    let refused = reducer.reduce(view.clone(), Input::Signal(&signal("new", 10)), at(10));
    assert_eq!(refused.verdict, Verdict::Invalid);
    let taken = reducer.reduce(view, Input::Signal(&signal("new", 60)), at(60));
    assert_eq!((taken.verdict, taken.view.connectors.len()), (Verdict::Accepted, MOST_CONNECTORS));
    assert!(taken.view.connectors.contains_key("new") && !taken.view.connectors.contains_key("c0"));
}

#[test]
fn a_signal_not_yet_believed_leaves_the_reason() {
    let (view, _) = play(&HealthStateReducer::default(), "hdd");
    assert_eq!(view.reason, "c1: bound, error rate 0.0 %, p95 300 ms");
    let (view, _) = play(&HealthStateReducer::default(), "hddd");
    assert_eq!(view.reason, "c1: error rate 10.0 % is above 5.0 %");
}

#[test]
fn a_view_survives_its_json() {
    let (view, _) = play(&HealthStateReducer::default(), "hddd");
    let json = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<HealthView>(&json).unwrap(), view);
}
