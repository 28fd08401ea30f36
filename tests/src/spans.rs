//! Spans as a real collector receives them, and what OBSERVABILITY.md says of them.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::observed::quoted;
use crate::servers::Server;

/// What a row of the document is called that stands for many names, by the kind of span it has.
const TEMPLATES: [(&str, &str); 4] = [
    ("server", "{method} {route}"),
    ("client", "{method} {template}"),
    ("producer", "publish {type}"),
    ("consumer", "process {subject}"),
];

/// A collector that takes OTLP over HTTP and writes down what it receives.
#[derive(Debug)]
pub struct Collector(Server);

impl Collector {
    /// Starts one.
    pub async fn start(dir: &Path) -> Self {
        Self(Server::collector(dir).await)
    }

    /// Where agents send spans to.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port)
    }

    /// All it has received, as it wrote it down.
    pub fn text(&self) -> String {
        self.0.program.written()
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        // The last line may be half written.
        let text = self.text();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.map(|line| Span::of(&line)).collect()
    }
}

/// A span that a collector has received.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// `internal`, `server`, `client`, `producer` or `consumer`.
    pub kind: &'static str,
    /// The trace, in hexadecimal digits.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// What the trace's systems say, as it came along.
    pub state: String,
    /// The span it is made in; empty where it begins the trace.
    pub parent: String,
    /// Traces of other spans it points to.
    pub links: Vec<String>,
    /// What is said of it.
    pub attributes: BTreeMap<String, Value>,
    /// Whether it failed.
    pub failed: bool,
}

impl Span {
    fn of(line: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let list = |key: &str| line[key].as_array().cloned().unwrap_or_default();
        let attribute = |pair: &Value| {
            let (_, value) = pair["value"].as_object().unwrap().iter().next().unwrap();
            (text(&pair["key"]), value.clone())
        };
        let kind = line["kind"].as_u64().unwrap();
        Self {
            name: text(&line["name"]),
            kind: ["unspecified", "internal", "server", "client", "producer", "consumer"]
                [usize::try_from(kind).unwrap()],
            trace: text(&line["traceId"]),
            id: text(&line["spanId"]),
            state: text(&line["traceState"]),
            parent: text(&line["parentSpanId"]),
            links: list("links").iter().map(|link| text(&link["traceId"])).collect(),
            attributes: list("attributes").iter().map(attribute).collect(),
            failed: line["status"]["code"] == 2,
        }
    }

    /// The row of the document that tells of it.
    pub fn row(&self) -> &str {
        TEMPLATES.iter().find(|(kind, _)| *kind == self.kind).map_or(&self.name, |(_, row)| row)
    }

    /// What its name has to be, where a template makes it from attributes.
    pub fn full_name(&self) -> Option<String> {
        let said = |key: &str| self.attributes.get(key).and_then(Value::as_str);
        let method = || match said("http.request.method") {
            Some("_OTHER") => "HTTP".to_owned(),
            method => method.unwrap_or_default().to_owned(),
        };
        match self.kind {
            "server" => Some(said("http.route").map_or_else(method, |route| format!("{} {route}", method()))),
            "client" => Some(format!("{} {}", method(), said("url.template").unwrap_or_default())),
            _ => None,
        }
    }
}

/// What the document says of spans of a name.
#[derive(Debug, Clone)]
pub struct Row {
    /// As in [`Span::kind`].
    pub kind: String,
    /// Rows of the spans it may be made in; `none` and `remote` too, and `any`.
    pub parents: BTreeSet<String>,
    /// Attributes it may have.
    pub attributes: BTreeSet<String>,
}

/// The rows of the document by name.
pub fn documented(text: &str) -> BTreeMap<String, Row> {
    let section = text.split("\n## Spans\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, parents, attributes, when] = cells[..] else { panic!("five cells, not {line}") };
        assert!(![kind, parents, attributes, when].contains(&""), "an empty cell: {line}");
        let parents = if parents == "any" { BTreeSet::from(["any".to_owned()]) } else { quoted(parents) };
        let row = Row { kind: kind.to_owned(), parents, attributes: quoted(attributes) };
        assert!(rows.insert(name.trim_matches('`').to_owned(), row).is_none(), "twice: {name}");
    }
    rows
}
