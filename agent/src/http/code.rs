//! The stable codes of errors: one table of name, status and title, from which the OpenAPI document takes them too.

use axum::http::StatusCode;

/// Declares the codes with what each looks like to a client.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:ident, $title:literal;)*) => {
        /// What kind of error it is. Clients decide by it; names never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name clients see.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The status it is answered with.
            pub fn status(self) -> StatusCode {
                match self {
                    $(Self::$variant => StatusCode::$status,)*
                }
            }

            /// One line for people.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }
        }
    };
}

codes! {
    /// A parameter or body cannot be understood.
    BadRequest = "BAD_REQUEST", BAD_REQUEST, "The request cannot be understood";
    /// No valid bearer token.
    Unauthenticated = "UNAUTHENTICATED", UNAUTHORIZED, "A valid bearer token is needed";
    /// A webhook without a signature that its secret could have made.
    BadSignature = "BAD_SIGNATURE", UNAUTHORIZED, "The webhook's signature is missing or wrong";
    /// Who asks is known and may not.
    Forbidden = "FORBIDDEN", FORBIDDEN, "Not allowed";
    /// No such path.
    NotFound = "NOT_FOUND", NOT_FOUND, "No such resource";
    /// The operator does not exist or was deleted.
    OperatorNotFound = "OPERATOR_NOT_FOUND", NOT_FOUND, "No such operator";
    /// Another object that the path or body names does not exist.
    ObjectNotFound = "OBJECT_NOT_FOUND", NOT_FOUND, "No such object";
    /// There is an operator with that id, or one that binds to the same endpoint.
    DuplicateOperator = "DUPLICATE_OPERATOR", CONFLICT, "There is such an operator already";
    /// There is an object with that id.
    AlreadyExists = "ALREADY_EXISTS", CONFLICT, "There is such an object already";
    /// The id was an operator's that was deleted.
    OperatorIdRetired = "OPERATOR_ID_RETIRED", CONFLICT, "A deleted operator had that id";
    /// A rule collides with another.
    PrefixConflict = "PREFIX_CONFLICT", CONFLICT, "The rule collides with another";
    /// A contract overlaps another of its direction.
    ContractOverlap = "CONTRACT_OVERLAP", CONFLICT, "The contract overlaps another";
    /// The signed document of a contract is not in the object store.
    DocumentNotFound = "DOCUMENT_NOT_FOUND", UNPROCESSABLE_ENTITY, "The signed document is not in the object store";
    /// A reservation is more than what is left.
    ReservationExceedsContract = "RESERVATION_EXCEEDS_CONTRACT", CONFLICT, "More is reserved than the contract allows";
    /// The binds of a carrier may send more than its contract allows.
    TpsExceedsContract = "TPS_EXCEEDS_CONTRACT", CONFLICT, "The binds may send more than the contract allows";
    /// Operators still belong to the carrier.
    CarrierInUse = "CARRIER_IN_USE", CONFLICT, "Operators still belong to the carrier";
    /// The object is not what the caller saw.
    PreconditionFailed = "PRECONDITION_FAILED", PRECONDITION_FAILED, "The object has changed since it was read";
    /// An `Idempotency-Key` came with another request before.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", UNPROCESSABLE_ENTITY, "The key came with another request before";
    /// The first call with that `Idempotency-Key` is still under way.
    RequestInProgress = "REQUEST_IN_PROGRESS", CONFLICT, "The first call is still under way";
    /// The branch does not compile as it is.
    BranchBroken = "BRANCH_BROKEN", CONFLICT, "The branch does not compile as it is";
    /// A guardrail would hold the change.
    PlanHeld = "PLAN_HELD", CONFLICT, "A guardrail would hold the change";
    /// The sync is paused.
    SyncPaused = "SYNC_PAUSED", SERVICE_UNAVAILABLE, "The sync is paused";
    /// A file is laid out in a way that cannot be edited.
    LayoutNotEditable = "LAYOUT_NOT_EDITABLE", CONFLICT, "The file cannot be edited as it is written";
    /// The operator has no password yet.
    CredentialsNotSet = "CREDENTIALS_NOT_SET", NOT_FOUND, "The operator has no password yet";
    /// What changed since a step is not known any more, or is too much to tell.
    ChangesGone = "CHANGES_GONE", GONE, "The changes since that step cannot be told";
    /// No form of the answer is one the client takes.
    NotAcceptable = "NOT_ACCEPTABLE", NOT_ACCEPTABLE, "There is no such form of the answer";
    /// The path exists, the method does not.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, "Method not allowed";
    /// The body is larger than any request needs.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", PAYLOAD_TOO_LARGE, "The body is too large";
    /// A body of another type than JSON.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UNSUPPORTED_MEDIA_TYPE, "The body has to be JSON";
    /// The caller asks more often than it may.
    TooManyRequests = "TOO_MANY_REQUESTS", TOO_MANY_REQUESTS, "Too many requests";
    /// No plan is held.
    NothingHeld = "NOTHING_HELD", NOT_FOUND, "No plan is held";
    /// Another plan is held than the one that was named.
    PlanHashMismatch = "PLAN_HASH_MISMATCH", CONFLICT, "Another plan is held";
    /// No such commit on the branch, or not a refused one.
    RevisionNotFound = "REVISION_NOT_FOUND", NOT_FOUND, "No such revision";
    /// Later commits changed what is to be taken back.
    RevertConflict = "REVERT_CONFLICT", CONFLICT, "Later commits stand in the way";
    /// What was asked for cannot be done to this configuration.
    ValidationFailed = "VALIDATION_FAILED", UNPROCESSABLE_ENTITY, "It would not be valid";
    /// The configuration repository does not take the commit, as a protected branch.
    PushRefused = "PUSH_REFUSED", CONFLICT, "The repository refuses the commit";
    /// The configuration repository cannot be fetched or pushed to.
    RepositoryUnavailable = "REPOSITORY_UNAVAILABLE", SERVICE_UNAVAILABLE, "The configuration repository is not available";
    /// A fault of the agent.
    Internal = "INTERNAL", INTERNAL_SERVER_ERROR, "The agent failed";
    /// Vault is down, sealed or refuses.
    VaultUnavailable = "VAULT_UNAVAILABLE", SERVICE_UNAVAILABLE, "Vault is not available";
    /// Postgres is down.
    StoreUnavailable = "STORE_UNAVAILABLE", SERVICE_UNAVAILABLE, "The store is not available";
    /// Another agent leads, and only that one can do it.
    NotLeading = "NOT_LEADING", SERVICE_UNAVAILABLE, "Another agent leads: ask that one";
    /// The token issuer's keys were never read.
    KeysUnavailable = "KEYS_UNAVAILABLE", SERVICE_UNAVAILABLE, "Tokens cannot be checked now";
    /// As many requests are under way as the agent takes at a time.
    Overloaded = "OVERLOADED", SERVICE_UNAVAILABLE, "Too much is under way";
    /// The answer took too long.
    Timeout = "TIMEOUT", SERVICE_UNAVAILABLE, "The answer took too long";
}

impl Code {
    /// The code of an answer that was made outside a handler, by its status.
    pub(super) fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_different_and_statuses_are_errors() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
        }
    }
}
