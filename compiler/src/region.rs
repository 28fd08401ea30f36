//! The part of the numbering plan to which a change of rules can matter.

use std::collections::BTreeMap;

use bindery_schema::hash::Digest;
use bindery_schema::routes::Rule;
use bindery_schema::rules::RuleList;
use bindery_schema::value::E164Prefix;
use itertools::EitherOrBoth::{Both, Left, Right};
use itertools::Itertools as _;

/// A set of prefixes: packed words in ranges, in order and apart from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    ranges: Vec<(u64, u64)>,
    /// A bit for the first four digits of each word that stands in a range: most of a million prefixes are told by them.
    fours: Box<[u64]>,
}

/// Bits of four digits.
const FOUR: u32 = 16;

impl Region {
    /// No prefix.
    pub(crate) fn nothing() -> Self {
        Self::of(Vec::new())
    }

    /// Every prefix.
    pub(crate) fn everything() -> Self {
        Self::of(vec![(0, u64::MAX)])
    }

    /// Some prefixes and all that contain them.
    pub(crate) fn upward(prefixes: impl IntoIterator<Item = E164Prefix>) -> Self {
        Self::of(prefixes.into_iter().flat_map(and_above).collect())
    }

    /// Some prefixes, all that contain them and all they contain.
    pub(crate) fn around(prefixes: impl IntoIterator<Item = E164Prefix>) -> Self {
        let below = |prefix: E164Prefix| (prefix.word(), prefix.last_word());
        Self::of(prefixes.into_iter().flat_map(|prefix| and_above(prefix).chain([below(prefix)])).collect())
    }

    fn of(mut ranges: Vec<(u64, u64)>) -> Self {
        ranges.sort_unstable();
        let mut apart: Vec<(u64, u64)> = Vec::new();
        for (first, last) in ranges {
            match apart.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => apart.push((first, last)),
            }
        }
        let mut fours = vec![0; 1 << (FOUR - 6)].into_boxed_slice();
        for (first, last) in &apart {
            for four in four(beginning(*first))..=four(beginning(*last)) {
                fours[four >> 6] |= 1 << (four & 63);
            }
        }
        Self { ranges: apart, fours }
    }

    /// Whether a prefix is in it.
    pub(crate) fn contains(&self, prefix: E164Prefix) -> bool {
        self.may_hold(prefix.beginning()) && self.meets(|first, last| (first, last), prefix.word())
    }

    /// Whether a prefix that begins in some way may be in it.
    fn may_begin(&self, wanted: u32) -> bool {
        self.may_hold(wanted) && self.meets(|first, last| (beginning(first), beginning(last)), wanted)
    }

    fn may_hold(&self, beginning: u32) -> bool {
        let four = four(beginning);
        self.fours[four >> 6] >> (four & 63) & 1 == 1
    }

    /// Whether a range, by what is made of its ends, has a value in it.
    fn meets<T: Copy + Ord>(&self, ends: impl Fn(u64, u64) -> (T, T), value: T) -> bool {
        let next = self.ranges.partition_point(|range| ends(range.0, range.1).0 <= value);
        next.checked_sub(1).is_some_and(|n| value <= ends(self.ranges[n].0, self.ranges[n].1).1)
    }

    /// The places of the rules whose prefix is in it.
    pub(crate) fn places(&self, rules: &RuleList) -> Vec<u32> {
        // Most lists have no rule in it, and need not be unpacked for that.
        if self.ranges.is_empty() || !rules.may_begin(|beginning| self.may_begin(beginning)) {
            return Vec::new();
        }
        let places = rules.iter().zip(0..).filter(|(rule, _)| self.contains(rule.prefix));
        places.map(|(_, place)| place).collect()
    }
}

fn beginning(word: u64) -> u32 {
    (word >> 32) as u32
}

fn four(beginning: u32) -> usize {
    (beginning >> (u32::BITS - FOUR)) as usize
}

fn and_above(prefix: E164Prefix) -> impl Iterator<Item = (u64, u64)> {
    std::iter::successors(Some(prefix), |prefix| prefix.shortened()).map(|prefix| (prefix.word(), prefix.word()))
}

/// Somebody's rules, and what else decides whether they mean the same.
pub(crate) struct Said<'r, C> {
    pub(crate) rules: &'r RuleList,
    pub(crate) hash: Digest,
    pub(crate) context: C,
}

/// The prefixes at which anybody has another rule than before, or means something else by it. One may come twice.
pub(crate) fn changed<K: Ord, C: PartialEq>(
    before: &BTreeMap<K, Said<'_, C>>,
    after: &BTreeMap<K, Said<'_, C>>,
) -> Vec<E164Prefix> {
    let prefix = |rule: &Rule| rule.prefix;
    let mut changed = Vec::new();
    for sides in before.iter().merge_join_by(after, |one, other| one.0.cmp(other.0)) {
        match sides {
            Both((_, was), (_, is)) if is.context != was.context => {
                changed.extend(was.rules.iter().chain(is.rules.iter()).map(prefix));
            }
            Both((_, was), (_, is)) if is.hash != was.hash => changed.extend(differences(was.rules, is.rules)),
            Both(..) => {}
            Left((_, only)) | Right((_, only)) => changed.extend(only.rules.iter().map(prefix)),
        }
    }
    changed
}

/// The prefixes at which two lists of rules, in prefix order, say something else. One may come twice.
fn differences<'r>(before: &'r [Rule], after: &'r [Rule]) -> impl Iterator<Item = E164Prefix> {
    let at = |rules: &'r [Rule], prefix| {
        let rest = &rules[rules.partition_point(|rule| rule.prefix < prefix)..];
        &rest[..rest.partition_point(|rule| rule.prefix == prefix)]
    };
    let prefixes = before.iter().chain(after).map(|rule| rule.prefix);
    prefixes.filter(move |prefix| at(before, *prefix) != at(after, *prefix))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_region_holds_what_contains_or_is_contained(changed in vec("[1-3]{1,5}", 0..6), asked in "[1-3]{1,5}") {
            let prefix = |digits: &String| E164Prefix::from_digits(digits).unwrap();
            let above = changed.iter().any(|changed| changed.starts_with(&asked));
            let below = changed.iter().any(|changed| asked.starts_with(changed));
            let region = Region::upward(changed.iter().map(prefix));
            prop_assert_eq!(region.contains(prefix(&asked)), above);
            prop_assert_eq!(Region::around(changed.iter().map(prefix)).contains(prefix(&asked)), above || below);
            prop_assert!(Region::everything().contains(prefix(&asked)));
        }

        #[test]
        fn lists_differ_where_a_rule_came_went_or_changed(
            before in vec(("[1-2]{1,2}", 0u16..2), 0..6),
            after in vec(("[1-2]{1,2}", 0u16..2), 0..6),
        ) {
            let list = |rules: &[(String, u16)]| {
                let rule = |(digits, priority): &(String, u16)| Rule {
                    priority: *priority,
                    ..Rule::of(E164Prefix::from_digits(digits).unwrap())
                };
                let mut rules: Vec<Rule> = rules.iter().map(rule).collect();
                rules.sort_by_key(|rule| (rule.prefix, rule.priority));
                rules
            };
            let (before, after) = (list(&before), list(&after));
            let differing: Vec<E164Prefix> = differences(&before, &after).collect();
            let rest = |rules: &[Rule]| {
                rules.iter().filter(|rule| !differing.contains(&rule.prefix)).cloned().collect::<Vec<_>>()
            };
            prop_assert_eq!(rest(&before), rest(&after));
            for prefix in &differing {
                let at = |rules: &[Rule]| rules.iter().filter(|rule| rule.prefix == *prefix).cloned().collect::<Vec<_>>();
                prop_assert_ne!(at(&before), at(&after));
            }
        }
    }
}
