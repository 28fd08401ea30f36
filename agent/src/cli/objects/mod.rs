//! `bindery-agent get|create|update|delete`: operators, rules, carriers, contracts and reservations over the admin API.
//!
//! A write is sent with an `Idempotency-Key` and again where its answer was lost, so that it is made once.

mod body;
mod change;
mod get;
mod show;

use anyhow::bail;
use clap::{Args, ValueEnum};

pub use change::{Create, Delete, Update};
pub use get::Get;

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A bind to a carrier
    #[value(alias = "operators")]
    Operator,
    /// A routing rule of an operator; its id is the digits of its prefix
    #[value(alias = "rules")]
    Rule,
    /// A carrier
    #[value(aliases = ["mnos", "carrier", "carriers"])]
    Mno,
    /// A contract; its id is `<mno>:<direction>:<ref>`
    #[value(alias = "contracts")]
    Contract,
    /// What a tenant reserved; its id is `<mno>:<direction>:<first day>`
    #[value(alias = "reservations")]
    Reservation,
    /// Many changes as one commit; it can only be created
    #[value(alias = "changesets")]
    Changeset,
}

/// Whose rule or reservation it is.
#[derive(Debug, Args)]
pub struct Of {
    /// The operator of a rule
    #[arg(long, value_name = "ID")]
    operator: Option<String>,
    /// The tenant of a reservation
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns for people
    #[default]
    Table,
    /// As the API answers
    Json,
    /// The same as YAML
    Yaml,
}

/// How an answer is printed, as options.
#[derive(Debug, Args)]
pub struct Printed {
    /// How the answer is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
    /// Print JSON: the same as `-o json`
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl Printed {
    fn form(&self) -> Output {
        if self.json { Output::Json } else { self.output }
    }
}

impl Kind {
    /// What messages call one.
    fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Rule => "rule",
            Self::Mno => "carrier",
            Self::Contract => "contract",
            Self::Reservation => "reservation",
            Self::Changeset => "changeset",
        }
    }

    /// Where the objects of a kind are, or one of them.
    fn path(self, of: &Of, id: Option<&str>) -> anyhow::Result<String> {
        let mut path = match (self, &of.operator, &of.tenant) {
            (Self::Operator, None, None) => "/v1/admin/operators".to_owned(),
            (Self::Mno, None, None) => "/v1/admin/mnos".to_owned(),
            (Self::Contract, None, None) => "/v1/admin/tps-contracts".to_owned(),
            (Self::Changeset, None, None) => "/v1/admin/changesets".to_owned(),
            (Self::Rule, Some(operator), None) => format!("/v1/admin/operators/{}/routing-rules", segment(operator)),
            (Self::Reservation, None, Some(tenant)) => format!("/v1/admin/tenants/{}/reservations", segment(tenant)),
            (Self::Rule, ..) => bail!("a rule is an operator's: name it with --operator, and nothing else"),
            (Self::Reservation, ..) => bail!("a reservation is a tenant's: name it with --tenant, and nothing else"),
            _ => bail!("--operator is for rules and --tenant for reservations"),
        };
        if let Some(id) = id {
            path = format!("{path}/{}", segment(id));
        }
        Ok(path)
    }
}

/// A part of a path, whatever is in it (RFC 3986, 3.3).
fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_whose_it_is() {
        let of = |operator: Option<&str>, tenant: Option<&str>| Of {
            operator: operator.map(str::to_owned),
            tenant: tenant.map(str::to_owned),
        };
        let path = |kind: Kind, whose: &Of, id| kind.path(whose, id).ok();
        let nobody = of(None, None);
        let contract = path(Kind::Contract, &nobody, Some("a:OUTBOUND:REF 2026/1"));
        assert_eq!(contract.as_deref(), Some("/v1/admin/tps-contracts/a:OUTBOUND:REF%202026%2F1"));
        let rule = path(Kind::Rule, &of(Some("one"), None), Some("93"));
        assert_eq!(rule.as_deref(), Some("/v1/admin/operators/one/routing-rules/93"));
        let reservations = path(Kind::Reservation, &of(None, Some("bank")), None);
        assert_eq!(reservations.as_deref(), Some("/v1/admin/tenants/bank/reservations"));
        for (kind, whose) in [
            (Kind::Rule, &nobody),
            (Kind::Reservation, &of(Some("one"), None)),
            (Kind::Operator, &of(Some("one"), None)),
            (Kind::Mno, &of(None, Some("bank"))),
        ] {
            assert_eq!(path(kind, whose, None), None, "{kind:?}");
        }
    }
}
