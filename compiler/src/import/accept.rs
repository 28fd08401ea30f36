//! Which rows may stand beside each other and beside what the repository holds. Of two that clash the first stands.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use bindery_schema::catalog::{Catalog, Operator};
use bindery_schema::operator::Status;
use bindery_schema::value::{E164Prefix, Host, MnoId, Name, OperatorId, SystemId};

use super::document;
use super::report::Reason;
use super::row::{Candidate, Claims};
use crate::diagnostic::Code;
use crate::slug;

/// Who has something already.
#[derive(Debug, Clone)]
enum Holder {
    Row { record: u32, line: u32, operator: OperatorId },
    File { path: Arc<str>, operator: OperatorId },
}

impl Holder {
    fn operator(&self) -> &OperatorId {
        match self {
            Self::Row { operator, .. } | Self::File { operator, .. } => operator,
        }
    }

    /// Whether it is what the repository has of this very operator.
    fn is_file_of(&self, id: &OperatorId) -> bool {
        matches!(self, Self::File { operator, .. } if operator == id)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { record, line, operator } => write!(f, "row {record} (line {line}, `{operator}`)"),
            Self::File { path, operator } => write!(f, "operator `{operator}` in {path}"),
        }
    }
}

/// A row that was taken.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) record: u32,
    pub(super) mno: MnoId,
    /// The carrier's name, as the repository or the first of its rows spells it.
    pub(super) mno_name: Name,
    pub(super) candidate: Arc<Candidate>,
    /// The file that holds the same operator already.
    pub(super) existing: Option<Arc<str>>,
}

/// What is taken, by the repository and by earlier rows.
pub(super) struct Register<'c> {
    catalog: &'c Catalog,
    paths: HashSet<&'c str>,
    rows: HashMap<OperatorId, Holder>,
    endpoints: HashMap<(Host, u16, SystemId), Holder>,
    prefixes: HashMap<(E164Prefix, u16), Holder>,
    /// Carriers by country and lower-case name.
    carriers: BTreeMap<(String, String), MnoId>,
    names: HashMap<MnoId, Name>,
}

impl<'c> Register<'c> {
    /// What the repository holds.
    pub(super) fn new(catalog: &'c Catalog, paths: impl Iterator<Item = &'c str>) -> Self {
        let (mut endpoints, mut prefixes) = (HashMap::new(), HashMap::new());
        for (id, operator) in &catalog.operators {
            let holder = Holder::File { path: operator.source.clone(), operator: id.clone() };
            let smpp = &operator.spec.smpp;
            endpoints.insert((smpp.host.clone(), smpp.port, smpp.system_id.clone()), holder.clone());
            let active = operator.spec.status == Status::Active;
            for rule in operator.rules.iter().filter(|rule| active && rule.active) {
                prefixes.entry((rule.prefix, rule.priority)).or_insert_with(|| holder.clone());
            }
        }
        let name = |mno: &bindery_schema::catalog::Mno| {
            (mno.spec.country.as_str().to_owned(), mno.spec.name.as_str().to_lowercase())
        };
        let carriers = catalog.mnos.iter().map(|(id, mno)| (name(mno), id.clone())).collect();
        let names = catalog.mnos.iter().map(|(id, mno)| (id.clone(), mno.spec.name.clone())).collect();
        Self { catalog, paths: paths.collect(), rows: HashMap::new(), endpoints, prefixes, carriers, names }
    }

    /// Everything that stands against what a row claims.
    pub(super) fn clashes(&self, claims: &Claims) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut refuse = |code, message: String| reasons.push(Reason { code, message });
        let own = |first: &&Holder| claims.id.as_ref().is_some_and(|id| first.is_file_of(id));
        if let Some((id, first)) = claims.id.as_ref().and_then(|id| Some((id, self.rows.get(id)?))) {
            refuse(Code::DuplicateObject, format!("operator `{id}` stands in {first} already"));
        }
        let endpoint = claims.endpoint.as_ref();
        let holder = endpoint.and_then(|endpoint| self.endpoints.get(endpoint)).filter(|first| !own(first));
        if let Some(((host, port, system_id), first)) = endpoint.zip(holder) {
            let message = format!("host `{host}`, port {port} and systemId `{system_id}` are those of {first}");
            refuse(Code::DuplicateEndpoint, message);
        }
        for (prefix, priority) in &claims.prefixes {
            let holder = self.prefixes.get(&(*prefix, *priority)).filter(|first| !own(first));
            let Some(first) = holder else { continue };
            let code = if Some(first.operator()) == claims.id.as_ref() {
                Code::PrefixConflictSameOperator
            } else {
                Code::PrefixConflictAcrossOperators
            };
            refuse(code, format!("prefix `{prefix}` at priority {priority} is that of {first}"));
        }
        reasons
    }

    /// Takes a row that clashes with nothing, or says what the repository has against it.
    pub(super) fn admit(
        &mut self,
        record: u32,
        line: u32,
        candidate: Arc<Candidate>,
        claims: &Claims,
    ) -> Result<Admitted, Vec<Reason>> {
        let mut reasons = Vec::new();
        let mut refuse = |code, message: String| reasons.push(Reason { code, message });
        let id = &candidate.id;
        let existing = self.catalog.operators.get(id);
        let Some(mno) = self.carrier(&candidate) else {
            refuse(Code::BadId, "the carrier's name makes no id".to_owned());
            return Err(reasons);
        };
        if let Some(operator) = existing {
            let differing = differing(operator, &candidate, &mno);
            if !differing.is_empty() {
                let (path, fields) = (&operator.source, differing.join(", "));
                refuse(Code::DuplicateObject, format!("operator `{id}` in {path} has another {fields}"));
            }
        }
        let known = self.catalog.mnos.get(&mno);
        if let Some(country) = known.map(|mno| mno.spec.country).filter(|country| *country != candidate.country) {
            let message = format!("carrier `{mno}` is one of {country}, not of {}", candidate.country);
            refuse(Code::DuplicateObject, message);
        }
        let own = document::paths(&mno, id).into_iter().filter(|_| existing.is_none());
        let carriers = Some(document::mno_path(&mno)).filter(|_| known.is_none());
        if let Some(path) = own.chain(carriers).find(|path| self.paths.contains(&**path)) {
            refuse(Code::DuplicateObject, format!("the file {path} is there and holds something else"));
        }
        if !reasons.is_empty() {
            return Err(reasons);
        }
        let holder = Holder::Row { record, line, operator: id.clone() };
        self.rows.insert(id.clone(), holder.clone());
        self.endpoints.extend(claims.endpoint.clone().map(|endpoint| (endpoint, holder.clone())));
        self.prefixes.extend(claims.prefixes.iter().map(|claim| (*claim, holder.clone())));
        let name = self.names.entry(mno.clone()).or_insert_with(|| candidate.mno_name.clone()).clone();
        let existing = existing.map(|operator| operator.source.clone());
        Ok(Admitted { record, mno, mno_name: name, candidate, existing })
    }

    /// The carrier a row means: one of the repository with its country and name, else the one the name makes.
    fn carrier(&self, candidate: &Candidate) -> Option<MnoId> {
        let country = candidate.country.as_str().to_owned();
        let known = self.carriers.get(&(country, candidate.mno_name.as_str().to_lowercase()));
        known.cloned().or_else(|| slug::carrier(candidate.country, candidate.mno_name.as_str()))
    }
}

/// What a row says otherwise than the operator that is there. What the spreadsheet has no column for does not count.
fn differing(operator: &Operator, candidate: &Candidate, mno: &MnoId) -> Vec<&'static str> {
    let (there, here) = (&operator.spec.smpp, &candidate.smpp);
    let rules = |rules: &[bindery_schema::routes::Rule]| {
        let key = |rule: &bindery_schema::routes::Rule| (rule.prefix, rule.priority, rule.weight, rule.cost);
        rules.iter().map(key).collect::<Vec<_>>()
    };
    [
        ("carrier", operator.mno == *mno),
        ("smpp.host", there.host == here.host),
        ("smpp.port", there.port == here.port),
        ("smpp.systemId", there.system_id == here.system_id),
        ("smpp.systemType", there.system_type == here.system_type),
        ("smpp.bindMode", there.bind_mode == here.bind_mode),
        ("smpp.windowSize", there.window_size == here.window_size),
        ("tps", operator.spec.tps == candidate.tps),
        ("routes", rules(&operator.rules) == rules(&candidate.rules)),
    ]
    .into_iter()
    .filter_map(|(field, same)| (!same).then_some(field))
    .collect()
}
