//! Time: when a direction has a contract, and how much of it is reserved when. Built once, asked for each contract and
//! reservation, so that neither number multiplies the other.

use std::collections::BTreeMap;

use bindery_schema::contract::Period;
use bindery_schema::value::{Day, Tps};

/// A reservation with its bounds resolved.
pub(super) struct Claim {
    pub(super) place: u32,
    pub(super) tps: Tps,
    pub(super) period: Period,
}

/// The stretches of time in which some contract is in force, in order, none touching the next.
pub(crate) struct Cover(Vec<Period>);

impl Cover {
    /// Joins periods that are ordered by beginning.
    pub(crate) fn of(periods: impl Iterator<Item = Period>) -> Self {
        let mut stretches: Vec<Period> = Vec::new();
        for period in periods {
            match stretches.last_mut() {
                Some(last) if last.to.is_none_or(|to| period.from <= to) => {
                    last.to = last.to.zip(period.to).map(|(one, two)| one.max(two));
                }
                _ => stretches.push(period),
            }
        }
        Self(stretches)
    }

    /// The stretch a day lies in.
    fn around(&self, day: Day) -> Option<Period> {
        let after = self.0.partition_point(|stretch| stretch.from <= day);
        self.0[..after].last().copied().filter(|stretch| stretch.contains(day))
    }

    /// The parts of a period in which some contract is in force: a reservation lasts as long as contracts do, and skips the
    /// gaps between them.
    pub(crate) fn within(&self, period: Period) -> impl Iterator<Item = Period> {
        self.0.iter().filter(move |stretch| stretch.overlaps(period)).map(move |stretch| Period {
            from: stretch.from.max(period.from),
            to: match (stretch.to, period.to) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        })
    }

    /// The first day of a reservation on which no contract is in force. A bound that is written must lie in a
    /// contract; between an implicit bound and the other one, gaps between contracts are skipped.
    pub(super) fn lacks(&self, period: Period, explicit: (Option<Day>, Option<Day>)) -> Option<Day> {
        let Some(first) = self.around(period.from) else { return Some(period.from) };
        let end = explicit.1?;
        if explicit.0.is_some() {
            return first.to.filter(|to| *to < end);
        }
        let last = end.before();
        self.around(last).is_none().then_some(last)
    }
}

/// What is reserved from a day on, in order of days.
pub(super) struct Reserved(Vec<(Day, u64)>);

impl Reserved {
    pub(super) fn of(claims: &[Claim]) -> Self {
        let mut steps: BTreeMap<Day, i64> = BTreeMap::new();
        for claim in claims {
            *steps.entry(claim.period.from).or_default() += i64::from(claim.tps);
            if let Some(to) = claim.period.to {
                *steps.entry(to).or_default() -= i64::from(claim.tps);
            }
        }
        let mut sum = 0;
        let sums = steps.into_iter().map(|(day, step)| {
            sum += step;
            (day, u64::try_from(sum).unwrap_or(0))
        });
        Self(sums.collect())
    }

    /// What is reserved on a day, and at each later day before an end on which that changes.
    pub(super) fn within(&self, begin: Day, end: Option<Day>) -> impl Iterator<Item = (Day, u64)> {
        let later = self.0.partition_point(|(day, _)| *day <= begin);
        let first = self.0[..later].last().map_or(0, |(_, sum)| *sum);
        let rest = self.0[later..].iter().copied().take_while(move |(day, _)| end.is_none_or(|end| *day < end));
        std::iter::once((begin, first)).chain(rest)
    }
}
