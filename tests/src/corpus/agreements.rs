//! Contracts and reservations that a carrier's operators fit into.

use std::ops::AddAssign;

use fastrand::Rng;
use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::FIRST_VALID_DAY;
use super::network::pick;

/// Messages a second in each direction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Demand {
    pub(super) outbound: u32,
    pub(super) inbound: u32,
}

impl AddAssign for Demand {
    fn add_assign(&mut self, other: Self) {
        self.outbound += other.outbound;
        self.inbound += other.inbound;
    }
}

/// What a carrier and we signed.
pub(super) struct Agreement {
    pub(super) contracts: Vec<Contract>,
    pub(super) reservations: Vec<Reservation>,
}

/// A contract of one direction, in force in `[from, to)`.
pub(super) struct Contract {
    pub(super) reference: String,
    pub(super) direction: &'static str,
    pub(super) tps: u32,
    pub(super) from: Date,
    pub(super) to: Option<Date>,
    /// How many steps its fine schedule has, 1–3.
    pub(super) fines: usize,
}

/// A tenant's share; without `from` it begins with the first contract.
pub(super) struct Reservation {
    pub(super) tenant: String,
    pub(super) direction: &'static str,
    pub(super) tps: u32,
    pub(super) from: Option<Date>,
    pub(super) to: Option<Date>,
}

impl Agreement {
    /// Draws both directions for the Σ TPS of the carrier's active operators.
    pub(super) fn draw(rng: &mut Rng, mno: &str, demand: Demand) -> Self {
        let mut agreement = Self { contracts: Vec::new(), reservations: Vec::new() };
        for (direction, short, tps) in [("OUTBOUND", "out", demand.outbound), ("INBOUND", "in", demand.inbound)] {
            let contracts = contracts(rng, &format!("{mno}-{short}"), direction, tps);
            let reservations = reservations(rng, &contracts);
            agreement.contracts.extend(contracts);
            agreement.reservations.extend(reservations);
        }
        agreement
    }
}

/// One to three contracts, each beginning where the one before it ends.
fn contracts(rng: &mut Rng, name: &str, direction: &'static str, demand: u32) -> Vec<Contract> {
    let count = rng.usize(1..=3);
    let mut from = date(2023, 1, 1).saturating_add(rng.i32(0..365).days());
    let mut contracts = Vec::with_capacity(count);
    for number in 1..=count {
        let to = (number < count).then(|| from.saturating_add(pick(rng, &[365, 540, 730]).days()));
        let past = to.is_some_and(|end| end <= FIRST_VALID_DAY);
        // What has ended may have been smaller than today's traffic.
        let percent = if past { rng.u32(50..=100) } else { rng.u32(100..=150) };
        let tps = (demand.max(10) * percent).div_ceil(100);
        contracts.push(Contract {
            reference: format!("{name}-{number}"),
            direction,
            tps: tps.next_multiple_of(10),
            from,
            to,
            fines: rng.usize(1..=3),
        });
        from = to.unwrap_or(from);
    }
    contracts
}

/// Two to six tenants. Together, even if all were in force at once, they take nine tenths of the
/// smallest contract at most.
fn reservations(rng: &mut Rng, contracts: &[Contract]) -> Vec<Reservation> {
    let Some(first) = contracts.first() else {
        return Vec::new();
    };
    let smallest = contracts.iter().map(|c| c.tps).min().unwrap_or(0);
    let mut free = smallest * 9 / 10;
    let mut tenant = 0;
    let mut reservations = Vec::new();
    for _ in 0..rng.usize(2..=6) {
        tenant += rng.u32(1..=60);
        let tps = rng.u32(1..=(free / 4).max(1));
        if tps > free {
            break;
        }
        free -= tps;
        let begin = first.from.saturating_add(rng.i32(0..700).days());
        let end = begin.saturating_add(rng.i32(90..900).days());
        reservations.push(Reservation {
            tenant: format!("tenant-{tenant:03}"),
            direction: first.direction,
            tps,
            from: (rng.u32(..4) > 0).then_some(begin),
            to: (rng.u32(..3) == 0).then_some(end),
        });
    }
    reservations
}
