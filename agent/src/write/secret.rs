//! Passwords on their way into Vault ahead of their commit, and back out where it does not come.
//!
//! A durable intent goes before each write. While it is held the sync leaves the password alone; the step that applies
//! the commit clears it. Where the agent dies in between, the hold runs out and the next sync takes the password back.

use bindery_schema::catalog::Catalog;

use super::draft::NewPassword;
use super::error::Error;
use crate::store::Stores;
use crate::store::postgres::intents::{self, Intent};
use crate::sync::secrets;

/// Passwords that were written ahead.
#[derive(Debug, Default)]
pub(super) struct Ahead(Vec<Intent>);

impl Ahead {
    /// Writes the passwords of a change. What was written before a failure is taken back.
    pub(super) async fn write(stores: &Stores, passwords: &[NewPassword], catalog: &Catalog) -> Result<Self, Error> {
        let mut ahead = Self::default();
        for NewPassword { operator, password } in passwords {
            let Some(wanted) = catalog.operators.get(operator) else { continue };
            let written: Result<(), Error> = async {
                let version = stores.vault.version(operator).await?;
                let intent = Intent { operator: operator.clone(), action: intents::Action::Write, version, held: true };
                intents::hold(&mut *stores.postgres.acquire().await?, &intent).await?;
                ahead.0.push(intent);
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

    /// Takes the passwords back. What cannot be now, the sync does once the hold runs out.
    pub(super) async fn take_back(&self, stores: &Stores) {
        for intent in &self.0 {
            let undone: Result<(), secrets::Error> = async {
                let mut transaction = stores.postgres.begin().await?;
                // Gone, where a step has made the password good: then it stays.
                if intents::take(&mut transaction, &intent.operator).await? {
                    secrets::undo_one(&stores.vault, intent).await?;
                }
                Ok(transaction.commit().await?)
            }
            .await;
            if let Err(error) = undone {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, operator = %intent.operator, "a password could not be taken back yet");
            }
        }
    }
}
