//! A parsed file as bytes. Rules, of which there are a million, are numbers; all else is JSON inside.

use std::sync::Arc;

use bindery_schema::contract::{Contract, Reservation};
use bindery_schema::hash::Digest;
use bindery_schema::mno::MnoSpec;
use bindery_schema::operator::{OperatorMetadata, OperatorSpec};
use bindery_schema::routes::Rule;
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
    Mno { json: Vec<u8>, missing_tiers: Vec<String> },
    Operator { json: Vec<u8> },
    Routes { operator: OperatorId, hash: Digest, currencies: Vec<Currency>, rules: Vec<StoredRule>, places: Vec<u32> },
    TpsContract { json: Vec<u8> },
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
            StoredBody::Routes {
                operator: operator.clone(),
                hash: rules.hash,
                currencies,
                rules: stored?,
                places: rules.places.clone(),
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
        StoredBody::Routes { operator, hash, currencies, rules, places } => {
            let items: Option<Vec<Rule>> = rules.into_iter().map(|rule| from_rule(rule, &currencies)).collect();
            Body::Routes { operator: Some(operator), rules: Rules::whole(items?.into(), hash, places) }
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
        prefix: rule.prefix.word(),
        priority: rule.priority,
        weight: rule.weight,
        active: rule.active,
        cost,
        narrows: rule.narrows.map(E164Prefix::word),
        split: rule.split.clone(),
    })
}

fn from_rule(stored: StoredRule, currencies: &[Currency]) -> Option<Rule> {
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
