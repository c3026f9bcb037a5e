//! Encrypted connections: what makes them, with the certificate verified or, where somebody asks for that, without.

use anyhow::{Context, Result, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;
use tokio_postgres::Socket;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What makes connections encrypted. All connections of a run share one.
pub(super) type Connector = MakeRustlsConnect;

/// The half of a connection that moves bytes, encrypted or plain as it was opened.
pub type Connection = tokio_postgres::Connection<Socket, <Connector as MakeTlsConnect<Socket>>::Stream>;

/// Trusts nobody: for connections that stay plain.
pub(super) fn none() -> Result<Connector> {
    trusting(RootCertStore::empty())
}

/// Trusts a database whose certificate was signed by one of these (PEM) and names the host that is connected to.
pub(super) fn verified(authorities: &[u8]) -> Result<Connector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authorities) {
        roots.add(certificate.context("read a certificate")?).context("trust a certificate")?;
    }
    if roots.is_empty() {
        bail!("there is no certificate in it: it holds blocks of -----BEGIN CERTIFICATE-----");
    }
    trusting(roots)
}

/// Trusts whoever answers: nobody reads along, but it may be somebody else's database (libpq's `require`).
pub(super) fn unverified() -> Result<Connector> {
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let config = builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)));
    Ok(Connector::new(config.with_no_client_auth()))
}

fn trusting(roots: RootCertStore) -> Result<Connector> {
    let builder = ClientConfig::builder_with_provider(provider());
    let config = builder.with_safe_default_protocol_versions()?.with_root_certificates(roots);
    Ok(Connector::new(config.with_no_client_auth()))
}

/// PostgreSQL agrees on keys over P-256 only, unless it is told to or newer than 17. Offered anything else first it asks
/// once more, which is a round trip a connection.
fn provider() -> Arc<CryptoProvider> {
    let all = ring::default_provider();
    Arc::new(CryptoProvider { kx_groups: vec![ring::kx_group::SECP256R1, ring::kx_group::X25519], ..all })
}

/// Takes any certificate, from somebody who has its key.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _revocation: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
