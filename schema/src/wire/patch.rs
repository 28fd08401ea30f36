//! The form of a merge patch (RFC 7396) of a type, for documentation: what is sent is any JSON, and the compiler says what
//! is wrong with the result.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Some of the fields of `T`, at every depth; `null` takes a field out.
#[derive(Debug)]
pub struct Patch<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Patch", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let whole = generator.subschema_for::<T>().to_value();
        let mut partial = partial(&whole, generator.definitions());
        partial["description"] =
            json!("A merge patch (RFC 7396): fields that are left out stay, `null` takes one out.");
        Schema::try_from(partial).unwrap_or_default()
    }
}

/// The schema of an object with nothing required in it, and of the objects within. Lists are replaced as a whole, so
/// theirs stays as it is; rules between fields cannot be told of a part.
fn partial(schema: &Value, definitions: &Map<String, Value>) -> Value {
    let object = resolved(schema, definitions);
    let Some(properties) = object.get("properties").and_then(Value::as_object) else { return schema.clone() };
    let optional = properties.iter().map(|(name, property)| (name.clone(), or_null(partial(property, definitions))));
    let mut partial = json!({ "type": "object", "properties": optional.collect::<Map<_, _>>() });
    for kept in ["additionalProperties", "description"] {
        if let Some(value) = object.get(kept) {
            partial[kept] = value.clone();
        }
    }
    partial
}

/// What a reference refers to; the options of one that may be null are looked through.
fn resolved<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return definitions.get(name).unwrap_or(schema);
    }
    let mut options = schema["anyOf"].as_array().into_iter().flatten();
    match options.find(|option| option["type"] != "null") {
        Some(option) if option.get("$ref").is_some() => resolved(option, definitions),
        _ => schema,
    }
}

fn or_null(schema: Value) -> Value {
    let nothing = json!({ "type": "null" });
    match schema["anyOf"].as_array() {
        Some(options) if options.contains(&nothing) => schema,
        // Not `null`: to the macro that is the value.
        _ => json!({ "anyOf": [schema, nothing] }),
    }
}

#[cfg(test)]
mod tests {
    use schemars::generate::SchemaSettings;

    use super::*;
    use crate::operator::OperatorSpec;

    #[test]
    fn nothing_is_required_at_any_depth() {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let schema = Patch::<OperatorSpec>::json_schema(&mut generator).to_value();
        assert_eq!(Patch::<OperatorSpec>::schema_name(), "OperatorSpecPatch");
        let smpp = &schema["properties"]["smpp"]["anyOf"];
        assert!(smpp[0]["properties"]["host"]["anyOf"][0]["$ref"].is_string(), "{schema:#}");
        assert_eq!(smpp[1], json!({ "type": "null" }));
        assert!(schema.get("required").is_none() && smpp[0].get("required").is_none());
        assert_eq!(smpp[0]["additionalProperties"], false);
    }
}
