//! `POST /v1/hooks/git`: a forge tells of a push, and the branch is fetched at once. Nothing else comes of it.
//!
//! The body counts only after its signature was checked, in constant time, against the configured secret:
//!
//! | forge | header | what it holds |
//! |---|---|---|
//! | GitHub | `X-Hub-Signature-256` | `sha256=` and HMAC-SHA256 of the body in hex |
//! | Gitea, Forgejo | `X-Gitea-Signature` | HMAC-SHA256 of the body in hex |
//! | GitLab | `X-Gitlab-Token` | the secret itself |
//! | GitLab, signing token | `webhook-signature` | `v1,` and HMAC-SHA256 of id, time and body in base 64 (Standard Webhooks) |
//!
//! A replayed request has the branch fetched once more, which does no harm.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bindery_schema::secret::Secret;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::Sha256;

use super::error::{Code, Problem, chain};
use super::openapi::endpoint::Access;
use super::route::{self, Route};
use crate::shared::Shared;
use crate::sync::trigger;

/// How far the clocks of a forge and the agent may be apart, in seconds: what Standard Webhooks recommends.
const CLOCKS: i64 = 300;

/// The route.
pub(super) fn routes() -> Vec<Route<Shared>> {
    vec![
        Route::post("/v1/hooks/git", push)
            .named("hooks", "gitHook", "Have the branch fetched, as the forge that was pushed to asks")
            .open_to(Access::Signature)
            .body::<Push>(json!({ "ref": "refs/heads/main" }))
            .answers::<Answer>(202, "It was understood, whether anything comes of it or not.")
            .fails(&[Code::NotFound]),
    ]
}

/// What serves it, where a secret is configured.
pub(super) fn router(shared: &Shared) -> Router {
    if shared.config.triggers.webhook_secret.is_none() {
        return Router::new();
    }
    route::router(routes()).with_state(shared.clone())
}

/// What became of a push.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "GitHookAnswer")]
struct Answer {
    /// Whether the branch is fetched.
    triggered: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What all forges send for a push.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(rename = "GitPush")]
struct Push {
    /// The reference that was pushed to.
    #[serde(rename = "ref")]
    reference: Option<String>,
}

async fn push(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Answer>), Problem> {
    let source = shared.config.triggers.webhook_secret.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let secret = source.read().map_err(|error| {
        tracing::error!(error = chain(&error), "webhooks cannot be checked");
        Problem::new(Code::Internal)
    })?;
    if !is_signed(&headers, &body, &secret, Timestamp::now()) {
        return Err(Problem::new(Code::BadSignature));
    }
    let Ok(push) = serde_json::from_slice::<Push>(&body) else {
        return Err(
            Problem::new(Code::UnsupportedMediaType).detail("set the webhook's content type to application/json")
        );
    };
    let followed = format!("refs/heads/{}", shared.config.repository.branch);
    let reason = match push.reference {
        Some(reference) if reference == followed => None,
        Some(_) => Some(format!("only {followed} is followed")),
        None => Some("not a push".to_owned()),
    };
    if reason.is_none() {
        trigger::pull(&shared, "webhook").await;
    }
    Ok((StatusCode::ACCEPTED, Json(Answer { triggered: reason.is_none(), reason })))
}

/// Whether one of the headers proves that the sender knows the secret.
fn is_signed(headers: &HeaderMap, body: &[u8], secret: &Secret, now: Timestamp) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key = secret.expose().as_bytes();
    // An empty secret would be anybody's.
    if key.is_empty() {
        return false;
    }
    if let Some(signature) = header("x-hub-signature-256") {
        return signature.strip_prefix("sha256=").is_some_and(|hash| is_hex_mac(key, body, hash));
    }
    if let Some(hash) = header("x-gitea-signature").or_else(|| header("x-forgejo-signature")) {
        return is_hex_mac(key, body, hash);
    }
    if let (Some(id), Some(at), Some(signatures)) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
    {
        return is_standard(key, id, at, body, signatures, now);
    }
    // Hashes are compared, so that neither content nor length of the secret shows in the time it takes.
    header("x-gitlab-token")
        .and_then(|token| mac(key, &[token.as_bytes()]))
        .is_some_and(|token| is_mac(key, &[key], &token.finalize().into_bytes()))
}

/// The scheme of Standard Webhooks: several signatures may be listed while a secret is rotated.
fn is_standard(key: &[u8], id: &str, at: &str, body: &[u8], signatures: &str, now: Timestamp) -> bool {
    let recent = at.parse::<i64>().is_ok_and(|at| now.as_second().abs_diff(at) <= CLOCKS.unsigned_abs());
    let encoded = key.strip_prefix(b"whsec_");
    let key = encoded.and_then(|encoded| BASE64_STANDARD.decode(encoded).ok()).unwrap_or_else(|| key.to_vec());
    let content = [id.as_bytes(), b".", at.as_bytes(), b".", body];
    recent
        && signatures
            .split(' ')
            .filter_map(|signature| signature.strip_prefix("v1,"))
            .any(|hash| BASE64_STANDARD.decode(hash).is_ok_and(|hash| is_mac(&key, &content, &hash)))
}

fn is_hex_mac(key: &[u8], body: &[u8], hash: &str) -> bool {
    hex::decode(hash).is_ok_and(|hash| is_mac(key, &[body], &hash))
}

/// In constant time, whatever the hash holds.
fn is_mac(key: &[u8], content: &[&[u8]], hash: &[u8]) -> bool {
    mac(key, content).is_some_and(|mac| mac.verify_slice(hash).is_ok())
}

fn mac(key: &[u8], content: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in content {
        mac.update(part);
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;
    const SECRET: &str = "It's a Secret to Everybody";

    fn signed(headers: &[(&'static str, String)], body: &[u8], secret: &str) -> bool {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        is_signed(&headers.collect(), body, &Secret::new(secret), now)
    }

    #[test]
    fn githubs_own_example_is_accepted() {
        // From GitHub's documentation of webhook deliveries.
        let hash = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let header = |hash: &str| [("x-hub-signature-256", format!("sha256={hash}"))];
        assert!(signed(&header(hash), b"Hello, World!", SECRET));
        assert!(!signed(&header(hash), b"Hello, World?", SECRET));
        assert!(!signed(&header(hash), b"Hello, World!", "another"));
        assert!(!signed(&header(&hash[..62]), b"Hello, World!", SECRET));
        assert!(!signed(&[("x-hub-signature-256", hash.to_owned())], b"Hello, World!", SECRET));
        assert!(!signed(&[("x-hub-signature-256", "sha256=".to_owned())], b"Hello, World!", SECRET));
    }

    #[test]
    fn each_forge_has_its_header() {
        let hash = hex::encode(mac(SECRET.as_bytes(), &[BODY]).unwrap().finalize().into_bytes());
        assert!(signed(&[("x-gitea-signature", hash.clone())], BODY, SECRET));
        assert!(signed(&[("x-forgejo-signature", hash)], BODY, SECRET));
        assert!(signed(&[("x-gitlab-token", SECRET.to_owned())], BODY, SECRET));
        assert!(!signed(&[("x-gitlab-token", "It's a Secret".to_owned())], BODY, SECRET));
        assert!(!signed(&[("x-gitlab-token", String::new())], BODY, ""));
        assert!(!signed(&[], BODY, SECRET));
    }

    #[test]
    fn the_example_of_standard_webhooks_is_accepted_while_it_is_fresh() {
        let body = br#"{"test": 2432232314}"#;
        let (secret, at) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1_614_265_330);
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let headers: HeaderMap = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", format!("v2,ignored {signature}")),
        ]
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
        let at_second =
            |second| is_signed(&headers, body, &Secret::new(secret), Timestamp::from_second(second).unwrap());
        assert!(at_second(at) && at_second(at + CLOCKS) && !at_second(at + CLOCKS + 1) && !at_second(at - 301));
    }
}
