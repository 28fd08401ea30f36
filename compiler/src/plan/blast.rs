//! The blast radius in words: a few sentences that sum it up, and tables with the worst first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::change::{Action, CredentialsChange, OperatorChange};
use bindery_schema::impact::{
    DestinationImpact, DestinationKind, Impact, Served, Share, TenantImpact, TenantReason, Throughput, ThroughputImpact,
};
use bindery_schema::report::PlanReport;
use bindery_schema::value::{Cost, E164Prefix};

/// Most examples a sentence names.
const EXAMPLES: usize = 5;

/// Rows of cells under a title, worst first.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) head: &'static [&'static str],
    pub(super) rows: Vec<Vec<String>>,
}

/// One sentence for each kind of effect, worst first.
pub(super) fn sentences(report: &PlanReport) -> Vec<String> {
    let impact = &report.impact;
    let mut sentences = Vec::new();
    // Destinations are sorted by kind.
    for group in impact.destinations.chunk_by(|a, b| a.kind == b.kind) {
        let (singular, plural) = sentence(group[0].kind);
        let verb = if group.len() == 1 { singular } else { plural };
        let examples = if group[0].kind == DestinationKind::Carrier { movements(group) } else { prefixes(group) };
        sentences.push(format!("{} {verb}: {examples}", counted(group.len(), "destination")));
    }
    let taken = impact.destinations.iter().filter(|impact| impact.taken_from.is_some()).count();
    if taken > 0 {
        sentences.push(format!("narrower rules take {} from broader ones", counted(taken, "destination")));
    }
    let plan = &report.plan;
    let operators = |meant: &dyn Fn(&&OperatorChange) -> bool| -> Vec<&str> {
        plan.operators.iter().filter(meant).map(|change| change.id.as_str()).collect()
    };
    let carriers = plan.mnos.iter().filter(|change| change.action == Action::Delete);
    for (noun, verb, ids) in [
        ("carrier", "deleted", carriers.map(|change| change.id.as_str()).collect()),
        ("operator", "deleted", operators(&|change| change.action == Action::Delete)),
        ("operator", "bound to another endpoint", operators(&|change| change.moves_endpoint())),
    ] {
        if !ids.is_empty() {
            let list = listed(ids.iter().map(|id| (*id).to_owned()), ids.len());
            sentences.push(format!("{} {verb}: {list}", counted(ids.len(), noun)));
        }
    }
    let falls =
        |impact: &&ThroughputImpact| impact.below_minimum || impact.after.on_demand_pool < impact.before.on_demand_pool;
    let pools = worst_periods(impact.throughput.iter().filter(falls));
    if !pools.is_empty() {
        let pool = |impact: &&ThroughputImpact| {
            let (before, after) = (impact.before.on_demand_pool, impact.after.on_demand_pool);
            let change = from_to(&number(before), &number(after));
            format!("{} {} {change} on {}", impact.mno, impact.direction, impact.from)
        };
        let list = listed(pools.iter().map(pool), pools.len());
        sentences.push(format!("{} with less on demand: {list}", counted(pools.len(), "pool")));
    }
    let binds = worst_periods(impact.throughput.iter().filter(|impact| impact.after.binds < impact.before.binds));
    if !binds.is_empty() {
        let bind = |impact: &&ThroughputImpact| {
            let (before, after) = (impact.before.binds.to_string(), impact.after.binds.to_string());
            format!("{} {} {}", impact.mno, impact.direction, from_to(&before, &after))
        };
        let list = listed(binds.iter().map(bind), binds.len());
        sentences.push(format!("less throughput over the binds of {list}"));
    }
    let mut tenants: Vec<&str> = Vec::new();
    for impact in &impact.tenants {
        if !tenants.contains(&impact.tenant.as_str()) && tenants.len() < EXAMPLES {
            tenants.push(impact.tenant.as_str());
        }
    }
    let all: BTreeSet<_> = impact.tenants.iter().map(|impact| &impact.tenant).collect();
    if !all.is_empty() {
        let list = listed(tenants.iter().map(|tenant| (*tenant).to_owned()), all.len());
        sentences.push(format!("{} affected: {list}", counted(all.len(), "tenant")));
    }
    for group in impact.credentials.chunk_by(|a, b| a.change == b.change) {
        let list = listed(group.iter().map(|impact| impact.operator.to_string()), group.len());
        sentences.push(format!("{} {}: {list}", counted(group.len(), "password"), credentials(group[0].change)));
    }
    sentences
}

/// Of each carrier and direction its worst period, of rows that have the worst first.
fn worst_periods<'a>(rows: impl Iterator<Item = &'a ThroughputImpact>) -> Vec<&'a ThroughputImpact> {
    let mut seen = BTreeSet::new();
    rows.filter(|row| seen.insert((&row.mno, row.direction))).collect()
}

/// The worst period of every carrier and direction, then the second of those that have one, and so on: a table that is cut
/// short leaves no carrier out for the sake of another's tenth period.
fn by_carrier(impacts: &[ThroughputImpact]) -> Vec<&ThroughputImpact> {
    let mut told: BTreeMap<_, usize> = BTreeMap::new();
    let rank = |impact| {
        let ThroughputImpact { mno, direction, .. }: &ThroughputImpact = impact;
        let periods = told.entry((mno, *direction)).or_default();
        *periods += 1;
        (*periods, impact)
    };
    let mut ranked: Vec<(usize, &ThroughputImpact)> = impacts.iter().map(rank).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, impact)| impact).collect()
}

/// The tables that are not empty.
pub(super) fn tables(impact: &Impact) -> Vec<Table> {
    let credentials = impact.credentials.iter().map(|c| vec![c.operator.to_string(), credentials(c.change).to_owned()]);
    let tables = [
        Table {
            title: "Destinations",
            head: &["prefix", "change", "before", "after", "cost of a message"],
            rows: impact.destinations.iter().map(destination).collect(),
        },
        Table {
            title: "Throughput",
            head: &["carrier", "direction", "from", "contracted", "reserved", "on demand", "binds"],
            rows: by_carrier(&impact.throughput).into_iter().map(throughput).collect(),
        },
        Table {
            title: "Tenants",
            head: &["tenant", "carrier", "direction", "reserved", "from", "why"],
            rows: impact.tenants.iter().map(tenant).collect(),
        },
        Table { title: "Passwords", head: &["operator", "change"], rows: credentials.collect() },
    ];
    tables.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

/// A number with its noun.
pub(super) fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn sentence(kind: DestinationKind) -> (&'static str, &'static str) {
    match kind {
        DestinationKind::Unserved => ("is served by nobody any more", "are served by nobody any more"),
        DestinationKind::Carrier => ("changes carrier", "change carrier"),
        DestinationKind::Dearer => ("costs more", "cost more"),
        DestinationKind::Operator => ("goes over other binds of its carrier", "go over other binds of their carriers"),
        DestinationKind::Share => ("is shared otherwise", "are shared otherwise"),
        DestinationKind::Repriced => {
            ("gains or loses its cost, or its currency", "gain or lose their cost, or their currency")
        }
        DestinationKind::Served => ("is served for the first time", "are served for the first time"),
        DestinationKind::Cheaper => ("costs less", "cost less"),
    }
}

fn word(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Unserved => "unserved",
        DestinationKind::Carrier => "other carrier",
        DestinationKind::Dearer => "dearer",
        DestinationKind::Operator => "other bind",
        DestinationKind::Share => "other share",
        DestinationKind::Repriced => "other price",
        DestinationKind::Served => "newly served",
        DestinationKind::Cheaper => "cheaper",
    }
}

/// Which destinations move from which carriers to which, most first.
fn movements(group: &[DestinationImpact]) -> String {
    let mut pairs: BTreeMap<(String, String), Vec<E164Prefix>> = BTreeMap::new();
    for impact in group {
        let pair = (carriers(impact.before.as_ref()), carriers(impact.after.as_ref()));
        pairs.entry(pair).or_default().push(impact.prefix);
    }
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_by_key(|(_, prefixes)| Reverse(prefixes.len()));
    let movement = |((from, to), moved): &((String, String), Vec<E164Prefix>)| {
        format!("{from} -> {to} ({})", listed(moved.iter().map(ToString::to_string), moved.len()))
    };
    listed(pairs.iter().map(movement), pairs.len())
}

fn prefixes(group: &[DestinationImpact]) -> String {
    listed(group.iter().map(|impact| impact.prefix.to_string()), group.len())
}

/// The first few of `all`, and how many more there are.
pub(super) fn listed(items: impl Iterator<Item = String>, all: usize) -> String {
    let list: Vec<String> = items.take(EXAMPLES).collect();
    let more = all - list.len();
    let list = list.join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

fn carriers(served: Option<&Served>) -> String {
    let mut names: Vec<&str> = served.iter().flat_map(|s| &s.operators).map(|share| share.mno.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let more = names.len().saturating_sub(EXAMPLES);
    names.truncate(EXAMPLES);
    let list = names.join("+");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

fn destination(impact: &DestinationImpact) -> Vec<String> {
    let taken = impact.taken_from.map(|broader| format!(", taken from {broader}")).unwrap_or_default();
    let amount = |served: Option<&Served>| served.and_then(|served| served.cost);
    let (before, after) = (amount(impact.before.as_ref()), amount(impact.after.as_ref()));
    let shown = |cost: Option<Cost>| cost.map_or_else(|| "unknown".to_owned(), |cost| cost.to_string());
    let served = impact.before.is_some() && impact.after.is_some();
    let cost = match (before, after) {
        (None, None) => String::new(),
        (before, after) if served => from_to(&shown(before), &shown(after)),
        (before, after) => shown(before.or(after)),
    };
    let percent = impact.cost_change_percent.filter(|percent| *percent != 0.0);
    vec![
        impact.prefix.to_string(),
        format!("{}{taken}", word(impact.kind)),
        who(impact.before.as_ref()),
        who(impact.after.as_ref()),
        percent.map(|percent| format!("{cost} ({percent:+} %)")).unwrap_or(cost),
    ]
}

/// Operators with their carriers, and their shares where there are several.
fn who(served: Option<&Served>) -> String {
    let Some(served) = served else { return "nobody".to_owned() };
    let all: u64 = served.operators.iter().map(|share| u64::from(share.weight)).sum();
    let one = |share: &Share| {
        let percent = match served.operators.len() {
            1 => String::new(),
            // Weights of 0 are not among them, so the sum is above 0.
            _ => format!(" {} %", u64::from(share.weight) * 100 / all.max(1)),
        };
        format!("{} ({}){percent}", share.operator, share.mno)
    };
    let mut parts: Vec<String> = served.operators.iter().take(EXAMPLES).map(one).collect();
    if served.operators.len() > EXAMPLES {
        parts.push(format!("{} more", served.operators.len() - EXAMPLES));
    }
    parts.join(", ")
}

fn throughput(impact: &ThroughputImpact) -> Vec<String> {
    let column = |part: &dyn Fn(&Throughput) -> String| from_to(&part(&impact.before), &part(&impact.after));
    let mut pool = column(&|side| number(side.on_demand_pool));
    if impact.below_minimum {
        pool.push_str(", below the minimum");
    }
    vec![
        impact.mno.to_string(),
        impact.direction.to_string(),
        impact.from.to_string(),
        column(&|side| number(side.contracted)),
        column(&|side| side.reserved.to_string()),
        pool,
        column(&|side| side.binds.to_string()),
    ]
}

fn tenant(impact: &TenantImpact) -> Vec<String> {
    let reasons: Vec<&str> = impact.reasons.iter().map(|reason| why(*reason)).collect();
    vec![
        impact.tenant.to_string(),
        impact.mno.to_string(),
        impact.direction.to_string(),
        from_to(&impact.reserved_before.to_string(), &impact.reserved_after.to_string()),
        impact.from.to_string(),
        reasons.join(", "),
    ]
}

fn why(reason: TenantReason) -> &'static str {
    match reason {
        TenantReason::CarrierDeleted => "carrier deleted",
        TenantReason::ReservationFalls => "reservation falls",
        TenantReason::ContractFalls => "contract falls",
        TenantReason::DestinationsLeave => "destinations leave the carrier",
        TenantReason::BindsFall => "binds carry less",
        TenantReason::EndpointsMove => "endpoints move",
        TenantReason::ReservationRises => "reservation rises",
    }
}

fn credentials(change: CredentialsChange) -> &'static str {
    match change {
        CredentialsChange::Keep => "kept",
        CredentialsChange::Write => "written",
        CredentialsChange::Missing => "not set, and none is sealed",
        CredentialsChange::Delete => "deleted",
    }
}

fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn from_to(before: &str, after: &str) -> String {
    if before == after { before.to_owned() } else { format!("{before} -> {after}") }
}
