//! Who may do what on the admin listener: the whole table.

use std::fmt;
use std::str::FromStr;

/// What a caller is, from its token. Unknown names in a token are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Manages carriers and operators.
    CarrierAdmin,
    /// Keeps the platform running.
    Sre,
    /// Watches it and intervenes.
    Noc,
    /// Reads contracts and costs.
    Finance,
    /// A customer; sees its own reservations only.
    Tenant,
    /// Reads everything but what is a tenant's own.
    ReadOnly,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] = [Self::CarrierAdmin, Self::Sre, Self::Noc, Self::Finance, Self::Tenant, Self::ReadOnly];

    /// As tokens spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CarrierAdmin => "carrier-admin",
            Self::Sre => "sre",
            Self::Noc => "noc",
            Self::Finance => "finance",
            Self::Tenant => "tenant",
            Self::ReadOnly => "read-only",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a role; roles are carrier-admin, sre, noc, finance, tenant and read-only")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// See what the sync is doing.
    ReadSync,
    /// Have the branch fetched at once.
    TriggerSync,
    /// Pause the sync, and end a pause.
    PauseSync,
    /// Release a plan that a guardrail holds.
    ReleasePlan,
    /// Take a commit back, and allow it again.
    RollBack,
    /// See operators and their health, without passwords.
    ReadOperators,
    /// See who changed what.
    ReadAudit,
    /// Change operators and their rules.
    WriteOperators,
    /// Change carriers.
    WriteCarriers,
    /// See contracts and reservations.
    ReadContracts,
    /// Change contracts and reservations.
    WriteContracts,
    /// See the reservations of a tenant; of itself only, where the caller is one.
    ReadReservations,
}

impl Permission {
    /// The roles that have it.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::ReadSync | Self::ReadOperators => {
                &[Role::CarrierAdmin, Role::Sre, Role::Noc, Role::Finance, Role::ReadOnly]
            }
            Self::ReadAudit => &[Role::CarrierAdmin, Role::Sre, Role::Noc, Role::ReadOnly],
            // Whoever watches at night may stop the sync; what it does to carriers others decide.
            Self::PauseSync => &[Role::CarrierAdmin, Role::Sre, Role::Noc],
            Self::TriggerSync | Self::ReleasePlan | Self::RollBack => &[Role::CarrierAdmin, Role::Sre],
            Self::ReadContracts => &[Role::CarrierAdmin, Role::Sre, Role::Noc, Role::Finance, Role::ReadOnly],
            Self::ReadReservations => &Role::ALL,
            Self::WriteOperators | Self::WriteCarriers => &[Role::CarrierAdmin],
            Self::WriteContracts => &[Role::CarrierAdmin, Role::Finance],
        }
    }

    /// Whether any of a caller's roles has it.
    pub fn is_granted_to(self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.roles().contains(role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission::{
        PauseSync, ReadAudit, ReadContracts, ReadOperators, ReadReservations, ReadSync, ReleasePlan, RollBack,
        TriggerSync, WriteCarriers, WriteContracts, WriteOperators,
    };

    #[test]
    fn the_table() {
        let all = [ReadSync, ReadOperators, ReadAudit, PauseSync, TriggerSync, ReleasePlan, RollBack];
        let table = [
            (Role::CarrierAdmin, &all[..]),
            (Role::Sre, &all),
            (Role::Noc, &all[..4]),
            (Role::Finance, &all[..2]),
            (Role::Tenant, &[]),
            (Role::ReadOnly, &all[..3]),
        ];
        for (role, granted) in table {
            for permission in all {
                let expected = granted.contains(&permission);
                assert_eq!(permission.is_granted_to(&[role]), expected, "{role} {permission:?}");
            }
        }
        let writes = [
            (WriteOperators, &[Role::CarrierAdmin][..]),
            (WriteCarriers, &[Role::CarrierAdmin]),
            (WriteContracts, &[Role::CarrierAdmin, Role::Finance]),
            (ReadContracts, &[Role::CarrierAdmin, Role::Sre, Role::Noc, Role::Finance, Role::ReadOnly]),
            (ReadReservations, &Role::ALL),
        ];
        for (permission, granted) in writes {
            for role in Role::ALL {
                assert_eq!(permission.is_granted_to(&[role]), granted.contains(&role), "{role} {permission:?}");
            }
        }
        assert!(!ReadSync.is_granted_to(&[]));
        assert!(TriggerSync.is_granted_to(&[Role::Tenant, Role::Sre]));
    }

    #[test]
    fn names_are_those_of_tokens() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(UnknownRole));
    }
}
