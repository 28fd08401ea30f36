//! The order of keys: that of the JSON Schema, which is that of the types.

use std::sync::LazyLock;

use bindery_schema::json;
use serde_json::Value;

static SCHEMAS: LazyLock<Vec<(&'static str, Value)>> =
    LazyLock::new(|| json::kinds().into_iter().map(|(kind, schema)| (kind, schema.to_value())).collect());

/// Keys of a document whose kind nobody knows.
const ENVELOPE: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];

/// Stands in a path for a name that authors choose, as those of environments.
const CHOSEN: &str = "NAME";

/// What a schema says of a place in a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    root: &'static Value,
    node: Option<&'static Value>,
    /// The root of a document, whose first keys are known whatever its kind.
    top: bool,
}

impl Shape {
    /// The root of a document of a kind.
    pub(crate) fn of_kind(kind: Option<&str>) -> Self {
        let schema = SCHEMAS.iter().find(|(name, _)| Some(*name) == kind).map(|(_, schema)| schema);
        Self { root: schema.unwrap_or(&Value::Null), node: schema, top: true }
    }

    /// Where a key comes among its siblings, and what is below it. Unknown keys come last.
    pub(crate) fn key(self, name: &str) -> (usize, Self) {
        let properties = self.node.and_then(|node| node.get("properties")?.as_object());
        let place = properties.and_then(|all| all.iter().position(|(known, _)| known == name));
        let below = properties.and_then(|all| all.get(name));
        // Names that authors choose, as those of environments, keep the order they have.
        let below = below.or_else(|| self.node?.get("additionalProperties").filter(|rest| rest.is_object()));
        let envelope = || ENVELOPE.iter().position(|known| self.top && *known == name);
        let rank = if properties.is_some() { place } else { envelope() };
        (rank.unwrap_or(usize::MAX), self.below(below))
    }

    /// Every field below a place, with the dotted path of the mapping it is in.
    pub(crate) fn fields(self) -> Vec<(String, &'static str)> {
        let mut all = Vec::new();
        self.gather("", &mut all);
        all
    }

    fn gather(self, path: &str, all: &mut Vec<(String, &'static str)>) {
        let Some(node) = self.node else { return };
        let properties = node.get("properties").and_then(Value::as_object);
        for name in properties.into_iter().flat_map(|all| all.keys()) {
            all.push((path.to_owned(), name));
        }
        let named = properties.into_iter().flat_map(|all| all.keys().map(String::as_str));
        // The schema of what has a name of its author's choice is the same for every name.
        for name in named.chain([CHOSEN]) {
            let (_, below) = self.key(name);
            let below = if below.is_list() { below.member() } else { below };
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            below.gather(&path, all);
        }
    }

    fn is_list(self) -> bool {
        self.node.is_some_and(|node| node.get("items").is_some())
    }

    /// What is in a list.
    pub(crate) fn member(self) -> Self {
        self.below(self.node.and_then(|node| node.get("items")))
    }

    fn below(self, node: Option<&'static Value>) -> Self {
        Self { node: node.and_then(|node| self.resolve(node)), top: false, ..self }
    }

    fn resolve(self, node: &'static Value) -> Option<&'static Value> {
        let node = match node.get("anyOf").and_then(Value::as_array) {
            Some(choices) => choices.iter().find(|choice| choice.get("$ref").is_some())?,
            None => node,
        };
        match node.get("$ref").and_then(Value::as_str) {
            Some(name) => self.root.pointer(name.strip_prefix('#')?),
            None => Some(node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_follows_the_schema_through_references() {
        let (rank, spec) = Shape::of_kind(Some("Routes")).key("spec");
        assert_eq!(rank, 3);
        let rule = spec.key("rules").1.member();
        let ranks =
            ["prefix", "priority", "weight", "cost", "active", "narrows", "split", "other"].map(|key| rule.key(key).0);
        assert_eq!(ranks, [0, 1, 2, 3, 4, 5, 6, usize::MAX]);
        assert_eq!(rule.key("cost").1.key("currency").0, 1);
        let lab = Shape::of_kind(Some("Operator")).key("spec").1.key("environments").1.key("lab");
        assert_eq!((lab.0, lab.1.key("smpp").1.key("port").0), (usize::MAX, 1));
        assert_eq!(Shape::of_kind(None).key("metadata").0, 2);
    }

    #[test]
    fn fields_are_told_with_the_mapping_they_are_in() {
        let fields = Shape::of_kind(Some("Operator")).fields();
        let of = |name: &str| -> Vec<&str> {
            fields.iter().filter(|(_, known)| *known == name).map(|(path, _)| path.as_str()).collect()
        };
        assert_eq!(of("kind"), [""]);
        assert_eq!(of("tls"), ["spec.smpp", "spec.environments.NAME.smpp"]);
        assert_eq!(of("tps"), ["spec", "spec.environments.NAME"]);
        let contracts = Shape::of_kind(Some("TpsContract")).fields();
        assert!(contracts.contains(&("spec.contracts.fineSchedule.fine".to_owned(), "currency")), "{contracts:?}");
        assert_eq!(Shape::of_kind(None).fields(), []);
    }
}
