//! The rules of an operator as catalogs share them: a million of them are carried about, few are looked at.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::routes::Rule;
use crate::value::E164Prefix;

/// Rules in prefix order, shared between clones.
///
/// Reads as a slice of [`Rule`]. Rules that lie packed are unpacked when one is first looked at; their number and their
/// prefixes are known without.
#[derive(Clone)]
pub struct RuleList(Arc<List>);

enum List {
    Plain(Box<[Rule]>),
    Packed { prefixes: Box<[E164Prefix]>, unpack: Unpack, rules: OnceLock<Box<[Rule]>> },
}

/// Makes the rules of a packed list from its prefixes: as many, in the same order.
pub type Unpack = Box<dyn Fn(&[E164Prefix]) -> Box<[Rule]> + Send + Sync>;

impl RuleList {
    /// Rules of which only the prefixes are at hand.
    pub fn packed(prefixes: Box<[E164Prefix]>, unpack: Unpack) -> Self {
        Self(Arc::new(List::Packed { prefixes, unpack, rules: OnceLock::new() }))
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        match &*self.0 {
            List::Plain(rules) => rules.len(),
            List::Packed { prefixes, .. } => prefixes.len(),
        }
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The prefix of each rule; unpacks nothing.
    pub fn prefixes(&self) -> impl Iterator<Item = E164Prefix> {
        let (plain, packed) = match &*self.0 {
            List::Plain(rules) => (&**rules, &[][..]),
            List::Packed { prefixes, .. } => (&[][..], &**prefixes),
        };
        plain.iter().map(|rule| rule.prefix).chain(packed.iter().copied())
    }

    /// Whether both are clones of one list: equal without a look.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for RuleList {
    type Target = [Rule];

    fn deref(&self) -> &[Rule] {
        match &*self.0 {
            List::Plain(rules) => rules,
            List::Packed { prefixes, unpack, rules } => rules.get_or_init(|| unpack(prefixes)),
        }
    }
}

impl From<Vec<Rule>> for RuleList {
    fn from(rules: Vec<Rule>) -> Self {
        Self(Arc::new(List::Plain(rules.into())))
    }
}

impl Default for RuleList {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl PartialEq for RuleList {
    fn eq(&self, other: &Self) -> bool {
        self.is_shared_with(other) || **self == **other
    }
}

impl fmt::Debug for RuleList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn rule(prefix: &str) -> Rule {
        serde_json::from_value(serde_json::json!({ "prefix": prefix })).unwrap()
    }

    #[test]
    fn a_packed_list_is_unpacked_once_and_only_for_a_look() {
        let rules = vec![rule("+93"), rule("+9379")];
        let unpacked = Arc::new(AtomicUsize::new(0));
        let (counter, packed) = (unpacked.clone(), rules.clone());
        let unpack = Box::new(move |prefixes: &[E164Prefix]| {
            assert_eq!(prefixes.len(), packed.len());
            counter.fetch_add(1, Ordering::Relaxed);
            packed.clone().into()
        });
        let list = RuleList::packed(rules.iter().map(|rule| rule.prefix).collect(), unpack);
        let clone = list.clone();
        assert_eq!((list.len(), list.is_empty(), list.is_shared_with(&clone)), (2, false, true));
        assert_eq!(list.prefixes().collect::<Vec<_>>(), [rules[0].prefix, rules[1].prefix]);
        assert!(list == clone);
        assert_eq!(unpacked.load(Ordering::Relaxed), 0);

        let plain = RuleList::from(rules);
        assert!(list == plain && !list.is_shared_with(&plain));
        assert!(clone.prefixes().eq(plain.prefixes()));
        assert_eq!(clone[1].prefix, plain[1].prefix);
        assert_eq!(unpacked.load(Ordering::Relaxed), 1);
    }
}
