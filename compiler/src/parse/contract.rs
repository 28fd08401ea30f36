//! Kind `TpsContract`.

use bindery_schema::contract::{Direction, FinePer, FineStep};
use bindery_schema::value::Day;

use super::agreements::{PartialAgreements, PartialContract, PartialReservation, Term};
use super::decode::{Fields, Report, items, number, value, whole, word};
use super::operator::MOST_TPS;
use super::routes::cost;
use super::yaml::Node;
use super::{Agreements, Body};
use crate::diagnostic::Code;

const DIRECTIONS: &[(&str, Direction)] = &[("OUTBOUND", Direction::Outbound), ("INBOUND", Direction::Inbound)];
const FINE_PER: &[(&str, FinePer)] =
    &[("BREACH", FinePer::Breach), ("HOUR", FinePer::Hour), ("DAY", FinePer::Day), ("MONTH", FinePer::Month)];

pub(super) fn decode(fields: &mut Fields<'_, '_>, report: &mut Report) -> Body {
    let mno = fields.required("metadata", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        let mno = fields.required("mno", report, value);
        fields.finish(report);
        mno
    });
    let read = fields.required("spec", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        let contracts = fields.required("contracts", report, items(|node, report| Some(contract(node, report))));
        let reservations =
            fields.optional("reservations", report, items(|node, report| Some(reservation(node, report))));
        fields.finish(report);
        Some(PartialAgreements {
            may_have_more: contracts.is_none(),
            contracts: contracts.unwrap_or_default(),
            reservations: reservations.unwrap_or_default(),
        })
    });
    let read = read.unwrap_or_else(|| PartialAgreements { may_have_more: true, ..PartialAgreements::default() });
    Body::TpsContract { mno, read: if report.partial { Agreements::Partial(Box::new(read)) } else { all(read) } }
}

/// Contracts and reservations in which nothing is wrong.
fn all(read: PartialAgreements) -> Agreements {
    Agreements::Whole {
        contracts: read.contracts.into_iter().filter_map(PartialContract::whole).collect(),
        reservations: read.reservations.into_iter().filter_map(PartialReservation::whole).collect(),
    }
}

fn contract(node: &Node<'_>, report: &mut Report) -> PartialContract {
    let Some(mut fields) = Fields::of(node, report) else { return PartialContract::default() };
    let reference = fields.required("ref", report, value);
    let direction = fields.required("direction", report, word(DIRECTIONS));
    let contracted_tps = fields.required("contractedTps", report, whole(1, MOST_TPS));
    let from = fields.required("effectiveFrom", report, value);
    let to = fields.optional("effectiveTo", report, value);
    let document = fields.required("document", report, value);
    let fine_schedule = fields.optional("fineSchedule", report, items(fine_step)).unwrap_or_default();
    let unread = fields.finish(report);
    let has_known_end = !unread.has("effectiveTo");
    let is_reversed = is_reversed(node, from, to, report);
    let term = if is_reversed { Term::default() } else { Term { from, to, has_known_end } };
    PartialContract { reference, direction, contracted_tps, term, document, fine_schedule }
}

/// Whether a period does not end after it begins: nobody knows which of the two is meant.
fn is_reversed(node: &Node<'_>, from: Option<Day>, to: Option<Day>, report: &mut Report) -> bool {
    let Some((from, to)) = from.zip(to).filter(|(from, to)| to <= from) else { return false };
    let message = format!("the period ends on {to}, not after it begins on {from}");
    let help = "`effectiveTo` is the first day no longer in force".to_owned();
    let place = node.get("effectiveTo").map_or(node.span, |node| node.span);
    report.fault(Code::PeriodReversed, place, message, Some(help));
    true
}

fn fine_step(node: &Node<'_>, report: &mut Report) -> Option<FineStep> {
    let mut fields = Fields::of(node, report)?;
    let over_percent = fields.required("overPercent", report, number(0.0, f64::INFINITY));
    let fine = fields.required("fine", report, cost);
    let per = fields.required("per", report, word(FINE_PER));
    fields.finish(report);
    Some(FineStep { over_percent: over_percent?, fine: fine?, per: per? })
}

fn reservation(node: &Node<'_>, report: &mut Report) -> PartialReservation {
    let Some(mut fields) = Fields::of(node, report) else { return PartialReservation::default() };
    let tenant = fields.required("tenant", report, value);
    let direction = fields.required("direction", report, word(DIRECTIONS));
    let reserved_tps = fields.required("reservedTps", report, whole(1, MOST_TPS));
    let from = fields.optional("effectiveFrom", report, value);
    let to = fields.optional("effectiveTo", report, value);
    let unread = fields.finish(report);
    // Taken as open, a bound that cannot be read would reach beyond what is meant.
    let is_known = !is_reversed(node, from, to, report) && !unread.has("effectiveFrom") && !unread.has("effectiveTo");
    let bounds = is_known.then_some((from, to));
    PartialReservation { tenant, direction, reserved_tps, bounds }
}
