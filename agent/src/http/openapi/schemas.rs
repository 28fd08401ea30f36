//! Schemas of what is sent and of what is answered, under one set of names.
//!
//! A field with a default may be left out of a request and is always there in an answer, so a type has two forms where it
//! goes both ways. Where they are the same it has one schema; else that of requests is called `…Input`.

use std::collections::BTreeSet;

use schemars::SchemaGenerator;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value};

use super::endpoint::SchemaOf;

/// Where schemas are in the document.
pub(super) const PATH: &str = "#/components/schemas/";
/// Where those of requests are until their names are known.
const SENT: &str = "#/components/sent/";

/// Schemas, as they are found.
pub(super) struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        Self { sent: generator(Contract::Deserialize, SENT), answered: generator(Contract::Serialize, PATH) }
    }

    /// The schema of a parameter or body.
    pub(super) fn sent(&mut self, schema: SchemaOf) -> Value {
        schema(&mut self.sent).to_value()
    }

    /// The schema of an answer.
    pub(super) fn answered(&mut self, schema: SchemaOf) -> Value {
        schema(&mut self.answered).to_value()
    }

    /// All schemas by name; the references of `document` are made to lead there.
    pub(super) fn finish(mut self, document: &mut Value) -> Map<String, Value> {
        let mut all = self.answered.take_definitions(true);
        let sent = self.sent.take_definitions(true);
        let two_forms = two_forms(&sent, &all);
        let name = |name: &str| if two_forms.contains(name) { format!("{name}Input") } else { name.to_owned() };
        rename(document, &name);
        for (known, mut schema) in sent {
            rename(&mut schema, &name);
            all.insert(name(&known), schema);
        }
        all.sort_keys();
        all
    }
}

fn generator(contract: Contract, path: &str) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.meta_schema = None;
    settings.contract = contract;
    path.trim_start_matches('#').trim_end_matches('/').clone_into(settings.definitions_path.to_mut());
    settings.into_generator()
}

/// Names whose form in requests is another than in answers, or that refer to such a name.
fn two_forms(sent: &Map<String, Value>, answered: &Map<String, Value>) -> BTreeSet<String> {
    let mut different = BTreeSet::new();
    loop {
        let name = |name: &str| if different.contains(name) { format!("{name}Input") } else { name.to_owned() };
        let is_different = |(known, schema): (&String, &Value)| {
            let mut schema = schema.clone();
            rename(&mut schema, &name);
            answered.get(known).is_some_and(|other| *other != schema)
        };
        let found: BTreeSet<String> =
            sent.iter().filter(|entry| is_different(*entry)).map(|(name, _)| name.clone()).collect();
        if found == different {
            return different;
        }
        different = found;
    }
}

/// Gives the references to what is sent their place and name.
fn rename(value: &mut Value, name: &impl Fn(&str) -> String) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field.as_str().filter(|_| key == "$ref").and_then(|path| path.strip_prefix(SENT)) {
                    Some(known) => *field = format!("{PATH}{}", name(known)).into(),
                    None => rename(field, name),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, name)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::openapi::endpoint::of;

    #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    struct Inner {
        #[serde(default)]
        port: u16,
    }

    #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    struct Outer {
        inner: Inner,
    }

    #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    struct Same {
        port: u16,
    }

    #[test]
    fn a_type_has_a_second_name_where_it_has_a_second_form() {
        let mut schemas = Schemas::new();
        let mut document = json!({
            "sent": [schemas.sent(of::<Outer>()), schemas.sent(of::<Same>())],
            "answered": [schemas.answered(of::<Outer>()), schemas.answered(of::<Same>())],
        });
        let all = schemas.finish(&mut document);
        assert_eq!(all.keys().collect::<Vec<_>>(), ["Inner", "InnerInput", "Outer", "OuterInput", "Same"]);
        let reference = |name: &str| json!({ "$ref": format!("{PATH}{name}") });
        assert_eq!(document["sent"], json!([reference("OuterInput"), reference("Same")]));
        assert_eq!(document["answered"], json!([reference("Outer"), reference("Same")]));
        assert_eq!(all["OuterInput"]["properties"]["inner"], reference("InnerInput"));
        assert_eq!((all["Inner"]["required"].clone(), all["InnerInput"].get("required")), (json!(["port"]), None));
    }
}
