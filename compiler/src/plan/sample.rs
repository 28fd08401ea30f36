//! Catalogs for the tests of plans and of what they mean.

use std::sync::Arc;

use bindery_schema::catalog::{Catalog, Mno, Operator};
use bindery_schema::hash;
use bindery_schema::operator::OperatorSpec;
use bindery_schema::routes::Rule;
use bindery_schema::value::MnoId;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(super) fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A carrier with contracts and reservations.
pub(super) fn mno(contracts: Value) -> Mno {
    let spec = read(json!({"name": "Roshan", "country": "AF", "contacts": {"t1": [{"name": "NOC"}]}}));
    let contracts = read(contracts);
    Mno {
        spec_hash: hash::mno(&spec),
        contracts_hash: hash::contracts(&contracts),
        spec: spec.into(),
        contracts: std::sync::Arc::new(contracts),
        source: "operators/mno.yaml".into(),
        contracts_source: None,
    }
}

/// An operator without a password.
pub(super) fn operator(mno: &str, host: &str, rules: Value) -> Operator {
    let mut rules: Vec<Rule> = read(rules);
    rules.sort_by_key(|rule| rule.prefix);
    let spec: OperatorSpec = read(json!({
        "displayName": "Roshan", "smpp": {"host": host, "port": 2775, "systemId": "bulk"}, "tps": {"outbound": 50},
    }));
    let mno: MnoId = mno.parse().unwrap();
    Operator {
        spec_hash: hash::operator_spec(&mno, &spec),
        routes_hash: hash::routes(&rules),
        credentials_hash: None,
        mno,
        renamed_from: None,
        spec: Arc::new(spec),
        rules: rules.into(),
        source: "operators/x.yaml".into(),
        routes_source: None,
    }
}

/// The operator with a sealed password.
pub(super) fn sealed(mut operator: Operator, sealed: &str) -> Operator {
    Arc::make_mut(&mut operator.spec).credentials = Some(read(json!({"sealed": sealed})));
    operator.spec_hash = hash::operator_spec(&operator.mno, &operator.spec);
    operator.credentials_hash = Some(hash::sealed(sealed));
    operator
}

pub(super) fn catalog<'a>(
    mnos: impl IntoIterator<Item = (&'a str, Mno)>,
    operators: impl IntoIterator<Item = (&'a str, Operator)>,
) -> Catalog {
    Catalog {
        mnos: mnos.into_iter().map(|(id, mno)| (id.parse().unwrap(), mno)).collect(),
        operators: operators.into_iter().map(|(id, operator)| (id.parse().unwrap(), operator.into())).collect(),
        policy: read(json!({})),
    }
}
