//! Validated values: each type can only hold what the field allows, so nothing downstream checks again.
//!
//! Text is turned into a value by [`std::str::FromStr`]; what is wrong is said by [`ValueError`], whose
//! [`ValueProblem`] decides the finding code. Serde goes through the same door.

mod code_list;
mod id;
mod macros;
mod money;
mod net;
mod prefix;
mod prefix_spelling;
mod text;
mod time;

pub use code_list::{Country, Currency};
pub use id::{MnoId, OperatorId, TenantId};
pub use money::{Amount, Cost};
pub use net::{Cidr, Host};
pub use prefix::E164Prefix;
pub use text::{AddressRange, ContractRef, DocumentUri, MccMnc, Name, Reason, SystemId, SystemType};
pub use time::{ClockTime, Day, Instant, Timezone, Weekday};

/// Messages a second.
pub type Tps = u32;

/// What kind of rule a value breaks. The compiler maps each to one finding code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueProblem {
    /// Not an id of the form `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`.
    BadId,
    /// Not an E.164 prefix.
    BadPrefix,
    /// A length or a number outside its limits.
    OutOfRange,
    /// Neither a host name nor an IP address.
    BadHost,
    /// Not a member of a closed list (country, currency, time zone, enumeration).
    NotInList,
    /// Not an address block.
    BadCidr,
    /// Not a date, a time of day or an instant.
    BadDate,
}

/// Why a text is not the value it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    /// The rule that is broken.
    pub problem: ValueProblem,
    /// One line, lower case, no full stop, the offending value in backticks.
    pub message: String,
    /// What a correct value looks like.
    pub help: Option<String>,
}

impl ValueError {
    /// An error with a message and no help.
    pub fn new(problem: ValueProblem, message: impl Into<String>) -> Self {
        Self { problem, message: message.into(), help: None }
    }

    /// The same error with a line that says what a correct value looks like.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Shortens a value for a message: a finding must stay one readable line whatever the input.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    let clean: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() { format!("`{clean}…`") } else { format!("`{clean}`") }
}
