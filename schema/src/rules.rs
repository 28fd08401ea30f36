//! The rules of an operator as catalogs share them: a million of them are carried about, few are looked at.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::routes::Rule;

/// Rules in prefix order, shared between clones.
///
/// Reads as a slice of [`Rule`]. Rules that lie packed are unpacked when one is first looked at; their number and how
/// their prefixes begin is known without.
#[derive(Clone)]
pub struct RuleList(Arc<List>);

enum List {
    Plain(Box<[Rule]>),
    Packed { packed: Arc<dyn Packed>, rules: OnceLock<Box<[Rule]>> },
}

/// Rules that lie packed somewhere.
pub trait Packed: Send + Sync {
    /// How the prefix of each rule begins ([`E164Prefix::beginning`], little-endian).
    fn beginnings(&self) -> &[[u8; 4]];

    /// The rules in prefix order.
    fn unpack(&self) -> Box<[Rule]>;
}

impl RuleList {
    /// Rules that lie packed.
    pub fn packed(packed: Arc<dyn Packed>) -> Self {
        Self(Arc::new(List::Packed { packed, rules: OnceLock::new() }))
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        match &*self.0 {
            List::Plain(rules) => rules.len(),
            List::Packed { packed, rules } => {
                rules.get().map_or_else(|| packed.beginnings().len(), |rules| rules.len())
            }
        }
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the prefix of some rule may begin in a way that is asked for; unpacks nothing. Where the rules are at hand a
    /// look at them tells more.
    pub fn may_begin(&self, asked: impl Fn(u32) -> bool) -> bool {
        match &*self.0 {
            List::Packed { packed, rules } if rules.get().is_none() => {
                packed.beginnings().iter().any(|beginning| asked(u32::from_le_bytes(*beginning)))
            }
            _ => true,
        }
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
            List::Packed { packed, rules } => rules.get_or_init(|| packed.unpack()),
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

    struct Counting {
        rules: Vec<Rule>,
        beginnings: Vec<[u8; 4]>,
        unpacked: AtomicUsize,
    }

    impl Packed for Counting {
        fn beginnings(&self) -> &[[u8; 4]] {
            &self.beginnings
        }

        fn unpack(&self) -> Box<[Rule]> {
            self.unpacked.fetch_add(1, Ordering::Relaxed);
            self.rules.clone().into()
        }
    }

    #[test]
    fn a_packed_list_is_unpacked_once_and_only_for_a_look() {
        let rules = vec![rule("+93"), rule("+9379")];
        let beginnings = rules.iter().map(|rule| rule.prefix.beginning().to_le_bytes()).collect();
        let packed = Arc::new(Counting { rules: rules.clone(), beginnings, unpacked: AtomicUsize::new(0) });
        let list = RuleList::packed(packed.clone());
        let clone = list.clone();
        assert_eq!((list.len(), list.is_empty(), list.is_shared_with(&clone)), (2, false, true));
        let begins = |list: &RuleList, text: &str| list.may_begin(|asked| asked == rule(text).prefix.beginning());
        assert!(begins(&list, "+9379") && !begins(&list, "+937"));
        assert!(list == clone);
        assert_eq!(packed.unpacked.load(Ordering::Relaxed), 0);

        let plain = RuleList::from(rules);
        assert!(list == plain && !list.is_shared_with(&plain));
        assert_eq!((clone[1].prefix, clone.len()), (plain[1].prefix, 2));
        assert!(begins(&plain, "+1"), "at hand, they are to be looked at");
        assert_eq!(packed.unpacked.load(Ordering::Relaxed), 1);
    }
}
