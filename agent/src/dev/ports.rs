//! The ports of the stack's servers on 127.0.0.1.

use std::net::TcpListener;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, files};

/// Ports are chosen below the range from which Linux takes the source ports of outgoing connections
/// (32768–60999 unless configured): a server that is down for a moment would otherwise find its port taken by
/// a client's connection.
const RANGE: std::ops::RangeInclusive<u16> = 21_000..=31_999;

/// How many random ports are tried for each server.
const TRIES: usize = 200;

/// One port for each listener of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ports {
    pub(super) postgres: u16,
    pub(super) nats: u16,
    pub(super) nats_monitor: u16,
    pub(super) redis: u16,
    pub(super) openbao: u16,
    pub(super) openbao_cluster: u16,
    /// For an agent on the stack: admin, internal and ops listener.
    pub(super) agent: [u16; 3],
}

impl Ports {
    /// The ports kept in `file`. A file that cannot be understood is as good as none: ports are no data worth
    /// stopping for.
    pub(super) fn earlier(file: &Path) -> Result<Option<Self>, Error> {
        Ok(files::read_text(file)?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// The ports kept in `file`, each replaced where something else listens on it by now, and kept there again.
    pub(super) fn choose(file: &Path) -> Result<Self, Error> {
        let earlier = Self::earlier(file)?;
        // Listeners stay open until all are chosen, so that no port is chosen twice.
        let mut held = Vec::new();
        let mut port = |earlier: Option<u16>| choose_one(earlier, &mut held);
        let ports = Self {
            postgres: port(earlier.map(|ports| ports.postgres))?,
            nats: port(earlier.map(|ports| ports.nats))?,
            nats_monitor: port(earlier.map(|ports| ports.nats_monitor))?,
            redis: port(earlier.map(|ports| ports.redis))?,
            openbao: port(earlier.map(|ports| ports.openbao))?,
            openbao_cluster: port(earlier.map(|ports| ports.openbao_cluster))?,
            agent: [
                port(earlier.map(|ports| ports.agent[0]))?,
                port(earlier.map(|ports| ports.agent[1]))?,
                port(earlier.map(|ports| ports.agent[2]))?,
            ],
        };
        files::write_public(file, serde_json::json!(ports).to_string())?;
        Ok(ports)
    }
}

/// A port that nobody listens on now, for a server of one's own.
pub fn free_port() -> Result<u16, Error> {
    choose_one(None, &mut Vec::new())
}

fn choose_one(earlier: Option<u16>, held: &mut Vec<TcpListener>) -> Result<u16, Error> {
    let (low, high) = (*RANGE.start(), *RANGE.end());
    let random = (0..TRIES).map(|_| {
        let bytes = files::random_bytes::<2>()?;
        Ok::<u16, Error>(low + u16::from_le_bytes(bytes) % (high - low + 1))
    });
    for port in earlier.map(Ok).into_iter().chain(random) {
        let port = port?;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            held.push(listener);
            return Ok(port);
        }
    }
    Err(Error::NoPort { low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_kept_unless_something_listens_on_it() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_ne!(choose_one(Some(port), &mut Vec::new()).unwrap(), port);
        drop(listener);
        assert_eq!(choose_one(Some(port), &mut Vec::new()).unwrap(), port);
    }

    #[test]
    fn chosen_ports_are_kept_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ports.json");
        let chosen = Ports::choose(&file).unwrap();
        assert_eq!(Ports::earlier(&file).unwrap(), Some(chosen));
    }
}
