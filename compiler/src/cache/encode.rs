//! A parsed file as bytes. Rules, of which there are a million, are numbers, their prefixes apart from the rest, which is
//! read when a rule is looked at; all else is JSON inside.

use std::sync::Arc;

use bindery_schema::contract::{Contract, Reservation};
use bindery_schema::hash::Digest;
use bindery_schema::mno::MnoSpec;
use bindery_schema::operator::{OperatorMetadata, OperatorSpec};
use bindery_schema::routes::Rule;
use bindery_schema::rules::RuleList;
use bindery_schema::value::{Amount, Cost, Currency, E164Prefix, MnoId, Name, OperatorId};
use serde::{Deserialize, Serialize};

use crate::parse::{Body, Document, List, Opaque, ParsedFile, Rules};

#[derive(Serialize, Deserialize)]
struct Stored {
    index: u32,
    body: StoredBody,
}

#[derive(Serialize, Deserialize)]
enum StoredBody {
    Mno {
        #[serde(with = "serde_bytes")]
        json: Vec<u8>,
        missing_tiers: Vec<String>,
    },
    Operator {
        #[serde(with = "serde_bytes")]
        json: Vec<u8>,
    },
    Routes {
        operator: OperatorId,
        hash: [u8; 32],
        places: Vec<u32>,
        #[serde(with = "serde_bytes")]
        prefixes: Vec<u8>,
        #[serde(with = "serde_bytes")]
        rules: Vec<u8>,
    },
    TpsContract {
        #[serde(with = "serde_bytes")]
        json: Vec<u8>,
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
    let documents: Option<Vec<Stored>> = parsed.documents.iter().map(to_stored).collect();
    postcard::to_allocvec(&documents.filter(|_| whole)?).ok()
}

/// The file that was encoded.
pub(super) fn decode(bytes: &[u8]) -> Option<ParsedFile> {
    let stored: Vec<Stored> = postcard::from_bytes(bytes).ok()?;
    let documents: Option<Vec<Document>> = stored.into_iter().map(from_stored).collect();
    Some(ParsedFile { documents: documents?, ..ParsedFile::default() })
}

fn to_stored(document: &Document) -> Option<Stored> {
    let body = match &document.body {
        Body::Mno { id: Some(id), spec: Some(spec), missing_tiers } => StoredBody::Mno {
            json: serde_json::to_vec(&(id, spec)).ok()?,
            missing_tiers: missing_tiers.iter().map(|tier| (*tier).to_owned()).collect(),
        },
        Body::Operator { id: Some(id), metadata: Some(metadata), spec: Some(spec) } => {
            StoredBody::Operator { json: serde_json::to_vec(&(id, metadata, spec)).ok()? }
        }
        Body::Routes { operator: Some(operator), rules } => {
            let mut currencies: Vec<Currency> = Vec::new();
            let stored: Option<Vec<StoredRule>> =
                rules.items.iter().map(|rule| to_rule(rule, &mut currencies)).collect();
            let packed = postcard::to_allocvec(&StoredRules { currencies, rules: stored? }).ok()?;
            // They are unpacked when it is too late to parse the file instead.
            let prefixes: Vec<E164Prefix> = rules.items.prefixes().collect();
            unpack(&prefixes, &packed).filter(|unpacked| **unpacked == *rules.items)?;
            StoredBody::Routes {
                operator: operator.clone(),
                hash: rules.hash.bytes(),
                places: rules.places.clone(),
                prefixes: prefixes.iter().flat_map(|prefix| prefix.word().to_le_bytes()).collect(),
                rules: packed,
            }
        }
        Body::TpsContract { mno: Some(mno), contracts, reservations } => {
            StoredBody::TpsContract { json: serde_json::to_vec(&(mno, &contracts.items, &reservations.items)).ok()? }
        }
        _ => return None,
    };
    Some(Stored { index: document.index, body })
}

fn from_stored(stored: Stored) -> Option<Document> {
    let body = match stored.body {
        StoredBody::Mno { json, missing_tiers } => {
            let (id, spec): (MnoId, MnoSpec) = serde_json::from_slice(&json).ok()?;
            let known = |tier: &String| ["t2", "t3"].into_iter().find(|known| known == tier);
            let missing_tiers = missing_tiers.iter().map(known).collect::<Option<_>>()?;
            Body::Mno { id: Some(id), spec: Some(Arc::new(spec)), missing_tiers }
        }
        StoredBody::Operator { json } => {
            let (id, metadata, spec): (OperatorId, OperatorMetadata, OperatorSpec) =
                serde_json::from_slice(&json).ok()?;
            Body::Operator { id: Some(id), metadata: Some(metadata), spec: Some(spec) }
        }
        StoredBody::Routes { operator, hash, places, prefixes, rules } => {
            let (words, torn) = prefixes.as_chunks();
            let read = |word: &[u8; 8]| E164Prefix::from_word(u64::from_le_bytes(*word));
            let prefixes: Option<Box<[E164Prefix]>> = words.iter().map(read).collect();
            let prefixes = prefixes.filter(|_| torn.is_empty())?;
            let items = RuleList::packed(prefixes, Box::new(move |prefixes| unpack_or_bare(prefixes, &rules)));
            Body::Routes { operator: Some(operator), rules: Rules::whole(items, Digest::from(hash), places) }
        }
        StoredBody::TpsContract { json } => {
            let (mno, contracts, reservations): (MnoId, Vec<Contract>, Vec<Reservation>) =
                serde_json::from_slice(&json).ok()?;
            let (contracts, reservations) = (List::whole(contracts), List::whole(reservations));
            Body::TpsContract { mno: Some(mno), contracts, reservations }
        }
    };
    Some(Document { index: stored.index, body, partial: false })
}

fn unpack(prefixes: &[E164Prefix], bytes: &[u8]) -> Option<Box<[Rule]>> {
    let StoredRules { currencies, rules } = postcard::from_bytes(bytes).ok()?;
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
