//! Contracts and reservations of each carrier, at every instant from today on.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::contract::Direction;
use bindery_schema::operator::Status;
use bindery_schema::policy::PolicySpec;
use bindery_schema::value::{Day, MnoId, OperatorId};

use super::agreements::File;
use super::pools::Pools;
use super::{ContractsObject, Objects, OperatorObject, named};
use crate::diagnostic::{Code, Draft, Sink};

pub(super) fn check(objects: &Objects<'_>, policy: &PolicySpec, today: Day, sink: &mut Sink) {
    let carriers = Carriers::new(objects, policy);
    for mno in carriers.ids() {
        carriers.check(mno, today, sink);
    }
    let nameless = objects.nameless.contracts.iter().map(|object| (None, object));
    let taken = objects.taken.contracts.iter().map(|(mno, object)| (Some(*mno), object));
    for (mno, object) in nameless.chain(taken) {
        let file = carriers.file_of(mno, object);
        file.check(today, sink);
        for direction in Direction::ALL {
            Pools::of(file, direction).check(today, sink);
        }
    }
}

/// What the checks of contracts look at, carrier by carrier.
pub(crate) struct Carriers<'o, 'a> {
    objects: &'o Objects<'a>,
    binds: BTreeMap<&'a MnoId, Vec<Active<'o, 'a>>>,
    minimum_percent: u8,
}

impl<'o, 'a> Carriers<'o, 'a> {
    pub(crate) fn new(objects: &'o Objects<'a>, policy: &PolicySpec) -> Self {
        Self { objects, binds: binds_by_mno(objects), minimum_percent: policy.tps.min_on_demand_pool_percent }
    }

    /// Every carrier with contracts or active operators.
    pub(crate) fn ids(&self) -> BTreeSet<&'a MnoId> {
        self.objects.contracts.keys().chain(self.binds.keys()).copied().collect()
    }

    /// Checks one carrier as of a day.
    pub(crate) fn check(&self, mno: &'a MnoId, today: Day, sink: &mut Sink) {
        self.check_agreements(mno, today, sink);
        self.pools(mno).iter().for_each(|pools| pools.check(today, sink));
    }

    /// Checks everything of a carrier but its pools. The answer changes with the day on which a contract ends, never
    /// because a reservation does.
    pub(crate) fn check_agreements(&self, mno: &'a MnoId, today: Day, sink: &mut Sink) {
        let binds = self.binds.get(mno).map_or(&[][..], Vec::as_slice);
        if let Some(file) = self.file(mno) {
            file.check(today, sink);
            for direction in Direction::ALL {
                throughput(&file, direction, binds, today, sink);
            }
        }
        if !binds.is_empty() {
            in_force(self.objects, mno, binds, today, sink);
        }
    }

    /// What is reserved of a carrier's contracts, by direction.
    pub(crate) fn pools(&self, mno: &'a MnoId) -> Vec<Pools<'o, 'a>> {
        let pools = |direction| Some(Pools::of(self.file(mno)?, direction));
        Direction::ALL.into_iter().filter_map(pools).collect()
    }

    fn file(&self, mno: &'a MnoId) -> Option<File<'o, 'a>> {
        Some(self.file_of(Some(mno), self.objects.contracts.get(mno)?))
    }

    fn file_of(&self, mno: Option<&'a MnoId>, object: &'o ContractsObject<'a>) -> File<'o, 'a> {
        File { mno, object, minimum_percent: self.minimum_percent }
    }

    /// Messages a second that the active operators of a carrier may send in a direction.
    pub(crate) fn throughput(&self, mno: &MnoId, direction: Direction) -> u64 {
        let binds = self.binds.get(mno).map_or(&[][..], Vec::as_slice);
        binds.iter().filter_map(|(_, operator)| operator.bind(None).rate(direction)).map(u64::from).sum()
    }
}

/// Most places a finding names beside its own: more help nobody, and every contract may have as many.
pub(super) const MOST_RELATED: usize = 100;

type Active<'o, 'a> = (Option<&'a OperatorId>, &'o OperatorObject<'a>);

/// Active operators of each carrier, in tree order.
fn binds_by_mno<'o, 'a>(objects: &'o Objects<'a>) -> BTreeMap<&'a MnoId, Vec<Active<'o, 'a>>> {
    let mut binds: BTreeMap<&MnoId, Vec<_>> = BTreeMap::new();
    for (id, operator) in objects.operators_in_order() {
        if let Some(mno) = operator.mno().filter(|_| operator.status() == Some(Status::Active)) {
            binds.entry(mno).or_default().push((id, operator));
        }
    }
    binds
}

fn in_force(objects: &Objects<'_>, mno: &MnoId, binds: &[Active<'_, '_>], today: Day, sink: &mut Sink) {
    let Some(carrier) = objects.mnos.get(mno) else { return };
    let covered = match objects.contracts.get(mno) {
        Some(object) => {
            let mut periods = object.read.contracts().filter_map(|contract| contract.term.period());
            periods.any(|period| period.contains(today)) || object.read.may_hide(None, |term| term.may_hold(today))
        }
        None => objects.may_define("TpsContract", mno.as_str()),
    };
    if !covered {
        let binds = match binds.len() {
            1 => "an active operator".to_owned(),
            number => format!("{number} active operators"),
        };
        let message = format!("carrier `{mno}` has {binds} and no contract in force on {today}");
        let draft = Draft::new(Code::NoContractInForce, carrier.root.clone().at("metadata.id"), message)
            .help("add the contract that is in force, or set the operators INACTIVE")
            .about(mno.as_str());
        sink.push(draft);
    }
}

/// Σ tps of active operators fits every contract in force from today on, in the base and in each environment. A rate that
/// could not be read only adds to what is known.
fn throughput(file: &File<'_, '_>, direction: Direction, binds: &[Active<'_, '_>], today: Day, sink: &mut Sink) {
    let mut reported = BTreeSet::new();
    // Whether a contract has ended is all that is asked of its period.
    let mut contracts: Vec<_> =
        file.object.read.contracts().filter(|terms| terms.direction == Some(direction)).collect();
    contracts.retain(|terms| terms.term.lasts_beyond(today));
    let names: BTreeSet<&str> =
        binds.iter().flat_map(|(_, operator)| operator.environments().keys().map(String::as_str)).collect();
    for environment in std::iter::once(None).chain(names.into_iter().map(Some)) {
        let rates: Vec<(Active<'_, '_>, u64)> = binds
            .iter()
            .filter_map(|(id, operator)| {
                Some(((*id, *operator), u64::from(operator.bind(environment).rate(direction)?)))
            })
            .filter(|(_, rate)| *rate > 0)
            .collect();
        let sum: u64 = rates.iter().map(|(_, rate)| rate).sum();
        for contract in &contracts {
            let Some(allowed) = contract.tps else { continue };
            if sum <= u64::from(allowed) || !reported.insert(contract.place) {
                continue;
            }
            let scope = environment.map(|name| format!(" in environment `{name}`")).unwrap_or_default();
            let message = format!(
                "active operators of {} may send {sum} messages a second {direction}{scope}, contract {} allows {allowed}",
                named(file.mno),
                named(contract.reference),
            );
            let place = file.contract(contract.place).at("contractedTps");
            let mut draft = Draft::new(Code::TpsOverContract, place, message)
                .help("lower `tps` of an operator, or contract more before that period")
                .since(contract.term.from);
            for ((id, operator), rate) in rates.iter().take(MOST_RELATED) {
                draft = draft.related(operator.rate_place(environment, direction), format!("{}: {rate}", named(*id)));
            }
            file.push(draft, sink);
        }
    }
}
