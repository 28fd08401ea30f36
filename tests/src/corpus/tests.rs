//! The invariants of a corpus, checked by brute force on a small one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;

use super::network::{Mode, Network};
use super::numbering::ancestors;
use super::{FIRST_VALID_DAY, Shape, Style, commit, generate, mutate};

/// Few prefixes for many rules, so that the pool is dealt round several times.
fn crowded() -> Network {
    Network::draw(&Shape { mnos: 7, ..Shape::new(60, 3_000) })
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, dir: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, into);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                into.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(dir, dir, &mut found);
    found
}

#[test]
fn endpoints_are_unique_and_directions_fit_the_bind_mode() {
    let network = crowded();
    let mut endpoints = HashSet::new();
    for bind in &network.binds {
        assert!(endpoints.insert((&bind.host, bind.port, &bind.system_id)));
        assert!(bind.system_id.len() <= 15);
        let carries = (bind.tps.outbound > 0, bind.tps.inbound > 0);
        let expected = match bind.mode {
            Mode::Transceiver => (true, true),
            Mode::Transmitter => (true, false),
            Mode::Receiver => (false, true),
        };
        assert_eq!(carries, expected, "{}", bind.id);
        assert!(2 * bind.window >= bind.tps.outbound.max(bind.tps.inbound));
    }
}

#[test]
fn no_prefix_nests_in_its_operator_and_equal_ones_differ_in_priority() {
    let network = crowded();
    let mut by_rank: HashMap<(u64, u16), &str> = HashMap::new();
    let mut all = HashSet::new();
    for bind in &network.binds {
        let own: HashSet<u64> = bind.rules.iter().map(|rule| rule.prefix).collect();
        assert_eq!(own.len(), bind.rules.len(), "{} has a prefix twice", bind.id);
        for rule in &bind.rules {
            assert!(!ancestors(rule.prefix).any(|p| own.contains(&p)));
            let other = by_rank.insert((rule.prefix, rule.priority), &bind.id);
            assert_eq!(other, None, "+{} of {}", rule.prefix, bind.id);
        }
        all.extend(own);
    }
    assert_eq!(by_rank.len(), 3_000);
    assert!(all.len() < 3_000, "no prefix is shared");
    assert!(all.iter().any(|p| ancestors(*p).any(|a| all.contains(&a))), "nothing nests across operators");
}

#[test]
fn contracts_hold_all_active_operators_and_a_tenth_stays_unreserved() {
    let network = crowded();
    for (index, carrier) in network.carriers.iter().enumerate() {
        let active = || network.binds.iter().filter(|bind| bind.carrier == index && bind.active);
        for (direction, demand) in [
            ("OUTBOUND", active().map(|b| b.tps.outbound).sum::<u32>()),
            ("INBOUND", active().map(|b| b.tps.inbound).sum()),
        ] {
            let agreement = &carrier.agreement;
            let contracts: Vec<_> = agreement.contracts.iter().filter(|c| c.direction == direction).collect();
            assert!(contracts[0].from < FIRST_VALID_DAY);
            assert_eq!(contracts.last().unwrap().to, None);
            for pair in contracts.windows(2) {
                assert_eq!(pair[0].to, Some(pair[1].from));
            }
            for contract in &contracts {
                let in_force_later = contract.to.is_none_or(|end| end > FIRST_VALID_DAY);
                assert!(!in_force_later || demand <= contract.tps);
            }
            let reservations: Vec<_> = agreement
                .reservations
                .iter()
                .filter(|r| r.direction == direction)
                .map(|r| (r.tps, r.from.unwrap_or(contracts[0].from), r.to))
                .collect();
            let instants: BTreeSet<_> =
                contracts.iter().map(|c| c.from).chain(reservations.iter().map(|r| r.1)).collect();
            for at in instants {
                let contract =
                    contracts.iter().rfind(|c| c.from <= at).expect("a reservation begins before the first contract");
                let reserved: u32 = reservations
                    .iter()
                    .filter(|(_, from, to)| *from <= at && to.is_none_or(|end| at < end))
                    .map(|(tps, ..)| tps)
                    .sum();
                assert!(10 * reserved <= 9 * contract.tps, "{} at {at}", carrier.id);
            }
        }
    }
}

#[test]
fn a_lone_operator_gets_more_routes_than_fit_without_nesting() {
    let network = Network::draw(&Shape::new(1, 50_000));
    let own: HashSet<u64> = network.binds[0].rules.iter().map(|r| r.prefix).collect();
    assert_eq!(own.len(), 50_000);
    assert!(!own.iter().any(|p| ancestors(*p).any(|a| own.contains(&a))));
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_the_same_commits() {
    let shape = Shape { style: Style::Block, ..Shape::new(20, 400) };
    let write = |shape: &Shape| {
        let dir = tempfile::tempdir().unwrap();
        let summary = generate(dir.path(), shape).unwrap();
        let written = files(dir.path());
        assert_eq!((summary.operators, summary.routes), (20, 400));
        assert_eq!(summary.files, written.len());
        assert_eq!(summary.bytes, written.values().map(Vec::len).sum::<usize>());
        let first = commit(dir.path(), "Add").unwrap();
        mutate(dir.path(), 5, 8).unwrap();
        (written, first, commit(dir.path(), "Edit").unwrap())
    };
    let once = write(&shape);
    assert_eq!(once, write(&shape));
    assert_ne!(once.1, once.2);
    assert_ne!(once.0, write(&Shape { seed: 9, ..shape }).0);
}

#[test]
fn a_corpus_is_not_written_over_another() {
    let dir = tempfile::tempdir().unwrap();
    generate(dir.path(), &Shape::new(1, 1)).unwrap();
    assert!(generate(dir.path(), &Shape::new(1, 1)).is_err());
}

#[test]
fn mutations_touch_two_files_an_operator_and_add_a_fresh_prefix_each_time() {
    for style in [Style::Flow, Style::Block] {
        let dir = tempfile::tempdir().unwrap();
        let shape = Shape { style, ..Shape::new(20, 400) };
        generate(dir.path(), &shape).unwrap();
        let mut added = HashSet::new();
        for seed in [1, 1, 2] {
            let before = files(dir.path());
            let mutations = mutate(dir.path(), 6, seed).unwrap();
            let after = files(dir.path());
            let changed = before.iter().filter(|(name, text)| after[*name] != **text);
            assert_eq!(changed.count(), 12);
            assert_eq!(mutations.iter().filter(|m| m.removed).count(), 2);
            for mutation in mutations {
                assert!(mutation.tps_lowered);
                let new = after
                    .iter()
                    .filter(|(name, _)| name.ends_with(".routes.yaml"))
                    .filter(|(_, text)| String::from_utf8_lossy(text).contains(&mutation.added));
                assert_eq!(new.count(), 1, "{}", mutation.added);
                added.insert(mutation.added);
            }
        }
        assert!(added.len() > 6);
    }
}
