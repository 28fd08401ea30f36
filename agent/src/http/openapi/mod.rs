//! The OpenAPI 3.1 document of each listener, and a page to try the admin API.
//!
//! A route and what is said of it are one value ([`super::route::Route`]): the router and the document are built from the
//! same list, so that neither has what the other lacks. Schemas come from the wire types.
//!
//! Deliberately absent: a page that loads anything from elsewhere. Agents run in closed networks.

mod document;
pub(super) mod endpoint;
mod page;
pub(super) mod parameters;
mod problem;
mod schemas;

use std::fmt;
use std::sync::OnceLock;

use axum::http::header::CONTENT_TYPE;
use serde_json::Value;

use self::endpoint::{Access, Answer, Endpoint, JSON};
use super::route::Route;
use super::{admin, hooks, internal, ops};

/// A listener of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Listener {
    /// For people and integrators, with bearer tokens.
    Admin,
    /// For the platform's services, with client certificates.
    Internal,
    /// For orchestrator and monitoring.
    Ops,
}

impl Listener {
    /// Every listener.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Internal, Self::Ops];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Internal => "internal",
            Self::Ops => "ops",
        }
    }

    fn endpoints(self) -> Vec<Endpoint> {
        fn of<S>(routes: Vec<Route<S>>) -> impl Iterator<Item = Endpoint> {
            routes.into_iter().map(|route| route.endpoint)
        }
        match self {
            Self::Admin => of(admin::routes()).chain(of(hooks::routes())).collect(),
            Self::Internal => of(internal::routes()).collect(),
            Self::Ops => of(ops::routes()).collect(),
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Admin => {
                "Operators, rules, carriers, contracts and reservations of bindery, and what its sync is doing. Every \
                 change becomes a commit of the configuration repository, checked as a pull request is, and is answered \
                 once it is applied. Errors are problem documents (RFC 9457) with a stable `code`."
            }
            Self::Internal => {
                "What the services of the platform read: credentials, health, operators, the routing table."
            }
            Self::Ops => "Whether the agent works, and its metrics.",
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The document of a listener.
pub fn document(listener: Listener) -> Value {
    document::build(&format!("bindery {listener} API"), listener.description(), &listener.endpoints())
}

/// The document as text, with a line feed at its end.
pub fn text(listener: Listener) -> &'static str {
    static TEXTS: [OnceLock<String>; 3] = [const { OnceLock::new() }; 3];
    // The alternate form of a JSON value is indented.
    TEXTS[listener as usize].get_or_init(|| format!("{:#}\n", document(listener)))
}

/// The routes of the document itself and, on the admin listener, of the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(listener: Listener, access: Access) -> Vec<Route<S>> {
    const TAG: &str = "document";
    let serve = move || async move { ([(CONTENT_TYPE, JSON)], text(listener)) };
    let any: fn(&mut schemars::SchemaGenerator) -> schemars::Schema = |_| schemars::json_schema!({ "type": "object" });
    let answer =
        Answer { status: 200, description: "The document.", content: Some((JSON, vec![any])), headers: Vec::new() };
    let document = Route::get("/openapi.json", serve)
        .named(TAG, "getDocument", "This document")
        .open_to(access)
        .answers_with(answer);
    let mut routes = vec![document];
    if listener == Listener::Admin {
        routes.extend(page::routes(TAG));
    }
    routes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::endpoint::Place;
    use super::*;

    #[test]
    fn every_route_says_what_it_is() {
        let mut ids = BTreeSet::new();
        let of =
            |listener: Listener| listener.endpoints().into_iter().map(move |endpoint| (listener.as_str(), endpoint));
        for (listener, endpoint) in Listener::ALL.into_iter().flat_map(of) {
            let shown = format!("{} {}", endpoint.method, endpoint.path);
            assert!(!endpoint.summary.is_empty() && !endpoint.tag.is_empty() && !endpoint.id.is_empty(), "{shown}");
            assert!(ids.insert((listener, endpoint.id)), "{shown}: {}", endpoint.id);
            assert!(!endpoint.answers.is_empty(), "{shown}");
            let in_path: Vec<_> =
                endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(endpoint.names(Place::Path).collect::<Vec<_>>(), in_path, "{shown}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get("$ref").and_then(Value::as_str));
                    fields.values().for_each(|field| references(field, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        for listener in Listener::ALL {
            let document = document(listener);
            let mut found = Vec::new();
            references(&document, &mut found);
            assert!(listener != Listener::Admin || found.len() > 100, "{listener}: {}", found.len());
            for path in found {
                assert!(document.pointer(path.trim_start_matches('#')).is_some(), "{listener}: {path}");
            }
        }
    }
}
