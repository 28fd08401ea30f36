//! Errors in the document: one schema, with every code there is, and for each route the codes it may answer with.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bindery_schema::wire::api::Finding;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::http::error::Code;

const MEDIA: &str = "application/problem+json";

/// The problem document (RFC 9457), for its form alone.
pub(super) struct Problem;

impl JsonSchema for Problem {
    fn schema_name() -> Cow<'static, str> {
        "Problem".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let finding = generator.subschema_for::<Finding>();
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let line = |code: &Code| format!("- `{}` ({}): {}", code.as_str(), code.status().as_u16(), code.title());
        let titles: Vec<_> = Code::ALL.iter().map(line).collect();
        json_schema!({
            "description": "An error (RFC 9457). Clients decide by `code`, which never changes its meaning.",
            "type": "object",
            "required": ["type", "title", "status", "code", "instance"],
            "properties": {
                "type": { "type": "string", "format": "uri", "description": "`urn:bindery:problem:` and the code." },
                "title": { "type": "string", "description": "The same for every error of the code." },
                "status": { "type": "integer", "minimum": 400, "maximum": 599 },
                "detail": { "type": "string", "description": "What is wrong this time, and what to do." },
                "code": { "type": "string", "enum": codes, "description": titles.join("\n") },
                "instance": { "type": "string", "description": "The path that was asked." },
                "findings": {
                    "type": "array", "items": finding,
                    "description": "All that the compiler found, for a change that would not be valid.",
                },
            },
        })
    }
}

/// The responses of codes, by status. A status with one code refers to that code's response.
pub(super) fn of_codes(codes: &[Code]) -> BTreeMap<u16, Value> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    let described = |codes: &[Code]| match codes {
        [code] => json!({ "$ref": format!("#/components/responses/{}", code.as_str()) }),
        _ => response(codes),
    };
    by_status.into_iter().map(|(status, codes)| (status, described(&codes))).collect()
}

/// The response of each code that some operation answers with alone.
pub(super) fn responses(paths: &Value) -> Map<String, Value> {
    let text = paths.to_string();
    let is_referred_to = |code: &&Code| text.contains(&format!("#/components/responses/{}\"", code.as_str()));
    let used = Code::ALL.iter().filter(is_referred_to);
    used.map(|code| (code.as_str().to_owned(), response(std::slice::from_ref(code)))).collect()
}

fn response(codes: &[Code]) -> Value {
    let status = codes.first().map_or(500, |code| code.status().as_u16());
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let titles: Vec<_> = codes.iter().map(|code| format!("`{}`: {}.", code.as_str(), code.title())).collect();
    let mut response = json!({
        "description": titles.join(" "),
        "content": { MEDIA: { "schema": {
            "allOf": [{ "$ref": "#/components/schemas/Problem" }],
            "properties": { "code": { "enum": names }, "status": { "const": status } },
        } } },
    });
    let header = match status {
        401 | 403 => Some("WWW-Authenticate"),
        429 | 503 => Some("Retry-After"),
        _ => None,
    };
    if let Some(name) = header {
        let reference = json!({ "$ref": format!("#/components/headers/{name}") });
        response["headers"] = Value::Object(Map::from_iter([(name.to_owned(), reference)]));
    }
    response
}
