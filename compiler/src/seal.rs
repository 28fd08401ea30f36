//! Passwords sealed with age, so that git may hold them.
//!
//! A sealed password is an ASCII-armoured age message whose plaintext is `{"operator": …, "password": …}`: naming the
//! operator inside keeps a value from being copied to another bind. Sealing draws a random file key and is therefore
//! called by the command line program and the agent alone, never by a compile.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::str::FromStr as _;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::x25519::Recipient;
use bindery_schema::secret::Secret;
use bindery_schema::value::OperatorId;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::parse::{Body, parse_file};
use crate::source::{Content, Loaded};

/// Longest password SMPP 3.4 allows (5.2.2), in octets.
pub const LONGEST_PASSWORD: usize = 8;

/// Why a password cannot be sealed or opened. No variant holds any part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The policy names nobody who could open it.
    #[error("the policy names no recipient: add an age public key to spec.secrets.recipients of policy.yaml")]
    NoRecipients,
    /// A recipient is no age public key.
    #[error("`{0}` is no age public key")]
    BadRecipient(String),
    /// The identities cannot be read.
    #[error("cannot read the age identities of {path}")]
    Identities {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Encryption failed.
    #[error("cannot seal the password")]
    Seal(#[source] std::io::Error),
    /// None of the identities opens it, or it is damaged.
    #[error("the sealed password of `{operator}` cannot be opened with this agent's identities")]
    Unopenable {
        /// Whose password it should be.
        operator: OperatorId,
    },
    /// It was sealed for someone else.
    #[error("the sealed password of `{operator}` was sealed for `{sealed_for}`")]
    OtherOperator {
        /// Where it stands.
        operator: OperatorId,
        /// Whom it was sealed for.
        sealed_for: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Plaintext<'a> {
    operator: &'a str,
    #[serde(borrow)]
    password: std::borrow::Cow<'a, str>,
}

/// Encrypts an operator's password to every recipient of the policy.
pub fn seal(operator: &OperatorId, password: &Secret, recipients: &[String]) -> Result<String, Error> {
    let recipients: Vec<Recipient> = recipients
        .iter()
        .map(|text| Recipient::from_str(text).map_err(|_| Error::BadRecipient(text.clone())))
        .collect::<Result<_, _>>()?;
    let encryptor =
        age::Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn age::Recipient))
            .map_err(|_| Error::NoRecipients)?;
    let plaintext = Plaintext { operator: operator.as_str(), password: password.expose().into() };
    let plaintext = Zeroizing::new(serde_json::to_vec(&plaintext).map_err(|error| Error::Seal(error.into()))?);
    let write = || {
        let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(&plaintext)?;
        writer.finish()?.finish()
    };
    let armored = write().map_err(Error::Seal)?;
    String::from_utf8(armored).map_err(|error| Error::Seal(std::io::Error::other(error)))
}

/// The identities that open sealed passwords.
pub struct Identities(Vec<age::x25519::Identity>);

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} identities", self.0.len())
    }
}

impl Identities {
    /// Reads a file of age identities, one a line; `#` begins a comment.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Identities { path: path.display().to_string(), source };
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let identities: Result<Vec<_>, _> = lines.map(age::x25519::Identity::from_str).collect();
        identities.map(Self).map_err(|error| failed(std::io::Error::other(error)))
    }
}

/// Decrypts an operator's password. One sealed under the operator's former id is accepted.
pub fn open(
    sealed: &str,
    operator: &OperatorId,
    former: Option<&OperatorId>,
    identities: &Identities,
) -> Result<Secret, Error> {
    let unopenable = || Error::Unopenable { operator: operator.clone() };
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(sealed.as_bytes())).map_err(|_| unopenable())?;
    let identities = identities.0.iter().map(|identity| identity as &dyn age::Identity);
    let mut plaintext = Zeroizing::new(String::new());
    let mut reader = decryptor.decrypt(identities).map_err(|_| unopenable())?;
    reader.read_to_string(&mut plaintext).map_err(|_| unopenable())?;
    let plaintext: Plaintext<'_> = serde_json::from_str(&plaintext).map_err(|_| unopenable())?;
    if plaintext.operator != operator.as_str() && former.is_none_or(|former| plaintext.operator != former.as_str()) {
        return Err(Error::OtherOperator { operator: operator.clone(), sealed_for: plaintext.operator.to_owned() });
    }
    Ok(Secret::new(plaintext.password))
}

/// Whom the policy among these files names, checked no further: a fault elsewhere must not keep anyone from sealing.
pub fn recipients(files: &[Loaded]) -> Vec<String> {
    let policies = files.iter().flat_map(|file| match &file.content {
        Content::Text(text) if text.contains("Policy") => parse_file(Content::Text(text.clone())).documents,
        _ => Vec::new(),
    });
    let mut recipients = policies.filter_map(|document| match document.body {
        Body::Policy { spec, .. } => Some(spec.secrets.recipients),
        _ => None,
    });
    recipients.next().unwrap_or_default()
}

/// Whether a text is a whole age message, as far as that shows without any key.
pub(crate) fn is_whole(sealed: &str) -> bool {
    let mut bytes = Vec::new();
    ArmoredReader::new(sealed.as_bytes()).read_to_end(&mut bytes).is_ok()
        && age::Decryptor::new_buffered(bytes.as_slice()).is_ok()
}

/// Checks that a text is an age public key.
pub(crate) fn check_recipient(text: &str) -> Result<(), String> {
    Recipient::from_str(text).map(drop).map_err(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_for_its_operator_alone() {
        let key = age::x25519::Identity::generate();
        let recipients = [key.to_public().to_string()];
        let (one, two): (OperatorId, OperatorId) = ("af-one-1".parse().unwrap(), "af-two-1".parse().unwrap());
        let sealed = seal(&one, &Secret::new("k3y7pq2x"), &recipients).unwrap();
        assert!(is_whole(&sealed) && !sealed.contains("k3y7pq2x"));
        let identities = Identities(vec![key]);
        assert_eq!(open(&sealed, &one, None, &identities).unwrap().expose(), "k3y7pq2x");
        assert_eq!(open(&sealed, &two, Some(&one), &identities).unwrap().expose(), "k3y7pq2x");
        assert!(matches!(open(&sealed, &two, None, &identities), Err(Error::OtherOperator { .. })));
        let stranger = Identities(vec![age::x25519::Identity::generate()]);
        assert!(matches!(open(&sealed, &one, None, &stranger), Err(Error::Unopenable { .. })));
    }

    #[test]
    fn nobody_to_seal_to_is_an_error() {
        let id = "af-one-1".parse().unwrap();
        assert!(matches!(seal(&id, &Secret::new("x"), &[]), Err(Error::NoRecipients)));
        assert!(matches!(seal(&id, &Secret::new("x"), &["age1x".to_owned()]), Err(Error::BadRecipient(_))));
    }
}
