//! Any text as a prefix, an amount, a day and the other values: it is refused, or read and written back the same.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use bindery_schema::value::{Cidr, Country, Currency, Day, E164Prefix, Host, Instant, OperatorId, SystemId};
use libfuzzer_sys::fuzz_target;

/// What is read is read again from what it writes.
fn round<T: FromStr + Display + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert!(value.to_string().parse::<T>().is_ok_and(|again| again == value), "{text}");
    }
}

fuzz_target!(|text: &str| {
    round::<E164Prefix>(text);
    round::<Day>(text);
    round::<Instant>(text);
    round::<Country>(text);
    round::<Currency>(text);
    round::<Host>(text);
    round::<Cidr>(text);
    round::<OperatorId>(text);
    round::<SystemId>(text);
    if let (Ok(one), Some(digits)) = (text.parse::<E164Prefix>(), text.strip_prefix('+')) {
        assert_eq!(E164Prefix::from_digits(digits), Some(one));
        assert!(one.contains(one));
    }
});
