//! A routing engine in front of an imported spreadsheet.

use std::collections::BTreeSet;

use bindery_client::Client;
use bindery_client::table::{AllHealthy, Table};
use bindery_schema::value::E164Prefix;
use bindery_schema::wire::api::{RouteRow, RoutingTable};
use bindery_tests::consumer;
use bindery_tests::listeners::client;
use bindery_tests::program::{Agent, bindery};
use serde_json::Value;

use super::Migration;
use super::sheet::{Rule, Sheet};

/// Numbers inside every prefix of the spreadsheet, refused rows included, and beside them.
fn numbers(sheet: &Sheet) -> BTreeSet<String> {
    let mut numbers = BTreeSet::from(["45".to_owned(), "4699999999".to_owned(), "12025550100".to_owned()]);
    let refused = sheet.refused.iter().flat_map(|row| row.cell("Prefixes").split('|'));
    let rules = sheet.rules();
    let prefixes = rules.iter().map(|(prefix, ..)| prefix.as_str()).chain(refused);
    let digits = |prefix: &&str| prefix.starts_with('4') && prefix.bytes().all(|byte| byte.is_ascii_digit());
    for prefix in prefixes.filter(digits) {
        numbers.insert(prefix.to_owned());
        numbers.extend((0..10).map(|digit| format!("{prefix}{digit}2345")));
    }
    numbers
}

/// The internal API has the spreadsheet's rules; a client that starts with nothing sends each number where `bindery trace`
/// sends it, and that is where the spreadsheet does.
pub(super) async fn as_the_spreadsheet_says(migration: &Migration, agent: &Agent, sheet: &Sheet) {
    let pki = &migration.world.stack.pki;
    let http = client(&pki.ca, Some(&pki.smpp_connector));
    let table = http.get(format!("{}/v1/internal/routing-table", agent.internal)).send().await.unwrap();
    let table: RoutingTable = table.json().await.unwrap();
    let rule = |row: &RouteRow| -> Rule {
        let (amount, currency) = row.cost.map(|cost| (cost.amount.to_string(), cost.currency.to_string())).unzip();
        let (prefix, operator) = (row.prefix.digits(), row.operator.to_string());
        (prefix, operator, row.priority.into(), row.weight.into(), amount, currency)
    };
    assert_eq!(table.rows.iter().map(rule).collect::<BTreeSet<_>>(), sheet.rules());

    let engine = Client::start(consumer::config(&migration.world, &agent.internal)).await.unwrap();
    engine.routing().ready().await;
    assert_eq!(engine.routing().table().generation(), 1);
    let numbers = numbers(sheet);
    let text: String = numbers.iter().flat_map(|number| ["+", number, "\n"]).collect();
    let traced = bindery(&["trace", "--file", "-", "--format", "json"], &migration.work, Some(&text));
    let traced = String::from_utf8(traced.stdout).unwrap();
    assert_eq!(traced.lines().count(), numbers.len());
    let (mut served, mut behind) = (0, 0);
    for (number, trace) in numbers.iter().zip(traced.lines()) {
        let trace: Value = serde_json::from_str(trace).unwrap();
        let of_trace = |key: &str| -> Vec<String> {
            let routes = trace["routes"].as_array().unwrap().iter();
            routes.map(|route| route[key].as_str().unwrap().trim_start_matches('+').to_owned()).collect()
        };
        let e164 = E164Prefix::from_digits(number).unwrap();
        let route = |table: &Table| table.route(e164, 1, &AllHealthy).route.map(|route| route.prefix.digits());
        let (prefix, operators) = sheet.serving(number);
        assert_eq!(
            (of_trace("prefix").first(), of_trace("operator")),
            (prefix.as_ref(), operators.clone()),
            "{number}"
        );
        assert_eq!(engine.routing().serving(e164, &AllHealthy).first(), operators.first(), "{number}");
        assert_eq!(route(&engine.routing().table()), prefix, "{number}");
        served += usize::from(prefix.is_some());
        behind += trace["rejected"].as_array().unwrap().len();
    }
    assert!(served > 300 && served < numbers.len() && behind > 0, "{served} of {}, {behind}", numbers.len());
    engine.shutdown().await;
}
