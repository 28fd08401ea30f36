//! Who a client of the internal listener is, and whether it may.
//!
//! A client is known by the DNS names and URIs of its certificate's subjectAltName, never by its common name. A route
//! is open to the names of its allow-list, which are compared as they stand.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_server::tls::TlsInfo;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::error::{Code, Problem};
use super::mtls::Tls;
use crate::metrics::{Metrics, Outcome};

/// The names of a client's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client(pub(super) Arc<[String]>);

impl std::fmt::Display for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// Which clients a group of routes is open to.
#[derive(Clone)]
pub(super) struct Gate {
    /// Checks the certificate anew.
    pub(super) tls: Arc<Tls>,
    /// Names that may pass.
    pub(super) allowed: Arc<[String]>,
    /// Where refusals are counted, for the routes that hand out passwords.
    pub(super) refusals: Option<Arc<Metrics>>,
}

/// Lets allow-listed clients pass and attaches who they are.
pub(super) async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match gate.check(&request) {
        Ok(client) => {
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        Err(problem) => {
            if let Some(metrics) = &gate.refusals {
                metrics.credentials_requests.get_or_create(&Outcome { outcome: "forbidden" }).inc();
            }
            problem.into_response()
        }
    }
}

impl Gate {
    fn check(&self, request: &Request) -> Result<Client, Problem> {
        // The handshake saw to it that there is one; without it the route stays closed.
        let connection = request.extensions().get::<Arc<TlsInfo>>().ok_or_else(|| Problem::new(Code::Forbidden))?;
        let names = connection.peer_certificates.first().map(|leaf| names(leaf)).unwrap_or_default();
        let client = Client(names.into());
        let path = request.uri().path();
        if let Err(error) = self.tls.verify(connection) {
            tracing::warn!(%client, path, %error, "refused a client whose certificate is not good any more");
            return Err(Problem::new(Code::Forbidden)
                .detail("the client certificate is revoked, expired or not trusted any more"));
        }
        if !client.0.iter().any(|name| self.allowed.contains(name)) {
            tracing::warn!(%client, path, "refused a client that is not on the allow-list");
            return Err(
                Problem::new(Code::Forbidden).detail("the client certificate's names are not on the allow-list")
            );
        }
        Ok(client)
    }
}

/// DNS names, in lower case, and URIs of a certificate's subjectAltName.
fn names(certificate: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else { return Vec::new() };
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::URI(name) => Some((*name).to_owned()),
        _ => None,
    };
    alternatives.value.general_names.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn names_come_from_the_alternative_names_alone() {
        let mut params = CertificateParams::new(vec!["SMPP.bindery.internal".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "admin.bindery.internal");
        let uri = "spiffe://bindery/ns/sms/sa/routing";
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        params.subject_alt_names.push(SanType::Rfc822Name("ops@bindery.internal".try_into().unwrap()));
        params.subject_alt_names.push(SanType::IpAddress("192.0.2.1".parse().unwrap()));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(names(certificate.der()), ["smpp.bindery.internal", uri]);
        assert!(names(b"no certificate").is_empty());
    }
}
