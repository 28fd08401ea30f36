//! No password but in Vault, and in Vault those that git holds sealed.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use bindery_compiler::seal::{self, Identities};
use bindery_schema::catalog::Catalog;

use crate::canary::Texts;
use crate::chaos::{Campaign, Violation};
use crate::outside::Outside;

/// Vault beside git. Passwords are compared here and shown nowhere.
pub(super) async fn vault(outside: &Outside, catalog: &Catalog, identity: &Path) -> Result<Vec<Violation>> {
    let identities = Identities::read(identity)?;
    let mut wrong = Vec::new();
    for (id, operator) in &catalog.operators {
        let stored = outside.secret(id.as_str()).await;
        let Some(sealed) = operator.spec.sealed() else {
            wrong.extend(stored.map(|_| format!("{id} has a password that git does not know")));
            continue;
        };
        let wanted = seal::open(sealed, id, None, &identities)?;
        let Some((stored, version)) = stored else {
            wrong.push(format!("{id} has no password"));
            continue;
        };
        if stored["password"] != wanted.expose() {
            wrong.push(format!("{id} has another password, in version {version}"));
        }
        if stored["systemId"] != operator.spec.smpp.system_id.to_string() {
            wrong.push(format!("{id} has its password for {}", stored["systemId"]));
        }
    }
    let known: BTreeSet<&str> = catalog.operators.keys().map(bindery_schema::value::OperatorId::as_str).collect();
    for id in outside.secret_names().await.iter().filter(|id| !known.contains(id.as_str())) {
        if outside.secret(id).await.is_some() {
            wrong.push(format!("{id} is deleted and has a password"));
        }
    }
    let found = (!wrong.is_empty()).then(|| Violation::new("stores", format!("Vault: {}", wrong.join("; "))));
    Ok(found.into_iter().collect())
}

impl Campaign {
    /// Looks for passwords in all that is written anywhere.
    pub(super) async fn leaks(&self, outside: &Outside) -> Result<Vec<Violation>> {
        let mut texts = Texts::default();
        texts.add_stores(outside).await;
        texts.add_repository(self.world.git.path());
        for clone in self.fleet.clones() {
            texts.add_repository(&clone);
        }
        for (agent, text) in self.fleet.written()? {
            texts.add(agent, text);
        }
        let logs = self.world.stack.data_dir().join("log");
        for entry in std::fs::read_dir(&logs)? {
            let path = entry?.path();
            texts.add(format!("log {}", path.display()), String::from_utf8_lossy(&std::fs::read(&path)?));
        }
        // A search that looks at nothing finds nothing.
        for (place, word) in [
            ("postgres ops.operators", "first-0"),
            ("redis", "ops:catalog"),
            ("nats", "first-0"),
            ("git", "first-0"),
            ("agent A", "listening"),
            ("agent B", "listening"),
            ("log", "database system is ready"),
        ] {
            ensure!(texts.places(place, word) > 0, "the search for passwords does not see {place}");
        }
        let canary = &self.passwords.canary;
        let mut places: Vec<String> = texts.that(|text| canary.is_in(text)).into_iter().map(str::to_owned).collect();
        places.extend(self.desk.leaks());
        let found =
            (!places.is_empty()).then(|| Violation::new("secrets", format!("passwords in {}", places.join(", "))));
        Ok(found.into_iter().collect())
    }
}
