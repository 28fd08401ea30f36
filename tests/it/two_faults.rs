//! Two faults, two findings: beside a fault that checks find between documents, every line is spoilt in turn. Both are
//! found and nothing else; only where the check measures the spoilt field is it silent.

use std::collections::BTreeSet;

use super::one_fault::{Field, compile, found, repository};

/// A fault of what documents say together.
struct Planted {
    /// What is written instead: file, line, old and new text.
    edits: &'static [(&'static str, usize, &'static str, &'static str)],
    /// Where it is found.
    at: (&'static str, usize, &'static str),
    /// The fields without which it cannot be found, by file.
    measures: &'static [(&'static str, &'static [&'static str])],
}

const OPERATOR_1: &str = "operators/afone/afone-1.yaml";
const OPERATOR_2: &str = "operators/afone/afone-2.yaml";
const OPERATOR_3: &str = "operators/aftwo/aftwo-1.yaml";
const ROUTES_1: &str = "operators/afone/afone-1.routes.yaml";
const ROUTES_2: &str = "operators/afone/afone-2.routes.yaml";
const ROUTES_3: &str = "operators/aftwo/aftwo-1.routes.yaml";
const CONTRACTS_1: &str = "contracts/afone.yaml";
const CONTRACTS_2: &str = "contracts/aftwo.yaml";
const POLICY: &str = "policy.yaml";

/// What holds the fields of every document: without them nothing of it is known.
const FRAME: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];

const PLANTED: &[Planted] = &[
    Planted {
        edits: &[(OPERATOR_2, 12, "bind9", "bind1")],
        at: (OPERATOR_2, 12, "BND0401"),
        measures: &[
            (OPERATOR_1, &["smpp", "host", "port", "systemId"]),
            (OPERATOR_2, &["smpp", "host", "port", "systemId"]),
        ],
    },
    Planted {
        edits: &[(OPERATOR_3, 17, "TRANSCEIVER", "TRANSMITTER")],
        at: (OPERATOR_3, 21, "BND0404"),
        measures: &[(OPERATOR_3, &["smpp", "bindMode", "tps", "inbound"])],
    },
    Planted {
        edits: &[(OPERATOR_1, 14, "100", "1")],
        at: (OPERATOR_1, 14, "BND0405"),
        // An acknowledgement of which the object is unknown may be of this one.
        measures: &[(OPERATOR_1, &["smpp", "windowSize", "tps", "outbound"]), (POLICY, &["acknowledge", "object"])],
    },
    Planted {
        edits: &[(ROUTES_2, 11, "+9378", "+9379")],
        at: (ROUTES_2, 11, "BND0501"),
        measures: &[(ROUTES_2, &["rules", "prefix"])],
    },
    Planted {
        edits: &[(ROUTES_1, 24, "false", "true")],
        at: (ROUTES_1, 23, "BND0502"),
        measures: &[
            (ROUTES_1, &["operator", "rules", "prefix", "active"]),
            (OPERATOR_1, &["status"]),
            (POLICY, &["routing", "sameOperatorNesting"]),
        ],
    },
    Planted {
        edits: &[(ROUTES_3, 8, "20", "10")],
        at: (ROUTES_3, 7, "BND0503"),
        measures: &[
            (ROUTES_1, &["operator", "rules", "prefix", "priority"]),
            (ROUTES_3, &["operator", "rules", "prefix", "priority"]),
            (OPERATOR_1, &["status"]),
            (OPERATOR_3, &["status"]),
        ],
    },
    Planted {
        edits: &[(ROUTES_1, 18, "+9379", "+93")],
        at: (ROUTES_1, 18, "BND0504"),
        measures: &[(ROUTES_1, &["operator", "rules", "prefix"]), (OPERATOR_1, &["status"])],
    },
    Planted {
        edits: &[(ROUTES_1, 15, "3", "0"), (ROUTES_3, 12, "1", "0")],
        at: (ROUTES_3, 9, "BND0505"),
        measures: &[
            (ROUTES_1, &["operator", "rules", "prefix", "priority", "weight", "split"]),
            (ROUTES_3, &["operator", "rules", "prefix", "priority", "weight", "split"]),
            // A rule that is nowhere to be read may be what the split lacks.
            (ROUTES_2, &["rules"]),
            (OPERATOR_1, &["status"]),
            (OPERATOR_3, &["status"]),
        ],
    },
    Planted {
        edits: &[(CONTRACTS_1, 28, "2027-01-01", "2026-12-01")],
        at: (CONTRACTS_1, 28, "BND0601"),
        measures: &[(CONTRACTS_1, &["contracts", "direction", "effectiveFrom", "effectiveTo"])],
    },
    Planted {
        edits: &[(OPERATOR_3, 20, "100", "5000")],
        at: (CONTRACTS_2, 9, "BND0603"),
        measures: &[
            (CONTRACTS_2, &["mno", "contracts", "direction", "contractedTps"]),
            (OPERATOR_3, &["mno", "status", "tps", "outbound"]),
        ],
    },
    Planted {
        edits: &[(CONTRACTS_1, 43, "1500", "2500")],
        at: (CONTRACTS_1, 27, "BND0604"),
        measures: &[(
            CONTRACTS_1,
            &["contracts", "direction", "contractedTps", "reservations", "reservedTps", "effectiveFrom"],
        )],
    },
    Planted {
        edits: &[(CONTRACTS_1, 39, "2026-06-01", "2024-06-01")],
        at: (CONTRACTS_1, 36, "BND0605"),
        measures: &[(CONTRACTS_1, &["contracts", "direction", "effectiveFrom", "effectiveTo", "reservations"])],
    },
    Planted {
        edits: &[(CONTRACTS_1, 28, "2027-01-01", "2027-02-01"), (CONTRACTS_1, 44, "2027-01-01", "2027-02-01")],
        at: (CONTRACTS_1, 25, "BND0606"),
        measures: &[
            (CONTRACTS_1, &["contracts", "direction", "effectiveFrom", "effectiveTo"]),
            // An acknowledgement of which the code is unknown may be of this one.
            (POLICY, &["code"]),
        ],
    },
    Planted {
        edits: &[(CONTRACTS_2, 10, "2026-01", "2026-12"), (CONTRACTS_2, 15, "2026-01", "2026-12")],
        at: ("operators/aftwo/mno.yaml", 4, "BND0607"),
        measures: &[
            ("operators/aftwo/mno.yaml", &["id"]),
            (CONTRACTS_2, &["mno", "contracts", "effectiveFrom"]),
            (OPERATOR_3, &["mno", "status"]),
        ],
    },
    Planted {
        edits: &[(OPERATOR_3, 7, "aftwo-0", "afone-2")],
        at: (OPERATOR_3, 7, "BND0701"),
        measures: &[(OPERATOR_3, &["renamedFrom"]), (OPERATOR_2, &["id"])],
    },
];

impl Planted {
    fn plant(&self) -> Vec<(String, String)> {
        let mut files = repository();
        for (path, line, old, new) in self.edits {
            let (_, text) = files.iter_mut().find(|(name, _)| name == path).expect("a file");
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            assert!(lines[line - 1].contains(old), "{path}:{line} has no {old}");
            lines[line - 1] = lines[line - 1].replacen(old, new, 1);
            *text = lines.join("\n") + "\n";
        }
        files
    }

    fn measures(&self, path: &str, key: &str) -> bool {
        let of_file = self.measures.iter().find(|(file, _)| *file == path);
        let is_frame = FRAME.contains(&key) && (of_file.is_some() || self.at.0 == path || path == POLICY);
        is_frame || of_file.is_some_and(|(_, keys)| keys.contains(&key))
    }
}

#[test]
fn a_fault_is_found_beside_every_other() {
    let (mut tried, mut failures) = (0, Vec::new());
    for planted in PLANTED {
        let files = planted.plant();
        let (file, line, code) = planted.at;
        let expected = (file.to_owned(), line, code.to_owned());
        assert_eq!(found(&compile(&files)), BTreeSet::from([expected.clone()]));
        for (number, (path, text)) in files.iter().enumerate() {
            let lines: Vec<&str> = text.lines().collect();
            for (at, spoilt_line) in lines.iter().enumerate() {
                let Some(field) = Field::of(spoilt_line) else { continue };
                // One way a line, each in its turn: all of them are tried where nothing is planted.
                let ways = field.spoilt();
                let Some((spoilt, down)) = ways.get((at + tried) % ways.len().max(1)) else { continue };
                let mut broken = files.clone();
                broken[number].1 = [&lines[..at], &[spoilt.as_str()], &lines[at + 1..]].concat().join("\n") + "\n";
                tried += 1;
                let is_below = path == file && line > at + 1;
                let expected = (file.to_owned(), line + if is_below { *down } else { 0 }, code.to_owned());
                let mut others = found(&compile(&broken));
                let is_found = others.remove(&expected);
                let is_there = |(name, line, _): &(String, usize, String)| name == path && *line == at + 1 + down;
                let is_own = path == file && line == at + 1;
                let only = others.len() == 1 && others.iter().all(is_there);
                if !only || !is_found && !is_own && !planted.measures(path, field.key) {
                    failures.push(format!("{code} beside {path}:{} {spoilt:?}: found {is_found}, {others:?}", at + 1));
                }
            }
        }
    }
    assert!(tried > 2_000, "only {tried}");
    assert!(failures.is_empty(), "{failures:#?}");
}
