//! Identifiers of carriers, operators and tenants.

use std::borrow::Cow;

use super::macros::text_value;
use super::{ValueError, ValueProblem, shown};

/// Longest id, in characters: a DNS label, so that an id can stand in a host name or a metric label.
const LONGEST: usize = 63;

fn check(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let well_formed = !text.is_empty()
        && text.len() <= LONGEST
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if well_formed {
        return Ok(text.into());
    }
    let error = ValueError::new(ValueProblem::BadId, format!("{} is not a valid id", shown(text)));
    Err(error.help("an id has 1 to 63 of a-z, 0-9 and `-`, and neither begins nor ends with `-`"))
}

text_value!(
    /// Id of a carrier (`Mno`), such as `af-roshan`.
    MnoId, check, {
        "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        "description": "Id of a carrier: 1 to 63 of a-z, 0-9 and -."
    }
);
text_value!(
    /// Id of an operator, one SMPP bind, such as `af-roshan-1`.
    OperatorId, check, {
        "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        "description": "Id of an operator (one SMPP bind): 1 to 63 of a-z, 0-9 and -."
    }
);
text_value!(
    /// Id of a tenant that reserves throughput.
    TenantId, check, {
        "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        "description": "Id of a tenant: 1 to 63 of a-z, 0-9 and -."
    }
);
