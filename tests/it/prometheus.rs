//! A real Prometheus, configured as the example says, scrapes a real agent and answers every query we publish.

use std::fs;
use std::time::Instant;

use bindery_tests::observed::{Observed, file};
use bindery_tests::servers::Server;
use bindery_tests::stack::workspace;
use bindery_tests::world::{PATIENCE, eventually};
use serde_json::Value;

/// What Grafana puts in for the range that a rate needs, with scrapes a second apart.
const RANGE: &str = "1m";

struct Asked(u16);

impl Asked {
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let url =
            reqwest::Url::parse_with_params(&format!("http://127.0.0.1:{}/api/v1/{path}", self.0), query).unwrap();
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }

    /// The samples of an expression, which has to be one.
    async fn query(&self, expression: &str) -> Vec<Value> {
        let answer = self.get("query", &[("query", expression)]).await;
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// Whether an expression has samples, all of them numbers.
    async fn shows(&self, expression: &str) -> bool {
        let samples = self.query(expression).await;
        !samples.is_empty() && samples.iter().all(|sample| sample["value"][1] != "NaN")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_is_answered_from_a_scraped_agent() {
    let mut observed = Observed::new().await;
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("prometheus.yaml");
    let mut example = file("observability/prometheus.yaml");
    let target = observed.agent.ops.trim_start_matches("http://").to_owned();
    for (from, to) in [
        ("bindery-agent.example:9090", target.as_str()),
        ("scrape_interval: 15s", "scrape_interval: 1s"),
        ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ("scrape_timeout: 5s", "scrape_timeout: 1s"),
    ] {
        assert_eq!(example.matches(from).count(), 1, "{from}");
        example = example.replace(from, to);
    }
    fs::write(&config, example).unwrap();
    fs::copy(workspace().join("observability/alerts.yaml"), dir.path().join("alerts.yaml")).unwrap();
    let server = Server::prometheus(&dir.path().join("prometheus"), &config).await;
    let prometheus = Asked(server.port);
    eventually("the agent is scraped", async || prometheus.shows("up{job=\"bindery-agent\"} == 1").await).await;

    let dashboard: Value = serde_json::from_str(&file("observability/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries: Vec<_> =
        targets.map(|target| target["expr"].as_str().unwrap().replace("$__rate_interval", RANGE)).collect();
    assert!(queries.len() >= panels.len() && !queries.concat().contains('$'), "{queries:?}");
    let begun = Instant::now();
    loop {
        observed.exercise().await;
        let mut empty = Vec::new();
        for query in &queries {
            if !prometheus.shows(query).await {
                empty.push(query);
            }
        }
        if empty.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "nothing to show for {empty:#?}\n{}", observed.metrics().await);
    }
    assert!(!prometheus.shows("bindery_no_such_metric").await);

    let evaluated =
        async || prometheus.get("rules", &[]).await["data"]["groups"][0]["rules"].as_array().unwrap().clone();
    eventually("the rules are evaluated", async || evaluated().await.iter().all(|rule| rule["health"] == "ok")).await;
    let rules = evaluated().await;
    assert_eq!(rules.len(), file("observability/alerts.yaml").matches("- alert:").count());
    for rule in &rules {
        prometheus.query(rule["query"].as_str().unwrap()).await;
    }
    for runbook in fs::read_dir(workspace().join("runbooks/alerts")).unwrap() {
        let text = fs::read_to_string(runbook.unwrap().path()).unwrap();
        for block in text.split("```promql\n").skip(1) {
            for query in block.split("```").next().unwrap().lines().map(str::trim).filter(|line| !line.is_empty()) {
                prometheus.query(query).await;
            }
        }
    }
    observed.agent.program.stop().await;
}
