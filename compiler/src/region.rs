//! The part of the numbering plan to which a change of rules can matter.

use std::collections::BTreeMap;

use bindery_schema::hash::Digest;
use bindery_schema::routes::Rule;
use bindery_schema::rules::RuleList;
use bindery_schema::value::E164Prefix;

/// A set of prefixes: packed words in ranges, in order and apart from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    ranges: Vec<(u64, u64)>,
    /// A bit for each beginning of a word that stands in a range: most of a million prefixes are told by it.
    beginnings: Box<[u64]>,
}

/// Bits of a word that are its beginning: four digits.
const BEGINNING: u32 = 16;

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
        let mut beginnings = vec![0; 1 << (BEGINNING - 6)].into_boxed_slice();
        for (first, last) in &apart {
            for beginning in beginning(*first)..=beginning(*last) {
                beginnings[beginning >> 6] |= 1 << (beginning & 63);
            }
        }
        Self { ranges: apart, beginnings }
    }

    /// Whether a prefix is in it.
    pub(crate) fn contains(&self, prefix: E164Prefix) -> bool {
        let beginning = beginning(prefix.word());
        self.beginnings[beginning >> 6] >> (beginning & 63) & 1 == 1 && self.has(prefix.word())
    }

    fn has(&self, word: u64) -> bool {
        let next = self.ranges.partition_point(|range| range.0 <= word);
        next.checked_sub(1).is_some_and(|n| word <= self.ranges[n].1)
    }

    /// The places of the rules whose prefix is in it.
    pub(crate) fn places(&self, rules: &RuleList) -> Vec<u32> {
        let mut places = Vec::new();
        if !self.ranges.is_empty() {
            rules.prefixes().zip(0..).for_each(|(prefix, place)| {
                if self.contains(prefix) {
                    places.push(place);
                }
            });
        }
        places
    }
}

fn beginning(word: u64) -> usize {
    (word >> (u64::BITS - BEGINNING)) as usize
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
    let mut changed = Vec::new();
    for (key, was) in before {
        match after.get(key) {
            Some(is) if is.context != was.context => changed.extend(was.rules.prefixes().chain(is.rules.prefixes())),
            Some(is) if is.hash != was.hash => changed.extend(differences(was.rules, is.rules)),
            Some(_) => {}
            None => changed.extend(was.rules.prefixes()),
        }
    }
    let new = after.iter().filter(|(key, _)| !before.contains_key(key));
    changed.extend(new.flat_map(|(_, is)| is.rules.prefixes()));
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
