//! What changes, as it changes: events of the agents, taken in by the parts of the client and handed on.
//!
//! Events hurry; nothing rests on them. After a connection was away whatever it may have missed is asked for anew.

use std::sync::Arc;

use async_nats::{ConnectOptions, Event, Message, ServerAddr, Subscriber};
use bindery_schema::value::OperatorId;
use bindery_schema::wire::event::{self, CloudEvent, OperatorConfig, OperatorHealth};
use futures::StreamExt as _;
use futures::stream::SelectAll;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::routing::Routing;

/// Changes that wait for a slow watcher.
const WAITING: usize = 1_024;

/// Something changed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// An operator came, changed, went, came back or goes by another id: the event's type and payload. Ask for its
    /// credentials again where `changed_fields` has `credentials` or a part of `smpp`.
    Operator(String, OperatorConfig),
    /// An operator's health changed.
    Health(OperatorHealth),
    /// A step was applied. The table shows it a little later: see [`Routing::generations`].
    Applied(i64),
    /// Changes may have been missed: the connection was away, or the watcher was too slow. Look at everything once.
    Missed,
}

/// The changes from the moment it was made.
#[derive(Debug)]
pub struct Watch(broadcast::Receiver<Change>);

impl Watch {
    /// The next change; nothing once the client has ended.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Change::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Where events go.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) routing: Arc<Routing>,
    pub(crate) health: Arc<Health>,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) metrics: Arc<Metrics>,
    changes: broadcast::Sender<Change>,
}

impl Listeners {
    pub(crate) fn new(
        routing: Arc<Routing>,
        health: Arc<Health>,
        credentials: Arc<Credentials>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { routing, health, credentials, metrics, changes: broadcast::Sender::new(WAITING) }
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch(self.changes.subscribe())
    }

    /// The connection stands, for the first time or again.
    fn connected(&self) {
        self.metrics.events_connections.add_one();
        self.credentials.outdate(None);
        self.routing.look();
        self.health.board.wake.notify_one();
        self.tell(Change::Missed);
    }

    fn hear(&self, message: &Message) {
        self.metrics.events.add_one();
        let event: Result<CloudEvent, _> = serde_json::from_slice(&message.payload);
        if event.ok().and_then(|event| self.take(event)).is_none() {
            self.metrics.events_unreadable.add_one();
        }
    }

    fn take(&self, event: CloudEvent) -> Option<()> {
        match &*event.event_type {
            event::SYNC_APPLIED => {
                let generation = event.data.get("generation")?.as_i64()?;
                self.routing.hear(generation);
                self.tell(Change::Applied(generation));
            }
            event::OPERATOR_HEALTH => {
                let health: OperatorHealth = payload(event)?;
                self.health.board.hear(&health);
                self.tell(Change::Health(health));
            }
            kind => {
                let kind = kind.to_owned();
                let config: OperatorConfig = payload(event)?;
                let former = config.old_id.as_ref();
                for operator in [Some(&config.operator_id), former].into_iter().flatten() {
                    self.changed(&kind, operator);
                }
                self.tell(Change::Operator(kind, config));
            }
        }
        Some(())
    }

    fn changed(&self, kind: &str, operator: &OperatorId) {
        if kind == event::OPERATOR_DELETED {
            self.credentials.forget(operator);
        } else {
            self.credentials.outdate(Some(operator));
        }
    }

    fn tell(&self, change: Change) {
        // Nobody has to watch.
        let _ = self.changes.send(change);
    }
}

fn payload<T: DeserializeOwned>(event: CloudEvent) -> Option<T> {
    serde_json::from_value(event.data).ok()
}

/// A connection to NATS that is opened in the background and comes back by itself.
pub(crate) struct Events {
    client: async_nats::Client,
    prefix: String,
    connected: Arc<Notify>,
}

impl Events {
    pub(crate) async fn connect(config: &config::Nats) -> Result<Self, Error> {
        let servers: Result<Vec<ServerAddr>, _> =
            config.url.expose().split(',').map(|url| url.trim().parse()).collect();
        let servers = servers.map_err(|_| Error::Nats)?;
        let connected = Arc::new(Notify::new());
        let stands = connected.clone();
        let mut options =
            ConnectOptions::new().name("bindery-client").retry_on_initial_connect().event_callback(move |event| {
                if matches!(event, Event::Connected) {
                    stands.notify_one();
                }
                std::future::ready(())
            });
        // The client leaves a user in the address alone.
        let user = servers.iter().find_map(|server| Some((server.username()?, server.password().unwrap_or_default())));
        if let Some((user, password)) = user {
            options = options.user_and_password(user.to_owned(), password.to_owned());
        }
        if let Some(path) = &config.creds {
            let read = |source| Error::File { path: path.clone(), source };
            options = options.credentials_file(path).await.map_err(read)?;
        }
        if let Some(ca) = &config.ca {
            options = options.add_root_certificates(ca.clone()).require_tls(true);
        }
        let client = options.connect(servers).await.map_err(|_| Error::Nats)?;
        Ok(Self { client, prefix: config.subject_prefix.clone(), connected })
    }

    /// Hands events to the listeners until cancelled.
    pub(crate) async fn run(self, listeners: Arc<Listeners>, cancel: CancellationToken) {
        let listen = async {
            let Some(mut messages) = self.subscribe().await else { return };
            loop {
                tokio::select! {
                    message = messages.next() => match message {
                        Some(message) => listeners.hear(&message),
                        None => return,
                    },
                    () = self.connected.notified() => listeners.connected(),
                }
            }
        };
        cancel.run_until_cancelled(listen).await;
    }

    /// Subscriptions that the connection renews by itself; nothing only once it is closed.
    async fn subscribe(&self) -> Option<SelectAll<Subscriber>> {
        let mut all = SelectAll::new();
        for subject in ["operator.config.*.v1", event::OPERATOR_HEALTH, event::SYNC_APPLIED] {
            all.push(self.client.subscribe(format!("{}{subject}", self.prefix)).await.ok()?);
        }
        Some(all)
    }
}
