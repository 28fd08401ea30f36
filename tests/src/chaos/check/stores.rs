//! Stores = git: the rows of Postgres and the projections of Redis, read as any other service reads them.

use std::collections::BTreeSet;

use anyhow::Result;
use bindery_schema::catalog::Catalog;
use bindery_schema::contract::Direction;
use serde_json::{Value, json};

use super::compare;
use super::steps::Steps;
use crate::chaos::Violation;
use crate::outside::Outside;

fn text(value: &impl serde::Serialize) -> String {
    match json!(value) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn lines<T>(members: impl IntoIterator<Item = T>, line: impl Fn(T) -> String) -> BTreeSet<String> {
    members.into_iter().map(line).collect()
}

/// Every table of the configuration.
pub(super) async fn postgres(outside: &Outside, catalog: &Catalog) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    let mut table = async |what: &str, wanted: BTreeSet<String>, sql: &'static str| {
        let rows: Vec<String> = outside.column(sql).await;
        if rows.len() != rows.iter().collect::<BTreeSet<_>>().len() {
            found.push(Violation::new("stores", format!("{what}: a row is there twice")));
        }
        found.extend(compare("stores", what, &wanted, &rows.into_iter().collect()));
    };
    table(
        "ops.mnos",
        lines(&catalog.mnos, |(id, mno)| format!("{id}|{}|{}", text(&mno.spec.name), text(&mno.spec.country))),
        "select concat_ws('|', id, name, country) from ops.mnos where deleted_at is null",
    )
    .await;
    table(
        "ops.operators",
        lines(&catalog.operators, |(id, operator)| {
            let spec = &operator.spec;
            let smpp = &spec.smpp;
            let (name, status, host) = (text(&spec.display_name), text(&spec.status), text(&smpp.host));
            let (system, mode) = (text(&smpp.system_id), text(&smpp.bind_mode));
            let (out, into, port, mno) = (spec.tps.outbound, spec.tps.inbound, smpp.port, &operator.mno);
            format!("{id}|{mno}|{name}|{status}|{host}|{port}|{system}|{mode}|{out}|{into}")
        }),
        "select concat_ws('|', id, mno_id, display_name, status, host, port, system_id, bind_mode, tps_outbound,
             tps_inbound) from ops.operators where deleted_at is null",
    )
    .await;
    table(
        "ops.routing_rules",
        lines(
            catalog.operators.iter().flat_map(|(id, operator)| operator.rules.iter().map(move |rule| (id, rule))),
            |(id, rule)| {
                let (prefix, active) = (rule.prefix.digits(), if rule.active { "t" } else { "f" });
                format!("{id}|{prefix}|{}|{}|{active}", rule.priority, rule.weight)
            },
        ),
        "select concat_ws('|', operator_id, prefix, priority, weight, active) from ops.routing_rules",
    )
    .await;
    let contracts = catalog.mnos.iter().flat_map(|(id, mno)| mno.contracts.contracts.iter().map(move |c| (id, c)));
    table(
        "ops.tps_contracts",
        lines(contracts, |(id, contract)| {
            let (reference, from) = (text(&contract.reference), text(&contract.effective_from));
            format!("{id}|{}|{reference}|{}|{from}", contract.direction, contract.contracted_tps)
        }),
        "select concat_ws('|', mno_id, bind_direction, contract_ref, contracted_tps, effective_from)
         from ops.tps_contracts",
    )
    .await;
    let reserved = catalog.mnos.iter().flat_map(|(id, mno)| mno.contracts.reservations.iter().map(move |r| (id, r)));
    table(
        "routing.tenant_preferences",
        lines(reserved, |(id, held)| {
            let (tenant, from) = (text(&held.tenant), text(&held.effective_from));
            format!("{tenant}|{id}|{}|{}|{from}", held.direction, held.reserved_tps)
        }),
        "select concat_ws('|', tenant_id, mno_id, bind_direction, reserved_tps, effective_from)
         from routing.tenant_preferences",
    )
    .await;
    found.extend(specs(outside, catalog).await?);
    Ok(found)
}

/// The whole specs, without the sealed passwords.
async fn specs(outside: &Outside, catalog: &Catalog) -> Result<Option<Violation>> {
    let mut wanted = BTreeSet::new();
    for (id, operator) in &catalog.operators {
        let mut spec = serde_json::to_value(&operator.spec)?;
        if let Some(credentials) = spec.get_mut("credentials").and_then(Value::as_object_mut) {
            credentials.remove("sealed");
        }
        wanted.insert(format!("{id} {}", plain(spec)));
    }
    let mut found = BTreeSet::new();
    let sql = "select json_build_array(id, spec)::text from ops.operators where deleted_at is null";
    for row in outside.column(sql).await {
        let (id, spec): (String, Value) = serde_json::from_str(&row)?;
        found.insert(format!("{id} {}", plain(spec)));
    }
    Ok(compare("stores", "ops.operators.spec", &wanted, &found))
}

/// An empty mapping of credentials is as good as none; the keys of a map are in order.
fn plain(mut spec: Value) -> String {
    if spec["credentials"].as_object().is_none_or(serde_json::Map::is_empty)
        && let Some(fields) = spec.as_object_mut()
    {
        fields.remove("credentials");
    }
    spec.sort_all_objects();
    spec.to_string()
}

/// Every projection.
pub(super) async fn redis(outside: &Outside, catalog: &Catalog, steps: &Steps) -> Vec<Violation> {
    let wanted = lines(&catalog.operators, |(id, operator)| {
        let spec = &operator.spec;
        let shown = json!({
            "id": id, "mno": operator.mno, "status": spec.status, "smpp": spec.smpp, "tps": spec.tps,
        });
        format!("ops:operator:{id} {}", plain(shown))
    });
    let mut found = BTreeSet::new();
    let mut newest = 0;
    for (key, value) in outside.cache("ops:operator:").await {
        let mut shown: Value = serde_json::from_str(&value).unwrap_or_default();
        newest = newest.max(shown["generation"].as_i64().unwrap_or(i64::MAX));
        if let Some(fields) = shown.as_object_mut() {
            fields.remove("generation");
        }
        found.insert(format!("{key} {}", plain(shown)));
    }
    let mut violations: Vec<Violation> =
        compare("stores", "projections of operators", &wanted, &found).into_iter().collect();

    let pairs = catalog.mnos.iter().flat_map(|(id, mno)| Direction::ALL.map(|direction| (id, mno, direction)));
    let wanted = lines(pairs, |(id, mno, direction)| {
        // A campaign's contracts have begun and have no end.
        let contract = mno.contracts.contracts.iter().find(|contract| contract.direction == direction);
        let held = mno.contracts.reservations.iter().filter(|held| held.direction == direction);
        let reserved: u32 = held.map(|held| held.reserved_tps).sum();
        format!("ops:tps:{id}:{direction} {}|{reserved}", contract.map_or(0, |contract| contract.contracted_tps))
    });
    let found = lines(outside.cache("ops:tps:").await, |(key, value)| {
        let shown: Value = serde_json::from_str(&value).unwrap_or_default();
        format!("{key} {}|{}", shown["contracted"], shown["reserved"])
    });
    violations.extend(compare("stores", "projections of contracts", &wanted, &found));

    let shown = outside.cached("ops:catalog").await.unwrap_or_default();
    let (commit, generation) = steps.last();
    if shown["commit"] != commit || shown["generation"] != generation || newest > generation {
        let text = format!(
            "ops:catalog says {shown}, a projection is of step {newest}; applied is {commit}, step {generation}"
        );
        violations.push(Violation::new("stores", text));
    }
    violations
}
