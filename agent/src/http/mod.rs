//! The three listeners: admin (bearer tokens), internal (mutual TLS), ops (health and metrics).
//!
//! [`serve`] binds all of them before it answers, so an address in use is an error at start. Every answer passes
//! [`frame`]: request id, metric, time limit, security headers, and problem details in one form ([`error`]).
//! Who may do what is decided before a handler runs: [`permissions`] for roles, [`identity`] for client certificates.
//!
//! Each route and its part of the OpenAPI document are declared together ([`route`], [`openapi`]).
//!
//! Webhooks ([`hooks`]) prove themselves by a signature and only have the branch fetched.
//!
//! Deliberately absent: another way to write configuration than git. What is changed here is committed first ([`crate::write`]).

mod admin;
mod bearer;
mod code;
pub mod error;
mod frame;
mod health;
mod hooks;
mod identity;
mod internal;
mod jwks;
mod linger;
mod listener;
mod mtls;
pub mod openapi;
mod ops;
mod page;
mod params;
pub mod permissions;
mod probe;
mod rates;
mod route;
mod strict;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::frame::Frame;
use crate::shared::Shared;

/// How long requests under way may take to end once the agent shuts down.
pub const GRACE: Duration = Duration::from_secs(10);

/// Why the listeners cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error("the {listener} listener cannot listen on {address}")]
    Listen {
        /// Which listener.
        listener: &'static str,
        /// The configured address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the internal listener cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The files of the internal listener are no usable certificates, keys or revocation lists.
    #[error("the certificates of the internal listener cannot be used: {0}")]
    Tls(String),
    /// The key set of the admin listener cannot be used.
    #[error(transparent)]
    Jwks(#[from] jwks::Error),
}

/// Running listeners. Dropping it ends them at once; [`Listeners::ended`] waits for the orderly end.
#[derive(Debug)]
pub struct Listeners {
    /// Where the admin listener listens.
    pub admin: SocketAddr,
    /// Where the internal listener listens.
    pub internal: SocketAddr,
    /// Where the ops listener listens.
    pub ops: SocketAddr,
    tasks: JoinSet<()>,
}

impl Listeners {
    /// Waits until every listener has ended: after the token was cancelled, at most [`GRACE`] and a little.
    pub async fn ended(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the listeners failed");
            }
        }
    }
}

/// Binds and serves the listeners until `cancel` is cancelled.
pub async fn serve(shared: Shared, cancel: CancellationToken) -> Result<Listeners, Error> {
    let config = shared.config.clone();
    let mut tasks = JoinSet::new();

    let keys = Arc::new(jwks::KeySet::open(&config.admin).await?);
    tasks.spawn(jwks::refresh(keys.clone(), cancel.clone()));
    let tls = Arc::new(mtls::Tls::open(&config.internal).await?);
    tasks.spawn(mtls::reload(tls.clone(), shared.metrics.clone(), cancel.clone()));

    let admin = listener::bind("admin", config.admin.listen)?;
    let internal = listener::bind("internal", config.internal.listen)?;
    let ops = listener::bind("ops", config.ops.listen)?;
    let (admin_at, internal_at, ops_at) = (admin.address, internal.address, ops.address);

    let frame = |listener| Frame {
        listener,
        metrics: shared.metrics.clone(),
        limits: config.limits.clone(),
        // The listeners do not take each other's places.
        places: Some(Arc::new(Semaphore::new(config.limits.concurrent))),
        tls: false,
        origins: Vec::new(),
    };
    let open = admin::router(&shared, keys).merge(hooks::router(&shared));
    let origins = config.admin.origins();
    tasks.spawn(listener::plain(admin, Frame { origins, ..frame("admin") }.around(open), cancel.clone()));
    // Whether the agent works has to be told above all when it has too much to do.
    let probes = Frame { places: None, ..frame("ops") }.around(ops::router(&shared));
    tasks.spawn(listener::plain(ops, probes, cancel.clone()));
    let router = Frame { tls: true, ..frame("internal") }.around(internal::router(&shared, tls.clone()));
    tasks.spawn(listener::tls(internal, router, tls.settings(), cancel));
    tracing::info!(admin = %admin_at, internal = %internal_at, ops = %ops_at, "listening");
    Ok(Listeners { admin: admin_at, internal: internal_at, ops: ops_at, tasks })
}
