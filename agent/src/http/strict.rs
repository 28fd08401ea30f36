//! Parameters of an address that no route knows are refused: a misspelt `dryRun` would write, a misspelt filter would
//! list everything.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::{Code, Problem};
use super::openapi::endpoint::{Endpoint, Place};

/// Most characters of a parameter: more than any name has.
const LONGEST: usize = 1_024;

/// Names of the query parameters of a route.
pub(super) type Known = Arc<[&'static str]>;

/// What a route knows.
pub(super) fn known(endpoint: &Endpoint) -> Known {
    endpoint.names(Place::Query).collect()
}

/// Lets requests pass whose address holds nothing unknown, and nothing that a store could not hold.
pub(super) async fn check(State(known): State<Known>, request: Request, next: Next) -> Response {
    match refusal(&known, &request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn refusal(known: &Known, request: &Request) -> Option<Problem> {
    let bad = |detail: String| Some(Problem::new(Code::BadRequest).detail(detail));
    // There is one way to write the character that no text in Postgres has.
    if request.uri().path_and_query().is_some_and(|address| address.as_str().contains("%00")) {
        return bad("the address holds a NUL character".to_owned());
    }
    let Ok(Query(given)) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()) else {
        return bad("the parameters behind the question mark cannot be read".to_owned());
    };
    let is_text = |text: &String| text.chars().count() <= LONGEST && !text.contains(char::is_control);
    if !given.iter().all(|(_, value)| is_text(value)) {
        return bad(format!("a parameter has a control character or more than {LONGEST} characters"));
    }
    // Its name is not repeated: it may be anything, of any length.
    let is_known = given.iter().all(|(name, _)| known.contains(&name.as_str()));
    match (is_known, known.is_empty()) {
        (true, _) => None,
        (false, true) => bad("this takes no parameters behind the question mark".to_owned()),
        (false, false) => bad(format!("a parameter is unknown; this takes {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn what_is_unknown_is_refused() {
        let known: Known = ["mno", "dryRun"].into();
        let table = [
            ("/a", true),
            ("/a?", true),
            ("/a?mno=x&dryRun=true", true),
            ("/a?mno=", true),
            ("/a?dryrun=true", false),
            ("/a?mno=x&other", false),
            ("/a?mno=%00", false),
            ("/a?mno=a%0Fb", false),
            ("/a%00?mno=x", false),
        ];
        for (address, passes) in table {
            let request = Request::builder().uri(address).body(Body::empty()).unwrap();
            assert_eq!(refusal(&known, &request).is_none(), passes, "{address}");
        }
    }
}
