//! Certificates, the token signing key and the sealing key of the stack.

use std::fs;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use sha2::{Digest as _, Sha256};

use super::Error;
use super::files::{self, Layout};

/// Lifetime of all certificates, in days. All are made anew together, the authority too.
const VALID_DAYS: i64 = 365;

/// Certificates that end sooner than this are replaced when the stack starts, in days.
const RENEW_DAYS: i64 = 30;

/// The files of a certificate, followed by nothing else, and its private key; both PEM.
#[derive(Debug, Clone)]
pub struct KeyPairFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its PKCS #8 key, mode 0600.
    pub key: PathBuf,
}

/// Keys and certificates, kept in the data folder and used again at the next start.
#[derive(Debug, Clone)]
pub struct Pki {
    /// The authority that signed every certificate here, PEM.
    pub ca: PathBuf,
    /// The internal listener's certificate, for `localhost` and 127.0.0.1.
    pub server: KeyPairFiles,
    /// A client certificate for `smpp-connector.bindery.internal`, meant to be on the allow-list.
    pub smpp_connector: KeyPairFiles,
    /// A client certificate, as good as the other, for `other.bindery.internal`, meant not to be on that list.
    pub other: KeyPairFiles,
    /// Key that signs admin tokens: ES256, PKCS #8 PEM, mode 0600.
    pub jwt_key: PathBuf,
    /// Its public half as a JSON Web Key Set.
    pub jwks: PathBuf,
    /// Its `kid` in that set: the RFC 7638 thumbprint.
    pub jwt_kid: String,
    /// age identity that opens sealed credentials, mode 0600.
    pub age_identity: PathBuf,
    /// Its recipient, `age1…`, to seal for.
    pub age_recipient: String,
    ca_key: PathBuf,
}

impl Pki {
    /// The allow-listed client's name in its certificate.
    pub const SMPP_CONNECTOR: &str = "smpp-connector.bindery.internal";
    /// The other client's name in its certificate.
    pub const OTHER: &str = "other.bindery.internal";

    /// Reads what is there and makes what is not.
    pub(super) fn open(layout: &Layout) -> Result<Self, Error> {
        let (tls, keys) = (layout.root.join("pki"), layout.root.join("keys"));
        files::make_dir(&keys, 0o700)?;
        if !usable(&tls) {
            make_certificates(&tls)?;
        }
        let (jwt_key, jwks) = (keys.join("jwt.pem"), keys.join("jwks.json"));
        let jwt_kid = open_signing_key(&jwt_key, &jwks)?;
        let age_identity = keys.join("age.txt");
        let age_recipient = open_age_identity(&age_identity)?;
        Ok(Self {
            ca: tls.join("ca.pem"),
            ca_key: tls.join("ca.key"),
            server: pair(&tls, "server"),
            smpp_connector: pair(&tls, "smpp-connector"),
            other: pair(&tls, "other"),
            jwt_key,
            jwks,
            jwt_kid,
            age_identity,
            age_recipient,
        })
    }

    /// Signs one more client certificate with this authority, for a name of one's own, into the given folder.
    pub fn issue_client(&self, dir: &Path, dns_name: &str) -> Result<KeyPairFiles, Error> {
        let pem = |path: &Path| fs::read_to_string(path).map_err(Error::file("read", path));
        let key = KeyPair::from_pem(&pem(&self.ca_key)?)?;
        let issuer = Issuer::from_ca_cert_pem(&pem(&self.ca)?, key)?;
        issue(dir, dns_name, &[dns_name], ExtendedKeyUsagePurpose::ClientAuth, &issuer)
    }
}

fn pair(dir: &Path, name: &str) -> KeyPairFiles {
    KeyPairFiles { certificate: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) }
}

/// Whether every file is there and every certificate lasts a while.
fn usable(dir: &Path) -> bool {
    let limit = now().saturating_add(RENEW_DAYS * 86_400);
    ["ca", "server", "smpp-connector", "other"].iter().all(|name| {
        let files = pair(dir, name);
        let Ok(pem) = fs::read(&files.certificate) else {
            return false;
        };
        let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(&pem) else {
            return false;
        };
        let lasts = pem.parse_x509().is_ok_and(|certificate| certificate.validity().not_after.timestamp() > limit);
        lasts && files.key.is_file()
    })
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Makes all certificates in a new folder and puts it in place in one step, so that no certificate is ever
/// found beside an authority that did not sign it.
fn make_certificates(dir: &Path) -> Result<(), Error> {
    let unfinished = dir.with_extension("new");
    files::remove(&unfinished)?;
    files::make_dir(&unfinished, 0o700)?;

    let mut params = parameters("bindery private stack CA", &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let ca = params.self_signed(&key)?;
    let files = pair(&unfinished, "ca");
    files::write_public(&files.certificate, ca.pem())?;
    files::write_private(&files.key, key.serialize_pem())?;

    let issuer = Issuer::new(params, key);
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    issue(&unfinished, "server", &["localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth, &issuer)?;
    issue(&unfinished, "smpp-connector", &[Pki::SMPP_CONNECTOR], client.clone(), &issuer)?;
    issue(&unfinished, "other", &[Pki::OTHER], client, &issuer)?;

    files::remove(dir)?;
    fs::rename(&unfinished, dir).map_err(Error::file("rename", &unfinished))
}

fn issue(
    dir: &Path,
    name: &str,
    subject_alt_names: &[&str],
    usage: ExtendedKeyUsagePurpose,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<KeyPairFiles, Error> {
    let mut params = parameters(name, subject_alt_names)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    let files = pair(dir, name);
    files::write_public(&files.certificate, certificate.pem())?;
    files::write_private(&files.key, key.serialize_pem())?;
    Ok(files)
}

fn parameters(common_name: &str, subject_alt_names: &[&str]) -> Result<CertificateParams, Error> {
    let names: Vec<String> = subject_alt_names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    // Whole days, and one back: other clocks on the machine (containers, virtual machines) may lag.
    let day = |offset: i64| {
        let second = now().saturating_add(offset * 86_400);
        let date = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX);
        let date = date.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(-1);
    params.not_after = day(VALID_DAYS);
    Ok(params)
}

/// The signing key's `kid`. The key set is derived from the key at every start.
fn open_signing_key(key_file: &Path, jwks_file: &Path) -> Result<String, Error> {
    let key = if let Some(pem) = files::read_text(key_file)? {
        KeyPair::from_pem(&pem)?
    } else {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        files::write_private(key_file, key.serialize_pem())?;
        key
    };
    // An uncompressed point: 0x04, then 32 bytes each of x and y (SEC 1, 2.3.3).
    let (x, y) = key.public_key_raw()[1..].split_at(32);
    let (x, y) = (BASE64_URL_SAFE_NO_PAD.encode(x), BASE64_URL_SAFE_NO_PAD.encode(y));
    // RFC 7638: the required members in lexicographic order, without white space.
    let thumbprint = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let kid = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(thumbprint));
    let jwks = serde_json::json!({ "keys": [
        { "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y }
    ]});
    files::write_public(jwks_file, format!("{jwks:#}\n"))?;
    Ok(kid)
}

/// The recipient of the identity in the file.
fn open_age_identity(file: &Path) -> Result<String, Error> {
    if let Some(text) = files::read_text(file)? {
        let line = text.lines().map(str::trim).find(|line| line.starts_with("AGE-SECRET-KEY-"));
        let identity = line.and_then(|line| line.parse::<age::x25519::Identity>().ok());
        return identity.map(|identity| identity.to_public().to_string()).ok_or_else(|| {
            // Replacing it would make every value that was sealed for it unreadable.
            let broken = std::io::Error::new(std::io::ErrorKind::InvalidData, "it holds no age identity");
            Error::file("use", file)(broken)
        });
    }
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string();
    let text = format!("# public key: {recipient}\n{}\n", identity.to_string().expose_secret());
    files::write_private(file, text)?;
    Ok(recipient)
}
