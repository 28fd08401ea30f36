//! YAML of small configurations.

/// Lets each of a handful of operators move: of two or three, one is more than the 25 % a plan may change unasked.
pub const POLICY: &str =
    "apiVersion: bindery/v1\nkind: Policy\nspec:\n  guardrails:\n    maxEndpointChanges: {percent: 100}\n";

/// A carrier with contacts of all tiers.
pub fn mno(id: &str) -> String {
    format!(
        "apiVersion: bindery/v1\nkind: Mno\nmetadata: {{id: {id}}}\nspec:\n  name: Carrier {id}\n  country: AF\n  \
         contacts:\n    t1: [{{name: NOC}}]\n    t2: [{{name: Engineering}}]\n    t3: [{{name: Management}}]\n"
    )
}

/// An outbound contract of a carrier, from 2026 on, of which a tenant has reserved 10 messages a second.
pub fn contract(mno: &str, tps: u32) -> String {
    format!(
        "apiVersion: bindery/v1\nkind: TpsContract\nmetadata: {{mno: {mno}}}\nspec:\n  contracts:\n    \
         - {{ref: OUT, direction: OUTBOUND, contractedTps: {tps}, effectiveFrom: \"2026-01-01\", \
         document: \"s3://contracts/{mno}.pdf\"}}\n  reservations:\n    \
         - {{tenant: bank, direction: OUTBOUND, reservedTps: 10}}\n"
    )
}

/// A bind of 20 messages a second.
pub fn operator(id: &str, mno: &str, host: &str, sealed: Option<&str>) -> String {
    let mut text = format!(
        "apiVersion: bindery/v1\nkind: Operator\nmetadata: {{id: {id}, mno: {mno}}}\nspec:\n  displayName: Bind {id}\n  \
         smpp: {{host: {host}, port: 2775, systemId: sys-{id}, bindMode: TRANSMITTER}}\n  tps: {{outbound: 20}}\n"
    );
    if let Some(sealed) = sealed {
        let lines: Vec<String> = sealed.lines().map(|line| format!("      {line}")).collect();
        text = format!("{text}  credentials:\n    sealed: |\n{}\n", lines.join("\n"));
    }
    text
}

/// Prefixes of an operator, without their plus signs.
pub fn routes(operator: &str, prefixes: &[&str]) -> String {
    let rules: Vec<String> = prefixes.iter().map(|prefix| format!("{{prefix: \"+{prefix}\"}}")).collect();
    let rules = rules.join(", ");
    format!("apiVersion: bindery/v1\nkind: Routes\nmetadata: {{operator: {operator}}}\nspec: {{rules: [{rules}]}}\n")
}
