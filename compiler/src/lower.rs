//! From checked documents to the catalog of one environment: overlays laid over, bounds resolved, hashes taken.

use std::sync::Arc;

use bindery_schema::catalog::{Catalog, Mno, Operator};
use bindery_schema::contract::{Reservation, TpsContractSpec};
use bindery_schema::hash;
use bindery_schema::policy::PolicySpec;
use bindery_schema::rules::RuleList;
use bindery_schema::value::{MnoId, OperatorId};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::source::SourceMap;
use crate::validate::{MnoObject, Objects, OperatorObject};

/// What objects are resolved with.
pub(crate) struct Lowering<'l, 'a> {
    pub(crate) objects: &'l Objects<'a>,
    pub(crate) environment: Option<&'l str>,
    pub(crate) sources: &'l SourceMap,
    /// An earlier catalog: what it says in the same words is taken from it, hashes and all.
    pub(crate) earlier: Option<&'l Catalog>,
}

impl Lowering<'_, '_> {
    /// Resolves every object that could be understood in full.
    pub(crate) fn catalog(&self, policy: PolicySpec) -> Catalog {
        let mnos = self.objects.mnos.par_iter();
        let mnos: Vec<_> = mnos.filter_map(|(id, object)| Some(((*id).clone(), self.mno(id, object)?))).collect();
        let operators = self.objects.operators.par_iter();
        let operators: Vec<_> =
            operators.filter_map(|(id, object)| Some(((*id).clone(), self.operator(id, object)?))).collect();
        // Both lists are in order already, from which a map is built in one go.
        Catalog { mnos: mnos.into_iter().collect(), operators: operators.into_iter().collect(), policy }
    }

    fn mno(&self, id: &MnoId, object: &MnoObject<'_>) -> Option<Mno> {
        let spec = object.spec?;
        let contracts = self.contracts(id);
        let earlier = self.earlier.and_then(|earlier| earlier.mnos.get(id));
        let spec_hash = match earlier.filter(|earlier| earlier.spec == *spec) {
            Some(earlier) => earlier.spec_hash,
            None => hash::mno(spec),
        };
        let contracts_hash = match earlier.filter(|earlier| *earlier.contracts == contracts) {
            Some(earlier) => earlier.contracts_hash,
            None => hash::contracts(&contracts),
        };
        let contracts_source = self.objects.contracts.get(id).map(|object| self.sources.path(object.root.file).into());
        Some(Mno {
            spec: spec.clone(),
            spec_hash,
            contracts: Arc::new(contracts),
            contracts_hash,
            source: self.sources.path(object.root.file).into(),
            contracts_source,
        })
    }

    /// A carrier's contracts by beginning, and its reservations with a beginning each.
    fn contracts(&self, mno: &MnoId) -> TpsContractSpec {
        let Some(object) = self.objects.contracts.get(mno) else { return TpsContractSpec::default() };
        let mut contracts = object.contracts.items.clone();
        contracts.sort_by(|a, b| {
            (a.direction, a.effective_from, &a.reference).cmp(&(b.direction, b.effective_from, &b.reference))
        });
        let first =
            |direction| contracts.iter().find(|contract| contract.direction == direction).map(|c| c.effective_from);
        let resolve = |item: &Reservation| {
            let effective_from = item.effective_from.or_else(|| first(item.direction));
            Reservation { effective_from, ..item.clone() }
        };
        let mut reservations: Vec<Reservation> = object.reservations.items.iter().map(resolve).collect();
        reservations.sort_by(|a, b| {
            (&a.tenant, a.direction, a.effective_from).cmp(&(&b.tenant, b.direction, b.effective_from))
        });
        TpsContractSpec { contracts, reservations }
    }

    fn operator(&self, id: &OperatorId, object: &OperatorObject<'_>) -> Option<Arc<Operator>> {
        let metadata = object.metadata?;
        let spec = object.spec?.in_environment(self.environment);
        let (rules, routes_hash) = match self.objects.routes.get(id) {
            Some(routes) => (routes.rules.items.clone(), routes.rules.hash),
            None => (RuleList::default(), hash::routes(&[])),
        };
        let source = self.sources.path(object.root.file);
        let routes_source = self.objects.routes.get(id).map(|routes| self.sources.path(routes.root.file));
        let is_same = |earlier: &&Arc<Operator>| {
            earlier.spec == spec
                && earlier.mno == metadata.mno
                && earlier.renamed_from == metadata.renamed_from
                && earlier.routes_hash == routes_hash
                && *earlier.source == *source
                && earlier.routes_source.as_deref() == routes_source
        };
        if let Some(earlier) = self.earlier.and_then(|earlier| earlier.operators.get(id)).filter(is_same) {
            return Some(earlier.clone());
        }
        Some(Arc::new(Operator {
            mno: metadata.mno.clone(),
            renamed_from: metadata.renamed_from.clone(),
            spec_hash: hash::operator_spec(&metadata.mno, &spec),
            routes_hash,
            credentials_hash: spec.sealed().map(hash::sealed),
            rules,
            spec,
            source: source.into(),
            routes_source: routes_source.map(Into::into),
        }))
    }
}
