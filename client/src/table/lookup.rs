//! Where a number goes.
//!
//! The longest prefix wins, among equal prefixes the lowest priority, among equal priorities traffic is shared by weight:
//! the same choice as `bindery trace` makes. Beyond that, operators that take no traffic for now are skipped: first their
//! share goes to the others of the same priority, by weight; then the next priority serves, then the next broader prefix.
//! Rules of one priority that all have weight 0 take their turn and no traffic: nobody serves the number, whoever else is
//! healthy, as a trace says too.
//!
//! The shares are kept by a key that the caller gives, such as a hash of the message's id. The same key goes to the same
//! operator for as long as that one is healthy, and keys of the others stay where they are when it is not.

use bindery_schema::value::{Cost, E164Prefix, OperatorId};
use bindery_schema::wire::routing::PackedRoute;

use super::{NONE, Table};

/// Tells which operators take traffic now.
pub trait Health {
    /// Whether traffic may be sent to the operator.
    fn takes_traffic(&self, operator: &OperatorId) -> bool;
}

impl<F: Fn(&OperatorId) -> bool> Health for F {
    fn takes_traffic(&self, operator: &OperatorId) -> bool {
        self(operator)
    }
}

/// Every operator takes traffic.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllHealthy;

impl Health for AllHealthy {
    fn takes_traffic(&self, _: &OperatorId) -> bool {
        true
    }
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route<'t> {
    /// The operator.
    pub operator: &'t OperatorId,
    /// The prefix by which it serves the number.
    pub prefix: E164Prefix,
    /// Its priority.
    pub priority: u16,
    /// Its share among equal priorities.
    pub weight: u16,
    /// Price of a message.
    pub cost: Option<Cost>,
}

/// The answer for one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<'t> {
    /// Where it goes; absent where nobody serves the number now.
    pub route: Option<Route<'t>>,
    /// Routes that would have come before, in the order they were passed over. Empty without a route: no prefix contains
    /// the number.
    pub skipped: Vec<Skipped<'t>>,
}

/// A route that was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped<'t> {
    /// The operator.
    pub operator: &'t OperatorId,
    /// The prefix by which it would serve.
    pub prefix: E164Prefix,
    /// Why it was passed over.
    pub reason: SkipReason,
}

/// Why a route was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// Its operator takes no traffic now.
    Unhealthy,
    /// It has no share.
    NoWeight,
}

/// A route that contains a number, with what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'t> {
    /// The route.
    pub route: Route<'t>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// What becomes of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It takes its share.
    Serves,
    /// It would, and its operator takes no traffic now.
    Unhealthy,
    /// It has no share.
    NoWeight,
    /// A lower priority number of the same prefix comes first.
    HigherPriority,
    /// A longer prefix comes first.
    ShorterPrefix,
}

impl Verdict {
    /// For people, in the words of `bindery trace`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serves => "serves",
            Self::Unhealthy => "operator UNHEALTHY",
            Self::NoWeight => "weight 0",
            Self::HigherPriority => "higher priority number",
            Self::ShorterPrefix => "shorter prefix",
        }
    }
}

impl Table {
    /// Decides where a message to a number goes. `key` picks among operators that share: see [`share_key`].
    pub fn route(&self, number: E164Prefix, key: u64, health: &impl Health) -> Decision<'_> {
        let mut skipped = Vec::new();
        let mut at = self.longest(number);
        while at != NONE {
            for tier in self.tiers(at) {
                match self.share(self.groups[at as usize].prefix, tier, key, health, &mut skipped) {
                    Share::Taken(route) => return Decision { route: Some(route), skipped },
                    Share::Nobody => return Decision { route: None, skipped },
                    Share::AllUnhealthy => {}
                }
            }
            at = self.groups[at as usize].broader;
        }
        Decision { route: None, skipped }
    }

    /// Every route that contains a number, longest prefix first, then by priority and operator, with what becomes of it:
    /// for people who ask why.
    pub fn explain(&self, number: E164Prefix, health: &impl Health) -> Vec<Candidate<'_>> {
        let mut found = Vec::new();
        let (mut settled, mut at) = (None, self.longest(number));
        while at != NONE {
            let prefix = self.groups[at as usize].prefix;
            for tier in self.tiers(at) {
                let healthy = |route: &PackedRoute| health.takes_traffic(&self.operators[route.operator as usize]);
                let verdict = |route: &PackedRoute| match settled {
                    Some(settled) if settled == prefix => Verdict::HigherPriority,
                    Some(_) => Verdict::ShorterPrefix,
                    None if route.weight == 0 => Verdict::NoWeight,
                    None if healthy(route) => Verdict::Serves,
                    None => Verdict::Unhealthy,
                };
                let candidates =
                    tier.iter().map(|route| Candidate { route: self.shown(prefix, *route), verdict: verdict(route) });
                found.extend(candidates);
                let shares = || tier.iter().filter(|route| route.weight > 0);
                if settled.is_none() && (shares().next().is_none() || shares().any(healthy)) {
                    settled = Some(prefix);
                }
            }
            at = self.groups[at as usize].broader;
        }
        found
    }

    /// Place of the longest prefix that contains a number.
    fn longest(&self, number: E164Prefix) -> u32 {
        let range = self.index.range(number);
        let behind = range.start + self.groups[range].partition_point(|group| group.prefix <= number);
        let mut at = behind.checked_sub(1).map_or(NONE, super::place);
        while at != NONE && !self.groups[at as usize].prefix.contains(number) {
            at = self.groups[at as usize].broader;
        }
        at
    }

    /// The routes of a prefix, by priority.
    fn tiers(&self, at: u32) -> impl Iterator<Item = &[PackedRoute]> {
        self.routes_at(at as usize).chunk_by(|a, b| a.priority == b.priority)
    }

    /// Picks one of the routes of one priority.
    fn share<'t>(
        &'t self,
        prefix: E164Prefix,
        tier: &[PackedRoute],
        key: u64,
        health: &impl Health,
        skipped: &mut Vec<Skipped<'t>>,
    ) -> Share<'t> {
        let mut skip = |route: &PackedRoute, reason| {
            skipped.push(Skipped { operator: &self.operators[route.operator as usize], prefix, reason });
        };
        if let [only] = tier
            && only.weight > 0
        {
            if health.takes_traffic(&self.operators[only.operator as usize]) {
                return Share::Taken(self.shown(prefix, *only));
            }
            skip(only, SkipReason::Unhealthy);
            return Share::AllUnhealthy;
        }
        let mut left: Vec<PackedRoute> = tier.iter().copied().filter(|route| route.weight > 0).collect();
        tier.iter().filter(|route| route.weight == 0).for_each(|route| skip(route, SkipReason::NoWeight));
        if left.is_empty() {
            return Share::Nobody;
        }
        // Whoever drew one that takes no traffic draws again among the rest: the keys of the others stay where they are.
        for draw in 0.. {
            let Some(drawn) = drawn(&left, key, draw) else { break };
            let route = left.remove(drawn);
            if health.takes_traffic(&self.operators[route.operator as usize]) {
                return Share::Taken(self.shown(prefix, route));
            }
            skip(&route, SkipReason::Unhealthy);
        }
        Share::AllUnhealthy
    }

    fn shown(&self, prefix: E164Prefix, route: PackedRoute) -> Route<'_> {
        let PackedRoute { priority, operator, weight, .. } = route;
        Route { operator: &self.operators[operator as usize], prefix, priority, weight, cost: self.cost(route) }
    }
}

/// What came of one priority.
enum Share<'t> {
    Taken(Route<'t>),
    /// Its turn came and it has no share to give.
    Nobody,
    AllUnhealthy,
}

/// Place of the route whose part of the weights a key falls into.
fn drawn(routes: &[PackedRoute], key: u64, draw: u64) -> Option<usize> {
    let total: u64 = routes.iter().map(|route| u64::from(route.weight)).sum();
    // The upper half of the product is the key's part of the total, with no bias worth a name.
    let spread = u128::from(mixed(key, draw)) * u128::from(total);
    let mut point = (spread >> 64) as u64;
    routes.iter().position(|route| match point.checked_sub(u64::from(route.weight)) {
        Some(rest) => {
            point = rest;
            false
        }
        None => true,
    })
}

/// Spreads keys evenly, whatever they are: `SplitMix64` (Steele, Lea, Flood 2014), so that counters do as well as hashes.
fn mixed(key: u64, draw: u64) -> u64 {
    let mut bits = key.wrapping_add(draw.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// A key from a message's id, the same on every machine and in every version: FNV-1a, 64 bits. Parts of one message that
/// carry one id go to one operator.
pub fn share_key(id: &[u8]) -> u64 {
    id.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
