//! What the agents' logs say: nobody panicked, and no two leads had the same number.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::chaos::Violation;

pub(super) fn check(logs: &[(String, String)]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut leads: BTreeMap<i64, &str> = BTreeMap::new();
    for (agent, text) in logs {
        for line in text.lines() {
            if line.contains("panicked at") || line.contains("a part of the agent failed") {
                found.push(Violation::new("agents", format!("{agent}: {line}")));
            }
            if !line.contains("this agent leads") {
                continue;
            }
            let event: Value = serde_json::from_str(line).unwrap_or_default();
            let Some(fence) = event["fields"]["fence"].as_i64() else { continue };
            if let Some(other) = leads.insert(fence, agent) {
                let text = format!("{other} and {agent} have both led with the fencing number {fence}");
                found.push(Violation::new("leases", text));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_and_a_number_led_with_twice_are_found() {
        let leads = |fence: i64| format!(r#"{{"fields":{{"message":"this agent leads","fence":{fence}}}}}"#);
        let log = |name: &str, lines: &[String]| (name.to_owned(), lines.join("\n"));
        assert_eq!(check(&[log("A", &[leads(1), leads(3)]), log("B", &[leads(2)])]), []);
        let found = check(&[log("A", &[leads(1)]), log("B", &[leads(1)])]);
        assert!(found[0].difference.contains("A and B"), "{found:?}");
        let panic = "thread 'main' panicked at agent/src/main.rs:1".to_owned();
        assert_eq!(check(&[log("A", &[panic])]).len(), 1);
    }
}
