//! Any text as a number to trace, and as a mapping file of an import: it is refused with a reason, or traced.
#![no_main]

use bindery_compiler::import::Mapping;
use bindery_compiler::trace::{Table, country, number, text, trace};
use bindery_schema::catalog::Catalog;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let at = Timestamp::UNIX_EPOCH;
    let catalog = Catalog::default();
    let table = Table::new(&catalog, at);
    match number::parse(input) {
        Ok(number) => {
            assert_eq!(number::parse(&number.to_string()), Ok(number), "what is read is read again from what it writes");
            let found = trace(number, &table, &catalog, at);
            assert!(found.routes.is_empty() && found.country == country::of(number));
            let mut lines = String::new();
            text::human(&found, at, &mut lines).expect("a string takes any text");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let _ = Mapping::read(input);
});
