//! Kind `TpsContract`.

use bindery_schema::contract::{Contract, Direction, FinePer, FineStep, Reservation};
use bindery_schema::value::Day;

use super::Body;
use super::decode::{Fields, Report, Unread, items, list, number, value, whole, word};
use super::operator::MOST_TPS;
use super::routes::cost;
use super::yaml::Node;
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
    let lists = fields.required("spec", report, |node, report| {
        let mut fields = Fields::of(node, report)?;
        let contracts = fields.required("contracts", report, |node, report| list(node, report, contract));
        let reservations = fields.optional("reservations", report, |node, report| list(node, report, reservation));
        fields.finish(report);
        Some((contracts.unwrap_or_default(), reservations.unwrap_or_default()))
    });
    let (contracts, reservations) = lists.unwrap_or_default();
    Body::TpsContract { mno, contracts, reservations }
}

fn contract(node: &Node<'_>, report: &mut Report) -> Option<Contract> {
    let mut fields = Fields::of(node, report)?;
    let reference = fields.required("ref", report, value);
    let direction = fields.required("direction", report, word(DIRECTIONS));
    let contracted_tps = fields.required("contractedTps", report, whole(1, MOST_TPS));
    let effective_from = fields.required("effectiveFrom", report, value);
    let effective_to = fields.optional("effectiveTo", report, value);
    let document = fields.required("document", report, value);
    let fine_schedule = fields.optional("fineSchedule", report, items(fine_step));
    let unread = fields.finish(report);
    is_period(node, effective_from, effective_to, &unread, report).then_some(())?;
    Some(Contract {
        reference: reference?,
        direction: direction?,
        contracted_tps: contracted_tps?,
        effective_from: effective_from?,
        effective_to,
        document: document?,
        fine_schedule: fine_schedule.unwrap_or_default(),
    })
}

/// Whether a period can be read and ends after it begins. Taken as open, one whose bounds cannot be read would overlap
/// what is before or after it.
fn is_period(node: &Node<'_>, from: Option<Day>, to: Option<Day>, unread: &Unread, report: &mut Report) -> bool {
    if let Some((from, to)) = from.zip(to)
        && to <= from
    {
        let message = format!("the period ends on {to}, not after it begins on {from}");
        let help = "`effectiveTo` is the first day no longer in force".to_owned();
        let place = node.get("effectiveTo").map_or(node.span, |node| node.span);
        report.fault(Code::PeriodReversed, place, message, Some(help));
        return false;
    }
    !unread.has("effectiveFrom") && !unread.has("effectiveTo")
}

fn fine_step(node: &Node<'_>, report: &mut Report) -> Option<FineStep> {
    let mut fields = Fields::of(node, report)?;
    let over_percent = fields.required("overPercent", report, number(0.0, f64::INFINITY));
    let fine = fields.required("fine", report, cost);
    let per = fields.required("per", report, word(FINE_PER));
    fields.finish(report);
    Some(FineStep { over_percent: over_percent?, fine: fine?, per: per? })
}

fn reservation(node: &Node<'_>, report: &mut Report) -> Option<Reservation> {
    let mut fields = Fields::of(node, report)?;
    let tenant = fields.required("tenant", report, value);
    let direction = fields.required("direction", report, word(DIRECTIONS));
    let reserved_tps = fields.required("reservedTps", report, whole(1, MOST_TPS));
    let effective_from = fields.optional("effectiveFrom", report, value);
    let effective_to = fields.optional("effectiveTo", report, value);
    let unread = fields.finish(report);
    is_period(node, effective_from, effective_to, &unread, report).then_some(())?;
    Some(Reservation {
        tenant: tenant?,
        direction: direction?,
        reserved_tps: reserved_tps?,
        effective_from,
        effective_to,
    })
}
