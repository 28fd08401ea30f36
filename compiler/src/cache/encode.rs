//! A parsed file as bytes (`MessagePack`). Rules, of which there are a million, are numbers, their prefixes apart from the
//! rest, which stays where it is until a rule is looked at.

use std::borrow::Cow;
use std::sync::Arc;

use bindery_schema::contract::{Contract, Reservation};
use bindery_schema::hash::Digest;
use bindery_schema::mno::MnoSpec;
use bindery_schema::operator::{OperatorMetadata, OperatorSpec};
use bindery_schema::routes::Rule;
use bindery_schema::rules::RuleList;
use bindery_schema::value::{Amount, Cost, Currency, E164Prefix, MnoId, Name, OperatorId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::parse::{Body, Document, List, Opaque, ParsedFile, Rules};

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    index: u32,
    #[serde(with = "serde_bytes")]
    hash: Option<[u8; 32]>,
    #[serde(borrow)]
    body: StoredBody<'a>,
}

#[derive(Serialize, Deserialize)]
enum StoredBody<'a> {
    Mno {
        id: Cow<'a, MnoId>,
        spec: Arc<MnoSpec>,
        missing_tiers: Vec<Cow<'a, str>>,
    },
    Operator {
        metadata: Cow<'a, OperatorMetadata>,
        spec: Cow<'a, OperatorSpec>,
    },
    Routes {
        operator: Cow<'a, OperatorId>,
        #[serde(with = "serde_bytes")]
        hash: [u8; 32],
        places: Cow<'a, [u32]>,
        #[serde(borrow, with = "serde_bytes")]
        prefixes: Cow<'a, [u8]>,
        #[serde(borrow, with = "serde_bytes")]
        rules: Cow<'a, [u8]>,
    },
    TpsContract {
        mno: Cow<'a, MnoId>,
        contracts: Cow<'a, [Contract]>,
        reservations: Cow<'a, [Reservation]>,
    },
}

#[derive(Serialize, Deserialize)]
struct StoredRules {
    currencies: Vec<Currency>,
    rules: Vec<StoredRule>,
}

#[derive(Serialize, Deserialize)]
struct StoredRule {
    priority: u16,
    weight: u16,
    active: bool,
    /// Mantissa, scale and the currency's place in the document's list.
    cost: Option<(u64, u32, u32)>,
    narrows: Option<u64>,
    split: Option<Name>,
}

/// A file in which nothing is wrong as bytes. The Policy, one small file, is left to the parser.
pub(super) fn encode(parsed: &ParsedFile) -> Option<Vec<u8>> {
    let clean = parsed.faults.is_empty() && parsed.opaque == Opaque::Nothing;
    let whole = clean && parsed.documents.iter().all(|document| !document.partial);
    let documents: Option<Vec<Stored<'_>>> = parsed.documents.iter().map(to_stored).collect();
    rmp_serde::to_vec_named(&documents.filter(|_| whole)?).ok()
}

/// The file that was encoded. Its rules stay in the bytes.
pub(super) fn decode(bytes: &Bytes) -> Option<ParsedFile> {
    let stored: Vec<Stored<'_>> = rmp_serde::from_slice(bytes).ok()?;
    let documents: Option<Vec<Document>> = stored.into_iter().map(|stored| from_stored(stored, bytes)).collect();
    Some(ParsedFile { documents: documents?, ..ParsedFile::default() })
}

fn to_stored(document: &Document) -> Option<Stored<'_>> {
    let body = match &document.body {
        Body::Mno { id: Some(id), spec: Some(spec), missing_tiers } => StoredBody::Mno {
            id: Cow::Borrowed(id),
            spec: spec.clone(),
            missing_tiers: missing_tiers.iter().map(|tier| Cow::Borrowed(*tier)).collect(),
        },
        Body::Operator { id: Some(_), metadata: Some(metadata), spec: Some(spec) } => {
            StoredBody::Operator { metadata: Cow::Borrowed(metadata), spec: Cow::Borrowed(spec) }
        }
        Body::Routes { operator: Some(operator), rules } => {
            let mut currencies: Vec<Currency> = Vec::new();
            let stored: Option<Vec<StoredRule>> =
                rules.items.iter().map(|rule| to_rule(rule, &mut currencies)).collect();
            let packed = rmp_serde::to_vec(&StoredRules { currencies, rules: stored? }).ok()?;
            // They are unpacked when it is too late to parse the file instead.
            let prefixes: Vec<E164Prefix> = rules.items.prefixes().collect();
            unpack(&prefixes, &packed).filter(|unpacked| **unpacked == *rules.items)?;
            StoredBody::Routes {
                operator: Cow::Borrowed(operator),
                hash: rules.hash.bytes(),
                places: Cow::Borrowed(&rules.places),
                prefixes: prefixes.iter().flat_map(|prefix| prefix.word().to_le_bytes()).collect(),
                rules: packed.into(),
            }
        }
        Body::TpsContract { mno: Some(mno), contracts, reservations } => StoredBody::TpsContract {
            mno: Cow::Borrowed(mno),
            contracts: Cow::Borrowed(&contracts.items),
            reservations: Cow::Borrowed(&reservations.items),
        },
        _ => return None,
    };
    Some(Stored { index: document.index, hash: document.hash.map(Digest::bytes), body })
}

fn from_stored(stored: Stored<'_>, bytes: &Bytes) -> Option<Document> {
    let body = match stored.body {
        StoredBody::Mno { id, spec, missing_tiers } => {
            let known = |tier: &Cow<'_, str>| ["t2", "t3"].into_iter().find(|known| known == tier);
            let missing_tiers = missing_tiers.iter().map(known).collect::<Option<_>>()?;
            Body::Mno { id: Some(id.into_owned()), spec: Some(spec), missing_tiers }
        }
        StoredBody::Operator { metadata, spec } => Body::Operator {
            id: Some(metadata.id.clone()),
            metadata: Some(metadata.into_owned()),
            spec: Some(spec.into_owned()),
        },
        StoredBody::Routes { operator, hash, places, prefixes, rules } => {
            let (words, torn) = prefixes.as_chunks();
            let read = |word: &[u8; 8]| E164Prefix::from_word(u64::from_le_bytes(*word));
            let prefixes: Option<Box<[E164Prefix]>> = words.iter().map(read).collect();
            let prefixes = prefixes.filter(|_| torn.is_empty())?;
            let Cow::Borrowed(rules) = rules else { return None };
            let rules = bytes.slice_ref(rules);
            let items = RuleList::packed(prefixes, Box::new(move |prefixes| unpack_or_bare(prefixes, &rules)));
            let rules = Rules::whole(items, Digest::from(hash), places.into_owned());
            Body::Routes { operator: Some(operator.into_owned()), rules }
        }
        StoredBody::TpsContract { mno, contracts, reservations } => {
            let (contracts, reservations) =
                (List::whole(contracts.into_owned()), List::whole(reservations.into_owned()));
            Body::TpsContract { mno: Some(mno.into_owned()), contracts, reservations }
        }
    };
    Some(Document { index: stored.index, body, partial: false, hash: stored.hash.map(Digest::from) })
}

fn unpack(prefixes: &[E164Prefix], bytes: &[u8]) -> Option<Box<[Rule]>> {
    let StoredRules { currencies, rules } = rmp_serde::from_slice(bytes).ok()?;
    let paired = prefixes.iter().zip(rules);
    let rules: Box<[Rule]> =
        paired.map(|(prefix, rule)| from_rule(*prefix, rule, &currencies)).collect::<Option<_>>()?;
    (rules.len() == prefixes.len()).then_some(rules)
}

/// What was packed by [`encode`] unpacks; bytes somebody forged, sum and all, read as rules with no more than a prefix.
fn unpack_or_bare(prefixes: &[E164Prefix], bytes: &[u8]) -> Box<[Rule]> {
    unpack(prefixes, bytes).unwrap_or_else(|| prefixes.iter().map(|prefix| Rule::of(*prefix)).collect())
}

fn to_rule(rule: &Rule, currencies: &mut Vec<Currency>) -> Option<StoredRule> {
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
        priority: rule.priority,
        weight: rule.weight,
        active: rule.active,
        cost,
        narrows: rule.narrows.map(E164Prefix::word),
        split: rule.split.clone(),
    })
}

fn from_rule(prefix: E164Prefix, stored: StoredRule, currencies: &[Currency]) -> Option<Rule> {
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
        prefix,
        priority: stored.priority,
        weight: stored.weight,
        cost,
        active: stored.active,
        narrows,
        split: stored.split,
    })
}
