use std::path::{Path, PathBuf};

use bindery_agent::dev::KeyPairFiles;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};

use bindery_tests::listeners::{Served, client};
use bindery_tests::world::eventually;

/// An authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    ca: PathBuf,
    dir: PathBuf,
}

impl Authority {
    fn new(dir: &Path) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let ca = dir.join("ca.pem");
        std::fs::write(&ca, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), ca, dir: dir.to_path_buf() }
    }

    fn issue(&self, name: &str, serial: u64, usage: ExtendedKeyUsagePurpose) -> KeyPairFiles {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        let files = KeyPairFiles {
            certificate: self.dir.join(format!("{serial}.pem")),
            key: self.dir.join(format!("{serial}.key")),
        };
        std::fs::write(&files.certificate, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn revoke(&self, serials: &[u64]) -> PathBuf {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(serials.len() as u64 + 1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let file = self.dir.join("crl.pem");
        std::fs::write(&file, list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        file
    }
}

#[tokio::test]
async fn changed_certificates_and_revocations_are_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let name = "smpp-connector.bindery.internal";
    let server = authority.issue("localhost", 1, ExtendedKeyUsagePurpose::ServerAuth);
    let good = authority.issue(name, 2, ExtendedKeyUsagePurpose::ClientAuth);
    let stolen = authority.issue(name, 3, ExtendedKeyUsagePurpose::ClientAuth);
    let crl = authority.revoke(&[]);
    let world = Served::with(|config| {
        config.internal.cert.clone_from(&server.certificate);
        config.internal.key.clone_from(&server.key);
        config.internal.client_ca.clone_from(&authority.ca);
        config.internal.client_crl = Some(crl);
    })
    .await;
    let url = world.internal_url("/v1/internal/operators");
    let (with_good, with_stolen) = (client(&authority.ca, Some(&good)), client(&authority.ca, Some(&stolen)));
    assert_eq!(with_good.get(&url).send().await.unwrap().status(), 200);
    assert_eq!(with_stolen.get(&url).send().await.unwrap().status(), 200);
    // A certificate of another authority, though with an allowed name.
    let foreign = client(&authority.ca, Some(world.connector()));
    assert!(foreign.get(&url).send().await.is_err());

    authority.revoke(&[3]);
    // On the connection that stands: refused, though its handshake was long ago.
    eventually("the revoked client is refused", async || {
        with_stolen.get(&url).send().await.is_ok_and(|answer| answer.status() == 403)
    })
    .await;
    // On a new one there is no handshake.
    assert!(client(&authority.ca, Some(&stolen)).get(&url).send().await.is_err());
    assert_eq!(with_good.get(&url).send().await.unwrap().status(), 200);

    // Files that cannot be used leave the last ones in force.
    std::fs::write(&server.certificate, "not a certificate").unwrap();
    eventually("the unusable files were looked at", async || {
        let metrics = world.ops("/metrics").await.text().await.unwrap();
        metrics.contains(r#"bindery_certificate_reloads_total{outcome="error"}"#)
    })
    .await;
    assert_eq!(client(&authority.ca, Some(&good)).get(&url).send().await.unwrap().status(), 200);

    // A new authority for everything, taken over without a restart.
    let next = tempfile::tempdir().unwrap();
    let other = Authority::new(next.path());
    let (new_server, new_client) = (
        other.issue("localhost", 4, ExtendedKeyUsagePurpose::ServerAuth),
        other.issue(name, 5, ExtendedKeyUsagePurpose::ClientAuth),
    );
    std::fs::copy(other.revoke(&[]), dir.path().join("crl.pem")).unwrap();
    for (from, to) in
        [(&new_server.certificate, &server.certificate), (&new_server.key, &server.key), (&other.ca, &authority.ca)]
    {
        std::fs::copy(from, to).unwrap();
    }
    eventually("the new authority serves", async || {
        client(&other.ca, Some(&new_client)).get(&url).send().await.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
}
