//! Builds a listener's document from what its routes say.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::endpoint::{Access, Answer, Endpoint, Parameter, Place, of};
use super::problem::{self, Problem};
use super::schemas::Schemas;

/// The document of endpoints.
pub(super) fn build(title: &str, description: &str, endpoints: &[Endpoint]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation(endpoint, &mut schemas);
    }
    let mut tags: Vec<&str> = Vec::new();
    for endpoint in endpoints {
        if !tags.contains(&endpoint.tag) {
            tags.push(endpoint.tag);
        }
    }
    schemas.answered(of::<Problem>());
    let (paths, security) = (Value::Object(paths), security_schemes(endpoints));
    let responses = problem::responses(&paths);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": title, "description": description, "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags.into_iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "paths": paths,
        "components": { "responses": responses, "headers": headers(), "securitySchemes": security },
    });
    let schemas = schemas.finish(&mut document);
    document["components"]["schemas"] = Value::Object(schemas);
    document
}

fn operation(endpoint: &Endpoint, schemas: &mut Schemas) -> Value {
    let mut operation = json!({
        "operationId": endpoint.id, "summary": endpoint.summary, "tags": [endpoint.tag],
        "responses": responses(endpoint, schemas),
    });
    if !endpoint.parameters.is_empty() {
        let parameters = endpoint.parameters.iter().map(|parameter| self::parameter(parameter, schemas));
        operation["parameters"] = parameters.collect();
    }
    if let Some(body) = &endpoint.body {
        let schema = schemas.sent(body.schema);
        let content = |media: &&str| ((*media).to_owned(), json!({ "schema": schema, "example": body.example }));
        operation["requestBody"] = json!({
            "required": body.required, "content": body.media.iter().map(content).collect::<Map<_, _>>(),
        });
    }
    match endpoint.access {
        Access::Open => operation["security"] = json!([]),
        Access::Token(permission) => {
            let roles: Vec<_> = permission.roles().iter().map(|role| role.as_str()).collect();
            operation["description"] = format!("For the roles {}.", roles.join(", ")).into();
            operation["security"] = json!([{ "token": [] }]);
            operation["x-bindery-roles"] = json!(roles);
        }
        Access::Signature => operation["security"] = json!([{ "signature": [] }]),
        Access::Certificate(list) => {
            operation["description"] = format!("For clients whose certificate has a name of `{list}`.").into();
            operation["security"] = json!([{ "certificate": [] }]);
        }
    }
    operation
}

fn parameter(parameter: &Parameter, schemas: &mut Schemas) -> Value {
    let mut described = json!({
        "name": parameter.name, "in": parameter.place.as_str(), "required": parameter.place == Place::Path,
        "description": parameter.description, "schema": schemas.sent(parameter.schema),
    });
    if let Some(example) = parameter.example {
        described["example"] = example.into();
    }
    described
}

fn responses(endpoint: &Endpoint, schemas: &mut Schemas) -> Value {
    let mut responses: BTreeMap<String, Value> = BTreeMap::new();
    for answer in &endpoint.answers {
        let mut described = self::answer(answer, schemas);
        let status = answer.status.to_string();
        let forms =
            |response: &mut Value| response.get_mut("content").and_then(Value::as_object_mut).map(std::mem::take);
        // One answer may come in several forms.
        if let Some(mut before) = responses.get_mut(&status).and_then(forms) {
            before.extend(forms(&mut described).unwrap_or_default());
            described["content"] = Value::Object(before);
        }
        responses.insert(status, described);
    }
    for (status, response) in problem::of_codes(&endpoint.all_codes()) {
        // A status may come with a document of its own, as that of readiness does.
        responses.entry(status.to_string()).or_insert(response);
    }
    json!(responses)
}

fn answer(answer: &Answer, schemas: &mut Schemas) -> Value {
    let mut response = json!({ "description": answer.description });
    if let Some((media, forms)) = &answer.content {
        let mut forms: Vec<Value> = forms.iter().map(|form| schemas.answered(*form)).collect();
        let schema = if forms.len() == 1 { forms.remove(0) } else { json!({ "anyOf": forms }) };
        response["content"] = json!({ *media: { "schema": schema } });
    }
    if !answer.headers.is_empty() {
        let reference = |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
        response["headers"] = answer.headers.iter().map(reference).collect::<Map<_, _>>().into();
    }
    response
}

fn headers() -> Value {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "ETag": text("Changes whenever the object does; for `If-Match`."),
        "Location": text("Where the object is found."),
        "Retry-After": { "description": "Seconds to wait before it is sent again.", "schema": { "type": "integer" } },
        "WWW-Authenticate": text("What is wrong with the token (RFC 6750)."),
    })
}

fn security_schemes(endpoints: &[Endpoint]) -> Value {
    let mut schemes = Map::new();
    for endpoint in endpoints {
        let (name, scheme) = match endpoint.access {
            Access::Open => continue,
            Access::Token(_) => ("token", json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" })),
            Access::Signature => (
                "signature",
                json!({
                    "type": "apiKey", "in": "header", "name": "X-Hub-Signature-256",
                    "description": "`sha256=` and the HMAC-SHA256 of the body in hex; other forges have other headers.",
                }),
            ),
            Access::Certificate(_) => ("certificate", json!({ "type": "mutualTLS" })),
        };
        schemes.entry(name).or_insert(scheme);
    }
    Value::Object(schemes)
}
