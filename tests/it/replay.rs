//! A million signals, reordered, repeated, late and wrong: every change and all final states are those of a simple model.

use bindery_schema::wire::health::HealthState;
use bindery_tests::replay::model::{Model, Outcome};
use bindery_tests::replay::signals::Traffic;
use bindery_tests::replay::{Report, compare};

/// Operators do not know of each other, so that parts of the fleet may be played at once.
const PARTS: u64 = 4;
const OPERATORS: usize = 50;
const SIGNALS: usize = 250_000;

#[test]
fn a_million_signals_lead_where_the_model_says() {
    let parts = std::thread::scope(|scope| {
        let play = |seed| {
            let traffic = Traffic::draw(seed, OPERATORS, SIGNALS);
            compare(&traffic, Model::new(&traffic.operators))
        };
        let parts: Vec<_> = (0..PARTS).map(|seed| scope.spawn(move || play(seed))).collect();
        parts.into_iter().map(|part| part.join().unwrap().unwrap()).collect::<Vec<_>>()
    });
    let mut report = Report::default();
    for part in parts {
        report.add(part);
    }
    assert_eq!(report.outcomes.values().sum::<usize>(), 1_000_000);
    // The traffic has everything in it, or its comparison says little.
    for (outcome, least) in
        [(Outcome::Accepted, 800_000), (Outcome::Stale, 30_000), (Outcome::Invalid, 1_000), (Outcome::Unknown, 1_000)]
    {
        assert!(report.outcomes[&outcome] > least, "{report:?}");
    }
    for from in HealthState::ALL {
        for to in HealthState::ALL.into_iter().filter(|to| *to != from) {
            assert!(report.changes[&(from, to)] > 100, "{from} to {to}: {report:?}");
        }
    }
    anstream::println!("{report:?}");
}

/// The comparison can fail: a model that asks one signal more of a single operator is not like the agent.
#[test]
fn a_difference_is_found() {
    let traffic = Traffic::draw(1, 10, 20_000);
    compare(&traffic, Model::new(&traffic.operators)).unwrap();
    let mut operators = traffic.operators.clone();
    operators[3].thresholds.confirm += 1;
    let difference = compare(&traffic, Model::new(&operators)).unwrap_err();
    assert!(difference.contains("op-0003"), "{difference}");
    assert_ne!(Traffic::draw(2, 10, 20_000).deliveries, traffic.deliveries);
}
