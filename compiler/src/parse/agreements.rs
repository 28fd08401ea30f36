//! What could be read of contracts and reservations, in full or in part.

use bindery_schema::contract::{Contract, Direction, FineStep, Period, Reservation};
use bindery_schema::value::{ContractRef, Day, DocumentUri, TenantId, Tps};
use itertools::Either;

/// What a `TpsContract` document says.
#[derive(Debug)]
pub(crate) enum Agreements {
    Whole { contracts: Vec<Contract>, reservations: Vec<Reservation> },
    Partial(Box<PartialAgreements>),
}

/// What could be read of contracts and reservations, each at its place in the YAML list.
#[derive(Debug, Default)]
pub(crate) struct PartialAgreements {
    pub(crate) contracts: Vec<PartialContract>,
    pub(crate) reservations: Vec<PartialReservation>,
    /// There may be contracts that are not in the list.
    pub(crate) may_have_more: bool,
}

/// When a contract is in force, as far as that is known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Term {
    /// The first day, where it could be read.
    pub(crate) from: Option<Day>,
    /// The first day no longer in force, where there is one that could be read.
    pub(crate) to: Option<Day>,
    /// Whether it is known when, or that it never, ends.
    pub(crate) has_known_end: bool,
}

impl Term {
    fn of(period: Period) -> Self {
        Self { from: Some(period.from), to: period.to, has_known_end: true }
    }

    /// The period, where both bounds are known.
    pub(crate) fn period(self) -> Option<Period> {
        self.from.filter(|_| self.has_known_end).map(|from| Period { from, to: self.to })
    }

    /// Whether it has not ended by a day, for all that is known.
    pub(crate) fn lasts_beyond(self, day: Day) -> bool {
        self.has_known_end && self.to.is_none_or(|to| day < to)
    }

    /// Whether it may be in force on a day. Where one bound is wrong, the other is not relied on.
    pub(crate) fn may_hold(self, day: Day) -> bool {
        self.period().is_none_or(|period| period.contains(day))
    }

    /// Whether it may be in force on some day of a period.
    pub(crate) fn may_meet(self, other: Period) -> bool {
        self.period().is_none_or(|period| period.overlaps(other))
    }
}

/// What could be read of a contract.
#[derive(Debug, Default)]
pub(crate) struct PartialContract {
    pub(super) reference: Option<ContractRef>,
    pub(super) direction: Option<Direction>,
    pub(super) contracted_tps: Option<Tps>,
    pub(super) term: Term,
    pub(super) document: Option<DocumentUri>,
    pub(super) fine_schedule: Vec<FineStep>,
}

/// What could be read of a reservation.
#[derive(Debug, Default)]
pub(crate) struct PartialReservation {
    pub(super) tenant: Option<TenantId>,
    pub(super) direction: Option<Direction>,
    pub(super) reserved_tps: Option<Tps>,
    pub(super) bounds: Option<Bounds>,
}

/// When a reservation begins and ends, where it says so.
pub(crate) type Bounds = (Option<Day>, Option<Day>);

impl PartialContract {
    /// The contract, where everything was read.
    pub(super) fn whole(self) -> Option<Contract> {
        let Period { from, to } = self.term.period()?;
        Some(Contract {
            reference: self.reference?,
            direction: self.direction?,
            contracted_tps: self.contracted_tps?,
            effective_from: from,
            effective_to: to,
            document: self.document?,
            fine_schedule: self.fine_schedule,
        })
    }
}

impl PartialReservation {
    /// The reservation, where everything was read.
    pub(super) fn whole(self) -> Option<Reservation> {
        let (effective_from, effective_to) = self.bounds?;
        Some(Reservation {
            tenant: self.tenant?,
            direction: self.direction?,
            reserved_tps: self.reserved_tps?,
            effective_from,
            effective_to,
        })
    }
}

/// What checks measure of a contract, and its place in the YAML list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContractTerms<'a> {
    pub(crate) place: u32,
    pub(crate) reference: Option<&'a ContractRef>,
    pub(crate) direction: Option<Direction>,
    pub(crate) tps: Option<Tps>,
    pub(crate) term: Term,
}

/// What checks measure of a reservation, and its place in the YAML list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReservationTerms<'a> {
    pub(crate) place: u32,
    pub(crate) tenant: Option<&'a TenantId>,
    pub(crate) direction: Option<Direction>,
    pub(crate) tps: Option<Tps>,
    pub(crate) bounds: Option<Bounds>,
}

impl Agreements {
    /// The contracts in the order of the YAML list.
    pub(crate) fn contracts(&self) -> impl Iterator<Item = ContractTerms<'_>> {
        match self {
            Self::Whole { contracts, .. } => Either::Left((0..).zip(contracts).map(|(place, item)| ContractTerms {
                place,
                reference: Some(&item.reference),
                direction: Some(item.direction),
                tps: Some(item.contracted_tps),
                term: Term::of(item.period()),
            })),
            Self::Partial(partial) => Either::Right((0..).zip(&partial.contracts).map(|(place, item)| ContractTerms {
                place,
                reference: item.reference.as_ref(),
                direction: item.direction,
                tps: item.contracted_tps,
                term: item.term,
            })),
        }
    }

    /// The reservations in the order of the YAML list.
    pub(crate) fn reservations(&self) -> impl Iterator<Item = ReservationTerms<'_>> {
        match self {
            Self::Whole { reservations, .. } => {
                Either::Left((0..).zip(reservations).map(|(place, item)| ReservationTerms {
                    place,
                    tenant: Some(&item.tenant),
                    direction: Some(item.direction),
                    tps: Some(item.reserved_tps),
                    bounds: Some((item.effective_from, item.effective_to)),
                }))
            }
            Self::Partial(partial) => {
                Either::Right((0..).zip(&partial.reservations).map(|(place, item)| ReservationTerms {
                    place,
                    tenant: item.tenant.as_ref(),
                    direction: item.direction,
                    tps: item.reserved_tps,
                    bounds: item.bounds,
                }))
            }
        }
    }

    /// Whether there may be a contract of a direction, or of any, that is in force at some time, and of which that could not
    /// be read.
    pub(crate) fn may_hide(&self, wanted: Option<Direction>, at: impl Fn(Term) -> bool) -> bool {
        let Self::Partial(partial) = self else { return false };
        let is_hidden = |contract: &PartialContract| match contract.direction.zip(wanted) {
            Some((direction, wanted)) => direction == wanted && contract.term.period().is_none(),
            // Asked for any direction, one with a known period is not hidden.
            None => wanted.is_some() || contract.term.period().is_none(),
        };
        partial.may_have_more || partial.contracts.iter().any(|contract| is_hidden(contract) && at(contract.term))
    }
}
