//! Amounts of money. Never a float: a cost per message has up to six places and is compared exactly.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use super::macros::string_conversions;
use super::{Currency, ValueError, ValueProblem, shown};

/// Most digits before the point; keeps every amount inside the stores' `numeric(18,6)`.
const WHOLE_DIGITS: u32 = 12;
/// Most decimal places.
const PLACES: u32 = 6;

/// An amount of money ≥ 0 with at most six decimal places. `0.0110` and `0.011` are the same amount.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr)]
pub struct Amount(Decimal);

impl Amount {
    /// The amount `mantissa` · 10^-`scale`, where it is one in its shortest form.
    pub fn from_parts(mantissa: u64, scale: u32) -> Option<Self> {
        let shortest = scale == 0 || !mantissa.is_multiple_of(10);
        let fits = scale <= PLACES && mantissa / 10_u64.pow(scale) < 10_u64.pow(WHOLE_DIGITS);
        let mantissa = i64::try_from(mantissa).ok()?;
        (shortest && fits).then(|| Self(Decimal::new(mantissa, scale)))
    }

    /// Mantissa and scale of the shortest form.
    pub fn parts(self) -> Option<(u64, u32)> {
        Some((u64::try_from(self.0.mantissa()).ok()?, self.0.scale()))
    }

    /// The amount as an exact decimal.
    pub fn decimal(self) -> Decimal {
        self.0
    }
}

impl FromStr for Amount {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (whole, places) = text.split_once('.').map_or((text, None), |(whole, places)| (whole, Some(places)));
        let digits = |text: &str, longest: u32| {
            !text.is_empty() && text.len() <= longest as usize && text.bytes().all(|b| b.is_ascii_digit())
        };
        let well_formed = digits(whole, WHOLE_DIGITS) && places.is_none_or(|places| digits(places, PLACES));
        match text.parse::<Decimal>() {
            Ok(amount) if well_formed => Ok(Self(amount.normalize())),
            _ => Err(ValueError::new(ValueProblem::OutOfRange, format!("{} is not an amount of money", shown(text)))
                .help("an amount is a quoted decimal of at least 0 with at most six places, such as \"0.0110\"")),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

string_conversions!(Amount, {
    "type": "string", "pattern": "^[0-9]{1,12}(\\.[0-9]{1,6})?$",
    "description": "A decimal of at least 0 with at most six places, quoted."
});

/// A price in a currency, such as the cost of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cost {
    /// How much.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}
