//! Who released a plan that a guardrail holds: a trailer in a commit, or a caller of the API.

use bindery_schema::plan::Plan;

use super::fetch::History;
use crate::store::postgres::control::Released;

/// A release of exactly one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Who.
    pub by: String,
    /// The commit whose trailer says so; absent for the API.
    pub commit: Option<String>,
}

/// The release of a plan, if there is one. The hash has to be this plan's own.
pub fn of(plan: &Plan, history: &History, released: Option<&Released>) -> Option<Release> {
    let hash = plan.hash.to_string();
    if let Some(trailer) = history.allows(&hash) {
        return Some(Release { by: trailer.author.clone(), commit: Some(trailer.commit.clone()) });
    }
    let released = released.filter(|released| released.plan_hash == hash)?;
    Some(Release { by: released.by.clone(), commit: None })
}
