use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Groups = Vec<(E164Prefix, Vec<PackedRoute>)>;

fn head(groups: &Groups) -> Head {
    Head {
        generation: 7,
        commit: Some("c0ffee".to_owned()),
        operators: ["a", "b-1", "c"].map(|id| id.parse().unwrap()).to_vec(),
        costs: vec![
            Cost { amount: "0.011".parse().unwrap(), currency: "EUR".parse().unwrap() },
            Cost { amount: "999999999999.999999".parse().unwrap(), currency: "KES".parse().unwrap() },
        ],
        groups: groups.len(),
        routes: groups.iter().map(|(_, routes)| routes.len()).sum(),
    }
}

fn encoded(head: &Head, groups: &Groups) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut encoder = Encoder::begin(head, &mut out)?;
    for (prefix, routes) in groups {
        encoder.group(*prefix, routes, &mut out)?;
    }
    encoder.end()?;
    Ok(out)
}

fn decoded(bytes: &[u8]) -> Result<(Head, Groups), DecodeError> {
    decode(bytes, |head| (head, Groups::new()), |(_, groups), prefix, routes| groups.push((prefix, routes.to_vec())))
}

prop_compose! {
    fn groups()(rows in prop::collection::btree_map(
        ("[1-9][0-9]{0,14}|9379[0-9]{0,4}", 0..3_u32), (any::<u16>(), any::<u16>(), 0..3_u32), 0..60,
    )) -> Groups {
        let mut groups: BTreeMap<E164Prefix, Vec<PackedRoute>> = BTreeMap::new();
        for ((digits, operator), (priority, weight, cost)) in rows {
            let prefix = E164Prefix::from_digits(&digits).unwrap();
            groups.entry(prefix).or_default().push(PackedRoute { priority, operator, weight, cost });
        }
        for routes in groups.values_mut() {
            routes.sort_unstable();
        }
        groups.into_iter().collect()
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(groups in groups()) {
        let head = head(&groups);
        prop_assert_eq!(decoded(&encoded(&head, &groups).unwrap()), Ok((head, groups)));
    }

    #[test]
    fn a_part_of_a_table_is_no_table(groups in groups(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&head(&groups), &groups).unwrap();
        prop_assert!(decoded(&bytes[..cut.index(bytes.len())]).is_err());
        prop_assert_eq!(decoded(&[&*bytes, &[0]].concat()), Err(DecodeError::Long));
    }

    #[test]
    fn damaged_bytes_are_refused_or_a_table_in_order(
        groups in groups(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut bytes = encoded(&head(&groups), &groups).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok((head, groups)) = decoded(&bytes) {
            prop_assert!(groups.is_sorted_by(|a, b| a.0 < b.0));
            prop_assert_eq!(groups.len(), head.groups);
            let routes = groups.iter().flat_map(|(_, routes)| routes);
            prop_assert!(routes.clone().all(|r| (r.operator as usize) < head.operators.len()));
            prop_assert!(routes.clone().all(|r| r.cost as usize <= head.costs.len()));
            prop_assert_eq!(routes.count(), head.routes);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(decoded(&bytes).is_ok(), false);
        let bytes = [b"BNDT\x01", &*bytes].concat();
        let _ = decode(&bytes, |head| is_room_for(&head, &bytes), |(), _, _| {});
    }

    /// A head may promise anything; a reader makes room for what it promises.
    #[test]
    fn no_count_is_believed_that_the_bytes_could_not_hold(
        counts in prop::array::uniform4(prop_oneof![Just(0), 0..200_u64, any::<u64>()]),
        behind in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        // The step is 7, no commit, then operators, costs, prefixes and rows.
        let mut bytes = b"BNDT\x01\x07\x00".to_vec();
        for mut count in counts {
            while count >= 0x80 {
                bytes.push(count.to_le_bytes()[0] | 0x80);
                count >>= 7;
            }
            bytes.push(count.to_le_bytes()[0]);
        }
        bytes.extend(behind);
        let _ = decode(&bytes, |head| is_room_for(&head, &bytes), |(), _, _| {});
    }
}

fn is_room_for(head: &Head, bytes: &[u8]) {
    let counts = [head.operators.len(), head.costs.len(), head.groups, head.routes];
    assert!(counts.iter().all(|count| *count <= bytes.len()), "{counts:?} in {} bytes", bytes.len());
}

/// Byte for byte, as the description of the encoding says it: a client in another language reads this.
#[test]
fn version_1_is_these_bytes() {
    let prefix = |digits| E164Prefix::from_digits(digits).unwrap();
    let route = |operator, priority, weight, cost| PackedRoute { priority, operator, weight, cost };
    let groups = vec![
        (prefix("93"), vec![route(1, 100, 100, 0)]),
        (prefix("9379"), vec![route(0, 100, 50, 1), route(2, 200, 300, 0)]),
    ];
    let head = Head {
        generation: 300,
        commit: None,
        operators: ["a", "b", "c"].map(|id| id.parse().unwrap()).to_vec(),
        costs: vec![Cost { amount: "0.011".parse().unwrap(), currency: "EUR".parse().unwrap() }],
        groups: 2,
        routes: 3,
    };
    let expected = [
        &b"BNDT\x01\xac\x02\x00\x03\x01a\x01b\x01c\x01EUR\x03\x0b\x02\x03"[..],
        &[0x02, 0x93, 1, 1, 100, 100, 0],
        &[0x22, 0x79, 2, 0, 100, 50, 1, 2, 0xc8, 0x01, 0xac, 0x02, 0],
    ];
    let bytes = encoded(&head, &groups).unwrap();
    assert_eq!(bytes, expected.concat());
    assert_eq!(decoded(&bytes), Ok((head, groups)));
}

#[test]
fn disorder_and_wrong_counts_are_not_written() {
    let prefix = |digits| E164Prefix::from_digits(digits).unwrap();
    let route = PackedRoute { priority: 1, weight: 1, operator: 0, cost: 0 };
    let good = vec![(prefix("93"), vec![route]), (prefix("94"), vec![route])];
    let disorder = vec![good[1].clone(), good[0].clone()];
    assert_eq!(encoded(&head(&disorder), &disorder), Err(EncodeError::Order));
    let empty = vec![(prefix("93"), vec![])];
    assert_eq!(encoded(&head(&empty), &empty), Err(EncodeError::Routes));
    assert_eq!(encoded(&head(&good), &good[..1].to_vec()), Err(EncodeError::Count));
    assert_eq!(encoded(&head(&good[..1].to_vec()), &good), Err(EncodeError::Count));
}

#[test]
fn another_version_is_named() {
    assert_eq!(decoded(b"BNDT\x02"), Err(DecodeError::Version(2)));
    assert_eq!(decoded(b"{\"generation\":7}"), Err(DecodeError::NoTable));
}
