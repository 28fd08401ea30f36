//! Reads the compact encoding, whatever the bytes are.

use super::{Head, MAGIC, PackedRoute, VERSION};
use crate::value::{Amount, Cost, E164Prefix};

/// Most routes of one prefix: far more operators than any destination has, few enough to keep a buffer for.
const MOST_ROUTES: usize = 65_536;

/// Why bytes are no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They are something else.
    #[error("it is no routing table")]
    NoTable,
    /// They are a table of a version this program does not read.
    #[error("it is of version {0} of the encoding, which this program does not read")]
    Version(u8),
    /// They end too soon.
    #[error("it ends too soon")]
    Short,
    /// Something stands behind the last row.
    #[error("something stands behind the last row")]
    Long,
    /// A part is not what the encoding allows.
    #[error("its {0} cannot be read")]
    Malformed(&'static str),
}

use DecodeError::Malformed;

/// Reads a whole table: `begin` is given the head first, and `group` each prefix with its routes in ascending order.
pub fn decode<T>(
    bytes: &[u8],
    begin: impl FnOnce(Head) -> T,
    mut group: impl FnMut(&mut T, E164Prefix, &[PackedRoute]),
) -> Result<T, DecodeError> {
    let mut input = Input(bytes);
    let head = head(&mut input)?;
    let (groups, routes) = (head.groups, head.routes);
    let limits = (head.operators.len(), head.costs.len());
    let mut table = begin(head);
    let (mut before, mut rows, mut seen) = (None, Vec::new(), 0_usize);
    for _ in 0..groups {
        let prefix = prefix(&mut input, before)?;
        before = Some(prefix);
        let count = input.size()?;
        seen = seen.saturating_add(count);
        if count == 0 || count > MOST_ROUTES || seen > routes {
            return Err(Malformed("number of routes"));
        }
        rows.clear();
        for _ in 0..count {
            rows.push(route(&mut input, limits)?);
        }
        if !rows.is_sorted_by(|a, b| (a.priority, a.operator) < (b.priority, b.operator)) {
            return Err(Malformed("order of routes"));
        }
        group(&mut table, prefix, &rows);
    }
    if seen != routes {
        return Err(Malformed("number of routes"));
    }
    if input.0.is_empty() { Ok(table) } else { Err(DecodeError::Long) }
}

fn head(input: &mut Input<'_>) -> Result<Head, DecodeError> {
    if input.take(MAGIC.len()).ok() != Some(&MAGIC) {
        return Err(DecodeError::NoTable);
    }
    let version = input.byte()?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let generation = i64::try_from(input.number()?).map_err(|_| Malformed("generation"))?;
    let commit = input.text("commit")?;
    let commit = (!commit.is_empty()).then(|| commit.to_owned());
    // Counts are believed as far as the bytes go: an entry has one at least.
    let mut operators = Vec::new();
    for _ in 0..input.count()? {
        let id = input.text("operator")?.parse().map_err(|_| Malformed("operator"))?;
        if operators.last().is_some_and(|last| *last >= id) {
            return Err(Malformed("order of operators"));
        }
        operators.push(id);
    }
    let mut costs = Vec::new();
    for _ in 0..input.count()? {
        let currency = std::str::from_utf8(input.take(3)?).ok().and_then(|code| code.parse().ok());
        let scale = u32::from(input.byte()?);
        let amount = Amount::from_parts(input.number()?, scale.min(u32::from(u8::MAX)));
        let (Some(currency), Some(amount)) = (currency, amount) else { return Err(Malformed("cost")) };
        costs.push(Cost { amount, currency });
    }
    let (groups, routes) = (input.count()?, input.count()?);
    Ok(Head { generation, commit, operators, costs, groups, routes })
}

fn prefix(input: &mut Input<'_>, before: Option<E164Prefix>) -> Result<E164Prefix, DecodeError> {
    let lengths = input.byte()?;
    let (kept, new) = (usize::from(lengths >> 4), usize::from(lengths & 0xf));
    let before_len = before.map_or(0, E164Prefix::len);
    if new == 0 || kept + new > 15 || kept > before_len {
        return Err(Malformed("prefix"));
    }
    let packed = input.take(new.div_ceil(2))?;
    let mut word = [0; 8];
    word[..packed.len()].copy_from_slice(packed);
    let added = u64::from_be_bytes(word) >> (4 * kept);
    let mask = u64::MAX.checked_shl(64 - 4 * u32::from(lengths >> 4)).unwrap_or(0);
    let kept_word = before.map_or(0, E164Prefix::word) & mask;
    let prefix = E164Prefix::from_word(kept_word | added | (kept + new) as u64).ok_or(Malformed("prefix"))?;
    if before.is_some_and(|before| before >= prefix) {
        return Err(Malformed("order of prefixes"));
    }
    Ok(prefix)
}

fn route(input: &mut Input<'_>, (operators, costs): (usize, usize)) -> Result<PackedRoute, DecodeError> {
    let operator = u32::try_from(input.number()?).ok().filter(|place| (*place as usize) < operators);
    let priority = u16::try_from(input.number()?);
    let weight = u16::try_from(input.number()?);
    let cost = u32::try_from(input.number()?).ok().filter(|place| *place as usize <= costs);
    match (operator, priority, weight, cost) {
        (Some(operator), Ok(priority), Ok(weight), Some(cost)) => Ok(PackedRoute { priority, operator, weight, cost }),
        _ => Err(Malformed("route")),
    }
}

/// What is left to read.
struct Input<'b>(&'b [u8]);

impl<'b> Input<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], DecodeError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::Short)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("number"))
    }

    fn size(&mut self) -> Result<usize, DecodeError> {
        usize::try_from(self.number()?).map_err(|_| Malformed("number"))
    }

    /// A number of things that take a byte at least: more than there are bytes cannot be right.
    fn count(&mut self) -> Result<usize, DecodeError> {
        let count = self.size()?;
        if count > self.0.len() { Err(DecodeError::Short) } else { Ok(count) }
    }

    fn text(&mut self, what: &'static str) -> Result<&'b str, DecodeError> {
        let length = self.size()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Malformed(what))
    }
}
