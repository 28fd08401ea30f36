//! What is said of one route: plain data, from which the document is built.

use axum::http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::http::error::Code;
use crate::http::permissions::Permission;

/// Makes the schema of a type, where a generator keeps it.
pub(in crate::http) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type.
pub(in crate::http) const fn of<T: JsonSchema>() -> SchemaOf {
    SchemaGenerator::subschema_for::<T>
}

/// A method of a path.
pub(in crate::http) struct Endpoint {
    /// How it is asked.
    pub(in crate::http) method: Method,
    /// Where, with `{names}` for what differs.
    pub(in crate::http) path: &'static str,
    /// What generated clients call it.
    pub(in crate::http) id: &'static str,
    /// One line for people.
    pub(in crate::http) summary: &'static str,
    /// What it belongs to.
    pub(in crate::http) tag: &'static str,
    /// Who may.
    pub(in crate::http) access: Access,
    /// What goes with the address and the head.
    pub(in crate::http) parameters: Vec<Parameter>,
    /// What goes with it beside that.
    pub(in crate::http) body: Option<Body>,
    /// What comes back where all goes well.
    pub(in crate::http) answers: Vec<Answer>,
    /// What may come back else, beside what any route may answer.
    pub(in crate::http) codes: Vec<Code>,
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Access {
    /// Everybody who reaches the listener.
    Open,
    /// Whoever has a token with a role that has the permission.
    Token(Permission),
    /// Whoever signs the body with the shared secret.
    Signature,
    /// Clients whose certificate is on the list of that name.
    Certificate(&'static str),
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Place {
    /// Part of the path; never left out.
    Path,
    /// Behind the question mark.
    Query,
    /// In the head.
    Header,
}

impl Place {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

/// A parameter.
#[derive(Clone, Copy)]
pub(in crate::http) struct Parameter {
    /// Its name.
    pub(in crate::http) name: &'static str,
    /// Where it stands.
    pub(in crate::http) place: Place,
    /// What it means.
    pub(in crate::http) description: &'static str,
    /// What it may be.
    pub(in crate::http) schema: SchemaOf,
    /// One that is understood.
    pub(in crate::http) example: Option<&'static str>,
}

/// The body of a request.
pub(in crate::http) struct Body {
    /// The types it may be sent as.
    pub(in crate::http) media: &'static [&'static str],
    /// What it may be.
    pub(in crate::http) schema: SchemaOf,
    /// Whether it has to be there.
    pub(in crate::http) required: bool,
    /// One that is accepted.
    pub(in crate::http) example: Value,
}

/// An answer to a request that was carried out.
pub(in crate::http) struct Answer {
    /// Its status.
    pub(in crate::http) status: u16,
    /// What it means.
    pub(in crate::http) description: &'static str,
    /// Type of its body and the forms that may have; none where it has no body.
    pub(in crate::http) content: Option<(&'static str, Vec<SchemaOf>)>,
    /// Headers it has beside those of any answer.
    pub(in crate::http) headers: Vec<&'static str>,
}

/// What is answered as JSON.
pub(in crate::http) const JSON: &str = "application/json";

impl Endpoint {
    /// Names of the parameters at a place.
    pub(in crate::http) fn names(&self, place: Place) -> impl Iterator<Item = &'static str> {
        self.parameters.iter().filter(move |parameter| parameter.place == place).map(|parameter| parameter.name)
    }

    /// Every code it may answer with: its own, and those that any route of its kind may.
    pub(super) fn all_codes(&self) -> Vec<Code> {
        use Code as C;
        let of_access: &[Code] = match self.access {
            Access::Open => &[],
            Access::Token(_) => &[
                C::BadRequest,
                C::Unauthenticated,
                C::Forbidden,
                C::TooManyRequests,
                C::StoreUnavailable,
                C::KeysUnavailable,
            ],
            Access::Signature => &[C::BadSignature],
            Access::Certificate(_) => &[C::BadRequest, C::Forbidden, C::StoreUnavailable],
        };
        let of_body: &[Code] = if self.body.is_some() { &[C::BadRequest, C::UnsupportedMediaType] } else { &[] };
        let of_any = &[C::PayloadTooLarge, C::Internal, C::Overloaded, C::Timeout];
        let mut codes: Vec<Code> = [of_access, of_body, of_any, &self.codes].concat();
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}
