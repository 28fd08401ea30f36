//! Sockets: bound before anything is served, ended in order and within a bound.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use tokio_util::sync::CancellationToken;

use super::linger::Gently;
use super::{Error, GRACE};

/// How long a client may take for its TLS handshake: several round trips of the slowest network.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A socket that listens and is not served yet.
pub(super) struct Bound {
    name: &'static str,
    /// The address, with the port that was taken.
    pub(super) address: SocketAddr,
    socket: std::net::TcpListener,
}

/// Listens on an address.
pub(super) fn bind(name: &'static str, address: SocketAddr) -> Result<Bound, Error> {
    let listen = || {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Bound { name, address: socket.local_addr()?, socket })
    };
    listen().map_err(|source| Error::Listen { listener: name, address, source })
}

/// Serves plain HTTP until cancelled.
pub(super) async fn plain(bound: Bound, router: Router, cancel: CancellationToken) {
    let Bound { name, socket, .. } = bound;
    let served = match axum_server::from_tcp(socket) {
        Ok(server) => server.handle(handle(cancel)).serve(router.into_make_service()).await,
        Err(error) => Err(error),
    };
    log_end(name, served);
}

/// Serves HTTP over TLS until cancelled.
pub(super) async fn tls(bound: Bound, router: Router, settings: RustlsConfig, cancel: CancellationToken) {
    let Bound { name, socket, .. } = bound;
    let acceptor = RustlsAcceptor::new(settings).handshake_timeout(HANDSHAKE).acceptor(Gently);
    let served = match axum_server::from_tcp(socket) {
        Ok(server) => server.acceptor(acceptor).handle(handle(cancel)).serve(router.into_make_service()).await,
        Err(error) => Err(error),
    };
    log_end(name, served);
}

/// A handle that begins the orderly end when the token is cancelled.
fn handle(cancel: CancellationToken) -> Handle<SocketAddr> {
    let handle = Handle::new();
    let ending = handle.clone();
    tokio::spawn(async move {
        cancel.cancelled().await;
        ending.graceful_shutdown(Some(GRACE));
    });
    handle
}

fn log_end(name: &'static str, served: std::io::Result<()>) {
    match served {
        Ok(()) => tracing::debug!(listener = name, "stopped listening"),
        Err(error) => tracing::error!(listener = name, %error, "stopped listening"),
    }
}
