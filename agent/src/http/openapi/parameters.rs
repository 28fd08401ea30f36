//! Parameters that several routes have.

use bindery_schema::contract::Direction;
use bindery_schema::operator::Status;
use bindery_schema::value::{Country, Instant, MnoId, OperatorId, TenantId};
use schemars::{Schema, SchemaGenerator, json_schema};

use super::endpoint::{Parameter, Place, SchemaOf, of};

const fn path(name: &'static str, description: &'static str, schema: SchemaOf, example: &'static str) -> Parameter {
    Parameter { name, place: Place::Path, description, schema, example: Some(example) }
}

const fn query(name: &'static str, description: &'static str, schema: SchemaOf) -> Parameter {
    Parameter { name, place: Place::Query, description, schema, example: None }
}

const fn header(name: &'static str, description: &'static str, schema: SchemaOf) -> Parameter {
    Parameter { name, place: Place::Header, description, schema, example: None }
}

/// The operator of the path.
pub(in crate::http) const OPERATOR: Parameter = path("id", "The operator's id.", of::<OperatorId>(), "ke-acme-1");
/// The carrier of the path.
pub(in crate::http) const MNO: Parameter = path("id", "The carrier's id.", of::<MnoId>(), "ke-acme");
/// The rule of the path.
pub(in crate::http) const RULE: Parameter = path("rule", "The digits of the rule's prefix.", digits, "25470");
/// The contract of the path.
pub(in crate::http) const CONTRACT: Parameter =
    path("id", "The contract: `<mno>:<direction>:<ref>`.", text, "ke-acme:OUTBOUND:CTR-2026");
/// The tenant of the path.
pub(in crate::http) const TENANT: Parameter = path("id", "The tenant's id.", of::<TenantId>(), "bank");
/// The reservation of the path.
pub(in crate::http) const RESERVATION: Parameter =
    path("reservation", "The reservation: `<mno>:<direction>:<first day>`.", text, "ke-acme:OUTBOUND:2026-01-01");
/// The plan of the path.
pub(in crate::http) const PLAN: Parameter =
    path("hash", "The plan's hash, in full.", hash, "0000000000000000000000000000000000000000000000000000000000000000");
/// The commit of the path.
pub(in crate::http) const REVISION: Parameter =
    path("revision", "The commit's name, or at least seven characters of its beginning.", revision, "231f281856");

/// How many items a page has.
pub(in crate::http) const LIMIT: Parameter = query("limit", "Most items of the page. Default: 100.", limit);
/// Where a page begins.
pub(in crate::http) const CURSOR: Parameter =
    query("cursor", "`nextCursor` of the page before; the first page without it.", text);
/// Only what belongs to a carrier.
pub(in crate::http) const OF_MNO: Parameter = query("mno", "Only what belongs to this carrier.", of::<MnoId>());
/// Only what is in a country.
pub(in crate::http) const COUNTRY: Parameter =
    query("country", "Only those of this country, ISO 3166-1 alpha-2.", of::<Country>());
/// Only what has a status.
pub(in crate::http) const STATUS: Parameter = query("status", "Only operators with this status.", of::<Status>());
/// Only one direction.
pub(in crate::http) const DIRECTION: Parameter =
    query("direction", "Only contracts of this direction.", of::<Direction>());
/// Deleted ones too.
pub(in crate::http) const INCLUDE_DELETED: Parameter =
    query("includeDeleted", "Whether deleted operators are listed too.", of::<bool>());
/// Only rules within a prefix.
pub(in crate::http) const PREFIX: Parameter =
    query("prefix", "What prefixes begin with, such as `+2547` or `2547`.", prefix);
/// Only rows about an object.
pub(in crate::http) const OBJECT: Parameter =
    query("object", "Only rows about this object, such as `operator/ke-acme-1`.", text);
/// Only rows from an instant on.
pub(in crate::http) const SINCE: Parameter = query("since", "Only rows from this instant on.", of::<Instant>());
/// Only rows up to an instant.
pub(in crate::http) const UNTIL: Parameter = query("until", "Only rows before this instant.", of::<Instant>());
/// Look only.
pub(in crate::http) const DRY_RUN: Parameter =
    query("dryRun", "Answers with the plan and changes nothing.", of::<bool>());

/// The condition of a change.
pub(in crate::http) const IF_MATCH: Parameter = header(
    "If-Match",
    "The `ETag` the object had when it was read: a change of what somebody has changed since is refused.",
    tag,
);
/// Makes a repetition harmless.
pub(in crate::http) const IDEMPOTENCY_KEY: Parameter = header(
    "Idempotency-Key",
    "Any text, a new one for each change: a request that is sent again with it gets the first one's answer.",
    key,
);
/// The entity tag a client has.
pub(in crate::http) const IF_NONE_MATCH: Parameter =
    header("If-None-Match", "The `ETag` the client has: 304 where nothing has changed.", tag);

/// The event a client of a stream saw last.
pub(in crate::http) const LAST_EVENT_ID: Parameter = header(
    "Last-Event-ID",
    "The id of the last event the client has: it is told what came after it. Without it, what comes from now on.",
    event_id,
);

/// A text to look for.
pub(in crate::http) const fn search(description: &'static str) -> Parameter {
    query("q", description, text)
}

/// The step a client has.
pub(in crate::http) const SINCE_STEP: Parameter =
    query("since", "The step whose table the client has. Has to be there.", of::<i64>());

/// Bytes that are no text.
pub(in crate::http) fn bytes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "description": "Bytes; see the media type." })
}

/// Events that do not end.
pub(in crate::http) fn events(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "description": "Server-sent events: lines `event:`, `id:` and `data:`, and an empty line behind each event. `data` is JSON, \
                        of a `change` the object HealthChange.",
    })
}

/// Any text.
pub(in crate::http) fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "maxLength": 1024, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$" })
}

fn digits(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[1-9][0-9]{0,14}$" })
}

fn prefix(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": r"^\+?[0-9]{0,15}$" })
}

fn event_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9]{1,18}$" })
}

fn hash(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
}

fn revision(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9a-f]{7,40}$" })
}

fn limit(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "maximum": 1000 })
}

// What is no tag is no object's: it is compared like any other.
fn tag(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string" })
}

fn key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$" })
}
