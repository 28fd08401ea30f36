//! From checked documents to the catalog of one environment: overlays laid over, bounds resolved, hashes taken.

use std::sync::Arc;

use bindery_schema::catalog::{Catalog, Mno, Operator};
use bindery_schema::contract::TpsContractSpec;
use bindery_schema::hash;
use bindery_schema::policy::PolicySpec;
use bindery_schema::value::MnoId;
use rayon::iter::{IntoParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use crate::join::left_join;
use crate::parse::{Agreements, ReadOperator};
use crate::source::SourceMap;
use crate::validate::{ContractsObject, MnoObject, Objects, OperatorObject, RoutesObject};

/// What objects are resolved with.
pub(crate) struct Lowering<'l, 'a> {
    pub(crate) objects: &'l Objects<'a>,
    pub(crate) environment: Option<&'l str>,
    pub(crate) sources: &'l SourceMap,
    /// An earlier catalog: what has the same hashes is taken from it.
    pub(crate) earlier: Option<&'l Catalog>,
}

impl Lowering<'_, '_> {
    /// Resolves every object that could be understood in full.
    pub(crate) fn catalog(&self, policy: PolicySpec) -> Catalog {
        let mnos = self.objects.mnos.par_iter();
        let mnos: Vec<_> = mnos.filter_map(|(id, object)| Some(((*id).clone(), self.mno(id, object)?))).collect();
        let with_routes = left_join(&self.objects.operators, &self.objects.routes);
        let keyed = with_routes.map(|(id, object, routes)| (*id, (object, routes)));
        let earlier = self.earlier.into_iter().flat_map(|earlier| &earlier.operators);
        let operators: Vec<_> = left_join(keyed, earlier).collect();
        let operators = operators
            .into_par_iter()
            .filter_map(|(id, (object, routes), earlier)| Some((id.clone(), self.operator(object, routes, earlier)?)));
        let operators: Vec<_> = operators.collect();
        // Both lists are in order already, from which a map is built in one go.
        Catalog { mnos: mnos.into_iter().collect(), operators: operators.into_iter().collect(), policy }
    }

    fn mno(&self, id: &MnoId, object: &MnoObject<'_>) -> Option<Mno> {
        let spec = object.spec?;
        let earlier = self.earlier.and_then(|earlier| earlier.mnos.get(id));
        let contracts = self.objects.contracts.get(id);
        let contracts_hash = match contracts {
            Some(object) => object.hash?,
            None => hash::contracts(&TpsContractSpec::default()),
        };
        let resolve = |object: &ContractsObject<'_>| match object.read {
            Agreements::Whole { contracts, reservations } => TpsContractSpec::resolved(contracts, reservations),
            Agreements::Partial(_) => TpsContractSpec::default(),
        };
        let resolved = || Arc::new(contracts.map(resolve).unwrap_or_default());
        let same = earlier.filter(|earlier| earlier.contracts_hash == contracts_hash);
        Some(Mno {
            spec: spec.clone(),
            spec_hash: object.hash?,
            contracts: same.map_or_else(resolved, |earlier| earlier.contracts.clone()),
            contracts_hash,
            source: self.sources.shared_path(object.root.file),
            contracts_source: contracts.map(|object| self.sources.shared_path(object.root.file)),
        })
    }

    fn operator(
        &self,
        object: &OperatorObject<'_>,
        routes: Option<&RoutesObject<'_>>,
        earlier: Option<&Arc<Operator>>,
    ) -> Option<Arc<Operator>> {
        let ReadOperator::Whole { metadata, spec } = object.read else { return None };
        let base_hash = object.hash?;
        if routes.is_some_and(|routes| routes.partial) {
            return None;
        }
        let overlaid = self.environment.filter(|name| spec.environments.contains_key(*name));
        let laid_over = overlaid.map(|name| spec.in_environment(Some(name)));
        let spec_hash = match &laid_over {
            Some(spec) => hash::operator_spec(&metadata.mno, spec),
            None => base_hash,
        };
        let sealed = laid_over.as_ref().unwrap_or(spec).sealed();
        let routes_hash = routes.map_or_else(|| hash::routes(&[]), |routes| routes.rules.hash);
        let source = self.sources.path(object.root.file);
        let routes_source = routes.map(|routes| routes.root.file);
        // The hash is that of carrier and spec, and says nothing of the sealed password.
        let is_same = |earlier: &&Arc<Operator>| {
            earlier.spec_hash == spec_hash
                && earlier.spec.sealed() == sealed
                && earlier.renamed_from == metadata.renamed_from
                && earlier.routes_hash == routes_hash
                && *earlier.source == *source
                && earlier.routes_source.as_deref() == routes_source.map(|file| self.sources.path(file))
        };
        if let Some(earlier) = earlier.filter(is_same) {
            return Some(earlier.clone());
        }
        Some(Arc::new(Operator {
            mno: metadata.mno.clone(),
            renamed_from: metadata.renamed_from.clone(),
            spec_hash,
            routes_hash,
            credentials_hash: sealed.map(hash::sealed),
            rules: routes.map(|routes| routes.rules.items.clone()).unwrap_or_default(),
            source: self.sources.shared_path(object.root.file),
            routes_source: routes_source.map(|file| self.sources.shared_path(file)),
            spec: laid_over.map_or_else(|| spec.base(), Arc::new),
        }))
    }
}
