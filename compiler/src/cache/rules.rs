//! The rules of a Routes document in the cache: how their prefixes begin is at hand, the rest is read when one is looked at.

use std::sync::Arc;

use bindery_schema::hash::{self, Digest};
use bindery_schema::routes::Rule;
use bindery_schema::rules::Packed;
use bindery_schema::value::{Amount, Cost, Currency, E164Prefix, Name};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::archive::Tail;
use crate::parse::{Body, Rules, parse_file};
use crate::source::Origin;

/// Where a file can be parsed again, should what the cache has of it be spoilt.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    pub(crate) origin: Arc<Origin>,
    pub(crate) path: Arc<str>,
}

/// The rules of a document that lie in the cache.
#[derive(Debug)]
pub(super) struct StoredRules {
    pub(super) beginnings: Bytes,
    pub(super) tail: Tail,
    pub(super) hash: Digest,
    /// The document's number in its file.
    pub(super) index: u32,
    pub(super) again: Again,
}

#[derive(Serialize, Deserialize)]
struct Everything {
    currencies: Vec<Currency>,
    rules: Vec<StoredRule>,
    places: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct StoredRule {
    prefix: u64,
    priority: u16,
    weight: u16,
    active: bool,
    /// Mantissa, scale and the currency's place in the document's list.
    cost: Option<(u64, u32, u32)>,
    narrows: Option<u64>,
    split: Option<Name>,
}

/// The rules as bytes, and how their prefixes begin; none where they would not be the same read back.
pub(super) fn pack(rules: &Rules) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut currencies = Vec::new();
    let stored: Option<Vec<StoredRule>> = rules.items.iter().map(|rule| to_stored(rule, &mut currencies)).collect();
    let everything = Everything { currencies, rules: stored?, places: rules.places.clone() };
    let packed = rmp_serde::to_vec(&everything).ok()?;
    // Bytes that unpack to other rules would be taken for what they are: nothing looks at the file again.
    unpack(&packed).filter(|(unpacked, _)| **unpacked == *rules.items)?;
    let beginnings = rules.items.iter().flat_map(|rule| rule.prefix.beginning().to_le_bytes()).collect();
    Some((packed, beginnings))
}

fn unpack(bytes: &[u8]) -> Option<(Box<[Rule]>, Vec<u32>)> {
    let Everything { currencies, rules, places } = rmp_serde::from_slice(bytes).ok()?;
    Some((rules.into_iter().map(|rule| from_stored(rule, &currencies)).collect::<Option<_>>()?, places))
}

impl StoredRules {
    /// Places of the rules in the YAML list.
    pub(super) fn places(&self) -> Vec<u32> {
        self.read().1
    }

    fn read(&self) -> (Box<[Rule]>, Vec<u32>) {
        let whole = |(rules, _): &(Box<[Rule]>, Vec<u32>)| rules.len() == self.beginnings().len();
        let kept = self.tail.read().and_then(|bytes| unpack(&bytes)).filter(whole);
        kept.or_else(|| self.parse_again()).unwrap_or_else(|| {
            self.tail.source.lose(&self.again.path);
            Default::default()
        })
    }

    fn parse_again(&self) -> Option<(Box<[Rule]>, Vec<u32>)> {
        let parsed = parse_file(self.again.origin.content(&self.again.path));
        let document = parsed.documents.iter().find(|document| document.index == self.index)?;
        let Body::Routes { rules, .. } = &document.body else { return None };
        // A file of a working tree may have changed meanwhile.
        (hash::routes(&rules.items) == self.hash).then(|| (Box::from(&*rules.items), rules.places.clone()))
    }
}

impl Packed for StoredRules {
    fn beginnings(&self) -> &[[u8; 4]] {
        self.beginnings.as_chunks().0
    }

    fn unpack(&self) -> Box<[Rule]> {
        self.read().0
    }
}

fn to_stored(rule: &Rule, currencies: &mut Vec<Currency>) -> Option<StoredRule> {
    let mut number = |currency: Currency| {
        let known = currencies.iter().position(|known| *known == currency);
        known.unwrap_or_else(|| {
            currencies.push(currency);
            currencies.len() - 1
        })
    };
    let cost = match rule.cost {
        None => None,
        Some(Cost { amount, currency }) => {
            let (mantissa, scale) = amount.parts()?;
            Some((mantissa, scale, u32::try_from(number(currency)).ok()?))
        }
    };
    Some(StoredRule {
        prefix: rule.prefix.word(),
        priority: rule.priority,
        weight: rule.weight,
        active: rule.active,
        cost,
        narrows: rule.narrows.map(E164Prefix::word),
        split: rule.split.clone(),
    })
}

fn from_stored(stored: StoredRule, currencies: &[Currency]) -> Option<Rule> {
    let cost = match stored.cost {
        None => None,
        Some((mantissa, scale, currency)) => {
            let currency = *currencies.get(currency as usize)?;
            Some(Cost { amount: Amount::from_parts(mantissa, scale)?, currency })
        }
    };
    let narrows = match stored.narrows {
        None => None,
        Some(word) => Some(E164Prefix::from_word(word)?),
    };
    Some(Rule {
        prefix: E164Prefix::from_word(stored.prefix)?,
        priority: stored.priority,
        weight: stored.weight,
        cost,
        active: stored.active,
        narrows,
        split: stored.split,
    })
}
