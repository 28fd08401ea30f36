//! `bindery-agent token`: signs a bearer token with a key of one's own, as the private stack of `dev` has one.
//!
//! In production tokens come from the company's issuer, and the agent holds no key that could sign one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use crate::http::permissions::Role;

/// The `iss` of tokens of the private stack.
pub const DEV_ISSUER: &str = "https://issuer.bindery.example/dev";
/// The `aud` of tokens of the private stack.
pub const DEV_AUDIENCE: &str = "bindery-admin";

/// Prints a bearer token for the admin listener.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "EXAMPLES:
  bindery-agent token --role noc
  bindery-agent token --role tenant --tenant bank
  curl -H \"Authorization: Bearer $(bindery-agent token --role read-only --ttl 10m)\" $BINDERY_ADMIN_URL/v1/admin/sync")]
pub struct Token {
    /// A role the token grants: carrier-admin, sre, noc, finance, tenant or read-only. May be repeated.
    #[arg(long = "role", required = true, value_parser = role)]
    pub roles: Vec<Role>,
    /// Whom the token names; audit rows show it.
    #[arg(long, default_value = "dev")]
    pub subject: String,
    /// The tenant it stands for, for the role tenant.
    #[arg(long)]
    pub tenant: Option<String>,
    /// How long it is valid, such as 90s, 30m, 1h or 7d.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub ttl: Duration,
    /// Key to sign with: ES256, PKCS #8 PEM.
    #[arg(long, default_value = ".bindery/dev/keys/jwt.pem")]
    pub key: PathBuf,
    /// The token's issuer.
    #[arg(long, default_value = DEV_ISSUER)]
    pub issuer: String,
    /// The token's audience.
    #[arg(long, default_value = DEV_AUDIENCE)]
    pub audience: String,
}

/// Why no token can be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key file cannot be read.
    #[error("{} cannot be read: start `bindery-agent dev` first, or name a key with --key", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// Not a key of the right kind.
    #[error("{} holds no ES256 key in PKCS #8 PEM", .0.display())]
    Key(PathBuf, #[source] jsonwebtoken::errors::Error),
    /// The output is closed.
    #[error("the token cannot be printed")]
    Print(#[source] std::io::Error),
}

impl Token {
    /// Prints the token and nothing else.
    pub fn run(&self) -> Result<(), Error> {
        let token = self.sign(Timestamp::now())?;
        writeln!(std::io::stdout(), "{token}").map_err(Error::Print)
    }

    /// The token, valid from `now` on.
    pub fn sign(&self, now: Timestamp) -> Result<String, Error> {
        let pem = std::fs::read(&self.key).map_err(|error| Error::Read(self.key.clone(), error))?;
        let fail = |error| Error::Key(self.key.clone(), error);
        let key = EncodingKey::from_ec_pem(&pem).map_err(fail)?;
        let public = Jwk::from_encoding_key(&key, Algorithm::ES256).map_err(fail)?;
        let mut header = Header::new(Algorithm::ES256);
        // The name every set derives for a key (RFC 7638).
        header.kid = Some(public.thumbprint(ThumbprintHash::SHA256).map_err(fail)?);
        let issued = now.as_second();
        let expires = issued.saturating_add_unsigned(self.ttl.as_secs());
        let roles: Vec<_> = self.roles.iter().map(|role| role.as_str()).collect();
        let mut claims = json!({
            "iss": self.issuer, "aud": self.audience, "sub": self.subject, "roles": roles,
            "iat": issued, "nbf": issued, "exp": expires,
        });
        if let Some(tenant) = &self.tenant {
            claims["tenant"] = json!(tenant);
        }
        encode(&header, &claims, &key).map_err(fail)
    }
}

/// A token for the private stack in a data folder, valid for a day: a session of trying things out.
pub fn mint_dev(data_dir: &Path, roles: &[Role]) -> Result<String, Error> {
    let token = Token {
        roles: roles.to_vec(),
        subject: "dev".to_owned(),
        tenant: None,
        ttl: Duration::from_secs(86_400),
        key: data_dir.join("keys").join("jwt.pem"),
        issuer: DEV_ISSUER.to_owned(),
        audience: DEV_AUDIENCE.to_owned(),
    };
    token.sign(Timestamp::now())
}

fn role(text: &str) -> Result<Role, crate::http::permissions::UnknownRole> {
    text.parse()
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let help = || "a duration is a whole number and s, m, h or d, such as 30m".to_owned();
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(help()),
    };
    let seconds = digits.parse::<u32>().ok().filter(|number| *number > 0).map(|number| u64::from(number) * unit);
    seconds.map(Duration::from_secs).ok_or_else(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1_800), ("1h", 3_600), ("7d", 604_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "1", "h", "0s", "-1h", "1.5h", "1 h", "1hh", "99999999999s", "ä"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
