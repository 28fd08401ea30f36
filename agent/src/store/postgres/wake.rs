//! Words from one agent to those that share its database: something is worth a look. Whoever misses one looks later by
//! itself.

use sqlx::postgres::PgListener;
use sqlx::{PgExecutor, PgPool};

use super::Error;

/// What is worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The branch.
    Pull,
    /// The log of health.
    Health,
}

impl Word {
    const ALL: [Self; 2] = [Self::Pull, Self::Health];

    fn channel(self) -> &'static str {
        match self {
            Self::Pull => "bindery_pull",
            Self::Health => "bindery_health",
        }
    }
}

/// Tells them; within a transaction once that is committed.
pub async fn tell(executor: impl PgExecutor<'_>, word: Word) -> Result<(), Error> {
    sqlx::query("select pg_notify($1, '')").bind(word.channel()).execute(executor).await?;
    Ok(())
}

/// What is told, on a connection of its own.
#[derive(Debug)]
pub struct Words(PgListener);

impl Words {
    /// Begins to listen.
    pub async fn listen(pool: &PgPool) -> Result<Self, Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen_all(Word::ALL.map(Word::channel)).await?;
        Ok(Self(listener))
    }

    /// Waits for the next word; none when the connection was lost, and what was told meanwhile is not known.
    pub async fn next(&mut self) -> Result<Option<Word>, Error> {
        let told = self.0.try_recv().await?;
        Ok(told.and_then(|told| Word::ALL.into_iter().find(|word| word.channel() == told.channel())))
    }
}
