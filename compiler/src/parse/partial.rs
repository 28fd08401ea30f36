//! What could be read of an operator of which something could not: every value is known or absent, never guessed.
//!
//! An object read in full is the type the stores know. Where a field is wrong, the rest of its object is kept in a form of
//! its own, so that each check leaves out what is measured by the wrong field and speaks of all else. Nothing of this enters
//! a catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use bindery_schema::operator::{
    DEFAULT_DRAIN_SECONDS, DEFAULT_ENQUIRE_LINK_SECONDS, DEFAULT_WINDOW_SIZE, EnvironmentOverlay, HealthThresholds,
    OperatorMetadata, OperatorSpec, RenamedFrom, Smpp, SmppOverlay, Status, TpsLimits,
};
use bindery_schema::value::{Instant, MnoId, Name, OperatorId};

/// The fields of a mapping that someone meant to set and that could not be read: wrong, there twice, or misspelt. Their
/// fault is said, and nothing is to be measured by what would go without them.
#[derive(Debug, Default)]
pub(crate) struct Unread(Vec<&'static str>);

impl Unread {
    pub(super) fn of(names: Vec<&'static str>) -> Self {
        Self(names)
    }

    /// Whether a field is among them.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// Whether every field could be read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a field, or what it counts as where it could not be read.
    pub(crate) fn or<T>(&self, name: &str, unread: T, value: T) -> T {
        if self.has(name) { unread } else { value }
    }

    /// Adds a field.
    pub(super) fn add(&mut self, name: &'static str) {
        self.0.push(name);
    }

    /// Adds the fields of a mapping inside.
    pub(super) fn append(&mut self, mut inner: Self) {
        self.0.append(&mut inner.0);
    }
}

/// What an `Operator` document says.
#[derive(Debug)]
pub(crate) enum ReadOperator {
    Whole { metadata: OperatorMetadata, spec: Arc<OperatorSpec> },
    Partial(Box<PartialOperator>),
}

/// What could be read of an operator.
#[derive(Debug, Default)]
pub(crate) struct PartialOperator {
    pub(crate) mno: Option<MnoId>,
    pub(crate) renamed_from: Option<PartialRename>,
    pub(crate) status: Option<Status>,
    pub(super) display_name: Option<Name>,
    pub(super) health: HealthThresholds,
    /// The base as an overlay over what goes without saying.
    pub(crate) base: EnvironmentOverlay,
    /// What could not be read of the base: `smpp`, `tps` or fields of theirs.
    pub(crate) unread: Unread,
    pub(crate) environments: BTreeMap<String, EnvironmentOverlay>,
    /// What could not be read of an environment.
    pub(crate) unread_in: BTreeMap<String, Unread>,
    /// There may be environments that are not in the list.
    pub(crate) may_have_more: bool,
}

/// What could be read of a rename.
#[derive(Debug)]
pub(crate) struct PartialRename {
    pub(crate) id: Option<OperatorId>,
    pub(crate) effective_at: Option<Instant>,
    pub(super) drain_seconds: Option<u32>,
}

impl PartialOperator {
    /// The operator, where everything was read.
    pub(super) fn whole(self, id: OperatorId) -> ReadOperator {
        let Self {
            mno: Some(mno),
            renamed_from,
            status: Some(status),
            display_name: Some(display_name),
            health,
            base: EnvironmentOverlay { smpp: Some(smpp), tps: Some(tps), credentials },
            environments,
            ..
        } = self
        else {
            return ReadOperator::Partial(Box::new(self));
        };
        let Some(smpp) = whole_bind(smpp) else { return ReadOperator::Partial(Box::default()) };
        let renamed_from = renamed_from.and_then(PartialRename::whole);
        let tps = TpsLimits { outbound: tps.outbound.unwrap_or(0), inbound: tps.inbound.unwrap_or(0) };
        let spec = OperatorSpec { display_name, status, smpp, tps, health, credentials, environments };
        ReadOperator::Whole { metadata: OperatorMetadata { id, mno, renamed_from }, spec: Arc::new(spec) }
    }
}

impl PartialRename {
    fn whole(self) -> Option<RenamedFrom> {
        let drain_seconds = self.drain_seconds.unwrap_or(DEFAULT_DRAIN_SECONDS);
        Some(RenamedFrom { id: self.id?, effective_at: self.effective_at?, drain_seconds })
    }
}

/// The bind of a base: an overlay of which three fields must be there.
fn whole_bind(read: SmppOverlay) -> Option<Smpp> {
    Some(Smpp {
        host: read.host?,
        port: read.port?,
        system_id: read.system_id?,
        system_type: read.system_type,
        bind_mode: read.bind_mode.unwrap_or_default(),
        interface_version: read.interface_version.unwrap_or_default(),
        tls: read.tls.unwrap_or_default(),
        window_size: read.window_size.unwrap_or(DEFAULT_WINDOW_SIZE),
        enquire_link_seconds: read.enquire_link_seconds.unwrap_or(DEFAULT_ENQUIRE_LINK_SECONDS),
        addr_ton: read.addr_ton.unwrap_or_default(),
        addr_npi: read.addr_npi.unwrap_or_default(),
        address_range: read.address_range,
    })
}
