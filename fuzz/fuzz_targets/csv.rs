//! Any bytes as a spreadsheet, alone and below the template's header: every record is in the report, what is written
//! compiles, and importing again changes nothing.
#![no_main]

use std::sync::Arc;

use bindery_compiler::import::{Mapping, Options, Outcome, Sealing, import};
use bindery_compiler::source::{Content, Loaded};
use libfuzzer_sys::fuzz_target;

const HEADER: &[u8] = b"Operator ID,MNO Name,Country,MCC-MNC,SMPP Host,Port,System ID,Password,System Type,Bind Mode,Window,\
    Max TPS,Prefixes,Priority,Weight,Cost USD,Contract Ref,NOC Contact,Notes\n";

fuzz_target!(|bytes: &[u8]| {
    let options = Options {
        now: jiff::Timestamp::UNIX_EPOCH,
        source: "legacy.csv".to_owned(),
        mapping: Mapping::default(),
        terms: None,
        allow_long_passwords: false,
        sealing: Sealing::None,
        dry_run: false,
        production: false,
        signed_off_by: None,
    };
    for sheet in [bytes, &[HEADER, bytes].concat()] {
        let Ok(done) = import(sheet, &[], &options) else { continue };
        for row in &done.report.rows {
            assert_eq!(row.outcome == Outcome::Refused, !row.reasons.is_empty(), "{row:?}");
        }
        let file = |(path, text): (&String, &String)| Loaded {
            path: Arc::from(path.as_str()),
            blob: None,
            content: Content::Text(text.as_str().into()),
        };
        let written: Vec<Loaded> = done.files.iter().map(file).collect();
        let again = import(sheet, &written, &options).expect("what an import writes compiles");
        assert!(again.files.is_empty(), "a second import writes {:?}", again.files.keys());
        assert_eq!(again.report.summary, done.report.summary);
    }
});
