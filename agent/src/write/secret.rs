//! Passwords on their way into Vault ahead of their commit, and back out where it does not come.
//!
//! A durable intent goes before each write. While it is held the sync leaves the password alone; the step that applies
//! the commit clears it. Where the agent dies in between, the hold runs out and the next sync takes the password back.

use std::time::Duration;

use bindery_schema::catalog::Catalog;

use super::draft::NewPassword;
use super::error::Error;
use crate::backoff::Delays;
use crate::store::Stores;
use crate::store::postgres::intents::{self, Hold, Intent};
use crate::store::postgres::retention;
use crate::sync::secrets;

/// Shortest and longest wait before a password is taken back again.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Passwords that were written ahead.
#[derive(Debug, Default)]
pub(super) struct Ahead(Vec<(Intent, Hold)>);

impl Ahead {
    /// Writes the passwords of a change. What was written before a failure is taken back.
    #[tracing::instrument(name = "write.vault", skip_all)]
    pub(super) async fn write(stores: &Stores, passwords: &[NewPassword], catalog: &Catalog) -> Result<Self, Error> {
        let mut ahead = Self::default();
        for NewPassword { operator, password } in passwords {
            let Some(wanted) = catalog.operators.get(operator) else { continue };
            let written: Result<(), Error> = async {
                let version = stores.vault.version(operator).await?;
                let intent = Intent { operator: operator.clone(), action: intents::Action::Write, version, held: true };
                let hold = intents::hold(&mut *stores.postgres.acquire().await?, &intent).await?;
                ahead.0.push((intent, hold));
                let system_id = wanted.spec.smpp.system_id.to_string();
                stores.vault.write_credentials(operator, &system_id, password, version).await?;
                Ok(())
            }
            .await;
            if let Err(error) = written {
                ahead.take_back(stores).await;
                return Err(error);
            }
        }
        Ok(ahead)
    }

    /// Takes the passwords back. What cannot be now is tried again until it can; an agent that ends before leaves it to
    /// the sync, which does so once the hold runs out.
    pub(super) async fn take_back(self, stores: &Stores) {
        let mut left = self.try_back(stores).await;
        let stores = stores.clone();
        let again = async move {
            let mut delays = Delays::new(AGAIN.0, AGAIN.1);
            while !left.0.is_empty() {
                tokio::time::sleep(delays.longer()).await;
                left = left.try_back(&stores).await;
            }
        };
        tokio::spawn(again);
    }

    /// Tries to take the passwords back, and returns those that are left.
    async fn try_back(self, stores: &Stores) -> Self {
        let mut left = Self::default();
        for (intent, hold) in self.0 {
            let undone: Result<(), secrets::Error> = async {
                let before = secrets::Before::of(&intent, &stores.vault).await?;
                let mut transaction = stores.postgres.begin().await?;
                // Gone, where a step has made the password good: then it stays.
                if intents::take(&mut transaction, &intent.operator, hold).await?
                    && before.put_back(&stores.vault).await?
                {
                    retention::note_deleted(&mut transaction, &[intent.operator.as_str()]).await?;
                }
                Ok(transaction.commit().await?)
            }
            .await;
            if let Err(error) = undone {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, operator = %intent.operator, "a password could not be taken back yet");
                left.0.push((intent, hold));
            }
        }
        left
    }
}
