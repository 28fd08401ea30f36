//! The OpenAPI document of a listener as a client of it reads it.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use serde_json::Value;

/// A document.
#[derive(Debug, Clone)]
pub struct Document(pub Value);

/// A method of a path.
#[derive(Debug, Clone)]
pub struct Operation {
    /// In capitals.
    pub method: String,
    /// With `{names}` in it.
    pub path: String,
    /// What the document says of it.
    pub said: Value,
}

impl Document {
    /// The one served at an address.
    pub async fn of(base: &str) -> Self {
        Self(reqwest::get(format!("{base}/openapi.json")).await.unwrap().json().await.unwrap())
    }

    /// Everything that can be asked, in the document's order.
    pub fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, said) in item.as_object().unwrap() {
                let (method, path) = (method.to_ascii_uppercase(), path.clone());
                operations.push(Operation { method, path, said: said.clone() });
            }
        }
        operations
    }

    /// The one with an id.
    pub fn operation(&self, id: &str) -> Operation {
        let found = self.operations().into_iter().find(|operation| operation.said["operationId"] == id);
        found.unwrap_or_else(|| panic!("the document has no {id}"))
    }

    /// What is said of an answer with a status; null where nothing is.
    pub fn response(&self, operation: &Operation, status: u16) -> Value {
        let said = &operation.said["responses"][status.to_string()];
        let elsewhere = said["$ref"].as_str().map(|path| self.0.pointer(path.trim_start_matches('#')).unwrap());
        elsewhere.unwrap_or(said).clone()
    }

    /// A schema in the document as one of its own, with all it refers to.
    pub fn schema(&self, schema: &Value) -> Value {
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        schema
    }
}

impl Operation {
    /// The method and path, as people write them.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it needs a token.
    pub fn needs_token(&self) -> bool {
        self.said["security"][0].get("token").is_some()
    }

    /// The path with the examples of its parameters.
    pub fn example_path(&self) -> String {
        let mut path = self.path.clone();
        for parameter in self.said["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "path" {
                let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
                path = path.replace(&name, parameter["example"].as_str().unwrap());
            }
        }
        path
    }

    /// The types a body may be sent as, each with the example of one.
    pub fn bodies(&self) -> Vec<(String, Value)> {
        let content = self.said["requestBody"]["content"].as_object();
        content.into_iter().flatten().map(|(media, said)| (media.clone(), said["example"].clone())).collect()
    }
}
