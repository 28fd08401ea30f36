//! An operator as the checks see it: whatever could not be read is nothing they can measure.

use std::collections::BTreeMap;

use bindery_schema::contract::Direction;
use bindery_schema::hash::Digest;
use bindery_schema::operator::{BindMode, DEFAULT_WINDOW_SIZE, EnvironmentOverlay, OperatorSpec, Status};
use bindery_schema::value::{Host, Instant, MnoId, OperatorId, SystemId, Tps};

use crate::diagnostic::Anchor;
use crate::parse::{ReadOperator, Unread};

/// An operator.
pub(crate) struct OperatorObject<'a> {
    pub(crate) root: Anchor,
    pub(crate) read: &'a ReadOperator,
    /// Hash of carrier and spec in the base.
    pub(crate) hash: Option<Digest>,
}

/// A bind and its rates in the base or in an environment. What could not be read is absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bind<'a> {
    pub(super) host: Option<&'a Host>,
    pub(super) port: Option<u16>,
    pub(super) system_id: Option<&'a SystemId>,
    pub(super) mode: Option<BindMode>,
    pub(super) window: Option<u16>,
    outbound: Option<Tps>,
    inbound: Option<Tps>,
}

impl<'a> Bind<'a> {
    fn of(spec: &'a OperatorSpec) -> Self {
        Self {
            host: Some(&spec.smpp.host),
            port: Some(spec.smpp.port),
            system_id: Some(&spec.smpp.system_id),
            mode: Some(spec.smpp.bind_mode),
            window: Some(spec.smpp.window_size),
            outbound: Some(spec.tps.outbound),
            inbound: Some(spec.tps.inbound),
        }
    }

    /// What goes without saying.
    fn unsaid() -> Self {
        Self {
            host: None,
            port: None,
            system_id: None,
            mode: Some(BindMode::default()),
            window: Some(DEFAULT_WINDOW_SIZE),
            outbound: Some(0),
            inbound: Some(0),
        }
    }

    fn unknown() -> Self {
        let Self { host, port, system_id, .. } = Self::unsaid();
        Self { host, port, system_id, mode: None, window: None, outbound: None, inbound: None }
    }

    /// The bind with an overlay laid over it, of which something may be unread.
    fn under(self, overlay: &'a EnvironmentOverlay, unread: Option<&Unread>) -> Self {
        fn lay<T>(base: Option<T>, over: Option<T>, is_unread: bool) -> Option<T> {
            if is_unread { None } else { over.or(base) }
        }
        let is_unread = |part, field| unread.is_some_and(|unread| unread.has(part) || unread.has(field));
        let (smpp, tps) = (overlay.smpp.as_ref(), overlay.tps);
        Self {
            host: lay(self.host, smpp.and_then(|smpp| smpp.host.as_ref()), is_unread("smpp", "host")),
            port: lay(self.port, smpp.and_then(|smpp| smpp.port), is_unread("smpp", "port")),
            system_id: lay(
                self.system_id,
                smpp.and_then(|smpp| smpp.system_id.as_ref()),
                is_unread("smpp", "systemId"),
            ),
            mode: lay(self.mode, smpp.and_then(|smpp| smpp.bind_mode), is_unread("smpp", "bindMode")),
            window: lay(self.window, smpp.and_then(|smpp| smpp.window_size), is_unread("smpp", "windowSize")),
            outbound: lay(self.outbound, tps.and_then(|tps| tps.outbound), is_unread("tps", "outbound")),
            inbound: lay(self.inbound, tps.and_then(|tps| tps.inbound), is_unread("tps", "inbound")),
        }
    }

    /// Messages a second in a direction.
    pub(super) fn rate(&self, direction: Direction) -> Option<Tps> {
        match direction {
            Direction::Outbound => self.outbound,
            Direction::Inbound => self.inbound,
        }
    }

    /// Where it connects and as whom.
    pub(super) fn endpoint(&self) -> Option<(&'a Host, u16, &'a SystemId)> {
        Some((self.host?, self.port?, self.system_id?))
    }
}

impl<'a> OperatorObject<'a> {
    pub(crate) fn mno(&self) -> Option<&'a MnoId> {
        match self.read {
            ReadOperator::Whole { metadata, .. } => Some(&metadata.mno),
            ReadOperator::Partial(partial) => partial.mno.as_ref(),
        }
    }

    pub(crate) fn status(&self) -> Option<Status> {
        match self.read {
            ReadOperator::Whole { spec, .. } => Some(spec.status),
            ReadOperator::Partial(partial) => partial.status,
        }
    }

    /// The former id and the moment of the rename, where there is one.
    pub(crate) fn renamed_from(&self) -> Option<(Option<&'a OperatorId>, Option<Instant>)> {
        match self.read {
            ReadOperator::Whole { metadata, .. } => {
                metadata.renamed_from.as_ref().map(|renamed| (Some(&renamed.id), Some(renamed.effective_at)))
            }
            ReadOperator::Partial(partial) => {
                partial.renamed_from.as_ref().map(|renamed| (renamed.id.as_ref(), renamed.effective_at))
            }
        }
    }

    pub(super) fn environments(&self) -> &'a BTreeMap<String, EnvironmentOverlay> {
        match self.read {
            ReadOperator::Whole { spec, .. } => &spec.environments,
            ReadOperator::Partial(partial) => &partial.environments,
        }
    }

    pub(super) fn overlay(&self, environment: Option<&str>) -> Option<&'a EnvironmentOverlay> {
        self.environments().get(environment?)
    }

    /// The bind as it is in an environment, or the base.
    pub(super) fn bind(&self, environment: Option<&str>) -> Bind<'a> {
        let overlay = self.overlay(environment);
        match self.read {
            ReadOperator::Whole { spec, .. } => {
                let base = Bind::of(spec);
                overlay.map_or(base, |overlay| base.under(overlay, None))
            }
            ReadOperator::Partial(partial) => {
                let base = Bind::unsaid().under(&partial.base, Some(&partial.unread));
                match overlay {
                    Some(overlay) => base.under(overlay, environment.and_then(|name| partial.unread_in.get(name))),
                    None if environment.is_some() && partial.may_have_more => Bind::unknown(),
                    None => base,
                }
            }
        }
    }

    /// The place of a field that an environment may lay over: the overlay's where it sets it, else the base's.
    pub(super) fn place(&self, environment: Option<&str>, set_there: bool, field: &str) -> Anchor {
        match environment {
            Some(name) if set_there => self.root.clone().at("spec.environments").key(name).at(field),
            _ => self.root.clone().at("spec").at(field),
        }
    }

    /// The place of the rate of a direction.
    pub(super) fn rate_place(&self, environment: Option<&str>, direction: Direction) -> Anchor {
        let overlay = self.overlay(environment).and_then(|overlay| overlay.tps);
        let set_there = overlay.is_some_and(|tps| match direction {
            Direction::Outbound => tps.outbound.is_some(),
            Direction::Inbound => tps.inbound.is_some(),
        });
        self.place(environment, set_there, rate_field(direction))
    }
}

/// The field of a direction's rate.
pub(super) fn rate_field(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "tps.outbound",
        Direction::Inbound => "tps.inbound",
    }
}
