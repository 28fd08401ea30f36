//! The client crate as a service of the platform uses it, pointed at a test's own place in the stack.

use std::time::Duration;

use bindery_client::config::{Config, Nats, Redis, Tls};

use crate::world::World;

/// What a service is told that may read all an agent at this address serves. It asks often, and trusts its memory with
/// nothing for long, so that a test sees each of its sources.
pub fn config(world: &World, internal: &str) -> Config {
    let identity = &world.stack.pki.smpp_connector;
    let tls =
        Tls { ca: world.stack.pki.ca.clone(), certificate: identity.certificate.clone(), key: identity.key.clone() };
    let mut config = Config::new(internal, tls);
    let (nats, redis) = (&world.config.nats, &world.config.redis);
    config.nats = Some(Nats { subject_prefix: nats.subject_prefix.clone(), ..Nats::at(nats.url.expose()) });
    config.redis = Some(Redis { key_prefix: redis.key_prefix.clone(), ..Redis::at(redis.url.expose()) });
    config.table_every = Duration::from_millis(500);
    config.health_every = Duration::from_millis(500);
    config.credentials_fresh = Duration::ZERO;
    // An agent on a slow machine says which of its stores is away, rather than seeming to be away itself.
    config.timeout = Duration::from_secs(30);
    config
}
