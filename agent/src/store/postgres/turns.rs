//! Whose turn it is to push, among agents that share this database: an advisory lock, first come, first served.
//!
//! It is an optimisation: agents that take turns do not push past each other. What keeps a commit from being lost is
//! the comparison with the tip when it is pushed.

use std::time::Duration;

use sqlx::{PgPool, PgTransaction};

use super::Error;

/// The lock's number: `bindery` in ASCII.
const LOCK: i64 = 0x62_696e_6465_7279;
/// `lock_not_available` and `query_canceled`, whichever limit is the shorter: somebody else's turn took too long.
const TOO_LONG: [&str; 2] = ["55P03", "57014"];

/// A turn, until it is dropped or the connection breaks.
#[derive(Debug)]
pub struct Turn(Option<PgTransaction<'static>>);

impl Turn {
    /// Waits for one; after the longest wait there is none, and one goes on without.
    pub async fn take(pool: &PgPool, most: Duration) -> Result<Self, Error> {
        let mut transaction = pool.begin().await?;
        sqlx::query("select set_config('lock_timeout', $1, true)")
            .bind(format!("{}ms", most.as_millis()))
            .execute(&mut *transaction)
            .await?;
        let taken = sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await;
        match taken {
            Ok(_) => Ok(Self(Some(transaction))),
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| TOO_LONG.contains(&&*code)) => {
                Ok(Self(None))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends it at once: a dropped one ends when its connection is back in the pool.
    pub async fn end(self) {
        let ended = match self.0 {
            Some(transaction) => transaction.rollback().await,
            None => Ok(()),
        };
        if let Err(error) = ended {
            // The lock went with the connection.
            tracing::debug!(%error, "a turn ended with its connection");
        }
    }
}
