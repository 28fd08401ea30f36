//! Contracts and reservations of each carrier, at every instant from today on.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::contract::{Contract, Direction, Period, Reservation};
use bindery_schema::operator::Status;
use bindery_schema::policy::PolicySpec;
use bindery_schema::value::{Day, MnoId, OperatorId, Tps};

use super::calendar::{Claim, Cover};
use super::operators::tps_set_there;
use super::pools::Pools;
use super::{ContractsObject, Objects, OperatorObject};
use crate::diagnostic::{Anchor, Code, Draft, Sink};

pub(super) fn check(objects: &Objects<'_>, policy: &PolicySpec, today: Day, sink: &mut Sink) {
    let carriers = Carriers::new(objects, policy);
    for mno in carriers.ids() {
        carriers.check(mno, today, sink);
    }
}

/// What the checks of contracts look at, carrier by carrier.
pub(crate) struct Carriers<'o, 'a> {
    objects: &'o Objects<'a>,
    binds: BTreeMap<&'a MnoId, Vec<Bind<'o, 'a>>>,
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
            file.duplicates(sink);
            for direction in Direction::ALL {
                file.direction(direction, today, sink);
                file.throughput(direction, binds, today, sink);
            }
        }
        if !binds.is_empty() {
            in_force(self.objects, mno, binds, today, sink);
        }
    }

    /// What is reserved of a carrier's contracts, by direction.
    pub(crate) fn pools(&self, mno: &'a MnoId) -> Vec<Pools<'_, 'a>> {
        let pools = |direction| Some(Pools::of(self.file(mno)?, direction));
        Direction::ALL.into_iter().filter_map(pools).collect()
    }

    fn file(&self, mno: &'a MnoId) -> Option<File<'_, 'a>> {
        let object = self.objects.contracts.get(mno)?;
        Some(File { mno, object, minimum_percent: self.minimum_percent })
    }

    /// Messages a second that the active operators of a carrier may send in a direction.
    pub(crate) fn throughput(&self, mno: &MnoId, direction: Direction) -> u64 {
        let binds = self.binds.get(mno).map_or(&[][..], Vec::as_slice);
        binds.iter().filter_map(|(_, bind)| rate(bind, None, direction)).map(u64::from).sum()
    }
}

/// Most places a finding names beside its own: more help nobody, and every contract may have as many.
pub(super) const MOST_RELATED: usize = 100;

type Bind<'o, 'a> = (&'a OperatorId, &'o OperatorObject<'a>);

/// Active operators of each carrier, in tree order.
fn binds_by_mno<'o, 'a>(objects: &'o Objects<'a>) -> BTreeMap<&'a MnoId, Vec<Bind<'o, 'a>>> {
    let mut binds: BTreeMap<&MnoId, Vec<_>> = BTreeMap::new();
    for (id, operator) in objects.operators_in_order() {
        if let (Some(metadata), Some(spec)) = (operator.metadata, operator.spec)
            && spec.status == Status::Active
        {
            binds.entry(&metadata.mno).or_default().push((id, operator));
        }
    }
    binds
}

fn in_force(objects: &Objects<'_>, mno: &MnoId, binds: &[Bind<'_, '_>], today: Day, sink: &mut Sink) {
    let Some(carrier) = objects.mnos.get(mno) else { return };
    let covered = match objects.contracts.get(mno) {
        Some(object) => {
            object.partial || object.contracts.items.iter().any(|contract| contract.period().contains(today))
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

/// A carrier's `TpsContract` document.
pub(super) struct File<'o, 'a> {
    mno: &'a MnoId,
    object: &'o ContractsObject<'a>,
    pub(super) minimum_percent: u8,
}

/// A contract or reservation with its place in the YAML list.
pub(super) struct Placed<'a, T> {
    pub(super) place: u32,
    pub(super) item: &'a T,
}

impl<'o> File<'o, '_> {
    pub(super) fn contract(&self, place: u32) -> Anchor {
        self.object.root.clone().at("spec.contracts").index(place)
    }

    pub(super) fn reservation(&self, place: u32) -> Anchor {
        self.object.root.clone().at("spec.reservations").index(place)
    }

    pub(super) fn push(&self, draft: Draft, sink: &mut Sink) {
        sink.push(draft.about(self.mno.as_str()));
    }

    /// A contract is known by direction and reference, a reservation by tenant, direction and beginning.
    fn duplicates(&self, sink: &mut Sink) {
        let mut contracts = BTreeMap::new();
        for (place, contract) in self.object.contracts.placed() {
            match contracts.get(&(contract.direction, &contract.reference)) {
                None => _ = contracts.insert((contract.direction, &contract.reference), place),
                Some(first) => {
                    let message = format!("contract `{}` stands twice for {}", contract.reference, contract.direction);
                    let draft = Draft::new(Code::DuplicateObject, self.contract(place).at("ref"), message)
                        .related(self.contract(*first).at("ref"), "the first one")
                        .help("give the second its own reference");
                    self.push(draft, sink);
                }
            }
        }
        let mut reservations = BTreeMap::new();
        for (place, item) in self.object.reservations.placed() {
            let key = (&item.tenant, item.direction, item.effective_from);
            match reservations.get(&key) {
                None => _ = reservations.insert(key, place),
                Some(first) => {
                    let message =
                        format!("tenant `{}` reserves {} twice from the same day", item.tenant, item.direction);
                    let draft = Draft::new(Code::DuplicateObject, self.reservation(place).at("tenant"), message)
                        .related(self.reservation(*first).at("tenant"), "the first one")
                        .help("add the two up in one reservation");
                    self.push(draft, sink);
                }
            }
        }
    }

    pub(super) fn of_direction(&self, direction: Direction) -> Vec<Placed<'o, Contract>> {
        let placed = self.object.contracts.placed().filter(|(_, contract)| contract.direction == direction);
        let mut contracts: Vec<_> = placed.map(|(place, item)| Placed { place, item }).collect();
        contracts.sort_by_key(|contract| (contract.item.effective_from, contract.place));
        contracts
    }

    /// What concerns the contracts and reservations of one direction alone, without its pools.
    fn direction(&self, direction: Direction, today: Day, sink: &mut Sink) {
        let all = self.of_direction(direction);
        let current: Vec<_> = all.iter().filter(|contract| !contract.item.period().ended_by(today)).collect();
        self.sequence(&current, sink);
        for (reservation, claim) in self.claims(direction, &all) {
            let ended = reservation.item.effective_to.is_some_and(|to| to <= today);
            if let Err(at) = claim
                && !ended
                && !self.object.partial
            {
                self.without_contract(&reservation, at, sink);
            }
        }
    }

    /// Contracts that have not ended follow each other without overlap and without gap.
    fn sequence(&self, current: &[&Placed<'_, Contract>], sink: &mut Sink) {
        let mut latest: Option<&Placed<'_, Contract>> = None;
        for contract in current {
            if let Some(before) = latest {
                if before.item.period().overlaps(contract.item.period()) {
                    self.overlap(before, contract, sink);
                } else if let Some(end) = before.item.effective_to
                    && end < contract.item.effective_from
                    && !self.object.partial
                {
                    let from = contract.item.effective_from;
                    let message = format!("no {} contract from {end} to {from}", contract.item.direction);
                    let draft = Draft::new(Code::ContractGap, self.contract(contract.place), message)
                        .related(self.contract(before.place), format!("`{}` ends before", before.item.reference))
                        .help("let the contracts touch: `effectiveTo` of one is `effectiveFrom` of the next")
                        .since(Some(end));
                    self.push(draft, sink);
                }
            }
            let ends_later =
                |before: &Placed<'_, Contract>| match (before.item.effective_to, contract.item.effective_to) {
                    (Some(before), Some(end)) => end > before,
                    (Some(_), None) => true,
                    (None, _) => false,
                };
            if latest.is_none_or(ends_later) {
                latest = Some(contract);
            }
        }
    }

    fn overlap(&self, one: &Placed<'_, Contract>, two: &Placed<'_, Contract>, sink: &mut Sink) {
        let (first, later) = if one.place < two.place { (one, two) } else { (two, one) };
        let message = format!(
            "contracts `{}` ({}) and `{}` ({}) overlap for {}",
            first.item.reference,
            first.item.period(),
            later.item.reference,
            later.item.period(),
            later.item.direction
        );
        let draft = Draft::new(Code::ContractOverlap, self.contract(later.place).at("effectiveFrom"), message)
            .related(self.contract(first.place).at("effectiveFrom"), format!("`{}`", first.item.reference))
            .help("end the earlier contract on the day the later one begins")
            .since(Some(one.item.effective_from.max(two.item.effective_from)));
        self.push(draft, sink);
    }

    /// The reservations of a direction with their bounds resolved, or the day on which they have no contract.
    pub(super) fn claims(
        &self,
        direction: Direction,
        contracts: &[Placed<'_, Contract>],
    ) -> impl Iterator<Item = (Placed<'o, Reservation>, Result<Claim, Option<Day>>)> {
        let first = contracts.first().map(|contract| contract.item.effective_from);
        let cover = Cover::of(contracts.iter().map(|contract| contract.item.period()));
        let placed = self.object.reservations.placed().filter(move |(_, item)| item.direction == direction);
        placed.map(move |(place, item)| {
            let claim = match item.effective_from.or(first).map(|from| Period { from, to: item.effective_to }) {
                Some(period) => match cover.lacks(period, (item.effective_from, item.effective_to)) {
                    None => Ok(Claim { place, tps: item.reserved_tps, period }),
                    at => Err(at),
                },
                None => Err(None),
            };
            (Placed { place, item }, claim)
        })
    }

    fn without_contract(&self, reservation: &Placed<'_, Reservation>, at: Option<Day>, sink: &mut Sink) {
        let Reservation { tenant, direction, .. } = reservation.item;
        let when = at.map(|day| format!(" on {day}")).unwrap_or_default();
        let message = format!("tenant `{tenant}` reserves {direction} and there is no contract{when}");
        let draft = Draft::new(Code::ReservationWithoutContract, self.reservation(reservation.place), message)
            .help("shorten the reservation, or add the contract it rests on")
            .since(at);
        self.push(draft, sink);
    }

    /// Σ tps of active operators fits every contract in force from today on, in the base and in each environment.
    fn throughput(&self, direction: Direction, binds: &[Bind<'_, '_>], today: Day, sink: &mut Sink) {
        let mut reported = BTreeSet::new();
        let contracts = self.of_direction(direction);
        let names: BTreeSet<&str> = binds
            .iter()
            .filter_map(|(_, bind)| bind.spec)
            .flat_map(|spec| spec.environments.keys().map(String::as_str))
            .collect();
        for environment in std::iter::once(None).chain(names.into_iter().map(Some)) {
            let rates: Vec<(Bind<'_, '_>, u64)> = binds
                .iter()
                .filter_map(|(id, bind)| Some(((*id, *bind), u64::from(rate(bind, environment, direction)?))))
                .filter(|(_, rate)| *rate > 0)
                .collect();
            let sum: u64 = rates.iter().map(|(_, rate)| rate).sum();
            for contract in &contracts {
                let item = contract.item;
                let fits = sum <= u64::from(item.contracted_tps) || item.period().ended_by(today);
                if fits || !reported.insert(contract.place) {
                    continue;
                }
                let scope = environment.map(|name| format!(" in environment `{name}`")).unwrap_or_default();
                let message = format!(
                    "active operators of `{}` may send {sum} messages a second {direction}{scope}, contract `{}` allows {}",
                    self.mno, item.reference, item.contracted_tps
                );
                let mut draft =
                    Draft::new(Code::TpsOverContract, self.contract(contract.place).at("contractedTps"), message)
                        .help("lower `tps` of an operator, or contract more before that period")
                        .since(Some(item.effective_from));
                for ((id, bind), rate) in rates.iter().take(MOST_RELATED) {
                    let field = if direction == Direction::Outbound { "tps.outbound" } else { "tps.inbound" };
                    let place = bind.place(environment, tps_set_there(bind, environment, direction), field);
                    draft = draft.related(place, format!("`{id}`: {rate}"));
                }
                self.push(draft, sink);
            }
        }
    }
}

fn rate(bind: &OperatorObject<'_>, environment: Option<&str>, direction: Direction) -> Option<Tps> {
    let spec = bind.spec?;
    let overlay = environment.and_then(|name| spec.environments.get(name)?.tps);
    let laid_over = overlay.and_then(|tps| match direction {
        Direction::Outbound => tps.outbound,
        Direction::Inbound => tps.inbound,
    });
    Some(laid_over.unwrap_or_else(|| spec.tps.of(direction)))
}
