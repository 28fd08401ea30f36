//! A word from one agent to those that share its database: the branch is worth a look. Whoever misses it polls.

use sqlx::PgPool;
use sqlx::postgres::PgListener;

use super::Error;

const CHANNEL: &str = "bindery_pull";

/// Tells them.
pub async fn tell(pool: &PgPool) -> Result<(), Error> {
    sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(pool).await?;
    Ok(())
}

/// What is told, on a connection of its own.
#[derive(Debug)]
pub struct Words(PgListener);

impl Words {
    /// Begins to listen.
    pub async fn listen(pool: &PgPool) -> Result<Self, Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self(listener))
    }

    /// Waits for the next word. A lost connection counts as one: what was told meanwhile is not known.
    pub async fn next(&mut self) -> Result<(), Error> {
        self.0.try_recv().await?;
        Ok(())
    }
}
