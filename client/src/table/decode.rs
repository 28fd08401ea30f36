//! Makes a table from the compact encoding.

use bindery_schema::value::E164Prefix;
use bindery_schema::wire::routing::{self, PackedRoute};

use super::{Parts, Table, build};

/// Most bytes a table unpacks to: thirty times a million prefixes, and not whatever somebody sends.
const LARGEST: usize = 1 << 29;
/// Most entries that are made room for ahead.
const AHEAD: usize = 1 << 24;

/// Why bytes are no table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They cannot be unpacked: they are no zstd frame, damaged, or cut short.
    #[error("the routing table cannot be unpacked")]
    Packed(#[source] std::io::Error),
    /// They unpack to more than any table has.
    #[error("the routing table is larger than this program takes")]
    TooLarge,
    /// What they unpack to is no table.
    #[error("the routing table cannot be read")]
    Table(#[from] routing::DecodeError),
}

impl Table {
    /// Reads the answer of the agent with the media type [`routing::COMPACT`]. Takes tens of milliseconds for a
    /// million prefixes: do it where nothing waits.
    pub fn decode(packed: &[u8]) -> Result<Self, DecodeError> {
        let bytes = unpack(packed)?;
        Ok(Self::decode_plain(&bytes)?)
    }

    /// The same for bytes that are unpacked already.
    pub fn decode_plain(bytes: &[u8]) -> Result<Self, routing::DecodeError> {
        let begin = |head: routing::Head| Parts {
            generation: head.generation,
            commit: head.commit,
            operators: head.operators,
            costs: head.costs,
            groups: Vec::with_capacity(head.groups.min(AHEAD)),
            routes: Vec::with_capacity(head.routes.min(AHEAD)),
        };
        let add = |parts: &mut Parts, prefix: E164Prefix, routes: &[PackedRoute]| parts.add(prefix, routes);
        let parts = routing::decode(bytes, begin, add)?;
        if parts.routes.len() > build::MOST {
            return Err(routing::DecodeError::Malformed("number of routes"));
        }
        Ok(Self::assemble(parts))
    }
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, DecodeError> {
    use std::io::Read as _;
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(DecodeError::Packed)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX);
    decoder.by_ref().take(limit + 1).read_to_end(&mut bytes).map_err(DecodeError::Packed)?;
    if bytes.len() > LARGEST { Err(DecodeError::TooLarge) } else { Ok(bytes) }
}
