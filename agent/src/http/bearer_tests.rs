//! Tokens that are let in and tokens that are not.

use axum::http::HeaderValue;
use jiff::Timestamp;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::*;

struct Issuer {
    key: EncodingKey,
    jwk: Jwk,
}

impl Issuer {
    fn new() -> Self {
        let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256).unwrap());
        Self { key, jwk }
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid.clone_from(&self.jwk.common.key_id);
        encode(&header, claims, &self.key).unwrap()
    }

    fn tokens(&self) -> Tokens {
        let keys = KeySet::fixed(&json!({ "keys": [Issuer::new().jwk, self.jwk] }).to_string());
        Tokens {
            keys: Arc::new(keys),
            issuer: "issuer".into(),
            audience: "admin".into(),
            roles_claim: "roles".into(),
            tenant_claim: "tenant".into(),
            leeway: 60,
        }
    }
}

/// Good claims with some replaced; null removes one.
fn claims(changes: &Value) -> Value {
    let now = Timestamp::now().as_second();
    let mut claims = json!({ "iss": "issuer", "aud": "admin", "sub": "ana", "roles": ["sre"], "exp": now + 600 });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn ask(tokens: &Tokens, header: &str) -> Result<Caller, String> {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(header).unwrap())]);
    tokens.authenticate(&headers).map_err(|problem| format!("{problem:?}"))
}

#[test]
fn claims_decide() {
    let issuer = Issuer::new();
    let tokens = issuer.tokens();
    let now = Timestamp::now().as_second();
    let table = [
        (json!({}), None),
        (json!({ "roles": "sre tenant unheard-of" }), None),
        (json!({ "aud": ["other", "admin"] }), None),
        (json!({ "exp": now - 30 }), None),
        (json!({ "exp": now - 90 }), Some("has expired")),
        (json!({ "exp": null }), Some("lacks one of")),
        (json!({ "exp": "tomorrow" }), Some("lacks one of")),
        (json!({ "nbf": now + 30 }), None),
        (json!({ "nbf": now + 90 }), Some("not valid yet")),
        (json!({ "aud": "other" }), Some("another audience")),
        (json!({ "aud": null }), Some("lacks one of")),
        (json!({ "iss": "other" }), Some("another issuer")),
        (json!({ "iss": null }), Some("lacks one of")),
        (json!({ "sub": null }), Some("lacks one of")),
        (json!({ "sub": "" }), Some("names no subject")),
    ];
    for (changes, refusal) in table {
        let answer = ask(&tokens, &format!("Bearer {}", issuer.sign(&claims(&changes))));
        match refusal {
            None => {
                assert!(answer.as_ref().is_ok_and(|caller| caller.roles.contains(&Role::Sre)), "{changes}: {answer:?}");
            }
            Some(why) => assert!(answer.as_ref().is_err_and(|text| text.contains(why)), "{changes}: {answer:?}"),
        }
    }
    let caller = ask(&tokens, &format!("bearer {}", issuer.sign(&claims(&json!({ "roles": null }))))).unwrap();
    assert_eq!(caller, Caller { subject: "ana".to_owned(), roles: vec![], tenant: None });
}

#[test]
fn claims_may_lie_in_objects_or_have_dots() {
    let issuer = Issuer::new();
    let realm = Tokens { roles_claim: "realm_access.roles".into(), ..issuer.tokens() };
    let url = Tokens { roles_claim: "https://bindery.example/roles".into(), ..issuer.tokens() };
    let ask = |tokens: &Tokens, changes: &Value| {
        ask(tokens, &format!("Bearer {}", issuer.sign(&claims(changes)))).map(|caller| caller.roles)
    };
    let none = json!({ "roles": null });
    assert_eq!(ask(&realm, &json!({ "realm_access": { "roles": ["noc", "offline_access"] } })), Ok(vec![Role::Noc]));
    assert_eq!(ask(&realm, &json!({ "realm_access": "noc" })), Ok(vec![]));
    assert_eq!((ask(&realm, &none), ask(&url, &none)), (Ok(vec![]), Ok(vec![])));
    assert_eq!(ask(&url, &json!({ "https://bindery.example/roles": "finance" })), Ok(vec![Role::Finance]));
}

#[test]
fn signatures_decide() {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as B64;
    let issuer = Issuer::new();
    let tokens = issuer.tokens();
    let good = issuer.sign(&claims(&json!({})));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let payload = head.split_once('.').unwrap().1;
    let none = B64.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let stranger = Issuer::new();
    // Signed with HMAC, with what an attacker knows as the secret: the public key.
    let public = serde_json::to_string(&issuer.jwk).unwrap();
    let mut symmetric = Header::new(Algorithm::HS256);
    symmetric.kid.clone_from(&issuer.jwk.common.key_id);
    let confused = encode(&symmetric, &claims(&json!({})), &EncodingKey::from_secret(public.as_bytes())).unwrap();
    let mut stolen_name = Header::new(Algorithm::ES256);
    stolen_name.kid.clone_from(&issuer.jwk.common.key_id);
    let forged = encode(&stolen_name, &claims(&json!({})), &stranger.key).unwrap();
    let unnamed = encode(&Header::new(Algorithm::ES256), &claims(&json!({})), &issuer.key).unwrap();
    assert!(ask(&tokens, &format!("Bearer {good}")).is_ok());
    assert!(ask(&tokens, &format!("Bearer {unnamed}")).is_ok(), "every key is tried for a token that names none");
    let other_payload = B64.encode(claims(&json!({ "roles": ["carrier-admin"] })).to_string());
    let header = head.split_once('.').unwrap().0;
    let table = [
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{header}.{other_payload}.{signature}"),
        format!("{head}."),
        head.to_owned(),
        stranger.sign(&claims(&json!({}))),
        forged,
        confused,
        "x".repeat(LONGEST + 1),
        "a.b.c".to_owned(),
        String::new(),
    ];
    for token in table {
        assert!(ask(&tokens, &format!("Bearer {token}")).is_err(), "{token}");
    }
    for header in [format!("Basic {good}"), good.clone(), format!("Bearer{good}")] {
        assert!(ask(&tokens, &header).is_err(), "{header}");
    }
    let mut appended = HeaderMap::new();
    appended.append(AUTHORIZATION, format!("Bearer {good}").parse().unwrap());
    appended.append(AUTHORIZATION, format!("Bearer {good}").parse().unwrap());
    assert!(tokens.authenticate(&appended).is_err());
    assert!(tokens.authenticate(&HeaderMap::new()).is_err());
}
