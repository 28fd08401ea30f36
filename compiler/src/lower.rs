//! From checked documents to the catalog of one environment: overlays laid over, bounds resolved, hashes taken.

use std::sync::Arc;

use bindery_schema::catalog::{Catalog, Mno, Operator};
use bindery_schema::contract::{Reservation, TpsContractSpec};
use bindery_schema::hash;
use bindery_schema::policy::PolicySpec;
use bindery_schema::value::{MnoId, OperatorId};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::source::SourceMap;
use crate::validate::{MnoObject, Objects, OperatorObject};

/// Resolves every object that could be understood in full.
pub(crate) fn lower(
    objects: &Objects<'_>,
    policy: PolicySpec,
    environment: Option<&str>,
    sources: &SourceMap,
) -> Catalog {
    let mnos: Vec<_> = objects
        .mnos
        .par_iter()
        .filter_map(|(id, object)| Some(((*id).clone(), mno(id, object, objects, sources)?)))
        .collect();
    let operators: Vec<_> = objects
        .operators
        .par_iter()
        .filter_map(|(id, object)| {
            let operator = operator(id, object, objects, environment, sources)?;
            Some(((*id).clone(), Arc::new(operator)))
        })
        .collect();
    // Both lists are in order already, from which a map is built in one go.
    Catalog { mnos: mnos.into_iter().collect(), operators: operators.into_iter().collect(), policy }
}

fn mno(id: &MnoId, object: &MnoObject<'_>, objects: &Objects<'_>, sources: &SourceMap) -> Option<Mno> {
    let spec = object.spec?;
    let contracts = contracts(id, objects);
    Some(Mno {
        spec: spec.clone(),
        spec_hash: hash::mno(spec),
        contracts_hash: hash::contracts(&contracts),
        contracts: Arc::new(contracts),
        source: sources.path(object.root.file).into(),
    })
}

/// A carrier's contracts by beginning, and its reservations with a beginning each.
fn contracts(mno: &MnoId, objects: &Objects<'_>) -> TpsContractSpec {
    let Some(object) = objects.contracts.get(mno) else { return TpsContractSpec::default() };
    let mut contracts = object.contracts.items.clone();
    contracts.sort_by(|a, b| {
        (a.direction, a.effective_from, &a.reference).cmp(&(b.direction, b.effective_from, &b.reference))
    });
    let first = |direction| contracts.iter().find(|contract| contract.direction == direction).map(|c| c.effective_from);
    let resolve = |item: &Reservation| {
        let effective_from = item.effective_from.or_else(|| first(item.direction));
        Reservation { effective_from, ..item.clone() }
    };
    let mut reservations: Vec<Reservation> = object.reservations.items.iter().map(resolve).collect();
    reservations
        .sort_by(|a, b| (&a.tenant, a.direction, a.effective_from).cmp(&(&b.tenant, b.direction, b.effective_from)));
    TpsContractSpec { contracts, reservations }
}

fn operator(
    id: &OperatorId,
    object: &OperatorObject<'_>,
    objects: &Objects<'_>,
    environment: Option<&str>,
    sources: &SourceMap,
) -> Option<Operator> {
    let metadata = object.metadata?;
    let spec = object.spec?.in_environment(environment);
    let (rules, routes_hash) = match objects.routes.get(id) {
        Some(routes) => (routes.rules.items.clone(), routes.rules.hash),
        None => (Arc::default(), hash::routes(&[])),
    };
    Some(Operator {
        mno: metadata.mno.clone(),
        renamed_from: metadata.renamed_from.clone(),
        spec_hash: hash::operator_spec(&metadata.mno, &spec),
        routes_hash,
        credentials_hash: spec.sealed().map(hash::sealed),
        rules,
        spec,
        source: sources.path(object.root.file).into(),
    })
}
