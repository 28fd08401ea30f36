//! A private stack of real servers: Postgres, NATS with JetStream, Redis and a Vault API (OpenBao).
//!
//! The same code serves `bindery-agent dev` and the tests, so what is tried by hand is what is tested.
//!
//! Flow: [`Tools::find`] locates the programs that `make install` put there, [`Stack::start`] takes the data
//! folder for itself, ends what an earlier run left behind, chooses ports, makes keys and certificates, and
//! starts the four servers at once.
//!
//! Guarantees:
//! - one stack a data folder: a second one is refused ([`Error::InUse`]);
//! - reopening a data folder finds the data of Postgres, JetStream and OpenBao, the same passwords and
//!   certificates, and the same ports where they are still free;
//! - no server outlives the process that started it, even when that is killed with SIGKILL;
//! - servers listen on 127.0.0.1 only, and each wants a random password (mode 0600 below `secrets/`).
//!
//! Deliberately absent: TLS between the agent and these servers, replication, and anything that a production
//! installation would need. Redis keeps nothing across a restart, as its contents are projections.

mod error;
mod files;
mod nats;
mod openbao;
mod pki;
mod ports;
mod postgres;
mod process;
mod redis;
pub mod seed;
mod spawn;
mod stack;
mod tools;

pub use self::redis::Redis;
pub use error::Error;
pub use nats::Nats;
pub use openbao::{KvVersion, OpenBao};
pub use pki::{KeyPairFiles, Pki};
pub use ports::free_port;
pub use postgres::Postgres;
#[cfg(feature = "failpoints")]
pub(crate) use spawn::signal;
pub use stack::{Stack, StackOptions};
pub use tools::Tools;

#[cfg(test)]
mod tests;
