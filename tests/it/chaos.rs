//! A short fault campaign. `make chaos` runs long ones.

use bindery_tests::chaos::plan::Shape;
use bindery_tests::chaos::{self, Options};
use bindery_tests::stack::Servers;

#[tokio::test(flavor = "multi_thread")]
async fn every_invariant_holds_after_a_short_campaign() {
    let keep = tempfile::tempdir().unwrap();
    let shape = Shape { operations: 60, check_every: 100, rest: 100 };
    let options = Options { seed: 7, shape, limit: None, keep: keep.path().to_owned() };
    let report = Box::pin(chaos::run(&options, Servers::own().await, |_, _| {})).await.unwrap();
    let journal = std::fs::read_to_string(keep.path().join("journal.log")).unwrap();
    assert!(report.violations.is_empty(), "{:#?}\n{journal}", report.violations);
    assert_eq!(report.operations, 60 + 1, "{journal}");
    // A campaign that does nothing violates nothing.
    for what in ["commits", "applied steps", "events", "calls accepted"] {
        assert!(report.totals[what] > 5, "{what}: {report}\n{journal}");
    }
}
