//! Fields of a kind that stand in another mapping: a name that is one of them is no misspelling of what is here.

use std::sync::LazyLock;

use super::KINDS;
use crate::format::Shape;

/// A field with the dotted path of its mapping.
type Field = (String, &'static str);

/// Fields by kind.
static FIELDS: LazyLock<Vec<(&str, Vec<Field>)>> =
    LazyLock::new(|| KINDS.into_iter().map(|kind| (kind, Shape::of_kind(Some(kind)).fields())).collect());

/// The fields of the other mappings of a kind.
pub(super) struct Elsewhere<'k> {
    fields: &'static [Field],
    here: &'k [&'static str],
}

impl<'k> Elsewhere<'k> {
    /// Whatever a kind has beside the fields of one mapping. Of a kind that is not known that is nothing.
    pub(super) fn than(here: &'k [&'static str], kind: Option<&str>) -> Self {
        let of_kind = || FIELDS.iter().find(|(known, _)| Some(*known) == kind);
        let fields = kind.and_then(|_| of_kind()).map_or(&[][..], |(_, fields)| fields);
        Self { fields, here }
    }

    fn fields(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.fields.iter().map(|(path, name)| (path.as_str(), *name)).filter(|(_, name)| !self.here.contains(name))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields().map(|(_, name)| name)
    }

    /// Where a name belongs, as help; none where it is the name of no field.
    pub(super) fn home(&self, name: &str) -> Option<String> {
        let spelt = self.names().find(|known| known.eq_ignore_ascii_case(name))?;
        let places = self.fields().filter(|(_, known)| *known == spelt).map(|(path, _)| match path {
            "" => "the top of the document".to_owned(),
            path => format!("`{path}`"),
        });
        Some(format!("`{spelt}` is a field of {}", places.collect::<Vec<_>>().join(" and ")))
    }
}

/// Whether any kind has a field of this name. `contracts` is a field, and no misspelling of `contacts`.
pub(super) fn is_field(name: &str) -> bool {
    let mut fields = FIELDS.iter().flat_map(|(_, fields)| fields);
    fields.any(|(_, known)| known.eq_ignore_ascii_case(name))
}

/// Whether two names are the same but for their digits, as `t3` and `t4` are.
pub(super) fn differ_in_digits(one: &str, two: &str) -> bool {
    let letters = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "").to_ascii_lowercase();
    letters(one) == letters(two) && !one.eq_ignore_ascii_case(two)
}
