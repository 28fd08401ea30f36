//! A rule inside a broader one: whether that is declared, and whether what is declared is so.

use bindery_schema::policy::Nesting;
use bindery_schema::value::E164Prefix;

use super::{Entry, Sweep};
use crate::diagnostic::{Code, Draft, Sink};
use crate::parse::Lost;
use crate::validate::named;

impl Sweep<'_, '_> {
    /// A rule inside a broader one, of its own operator or of another.
    pub(super) fn nesting<'g>(&self, entry: Entry, above: &[&'g [Entry]], sink: &mut Sink) {
        if above.is_empty() && !entry.narrows {
            return;
        }
        let nearest = |part: &dyn Fn(&'g [Entry]) -> (&'g [Entry], &'g [Entry])| {
            let of_group = |group: &&'g [Entry]| {
                let (before, behind) = part(group);
                before.iter().chain(behind).find(|broader| broader.takes_part).copied()
            };
            above.iter().rev().find_map(of_group)
        };
        // A group is in the order of tables: the operator's own rules stand together.
        let own_part = |group: &'g [Entry]| {
            let begin = group.partition_point(|broader| broader.table < entry.table);
            (begin, begin + group[begin..].partition_point(|broader| broader.table == entry.table))
        };
        let own = nearest(&|group| (&group[own_part(group).0..own_part(group).1], &[]));
        let other = nearest(&|group| (&group[..own_part(group).0], &group[own_part(group).1..]));
        let across = self.policy.cross_operator_nesting;
        // `narrows` speaks of the operator's own rules, and of all rules where nesting across must be declared.
        let nearest = match across {
            Nesting::Declared => own.into_iter().chain(other).max_by_key(|broader| broader.prefix.len()),
            _ => own,
        };
        let declared = match self.rule(entry).narrows {
            None => entry.doubt.narrows,
            Some(narrows) if nearest.is_some_and(|broader| broader.prefix == narrows) => true,
            Some(narrows) if self.may_be_right(entry, narrows, nearest, above) => true,
            Some(narrows) => return self.bad_narrows(entry, narrows, nearest, sink),
        };
        if let Some(broader) = own {
            let fine = match self.policy.same_operator_nesting {
                Nesting::Allow => true,
                Nesting::Declared => declared,
                Nesting::Deny => false,
            };
            if !fine {
                self.nested(Code::PrefixNestedSameOperator, entry, broader, sink);
                // What mends it mends the nesting across too, unless the policy denies that.
                if across != Nesting::Deny {
                    return;
                }
            }
        }
        if let Some(broader) = other {
            let fine = match across {
                Nesting::Allow => true,
                Nesting::Declared => declared,
                Nesting::Deny => false,
            };
            if !fine {
                self.nested(Code::PrefixConflictAcrossOperators, entry, broader, sink);
            }
        }
    }

    fn nested(&self, code: Code, entry: Entry, broader: Entry, sink: &mut Sink) {
        let (operator, holder) = (named(self.operator(entry)), named(self.operator(broader)));
        let (prefix, around) = (entry.prefix, broader.prefix);
        let message = format!("prefix `{prefix}` of operator {operator} lies inside `{around}` of operator {holder}");
        let allowed = match code {
            Code::PrefixNestedSameOperator => self.policy.same_operator_nesting,
            _ => self.policy.cross_operator_nesting,
        };
        let help = match allowed {
            Nesting::Deny => "the policy denies nesting: remove one of the two".to_owned(),
            _ => format!("if that is meant, say so in the narrower rule: narrows: \"{around}\""),
        };
        let draft = Draft::new(code, self.place(entry, "prefix"), message)
            .related(self.place(broader, "prefix"), "the broader rule")
            .help(help)
            .about_some(self.operator(entry));
        sink.push(draft);
    }

    /// Whether what `narrows` names may be the nearest broader rule after all: one that could not be read, or of which it is
    /// not known whether it takes part.
    fn may_be_right(&self, entry: Entry, narrows: E164Prefix, nearest: Option<Entry>, above: &[&[Entry]]) -> bool {
        let is_between = narrows != entry.prefix
            && narrows.contains(entry.prefix)
            && nearest.is_none_or(|nearest| nearest.prefix.len() < narrows.len());
        let of_any = self.policy.cross_operator_nesting == Nesting::Declared;
        let is_named = |broader: &Entry| {
            broader.doubt.active && broader.prefix == narrows && (of_any || broader.table == entry.table)
        };
        let may_be_lost = || {
            self.table(entry).routes.rules.lost != Lost::Nothing
                || of_any && (!self.lost.is_empty() || self.objects.may_hide_rules(&narrows.digits()))
        };
        is_between && (above.iter().any(|group| group.iter().any(is_named)) || may_be_lost())
    }

    fn bad_narrows(&self, entry: Entry, narrows: E164Prefix, nearest: Option<Entry>, sink: &mut Sink) {
        let (message, help) = match nearest {
            Some(broader) => (
                format!(
                    "`narrows` names `{narrows}`, and the nearest broader prefix of `{}` is `{}`",
                    entry.prefix, broader.prefix
                ),
                format!("write narrows: \"{}\"", broader.prefix),
            ),
            None => (
                format!("`narrows` names `{narrows}`, and `{}` lies inside no rule it could narrow", entry.prefix),
                "remove `narrows`, or correct the prefix".to_owned(),
            ),
        };
        let mut draft = Draft::new(Code::BadNarrows, self.place(entry, "narrows"), message)
            .help(help)
            .replace_by(nearest.map(|broader| format!("\"{}\"", broader.prefix)))
            .about_some(self.operator(entry));
        if let Some(broader) = nearest {
            draft = draft.related(self.place(broader, "prefix"), "the nearest broader rule");
        }
        sink.push(draft);
    }
}
