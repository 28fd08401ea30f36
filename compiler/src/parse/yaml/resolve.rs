//! What the core schema makes of a plain scalar (YAML 1.2.2, 10.3.2).

use super::Scalar;

/// A scalar's meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    /// A whole number; saturated where it does not fit.
    Int(i128),
    Float(f64),
    Text,
}

impl Scalar<'_> {
    /// What YAML's core schema makes of it.
    pub(crate) fn resolve(&self) -> Resolved {
        if !self.plain {
            return Resolved::Text;
        }
        match &*self.text {
            "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
            "true" | "True" | "TRUE" => Resolved::Bool(true),
            "false" | "False" | "FALSE" => Resolved::Bool(false),
            text => number(text),
        }
    }
}

fn number(text: &str) -> Resolved {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let first = unsigned.bytes().next().unwrap_or_default();
    if !first.is_ascii_digit() && first != b'.' {
        return Resolved::Text;
    }
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| digits.bytes().all(|b| (b'0'..=b'7').contains(&b))) {
        return i128::from_str_radix(digits, 8).map_or(Resolved::Text, Resolved::Int);
    }
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
        return i128::from_str_radix(digits, 16).map_or(Resolved::Text, Resolved::Int);
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return Resolved::Int(text.parse().unwrap_or(i128::MAX));
    }
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Resolved::Float(f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        _ => {}
    }
    // Rust reads a superset of the core schema's floats (`inf`, `1_0` it does not): digits, point and exponent only.
    let shape = unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if shape { text.parse().map_or(Resolved::Text, Resolved::Float) } else { Resolved::Text }
}
