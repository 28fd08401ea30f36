//! `/docs`: a page that lists the admin API and sends requests. Three files of our own, and nothing from elsewhere.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use schemars::{Schema, SchemaGenerator, json_schema};

use super::endpoint::Answer;
use crate::http::route::Route;

/// What the page may load and do. The token stays in the page's memory, and nothing can be made to carry it elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const FILES: [(&str, &str, &str, &str); 3] = [
    ("/docs", "getPage", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/docs/page.js", "getPageScript", "text/javascript; charset=utf-8", include_str!("page/page.js")),
    ("/docs/page.css", "getPageStyle", "text/css; charset=utf-8", include_str!("page/page.css")),
];

/// The routes of its files.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(tag: &'static str) -> Vec<Route<S>> {
    let route = |(path, id, kind, text): (&'static str, &'static str, &'static str, &'static str)| {
        let media = kind.split(';').next().unwrap_or_default();
        let content = Some((media, vec![any_text as _]));
        Route::get(path, move || async move { ([(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, POLICY)], text) })
            .named(tag, id, "Part of the page to try this API")
            .answers_with(Answer { status: 200, description: "The file.", content, headers: Vec::new() })
    };
    FILES.map(route).into()
}

fn any_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string" })
}
