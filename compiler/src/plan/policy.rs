//! Which policy guards a change, and where the change makes the policy less strict.
//!
//! A change is measured by the guardrails, the routing and the throughput rules of the revision it starts from: it cannot
//! lift what it runs into. Acknowledgements and recipients belong to the change itself.

use bindery_schema::impact::Loosening;
use bindery_schema::policy::{Acknowledgement, Nesting, PolicySpec, Threshold};

use super::blast::listed;

/// The policy a change of `base` into `head` is measured by.
pub fn guarding(base: &PolicySpec, head: &PolicySpec) -> PolicySpec {
    PolicySpec {
        routing: base.routing.clone(),
        guardrails: base.guardrails.clone(),
        tps: base.tps.clone(),
        secrets: head.secrets.clone(),
        acknowledge: head.acknowledge.clone(),
    }
}

/// Where `head` is less strict than `base`.
pub fn loosened(base: &PolicySpec, head: &PolicySpec) -> Vec<Loosening> {
    let mut list = Vec::new();
    let mut note = |path: &str, message: String, effective| {
        list.push(Loosening { path: path.to_owned(), message, effective });
    };
    for (name, old, new) in [
        ("maxDeletes", base.guardrails.max_deletes, head.guardrails.max_deletes),
        ("maxEndpointChanges", base.guardrails.max_endpoint_changes, head.guardrails.max_endpoint_changes),
    ] {
        let Threshold { count, percent } = old;
        if new.count > count {
            note(&format!("guardrails.{name}.count"), format!("rises from {count} to {}", new.count), false);
        }
        if new.percent > percent {
            note(&format!("guardrails.{name}.percent"), format!("rises from {percent} to {}", new.percent), false);
        }
    }
    for id in base.guardrails.protect.difference(&head.guardrails.protect) {
        note("guardrails.protect", format!("no longer protects `{id}`"), false);
    }
    for (name, old, new) in [
        ("sameOperatorNesting", base.routing.same_operator_nesting, head.routing.same_operator_nesting),
        ("crossOperatorNesting", base.routing.cross_operator_nesting, head.routing.cross_operator_nesting),
    ] {
        if freedom(new) > freedom(old) {
            note(&format!("routing.{name}"), format!("from {} to {}", word(old), word(new)), false);
        }
    }
    let (old, new) = (base.tps.min_on_demand_pool_percent, head.tps.min_on_demand_pool_percent);
    if new < old {
        note("tps.minOnDemandPoolPercent", format!("falls from {old} to {new}"), false);
    }
    for recipient in head.secrets.recipients.iter().filter(|new| !base.secrets.recipients.contains(new)) {
        note("secrets.recipients", format!("lets `{recipient}` open what is sealed from now on"), true);
    }
    for new in &head.acknowledge {
        let same = |old: &&Acknowledgement| old.code == new.code && old.object == new.object;
        let Acknowledgement { code, object, reason, expires } = new;
        match base.acknowledge.iter().filter(same).map(|old| old.expires).max() {
            None => {
                let message = format!("{code} of `{object}` is accepted until {expires}: {reason}");
                note("acknowledge", message, true);
            }
            Some(until) if until < *expires => {
                let message = format!("{code} of `{object}` is accepted until {expires} instead of {until}: {reason}");
                note("acknowledge", message, true);
            }
            Some(_) => {}
        }
    }
    list
}

/// Lines that differ in what they name first and in nothing else.
struct Alike<'a> {
    first: &'a Loosening,
    /// What stands before and behind the name.
    around: Option<(&'a str, &'a str)>,
    ids: Vec<&'a str>,
}

/// The same for people: of those that differ in what they name first and in nothing else, one, with the first few names.
pub(super) fn grouped(list: &[Loosening]) -> Vec<Loosening> {
    let mut groups: Vec<Alike<'_>> = Vec::new();
    for item in list {
        let parts: Vec<&str> = item.message.splitn(3, '`').collect();
        let (around, id) = match parts[..] {
            [front, id, end] => (Some((front, end)), Some(id)),
            _ => (None, None),
        };
        let same = |group: &&mut Alike<'_>| {
            let Alike { first, around: other, .. } = group;
            around.is_some() && (&first.path, first.effective, *other) == (&item.path, item.effective, around)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.ids.extend(id),
            None => groups.push(Alike { first: item, around, ids: id.into_iter().collect() }),
        }
    }
    groups.into_iter().map(|group| group.told()).collect()
}

impl Alike<'_> {
    fn told(&self) -> Loosening {
        let number = self.ids.len();
        let Some((front, end)) = self.around.filter(|_| number > 1) else { return self.first.clone() };
        let list = listed(self.ids.iter().map(|id| format!("`{id}`")), number);
        Loosening { message: format!("{front}{list}{end} ({number} in all)"), ..self.first.clone() }
    }
}

fn freedom(nesting: Nesting) -> u8 {
    match nesting {
        Nesting::Deny => 0,
        Nesting::Declared => 1,
        Nesting::Allow => 2,
    }
}

fn word(nesting: Nesting) -> &'static str {
    match nesting {
        Nesting::Deny => "deny",
        Nesting::Declared => "declared",
        Nesting::Allow => "allow",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn policy(spec: Value) -> PolicySpec {
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn says_what_becomes_less_strict_and_nothing_else() {
        let base = policy(json!({
            "guardrails": {"maxDeletes": {"count": 5, "percent": 10}, "protect": ["a", "b"]},
            "routing": {"crossOperatorNesting": "declared"}, "tps": {"minOnDemandPoolPercent": 10},
            "acknowledge": [{"code": "BND0606", "object": "a", "reason": "seen", "expires": "2026-12-01"}],
        }));
        let head = policy(json!({
            "guardrails": {"maxDeletes": {"count": 6, "percent": 9}, "protect": ["b", "c"]},
            "routing": {"crossOperatorNesting": "allow"}, "tps": {"minOnDemandPoolPercent": 5},
            "secrets": {"recipients": ["age1x"]},
            "acknowledge": [
                {"code": "BND0606", "object": "a", "reason": "again", "expires": "2027-01-01"},
                {"code": "BND0608", "object": "b", "reason": "new", "expires": "2027-01-01"},
            ],
        }));
        let found = loosened(&base, &head);
        let paths: Vec<_> = found.iter().map(|item| (item.path.as_str(), item.effective)).collect();
        assert_eq!(
            paths,
            [
                ("guardrails.maxDeletes.count", false),
                ("guardrails.protect", false),
                ("routing.crossOperatorNesting", false),
                ("tps.minOnDemandPoolPercent", false),
                ("secrets.recipients", true),
                ("acknowledge", true),
                ("acknowledge", true),
            ]
        );
        assert!(loosened(&base, &base).is_empty() && loosened(&head, &head).is_empty());
        let guard = guarding(&base, &head);
        let many = policy(json!({"guardrails": {"protect": ["a", "b", "c", "d", "e", "f", "g"]}}));
        let told =
            grouped(&loosened(&many, &policy(json!({"guardrails": {"maxDeletes": {"count": 50, "percent": 50}}}))));
        let told: Vec<_> = told.iter().map(|item| item.message.as_str()).collect();
        assert_eq!(
            told,
            [
                "rises from 20 to 50",
                "rises from 25 to 50",
                "no longer protects `a`, `b`, `c`, `d`, `e` and 2 more (7 in all)"
            ]
        );
        assert_eq!((&guard.guardrails, &guard.acknowledge), (&base.guardrails, &head.acknowledge));
    }
}
