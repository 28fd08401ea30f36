//! A parsed file as bytes (`MessagePack`). Rules, of which there are a million, go into a tail of their own.

use std::borrow::Cow;
use std::sync::Arc;

use bindery_schema::contract::{Contract, Reservation};
use bindery_schema::hash::Digest;
use bindery_schema::mno::MnoSpec;
use bindery_schema::operator::{OperatorMetadata, OperatorSpec};
use bindery_schema::rules::RuleList;
use bindery_schema::value::{MnoId, OperatorId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::archive::{Added, Tail, TailPlace};
use super::rules::{self, Again, StoredRules};
use crate::parse::{Agreements, Body, Document, Opaque, ParsedFile, Places, ReadOperator, Rules};

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
        spec: Arc<OperatorSpec>,
    },
    Routes {
        operator: Cow<'a, OperatorId>,
        #[serde(with = "serde_bytes")]
        hash: [u8; 32],
        #[serde(borrow, with = "serde_bytes")]
        beginnings: Cow<'a, [u8]>,
        rules: TailPlace,
    },
    TpsContract {
        mno: Cow<'a, MnoId>,
        contracts: Cow<'a, [Contract]>,
        reservations: Cow<'a, [Reservation]>,
    },
}

/// A file in which nothing is wrong as bytes; what is read later goes to the tails. The Policy, one small file, is left to
/// the parser.
pub(super) fn encode(parsed: &ParsedFile, added: &mut Added) -> Option<Vec<u8>> {
    let clean = parsed.faults.is_empty() && parsed.opaque == Opaque::Nothing;
    let whole = clean && parsed.documents.iter().all(|document| !document.partial);
    let documents = parsed.documents.iter().filter(|_| whole).map(|document| to_stored(document, added));
    let documents: Vec<Stored<'_>> = documents.collect::<Option<_>>()?;
    whole.then(|| rmp_serde::to_vec_named(&documents).ok())?
}

/// The file that was encoded. Its rules stay in their tails.
pub(super) fn decode(bytes: &Bytes, tail: impl Fn(TailPlace) -> Option<Tail>, again: &Again) -> Option<ParsedFile> {
    let stored: Vec<Stored<'_>> = rmp_serde::from_slice(bytes).ok()?;
    let mut documents = Vec::with_capacity(stored.len());
    for stored in stored {
        documents.push(from_stored(stored, bytes, &tail, again)?);
    }
    Some(ParsedFile { documents, ..ParsedFile::default() })
}

fn to_stored<'d>(document: &'d Document, added: &mut Added) -> Option<Stored<'d>> {
    let body = match &document.body {
        Body::Mno { id: Some(id), spec: Some(spec), missing_tiers } => StoredBody::Mno {
            id: Cow::Borrowed(id),
            spec: spec.clone(),
            missing_tiers: missing_tiers.iter().map(|tier| Cow::Borrowed(*tier)).collect(),
        },
        Body::Operator { id: Some(_), read: ReadOperator::Whole { metadata, spec } } => {
            StoredBody::Operator { metadata: Cow::Borrowed(metadata), spec: spec.clone() }
        }
        Body::Routes { operator: Some(operator), rules } => {
            let (packed, beginnings) = rules::pack(rules)?;
            StoredBody::Routes {
                operator: Cow::Borrowed(operator),
                hash: rules.hash.bytes(),
                beginnings: beginnings.into(),
                rules: added.tail(&packed)?,
            }
        }
        Body::TpsContract { mno: Some(mno), read: Agreements::Whole { contracts, reservations } } => {
            StoredBody::TpsContract {
                mno: Cow::Borrowed(mno),
                contracts: Cow::Borrowed(contracts),
                reservations: Cow::Borrowed(reservations),
            }
        }
        _ => return None,
    };
    Some(Stored { index: document.index, hash: document.hash.map(Digest::bytes), body })
}

fn from_stored(
    stored: Stored<'_>,
    bytes: &Bytes,
    tail: impl Fn(TailPlace) -> Option<Tail>,
    again: &Again,
) -> Option<Document> {
    let body = match stored.body {
        StoredBody::Mno { id, spec, missing_tiers } => {
            let known = |tier: &Cow<'_, str>| ["t2", "t3"].into_iter().find(|known| known == tier);
            let missing_tiers = missing_tiers.iter().map(known).collect::<Option<_>>()?;
            Body::Mno { id: Some(id.into_owned()), spec: Some(spec), missing_tiers }
        }
        StoredBody::Operator { metadata, spec } => {
            let (id, metadata) = (Some(metadata.id.clone()), metadata.into_owned());
            Body::Operator { id, read: ReadOperator::Whole { metadata, spec } }
        }
        StoredBody::Routes { operator, hash, beginnings, rules } => {
            let Cow::Borrowed(beginnings) = beginnings else { return None };
            let hash = Digest::from(hash);
            let stored = Arc::new(StoredRules {
                beginnings: bytes.slice_ref(beginnings),
                tail: tail(rules)?,
                hash,
                index: stored.index,
                again: again.clone(),
            });
            let items = RuleList::packed(stored.clone());
            let places = Places::new(Box::new(move || stored.places()));
            Body::Routes { operator: Some(operator.into_owned()), rules: Rules::whole(items, hash, places) }
        }
        StoredBody::TpsContract { mno, contracts, reservations } => {
            let (contracts, reservations) = (contracts.into_owned(), reservations.into_owned());
            Body::TpsContract { mno: Some(mno.into_owned()), read: Agreements::Whole { contracts, reservations } }
        }
    };
    Some(Document { index: stored.index, body, partial: false, hash: stored.hash.map(Digest::from) })
}
