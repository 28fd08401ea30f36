//! wip
use bindery_schema::{
    catalog::Catalog,
    live::Live,
    plan::Plan,
    policy::PolicySpec,
    value::{MnoId, OperatorId},
};
use jiff::Timestamp;
pub struct Observe {
    pub mnos: Vec<MnoId>,
    pub operators: Vec<OperatorId>,
}
#[derive(Debug, thiserror::Error)]
#[error("the content of {object} was not observed")]
pub struct MissingDetail {
    pub object: String,
}
pub fn to_observe(_c: &Catalog, _l: &Live, _n: Timestamp) -> Observe {
    unimplemented!()
}
pub fn plan(_c: &Catalog, _l: &Live, _p: &PolicySpec, _n: Timestamp) -> Result<Plan, MissingDetail> {
    unimplemented!()
}
