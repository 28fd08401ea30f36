//! Any bytes as a routing table in the compact encoding, alone and behind the beginning of one: they are refused, or a table
//! that can be written and is then read as the same. No count in them is believed that the bytes could not hold.
#![no_main]

use bindery_schema::value::E164Prefix;
use bindery_schema::wire::routing::{DecodeError, Encoder, Head, PackedRoute, decode};
use libfuzzer_sys::fuzz_target;

type Groups = Vec<(E164Prefix, Vec<PackedRoute>)>;

fn read(bytes: &[u8]) -> Result<(Head, Groups), DecodeError> {
    let begin = |head: Head| {
        // A reader makes room for so many.
        let counts = [head.operators.len(), head.costs.len(), head.groups, head.routes];
        assert!(counts.iter().all(|count| *count <= bytes.len()), "{counts:?} in {} bytes", bytes.len());
        (head, Groups::new())
    };
    decode(bytes, begin, |(_, groups), prefix, routes| groups.push((prefix, routes.to_vec())))
}

fuzz_target!(|bytes: &[u8]| {
    for bytes in [bytes, &[b"BNDT\x01", bytes].concat()] {
        let Ok((head, groups)) = read(bytes) else { continue };
        let mut written = Vec::new();
        let mut encoder = Encoder::begin(&head, &mut written).expect("what was read can be written");
        for (prefix, routes) in &groups {
            encoder.group(*prefix, routes, &mut written).expect("what was read is in order");
        }
        encoder.end().expect("what was read is as much as its head says");
        assert_eq!(read(&written), Ok((head, groups)));
    }
});
