//! Writes the compact encoding.

use super::{Head, MAGIC, PackedRoute, VERSION};
use crate::value::{Cost, E164Prefix};

/// Why a table cannot be written: its parts are not in order, or not as many as was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A prefix does not come after the one before it.
    #[error("the prefixes are not in order")]
    Order,
    /// A prefix without routes, or routes out of order.
    #[error("the routes of a prefix are not in order")]
    Routes,
    /// The head says another number of prefixes or rows.
    #[error("the number of prefixes or rows is not what the head says")]
    Count,
    /// An amount that is more than the encoding takes.
    #[error("a cost cannot be written")]
    Cost,
}

/// Writes a table, prefix by prefix, into a buffer that may be taken away in between.
#[derive(Debug)]
pub struct Encoder {
    before: Option<E164Prefix>,
    groups: usize,
    routes: usize,
}

impl Encoder {
    /// Writes the head.
    pub fn begin(head: &Head, out: &mut Vec<u8>) -> Result<Self, EncodeError> {
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        // A step is never negative.
        number(out, head.generation.max(0).unsigned_abs());
        bytes(out, head.commit.as_deref().unwrap_or_default().as_bytes());
        size(out, head.operators.len());
        for operator in &head.operators {
            bytes(out, operator.as_str().as_bytes());
        }
        size(out, head.costs.len());
        for cost in &head.costs {
            price(out, *cost)?;
        }
        size(out, head.groups);
        size(out, head.routes);
        Ok(Self { before: None, groups: head.groups, routes: head.routes })
    }

    /// Writes a prefix with its routes.
    pub fn group(&mut self, prefix: E164Prefix, routes: &[PackedRoute], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.before.is_some_and(|before| before >= prefix) {
            return Err(EncodeError::Order);
        }
        if routes.is_empty() || !in_order(routes) {
            return Err(EncodeError::Routes);
        }
        self.groups = self.groups.checked_sub(1).ok_or(EncodeError::Count)?;
        self.routes = self.routes.checked_sub(routes.len()).ok_or(EncodeError::Count)?;
        let kept = self.before.map_or(0, |before| common(before, prefix));
        self.before = Some(prefix);
        digits(out, prefix, kept);
        size(out, routes.len());
        for route in routes {
            number(out, u64::from(route.operator));
            number(out, u64::from(route.priority));
            number(out, u64::from(route.weight));
            number(out, u64::from(route.cost));
        }
        Ok(())
    }

    /// Sees that all was written that the head promised.
    pub fn end(self) -> Result<(), EncodeError> {
        if (self.groups, self.routes) == (0, 0) { Ok(()) } else { Err(EncodeError::Count) }
    }
}

/// Whether routes come by priority and operator, none twice.
fn in_order(routes: &[PackedRoute]) -> bool {
    routes.is_sorted_by(|a, b| (a.priority, a.operator) < (b.priority, b.operator))
}

/// How many leading digits two prefixes share; less than the second has, as that comes later in order.
fn common(before: E164Prefix, prefix: E164Prefix) -> usize {
    // The lowest nibble is the number of digits, not one of them.
    let differing = (before.word() ^ prefix.word()) & !0xf;
    let same = (differing.leading_zeros() / 4) as usize;
    same.min(before.len()).min(prefix.len() - 1)
}

fn digits(out: &mut Vec<u8>, prefix: E164Prefix, kept: usize) {
    let new = prefix.len() - kept;
    #[expect(clippy::cast_possible_truncation, reason = "both are at most 15")]
    out.push((kept << 4 | new) as u8);
    let bytes = ((prefix.word() & !0xf) << (4 * kept)).to_be_bytes();
    out.extend_from_slice(&bytes[..new.div_ceil(2)]);
}

fn price(out: &mut Vec<u8>, cost: Cost) -> Result<(), EncodeError> {
    let (mantissa, scale) = cost.amount.parts().ok_or(EncodeError::Cost)?;
    out.extend_from_slice(cost.currency.as_str().as_bytes());
    out.push(u8::try_from(scale).map_err(|_| EncodeError::Cost)?);
    number(out, mantissa);
    Ok(())
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    size(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn size(out: &mut Vec<u8>, value: usize) {
    number(out, value as u64);
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
