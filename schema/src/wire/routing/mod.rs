//! The routing table as bytes: `GET /v1/internal/routing-table` with `Accept:` [`COMPACT`].
//!
//! # The encoding, version 1
//!
//! One zstd frame (RFC 8878) with a content checksum. In it, all numbers being unsigned LEB128 unless said otherwise:
//!
//! ```text
//! table    = "BNDT" 0x01 generation commit operators costs groups routes group*
//! commit   = length bytes                 UTF-8; length 0 before the first step
//! operators = count (length bytes)*       ids in ascending order of their bytes, each once
//! costs    = count (currency scale mantissa)*   three capital letters, one byte, number; each once
//! groups   = count of distinct prefixes
//! routes   = count of rows
//! group    = digits count route*          by prefix in ascending order, each prefix once
//! digits   = kept|new packed              one byte: how many leading digits are those of the group before (high
//!                                         nibble), how many follow (low nibble, at least 1); then these digits, two a
//!                                         byte, the first in the high nibble, a last single one padded with 0
//! count    = number of its routes, at least 1
//! route    = operator priority weight cost   by (priority, operator) in ascending order, no two equal;
//!                                         operator is a place in `operators` from 0; cost 0 is none, else a place in
//!                                         `costs` from 1
//! ```
//!
//! A reader refuses another version, and whatever breaks a rule above: it never takes a damaged table for a whole one.
//! A new version gets a new media type, so that both can be asked for while clients change over.
//!
//! This module does not compress: agent and client do, so that the vocabulary needs no C library.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use decode::{DecodeError, decode};
pub use encode::{EncodeError, Encoder};

use crate::value::{Cost, E164Prefix, OperatorId};

/// Media type of the compact encoding, version 1.
pub const COMPACT: &str = "application/vnd.bindery.routing-table.v1+zstd";
/// Media type of one JSON object a line: [`LinesHead`], a [`super::api::RouteRow`] for each row, [`LinesEnd`].
pub const LINES: &str = "application/x-ndjson";

/// First bytes of a table.
const MAGIC: [u8; 4] = *b"BNDT";
/// Version of the encoding.
const VERSION: u8 = 1;

/// What stands before the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Number of the applied step.
    pub generation: i64,
    /// The applied commit.
    pub commit: Option<String>,
    /// Operators in ascending order; routes name them by their place.
    pub operators: Vec<OperatorId>,
    /// Costs; routes name them by their place, from 1.
    pub costs: Vec<Cost>,
    /// How many distinct prefixes there are.
    pub groups: usize,
    /// How many rows there are.
    pub routes: usize,
}

/// Who serves a prefix, with places in the [`Head`]. Orders as the rows of a prefix do: by priority, then operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackedRoute {
    /// Lowest wins among equal prefixes.
    pub priority: u16,
    /// Place in [`Head::operators`].
    pub operator: u32,
    /// Share among equal priorities.
    pub weight: u16,
    /// Place in [`Head::costs`] from 1; 0 is none.
    pub cost: u32,
}

/// The first line of the table as lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinesHead {
    /// Number of the applied step.
    pub generation: i64,
    /// The applied commit.
    pub commit: Option<String>,
}

/// The last line of the table as lines: without it the table is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinesEnd {
    /// How many rows stand before it.
    pub rows: u64,
}

/// What changed since a step: `GET /v1/internal/routing-table/changes?since=GENERATION`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoutingChanges {
    /// The step that was asked about.
    pub since: i64,
    /// Number of the applied step: with the changes, the table of `since` is the table of this step.
    pub generation: i64,
    /// The applied commit.
    pub commit: Option<String>,
    /// By prefix and operator, each once.
    pub changes: Vec<RouteChange>,
}

/// What is now true of an operator and a prefix that changed in between, and perhaps back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteChange {
    /// The destinations.
    pub prefix: E164Prefix,
    /// Who serves them, or does not any more.
    pub operator: OperatorId,
    /// How it serves them; absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub route: Option<RouteTerms>,
}

/// How an operator serves a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteTerms {
    /// Lowest wins among equal prefixes.
    pub priority: u16,
    /// Share among equal priorities.
    pub weight: u16,
    /// Price of a message.
    pub cost: Option<Cost>,
}
