//! TLS of the internal listener: client certificates are mandatory, revocation lists are honoured, and files that
//! change are taken over without a restart.
//!
//! Guarantees: a client without a certificate of the configured authorities does not get past the handshake. A
//! certificate that is revoked or expires later is refused from then on, on connections that stand already too: the
//! chain is checked again with each request, and sessions cannot be resumed. Files that cannot be used leave the last
//! good ones in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum_server::tls::TlsInfo;
use axum_server::tls_rustls::RustlsConfig;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::Error;
use super::error::chain;
use crate::config::Internal;
use crate::metrics::{Metrics, Outcome};

/// How often the files are looked at: an administrator who replaces one sees the effect while still watching.
const RELOAD: Duration = Duration::from_secs(2);

/// The certificates in force.
pub(super) struct Tls {
    files: Internal,
    settings: RustlsConfig,
    verifier: ArcSwap<Arc<dyn ClientCertVerifier>>,
    digest: ArcSwap<[u8; 32]>,
}

/// The contents of the configured files.
struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Vec<u8>,
    client_crl: Option<Vec<u8>>,
}

impl Tls {
    /// Reads the configured files.
    pub(super) async fn open(config: &Internal) -> Result<Self, Error> {
        let files = Files::read(config).await?;
        let (settings, verifier) = files.build()?;
        Ok(Self {
            files: config.clone(),
            settings: RustlsConfig::from_config(settings),
            verifier: ArcSwap::from_pointee(verifier),
            digest: ArcSwap::from_pointee(files.digest()),
        })
    }

    /// What the listener's acceptor follows.
    pub(super) fn settings(&self) -> RustlsConfig {
        self.settings.clone()
    }

    /// Whether the client's certificate is good at this moment.
    pub(super) fn verify(&self, connection: &TlsInfo) -> Result<(), rustls::Error> {
        let chain: Vec<CertificateDer<'_>> =
            connection.peer_certificates.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let (leaf, intermediates) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        self.verifier.load().verify_client_cert(leaf, intermediates, UnixTime::now()).map(drop)
    }

    /// Takes the files over where they changed and can be used.
    async fn take_over(&self) -> Result<bool, Error> {
        let files = Files::read(&self.files).await?;
        let digest = files.digest();
        if digest == **self.digest.load() {
            return Ok(false);
        }
        // Noted first: files that cannot be used are reported once, not every two seconds.
        self.digest.store(Arc::new(digest));
        let (settings, verifier) = files.build()?;
        self.verifier.store(Arc::new(verifier));
        self.settings.reload_from_config(settings);
        Ok(true)
    }
}

/// Watches the files until cancelled.
pub(super) async fn reload(tls: Arc<Tls>, metrics: Arc<Metrics>, cancel: CancellationToken) {
    let mut timer = tokio::time::interval(RELOAD);
    let mut failing = false;
    let count = |outcome| {
        metrics.certificate_reloads.get_or_create(&Outcome { outcome }).inc();
    };
    while cancel.run_until_cancelled(timer.tick()).await.is_some() {
        match tls.take_over().await {
            Ok(true) => {
                count("ok");
                tracing::info!("the internal listener took over changed certificates");
            }
            Ok(false) => {}
            Err(error) if failing => tracing::debug!(error = chain(&error), "certificates still cannot be used"),
            Err(error) => {
                count("error");
                tracing::error!(error = chain(&error), "changed certificates cannot be used; the last good ones stay");
                failing = true;
                continue;
            }
        }
        failing = false;
    }
}

impl Files {
    async fn read(config: &Internal) -> Result<Self, Error> {
        let client_crl = match &config.client_crl {
            Some(path) => Some(read(path).await?),
            None => None,
        };
        let (cert, key, client_ca) =
            (read(&config.cert).await?, read(&config.key).await?, read(&config.client_ca).await?);
        Ok(Self { cert, key, client_ca, client_crl })
    }

    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [&self.cert, &self.key, &self.client_ca, self.client_crl.as_ref().unwrap_or(&Vec::new())] {
            hash.update(Sha256::digest(part));
        }
        hash.finalize().into()
    }

    fn build(&self) -> Result<(Arc<ServerConfig>, Arc<dyn ClientCertVerifier>), Error> {
        let refuse = |what: &str, error: &dyn std::error::Error| Error::Tls(format!("{what}: {}", chain(error)));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.client_ca, "client_ca")? {
            roots.add(authority).map_err(|error| refuse("client_ca", &error))?;
        }
        let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        if let Some(lists) = &self.client_crl {
            let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(lists)
                .collect::<Result<_, _>>()
                .map_err(|error| refuse("client_crl", &error))?;
            // Lists of an authority's own clients; those of the root above it are rarely at hand.
            verifier = verifier.with_crls(lists).only_check_end_entity_revocation();
        }
        let verifier = verifier.build().map_err(|error| refuse("client_ca or client_crl", &error))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| refuse("key", &error))?;
        let mut settings = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse("protocol", &error))?
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(certificates(&self.cert, "cert")?, key)
            .map_err(|error| refuse("cert and key", &error))?;
        settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        settings.session_storage = Arc::new(NoServerSessionStorage {});
        settings.send_tls13_tickets = 0;
        Ok((Arc::new(settings), verifier))
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let fail = |source| Error::File { path: PathBuf::from(path), source };
    tokio::fs::read(path).await.map_err(fail)
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(Error::Tls(format!("{what}: no certificate in the file"))),
        Err(error) => Err(Error::Tls(format!("{what}: {error}"))),
    }
}
