//! NATS: the JetStream stream of events, and the plain connection health signals arrive on.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{GetStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::{ConnectOptions, ServerAddr};
use backon::BackoffBuilder as _;
use bindery_schema::secret::Secret;
use bindery_schema::wire::event;

use crate::telemetry::Trace;
use crate::{backoff, config};

/// Shortest and longest wait before a lost connection is opened again.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Longest wait for an answer of the server.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the stream remembers message ids: longer than a relay is ever away in a normal restart or fail-over.
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(2 * 60 * 60);

/// Why NATS did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured address cannot be used.
    #[error("the configured address or credentials of NATS cannot be used")]
    Configuration,
    /// A file of the configuration cannot be used.
    #[error(transparent)]
    File(#[from] config::ReadError),
    /// The stream could not be read, created or brought up to date.
    #[error("the JetStream stream is not available")]
    Stream(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A message was not acknowledged.
    #[error("JetStream did not acknowledge the message")]
    Publish(#[source] async_nats::error::Error<PublishErrorKind>),
}

/// A connection that comes back by itself. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Nats {
    client: async_nats::Client,
    jetstream: jetstream::Context,
    stream: Arc<str>,
    prefix: Arc<str>,
}

impl Nats {
    /// Opens a connection in the background; a server that is down is tried again for ever.
    pub async fn connect(config: &config::Nats) -> Result<Self, Error> {
        let (servers, options) = options(config)?;
        let options = options.retry_on_initial_connect().reconnect_delay_callback(|attempts| {
            // Never the same for two agents, which a server that restarts would have to take in at once.
            backoff::between(RECONNECT.0, RECONNECT.1).build().nth(attempts.min(20)).unwrap_or(RECONNECT.1)
        });
        let client = options.connect(servers).await.map_err(|_| Error::Configuration)?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(TIMEOUT);
        let (stream, prefix) = (config.stream.as_str().into(), config.subject_prefix.as_str().into());
        Ok(Self { client, jetstream, stream, prefix })
    }

    /// The plain connection, for subscriptions.
    pub fn client(&self) -> &async_nats::Client {
        &self.client
    }

    /// A subject under the installation's prefix.
    pub fn subject(&self, subject: &str) -> String {
        format!("{}{subject}", self.prefix)
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Creates the stream, or brings its subjects and its duplicate window up to date. Subjects are listed one by one:
    /// a wildcard would store health signals too.
    pub async fn ensure_stream(&self) -> Result<(), Error> {
        let wanted = self.subjects();
        let config = Config {
            name: self.stream.to_string(),
            subjects: wanted.clone(),
            storage: StorageType::File,
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        };
        let stream = self.jetstream.get_or_create_stream(config).await.map_err(|error| Error::Stream(error.into()))?;
        let found = &stream.cached_info().config;
        if wanted.iter().all(|subject| found.subjects.contains(subject)) && found.duplicate_window == DUPLICATE_WINDOW {
            return Ok(());
        }
        // Retention, replicas and whatever else an administrator set stay as they are.
        let mut config = found.clone();
        config.subjects.extend(wanted.into_iter().filter(|subject| !found.subjects.contains(subject)));
        config.duplicate_window = DUPLICATE_WINDOW;
        self.jetstream.update_stream(config).await.map_err(|error| Error::Stream(error.into()))?;
        Ok(())
    }

    /// Subjects and duplicate window of the stream; `None` where there is no stream.
    pub async fn observe_stream(&self) -> Result<Option<(Vec<String>, Duration)>, Error> {
        match self.jetstream.get_stream(&*self.stream).await {
            Ok(stream) => {
                let Config { subjects, duplicate_window, .. } = &stream.cached_info().config;
                Ok(Some((subjects.clone(), *duplicate_window)))
            }
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
                _ => Err(Error::Stream(error.into())),
            },
        }
    }

    /// The subjects the stream has to have.
    pub fn subjects(&self) -> Vec<String> {
        event::TYPES.iter().map(|name| self.subject(name)).collect()
    }

    /// Name of the stream.
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// Publishes an event, says in headers what it came of, and waits for the acknowledgement. The same id within the
    /// duplicate window is stored once.
    pub async fn publish(&self, event_type: &str, id: &str, trace: &Trace, payload: Vec<u8>) -> Result<(), Error> {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, id);
        trace.headers().for_each(|(name, text)| headers.insert(name, text));
        let subject = self.subject(event_type);
        let ack =
            self.jetstream.publish_with_headers(subject, headers, payload.into()).await.map_err(Error::Publish)?;
        ack.await.map_err(Error::Publish)?;
        Ok(())
    }

    /// The ids of the last `count` messages of the stream, newest first.
    pub async fn last_message_ids(&self, count: u64) -> Result<Vec<String>, Error> {
        let fail = |error: Box<dyn std::error::Error + Send + Sync>| Error::Stream(error);
        let stream = self.jetstream.get_stream(&*self.stream).await.map_err(|error| fail(error.into()))?;
        let state = &stream.cached_info().state;
        let mut ids = Vec::new();
        let oldest = state.first_sequence.max(state.last_sequence.saturating_sub(count) + 1);
        for sequence in (oldest..=state.last_sequence).rev() {
            // A gap is a message an administrator deleted.
            let Ok(message) = stream.get_raw_message(sequence).await else { continue };
            ids.extend(message.headers.get(async_nats::header::NATS_MESSAGE_ID).map(ToString::to_string));
        }
        Ok(ids)
    }

    /// Sends what is buffered and closes the connection.
    pub async fn close(&self) {
        if tokio::time::timeout(TIMEOUT, self.client.drain()).await.is_err() {
            tracing::warn!("the connection to NATS was not closed in time");
        }
    }
}

/// The configured servers, with credentials and TLS.
fn options(config: &config::Nats) -> Result<(Vec<ServerAddr>, ConnectOptions), Error> {
    let (servers, mut options) = addresses(config.url.expose())?;
    if let (Some(user), Some(password)) = (&config.user, &config.password) {
        options = options.user_and_password(user.clone(), password.read()?.expose().to_owned());
    }
    if let Some(seed) = &config.nkey {
        options = options.nkey(seed.read()?.expose().trim().to_owned());
    }
    if let Some(path) = &config.creds {
        let creds = config::SecretSource::File(path.clone()).read()?;
        // The client wants a line to end after the last mark.
        let creds = Secret::new(format!("{}\n", creds.expose()));
        options = options.credentials(creds.expose()).map_err(|_| Error::Configuration)?;
    }
    // Read here only to say at the start what is missing: the client reads them for each connection.
    config.tls.read()?;
    if let Some(ca) = &config.tls.ca {
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    if let (Some(cert), Some(key)) = (&config.tls.cert, &config.tls.key) {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    Ok((servers, options))
}

/// The servers of a comma-separated list of addresses, and options with the user and password it names.
pub fn addresses(urls: &str) -> Result<(Vec<ServerAddr>, ConnectOptions), Error> {
    let servers: Vec<ServerAddr> =
        urls.split(',').map(|url| url.trim().parse()).collect::<Result<_, _>>().map_err(|_| Error::Configuration)?;
    let mut options =
        ConnectOptions::new().name("bindery-agent").connection_timeout(TIMEOUT).request_timeout(Some(TIMEOUT));
    // The client leaves a user in the address alone.
    let user = servers.iter().find_map(|server| Some((server.username()?, server.password().unwrap_or_default())));
    if let Some((user, password)) = user {
        options = options.user_and_password(percent_decoded(user), percent_decoded(password));
    }
    Ok((servers, options))
}

/// Undoes the escaping a user or password needs inside an address.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| text_byte(tail)).flatten();
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text_byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits.get(..2)?).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn escapes_in_an_address_are_undone() {
        assert_eq!(percent_decoded("p%40ss%2Fw0rd"), "p@ss/w0rd");
        assert_eq!(percent_decoded("100%"), "100%");
    }
}
