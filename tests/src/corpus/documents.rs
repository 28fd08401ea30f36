//! The YAML text of each kind.

use std::fmt::{self, Display, Formatter};

use super::Style;
use super::network::{Bind, Carrier, Mode, Rule};

/// The policy of every corpus. It names its limits, so that a change of the defaults does not
/// change what a bench measures.
pub(super) const POLICY: &str = "\
apiVersion: bindery/v1
kind: Policy
spec:
  routing:
    sameOperatorNesting: declared
    crossOperatorNesting: allow
  guardrails:
    maxDeletes:
      count: 50
      percent: 5
  tps:
    minOnDemandPoolPercent: 10
";

/// Writes a document through a closure, so that `write!` and `?` serve where nothing can fail.
struct Document<F>(F);

impl<F: Fn(&mut Formatter<'_>) -> fmt::Result> Display for Document<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

/// `operators/<mno>/mno.yaml`.
pub(super) fn mno(carrier: &Carrier) -> String {
    Document(|f: &mut Formatter<'_>| {
        let Carrier { id, name, .. } = carrier;
        let (code, mcc) = (carrier.country.code, carrier.country.mcc);
        write!(
            f,
            "apiVersion: bindery/v1\nkind: Mno\nmetadata:\n  id: {id}\nspec:\n  name: \"{name}\"\n  country: \"{code}\"\n  mccmnc: [\"{mcc}{:02}\"]\n  contacts:\n",
            carrier.mnc
        )?;
        let desks = ["NOC", "Messaging engineering", "Carrier relations"];
        for ((tier, desk), extension) in (1..).zip(desks).zip(carrier.extensions) {
            // 202 555 0100 to 0199 are set aside for fiction in the North American plan.
            write!(
                f,
                "    t{tier}:\n      - name: \"{desk} desk\"\n        role: \"{desk}\"\n        email: t{tier}@{id}.example\n        phone: \"+12025550{extension}\"\n"
            )?;
        }
        write!(
            f,
            "  sla:\n    availabilityPercent: {}\n    responseMinutes:\n      p1: 15\n      p2: 60\n      p3: 480\n",
            carrier.availability
        )?;
        write!(
            f,
            "  changeWindows:\n    - days: [TUE, THU]\n      from: \"01:00\"\n      to: \"04:00\"\n      timezone: {}\n",
            carrier.timezone
        )?;
        let [ours, theirs] = &carrier.networks;
        write!(
            f,
            "  ipAllowlist:\n    ours: [\"{ours}\"]\n    theirs: [\"{theirs}\"]\n"
        )
    })
    .to_string()
}

/// `operators/<mno>/<operator>.yaml`.
pub(super) fn operator(bind: &Bind, mno: &str) -> String {
    Document(|f: &mut Formatter<'_>| {
        let Bind { id, name, host, .. } = bind;
        let status = if bind.active { "ACTIVE" } else { "INACTIVE" };
        let mode = match bind.mode {
            Mode::Transceiver => "TRANSCEIVER",
            Mode::Transmitter => "TRANSMITTER",
            Mode::Receiver => "RECEIVER",
        };
        write!(
            f,
            "apiVersion: bindery/v1\nkind: Operator\nmetadata:\n  id: {id}\n  mno: {mno}\nspec:\n  displayName: \"{name}\"\n  status: {status}\n"
        )?;
        write!(
            f,
            "  smpp:\n    host: {host}\n    port: {}\n    systemId: {}\n    bindMode: {mode}\n    interfaceVersion: \"3.4\"\n    tls: {}\n    windowSize: {}\n    enquireLinkSeconds: {}\n",
            bind.port, bind.system_id, bind.tls, bind.window, bind.enquire_link_seconds
        )?;
        let directions = [("outbound", bind.tps.outbound), ("inbound", bind.tps.inbound)];
        let carried = || directions.iter().filter(|(_, tps)| *tps > 0);
        f.write_str("  tps:\n")?;
        for (direction, tps) in carried() {
            writeln!(f, "    {direction}: {tps}")?;
        }
        if bind.staging {
            write!(
                f,
                "  environments:\n    staging:\n      smpp:\n        host: staging.{host}\n      tps:\n"
            )?;
            for (direction, _) in carried() {
                writeln!(f, "        {direction}: 5")?;
            }
        }
        Ok(())
    })
    .to_string()
}

/// `operators/<mno>/<operator>.routes.yaml`.
pub(super) fn routes(bind: &Bind, style: Style) -> String {
    Document(|f: &mut Formatter<'_>| {
        write!(f, "apiVersion: bindery/v1\nkind: Routes\nmetadata:\n  operator: {}\nspec:\n  rules:\n", bind.id)?;
        bind.rules.iter().try_for_each(|r| rule(f, r, style))
    })
    .to_string()
}

/// One item of `rules`.
pub(super) fn rule_item(item: &Rule, style: Style) -> String {
    Document(|f: &mut Formatter<'_>| rule(f, item, style)).to_string()
}

fn rule(f: &mut Formatter<'_>, rule: &Rule, style: Style) -> fmt::Result {
    let Rule { prefix, priority, weight, currency, .. } = rule;
    let (units, fraction) = (rule.cost / 10_000, rule.cost % 10_000);
    match style {
        Style::Flow => {
            write!(
                f,
                "    - {{prefix: \"+{prefix}\", priority: {priority}, weight: {weight}, cost: {{amount: \"{units}.{fraction:04}\", currency: {currency}}}"
            )?;
            f.write_str(if rule.active { "}\n" } else { ", active: false}\n" })
        }
        Style::Block => {
            write!(
                f,
                "    - prefix: \"+{prefix}\"\n      priority: {priority}\n      weight: {weight}\n      cost:\n        amount: \"{units}.{fraction:04}\"\n        currency: {currency}\n"
            )?;
            f.write_str(if rule.active { "" } else { "      active: false\n" })
        }
    }
}

/// `contracts/<mno>.yaml`.
pub(super) fn contract(carrier: &Carrier) -> String {
    Document(|f: &mut Formatter<'_>| {
        let id = &carrier.id;
        write!(f, "apiVersion: bindery/v1\nkind: TpsContract\nmetadata:\n  mno: {id}\nspec:\n  contracts:\n")?;
        for c in &carrier.agreement.contracts {
            write!(
                f,
                "    - ref: {}\n      direction: {}\n      contractedTps: {}\n      effectiveFrom: \"{}\"\n",
                c.reference, c.direction, c.tps, c.from
            )?;
            if let Some(to) = c.to {
                writeln!(f, "      effectiveTo: \"{to}\"")?;
            }
            write!(f, "      document: s3://contracts/{id}/{}.pdf\n      fineSchedule:\n", c.reference)?;
            for (over, amount) in [(5, 100), (10, 500), (25, 2_500)].iter().take(c.fines) {
                writeln!(
                    f,
                    "        - {{overPercent: {over}, fine: {{amount: \"{amount}.00\", currency: EUR}}, per: HOUR}}"
                )?;
            }
        }
        if !carrier.agreement.reservations.is_empty() {
            f.write_str("  reservations:\n")?;
        }
        for r in &carrier.agreement.reservations {
            write!(f, "    - {{tenant: {}, direction: {}, reservedTps: {}", r.tenant, r.direction, r.tps)?;
            if let Some(from) = r.from {
                write!(f, ", effectiveFrom: \"{from}\"")?;
            }
            if let Some(to) = r.to {
                write!(f, ", effectiveTo: \"{to}\"")?;
            }
            f.write_str("}\n")?;
        }
        Ok(())
    })
    .to_string()
}
