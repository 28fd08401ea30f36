//! JSON Schemas generated from the types: of the five kinds, which an editor completes and checks, and of reports.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::contract::{TpsContractMetadata, TpsContractSpec};
use crate::mno::{MnoMetadata, MnoSpec};
use crate::operator::{OperatorMetadata, OperatorSpec};
use crate::policy::PolicySpec;
use crate::report::PlanReport;
use crate::routes::{RoutesMetadata, RoutesSpec};

/// A document as it stands in a file.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document<K, M, S> {
    /// The version of this vocabulary.
    api_version: ApiVersion,
    /// What the document is.
    kind: K,
    /// Identity and references.
    metadata: M,
    /// Content.
    spec: S,
}

/// The policy as it stands in a file: one a repository, so it needs no identity.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicyDocument {
    /// The version of this vocabulary.
    api_version: ApiVersion,
    /// What the document is.
    kind: kind::Policy,
    /// Content.
    spec: PolicySpec,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum ApiVersion {
    #[serde(rename = "bindery/v1")]
    V1,
}

mod kind {
    //! Each kind's name as a type of one value.
    macro_rules! kinds {
        ($($name:ident),*) => {$(
            #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
            pub(super) enum $name { $name }
        )*};
    }
    kinds!(Mno, Operator, Routes, TpsContract, Policy);
}

/// The schema of each kind, by name.
pub fn kinds() -> Vec<(&'static str, Schema)> {
    vec![
        ("Mno", schema::<Document<kind::Mno, MnoMetadata, MnoSpec>>("Mno")),
        ("Operator", schema::<Document<kind::Operator, OperatorMetadata, OperatorSpec>>("Operator")),
        ("Routes", schema::<Document<kind::Routes, RoutesMetadata, RoutesSpec>>("Routes")),
        ("TpsContract", schema::<Document<kind::TpsContract, TpsContractMetadata, TpsContractSpec>>("TpsContract")),
        ("Policy", schema::<PolicyDocument>("Policy")),
    ]
}

/// The schema of each report a command writes as JSON, by name.
pub fn reports() -> Vec<(&'static str, Schema)> {
    let mut plan = of_settings::<PlanReport>("bindery plan --format json", settings().for_serialize());
    if let Some(properties) = plan.get_mut("properties") {
        // The program adds them; the compiler's findings are no type of this crate.
        properties["findings"] = serde_json::json!({
            "description": "What the check of the wanted side found, and BND0801 where the plan is held.",
            "type": "array",
            "items": {"type": "object", "required": ["code", "severity", "message"]},
        });
    }
    vec![("plan", plan)]
}

fn settings() -> SchemaSettings {
    let mut settings = SchemaSettings::draft2020_12();
    settings.meta_schema = Some("https://json-schema.org/draft/2020-12/schema".into());
    settings
}

/// Draft 2020-12. Optional fields are left out, never null, so `null` is not offered as a value.
fn schema<T: JsonSchema>(title: &str) -> Schema {
    of_settings::<T>(title, settings())
}

fn of_settings<T: JsonSchema>(title: &str, settings: SchemaSettings) -> Schema {
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    forbid_null(schema.as_object_mut());
    schema
}

/// Turns `anyOf: [X, null]` and `type: [X, "null"]` into X, everywhere below.
fn forbid_null(object: Option<&mut serde_json::Map<String, serde_json::Value>>) {
    use serde_json::Value;
    let Some(object) = object else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(options)) = object.get_mut("anyOf") {
        options.retain(|option| option != &serde_json::json!({ "type": "null" }));
        if let [Value::Object(only)] = options.as_mut_slice() {
            let only = std::mem::take(only);
            object.remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
    for value in object.values_mut() {
        match value {
            Value::Object(inner) => forbid_null(Some(inner)),
            Value::Array(items) => items.iter_mut().for_each(|item| forbid_null(item.as_object_mut())),
            _ => {}
        }
    }
}
