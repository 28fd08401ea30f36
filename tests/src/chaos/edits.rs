//! What the commits of a campaign do to the files of the tip.

use anyhow::Result;
use bindery_compiler::edit::{self, Object};
use bindery_compiler::seal;
use bindery_schema::secret::Secret;
use bindery_schema::value::{MnoId, OperatorId};
use serde_json::json;

use super::canary::Canary;
use super::forge::{Changes, Files};
use super::operation::{Edit, Numbered};
use crate::documents;

/// The carriers of every campaign.
pub const CARRIERS: [&str; 3] = ["east", "north", "west"];
/// More than all operators together will ever send.
const CONTRACTED: u32 = 1_000_000;
/// With fewer operators none is deleted, and with more none is created: deletions stay below the guardrails unless they
/// are meant to exceed them.
pub const FEWEST: usize = 14;
/// See [`FEWEST`].
pub const MOST: usize = 40;
/// The file of a commit that does not compile.
const BROKEN: &str = "operators/broken.yaml";

/// How passwords are made.
#[derive(Debug, Clone)]
pub struct Passwords {
    /// What they begin with.
    pub canary: Canary,
    /// Whom they are sealed to.
    pub recipient: String,
}

impl Passwords {
    fn sealed(&self, operator: &str, number: u32) -> Result<String> {
        let password = Secret::new(self.canary.password(number));
        Ok(seal::seal(&operator.parse()?, &password, std::slice::from_ref(&self.recipient))?)
    }
}

/// An operator of the tip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub id: String,
    /// The folder it is in: its carrier's id.
    pub carrier: String,
}

impl Place {
    /// The file that defines it.
    pub fn file(&self) -> String {
        format!("operators/{}/{}.yaml", self.carrier, self.id)
    }

    fn routes(&self) -> String {
        format!("operators/{}/{}.routes.yaml", self.carrier, self.id)
    }

    /// Its files.
    pub fn files(&self, files: &Files) -> Files {
        let own = [self.file(), self.routes()];
        own.into_iter().filter_map(|path| files.get(&path).map(|text| (path.clone(), text.clone()))).collect()
    }
}

/// The operators among files, in order.
pub fn operators(files: &Files) -> Vec<Place> {
    let place = |path: &String| {
        let (carrier, file) = path.strip_prefix("operators/")?.split_once('/')?;
        let id = file.strip_suffix(".yaml").filter(|name| *name != "mno" && !name.ends_with(".routes"))?;
        Some(Place { id: id.to_owned(), carrier: carrier.to_owned() })
    };
    files.keys().filter_map(place).collect()
}

/// One of the operators among files.
pub fn one(files: &Files, pick: u32) -> Option<Place> {
    let mut all = operators(files);
    let count = all.len();
    (count > 0).then(|| all.swap_remove(pick as usize % count))
}

/// One of the carriers.
pub fn carrier(pick: u32) -> &'static str {
    CARRIERS[pick as usize % CARRIERS.len()]
}

/// Prefixes are all of one length, so that none lies inside another.
pub fn prefix(number: u32) -> String {
    format!("94{number:06}")
}

/// The first commit's files: three carriers with contracts, and some operators with passwords.
pub fn first(passwords: &Passwords) -> Result<Changes> {
    // A guardrail for deletions alone: of so few operators a burst moves more than a quarter.
    let policy = format!(
        "apiVersion: bindery/v1\nkind: Policy\nspec:\n  guardrails:\n    maxEndpointChanges: {{count: 1000, percent: 100}}\n  \
         secrets:\n    recipients: [{}]\n",
        passwords.recipient
    );
    let mut changes = vec![("policy.yaml".to_owned(), Some(policy))];
    for carrier in CARRIERS {
        changes.push((format!("operators/{carrier}/mno.yaml"), Some(documents::mno(carrier))));
        changes.push((format!("contracts/{carrier}.yaml"), Some(documents::contract(carrier, CONTRACTED))));
    }
    for n in 0..20 {
        changes.extend(created(&format!("first-{n}"), carrier(n), 900_000 + n, passwords)?);
    }
    Ok(changes)
}

fn created(id: &str, carrier: &str, number: u32, passwords: &Passwords) -> Result<Changes> {
    let place = Place { id: id.to_owned(), carrier: carrier.to_owned() };
    let sealed = passwords.sealed(id, number)?;
    let operator = documents::operator(id, carrier, &format!("h{number}.example"), Some(&sealed));
    let routes = documents::routes(id, &[&prefix(number)]);
    Ok(vec![(place.file(), Some(operator)), (place.routes(), Some(routes))])
}

/// What an edit makes of files; nothing where it has nothing to be made to.
pub fn changes(
    Numbered { what, pick, number }: Numbered<Edit>,
    files: &Files,
    graves: &std::collections::BTreeMap<String, Files>,
    passwords: &Passwords,
) -> Result<Option<Changes>> {
    let count = operators(files).len();
    if what == Edit::Create {
        return (count < MOST).then(|| created(&format!("op-{number}"), carrier(pick), number, passwords)).transpose();
    }
    if matches!(what, Edit::Contract | Edit::Reservation) {
        return of_carrier(what, carrier(pick), number, files);
    }
    if what == Edit::Restore {
        let present = operators(files);
        let gone: Vec<_> = graves.iter().filter(|(id, _)| present.iter().all(|place| place.id != **id)).collect();
        let chosen = (!gone.is_empty()).then(|| gone[pick as usize % gone.len()].1);
        return Ok(chosen.map(|files| files.iter().map(|(path, text)| (path.clone(), Some(text.clone()))).collect()));
    }
    let Some(place) = one(files, pick) else { return Ok(None) };
    let id: OperatorId = place.id.parse()?;
    let text = &files[&place.file()];
    let edited = match what {
        Edit::Rebind => {
            let smpp = json!({ "host": format!("h{number}.example"), "port": 2_000 + number % 60_000 });
            let patch = json!({ "spec": { "smpp": smpp, "tps": { "outbound": 10 + number % 20 } } });
            edit::merge(text, &Object::Operator(&id), &patch)?
        }
        Edit::Rotate => edit::set_sealed(text, &id, &passwords.sealed(&place.id, number)?)?,
        Edit::Rule => return rule(&place, &id, number, files),
        _ if count <= FEWEST => return Ok(None),
        _ => return Ok(Some(place.files(files).into_keys().map(|path| (path, None)).collect())),
    };
    Ok(Some(vec![(place.file(), Some(edited))]))
}

fn rule(place: &Place, id: &OperatorId, number: u32, files: &Files) -> Result<Option<Changes>> {
    let path = place.routes();
    let rule = json!({ "prefix": format!("+{}", prefix(number)), "weight": 1 + number % 1_000 });
    let text = match files.get(&path) {
        Some(text) => edit::insert(text, &Object::Routes(id), "spec.rules", &rule)?,
        None => documents::routes(&place.id, &[&prefix(number)]),
    };
    Ok(Some(vec![(path, Some(text))]))
}

fn of_carrier(what: Edit, carrier: &str, number: u32, files: &Files) -> Result<Option<Changes>> {
    let path = format!("contracts/{carrier}.yaml");
    let Some(text) = files.get(&path) else { return Ok(None) };
    let mno: MnoId = carrier.parse()?;
    let object = Object::TpsContract(&mno);
    let edited = if what == Edit::Contract {
        let contracted = json!({ "contractedTps": CONTRACTED + number });
        edit::merge_member(text, &object, "spec.contracts", &[("ref", &json!("OUT"))], &contracted)?
    } else {
        let tenant = json!({ "tenant": format!("t{number}"), "direction": "OUTBOUND", "reservedTps": 5 });
        edit::insert(text, &object, "spec.reservations", &tenant)?
    };
    Ok(Some(vec![(path, Some(edited))]))
}

/// A file that no compiler takes.
pub fn broken(files: &Files) -> Option<Changes> {
    let text = "apiVersion: bindery/v1\nkind: Operator\nmetadata: {id: broken, mno: nobody}\nspec: {}\n";
    (!files.contains_key(BROKEN)).then(|| vec![(BROKEN.to_owned(), Some(text.to_owned()))])
}

/// Without that file.
pub fn mended(files: &Files) -> Option<Changes> {
    files.contains_key(BROKEN).then(|| vec![(BROKEN.to_owned(), None)])
}

/// Two fifths of the operators gone, from one on; more than any guardrail lets go unasked.
pub fn decimated(files: &Files, pick: u32) -> Option<Vec<Place>> {
    let mut all = operators(files);
    if all.len() < FEWEST {
        return None;
    }
    let count = all.len();
    all.rotate_left(pick as usize % count);
    all.truncate(count * 2 / 5);
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_known_by_their_files() {
        let paths = [
            "contracts/east.yaml",
            "operators/broken.yaml",
            "operators/east/mno.yaml",
            "operators/east/op-1.routes.yaml",
            "operators/east/op-1.yaml",
            "operators/west/first-2.yaml",
            "policy.yaml",
        ];
        let files: Files = paths.into_iter().map(|path| (path.to_owned(), String::new())).collect();
        let names: Vec<String> = operators(&files).iter().map(Place::file).collect();
        assert_eq!(names, ["operators/east/op-1.yaml", "operators/west/first-2.yaml"]);
        assert_eq!(one(&files, 3).unwrap().id, "first-2");
        assert_eq!(operators(&files)[0].files(&files).len(), 2);
    }
}
