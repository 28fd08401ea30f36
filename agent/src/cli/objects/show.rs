//! Answers for people.

use anyhow::Context as _;
use bindery_compiler::edit;
use serde_json::Value;

use super::Kind;

/// Heading and the place of a column's value.
type Column = (&'static str, &'static str);

fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Operator => &[
            ("ID", "/id"),
            ("CARRIER", "/mno"),
            ("STATUS", "/spec/status"),
            ("HOST", "/spec/smpp/host"),
            ("PORT", "/spec/smpp/port"),
            ("SYSTEM ID", "/spec/smpp/systemId"),
            ("OUT", "/spec/tps/outbound"),
            ("IN", "/spec/tps/inbound"),
            ("DELETED", "/deletedAt"),
        ],
        Kind::Rule => &[
            ("PREFIX", "/prefix"),
            ("PRIORITY", "/priority"),
            ("WEIGHT", "/weight"),
            ("ACTIVE", "/active"),
            ("COST", "/cost/amount"),
            ("", "/cost/currency"),
        ],
        Kind::Mno => &[("ID", "/id"), ("COUNTRY", "/spec/country"), ("NAME", "/spec/name")],
        Kind::Contract => &[
            ("ID", "/id"),
            ("TPS", "/contractedTps"),
            ("FROM", "/effectiveFrom"),
            ("TO", "/effectiveTo"),
            ("RESERVED", "/pool/reserved"),
            ("FREE", "/pool/onDemandPool"),
            ("DOCUMENT", "/document"),
        ],
        Kind::Reservation => {
            &[("ID", "/id"), ("TPS", "/reservedTps"), ("FROM", "/effectiveFrom"), ("TO", "/effectiveTo")]
        }
        Kind::Changeset => &[],
    }
}

/// An object or a list of them in columns. A column in which nobody says anything is left out.
pub(super) fn table(kind: Kind, found: &Value) -> String {
    let items = found.as_array().map_or_else(|| std::slice::from_ref(found), Vec::as_slice);
    let cell = |item: &Value, place: &str| match item.pointer(place) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut lines = vec![String::new(); items.len() + 1];
    for (heading, place) in columns(kind) {
        let cells: Vec<String> = items.iter().map(|item| cell(item, place)).collect();
        if cells.iter().all(String::is_empty) {
            continue;
        }
        let cells = [vec![(*heading).to_owned()], cells].concat();
        let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
        for (line, cell) in lines.iter_mut().zip(cells) {
            line.push_str(&format!("{cell:width$}  "));
        }
    }
    if items.is_empty() {
        return "none\n".to_owned();
    }
    lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// An object as YAML, or a list as documents.
pub(super) fn yaml(found: &Value) -> anyhow::Result<String> {
    let items = found.as_array().map_or_else(|| std::slice::from_ref(found), Vec::as_slice);
    let texts: Result<Vec<String>, _> = items.iter().map(edit::document).collect();
    Ok(texts.context("the answer cannot be written as YAML: use --json")?.join("---\n"))
}

/// What a change would do: an object a line.
pub(super) fn plan(plan: &Value) -> String {
    let mut lines = Vec::new();
    for list in ["mnos", "operators"] {
        for change in plan[list].as_array().into_iter().flatten() {
            let word = |key: &str| change[key].as_str().unwrap_or_default();
            let fields = change["fields"].as_array().into_iter().flatten();
            let mut what: Vec<&str> = fields.filter_map(|field| field["path"].as_str()).collect();
            let rules = |key: &str| change["routes"][key].as_array().map_or(0, Vec::len);
            if rules("added") + rules("updated") + rules("removed") > 0 {
                what.push("routes");
            }
            if word("credentials") == "write" {
                what.push("credentials");
            }
            let line = format!("{}  {}  {}", word("action"), word("id"), what.join(", "));
            lines.push(format!("{}\n", line.trim_end()));
        }
    }
    let holds = plan["holds"].as_array().into_iter().flatten().filter_map(|hold| hold["message"].as_str());
    lines.extend(holds.map(|hold| format!("held: {hold}\n")));
    if lines.is_empty() { "nothing would change\n".to_owned() } else { lines.concat() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let carriers = json!([{"id": "af-roshan", "spec": {"country": "AF", "name": "Roshan"}},
            {"id": "a", "spec": {"country": "KE", "name": "A"}}]);
        let expected = "ID         COUNTRY  NAME\naf-roshan  AF       Roshan\na          KE       A\n";
        assert_eq!(table(Kind::Mno, &carriers), expected);
        assert_eq!(table(Kind::Mno, &json!([])), "none\n");
        assert_eq!(plan(&json!({"mnos": [], "operators": []})), "nothing would change\n");
    }
}
