//! Which column is which: names people give to columns, in English and German, and a mapping file for the rest.

use std::collections::{BTreeMap, BTreeSet};

use bindery_schema::value::Currency;

use super::Error;
use super::known::{Target, known, names_cost};
use super::names::Field::{BindMode, Cost, Country, Host, MnoName, OperatorId, Password, Port, Prefixes, SystemId};
use super::names::{Field, NAMES};
use super::secret;
use crate::parse::yaml::{self, Value};
use crate::slug::plain;

/// What must be there for a row to become an operator. Without a password column passwords are set later.
const REQUIRED: [Field; 8] = [OperatorId, MnoName, Country, Host, Port, SystemId, BindMode, Prefixes];
/// So many known names make a row a header.
const RECOGNISABLE: usize = 3;
/// The currency of a cost column that names none.
const USUAL_CURRENCY: &str = "USD";

impl Field {
    fn key(self) -> &'static str {
        NAMES.iter().find(|(field, ..)| *field == self).map_or("", |(_, key, _)| key)
    }
}

/// Column names by what they mean, from a mapping file: one `Header: field` a line. By their plain form, each as the file has it.
#[derive(Debug, Clone, Default)]
pub struct Mapping(BTreeMap<String, (String, Option<Target>)>);

impl Mapping {
    /// Reads a mapping file: YAML, header to field, such as `Routing-Gewicht: weight`. The field `ignore` leaves a column
    /// out.
    pub fn read(text: &str) -> Result<Self, Error> {
        let bad = |why: String| Error::Mapping { why };
        let stream = yaml::read(text.strip_prefix('\u{feff}').unwrap_or(text));
        if stream.fault.is_some() || !stream.duplicates.is_empty() {
            return Err(bad("it is no YAML mapping with each header once".to_owned()));
        }
        let Some(root) = stream.documents.first() else { return Ok(Self::default()) };
        if stream.documents.len() > 1 {
            return Err(bad("it has several YAML documents; put all headers into one".to_owned()));
        }
        let Value::Mapping(entries) = &root.value else {
            return Err(bad("it must be a YAML mapping of headers to fields".to_owned()));
        };
        let mut mapping = BTreeMap::new();
        for (header, target) in entries {
            let (Some(header), Some(name)) = (header.as_text(), target.as_text()) else {
                return Err(bad("each header must be given one field".to_owned()));
            };
            let target = match name.trim() {
                "ignore" => None,
                name => Some(known(name).ok_or_else(|| {
                    let fields: Vec<_> = NAMES.iter().map(|(_, key, _)| *key).chain(["ignore"]).collect();
                    bad(format!("`{name}` is no field; the fields are {}", fields.join(", ")))
                })?),
            };
            mapping.insert(plain(header), (header.trim().to_owned(), target));
        }
        Ok(Self(mapping))
    }

    fn target(&self, header: &str) -> Option<Target> {
        self.0.get(&plain(header)).map_or_else(|| known(header), |(_, target)| *target)
    }

    /// Whether a column is to be left out.
    fn ignores(&self, header: &str) -> bool {
        matches!(self.0.get(&plain(header)), Some((_, None)))
    }

    /// What it maps that none of these headers is.
    pub(super) fn strangers(&self, headers: &[String]) -> Vec<&str> {
        let there: BTreeSet<String> = headers.iter().map(|header| plain(header)).collect();
        self.0.iter().filter(|(key, _)| !there.contains(*key)).map(|(_, (header, _))| header.as_str()).collect()
    }

    /// How many of these headers mean something.
    pub(super) fn count(&self, headers: &[String]) -> usize {
        headers.iter().filter(|header| self.target(header).is_some()).count()
    }
}

/// The columns of a file.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// The header as it stands, a column each.
    pub(super) headers: Vec<String>,
    by_field: BTreeMap<Field, usize>,
    /// What costs are in.
    pub(super) currency: Option<Currency>,
    /// Columns that hold passwords, also those the mapping leaves out.
    secret: Vec<usize>,
}

impl Columns {
    /// Finds the fields of a header.
    pub(super) fn find(headers: Vec<String>, mapping: &Mapping) -> Result<Self, Error> {
        let mut by_field = BTreeMap::new();
        let mut currency = None;
        let (mut secret, mut strange) = (Vec::new(), None);
        for (column, header) in headers.iter().enumerate() {
            let target = mapping.target(header);
            let is_password = target.is_some_and(|target| target.field == Password);
            if is_password || secret::is_secret_header(header) {
                secret.push(column);
                strange = strange.or(Some(header).filter(|header| !is_password && !mapping.ignores(header)));
            }
            let Some(target) = target else { continue };
            if let Some(first) = by_field.insert(target.field, column) {
                let (first, second) = (headers[first].clone(), header.clone());
                return Err(Error::SameColumnTwice { first, second, field: target.field.key() });
            }
            if target.field == Cost {
                currency = target.currency;
            }
        }
        let missing = |field: &&Field| !by_field.contains_key(*field);
        let missing: Vec<_> = REQUIRED.iter().filter(missing).map(|field| field.key()).collect();
        if !missing.is_empty() {
            // What is no header may be a row, and its cells are not repeated.
            if by_field.len() < RECOGNISABLE {
                return Err(Error::NoHeader);
            }
            return Err(Error::MissingColumns { fields: missing.join(", "), headers: headers.join(", ") });
        }
        // A password nobody knows to be one would be missing, and looked for nowhere; as something else it would be shown.
        if let Some(header) = strange {
            return Err(Error::UnknownSecret { header: header.trim().to_owned() });
        }
        let currency = currency.or_else(|| USUAL_CURRENCY.parse().ok());
        Ok(Self { headers, by_field, currency, secret })
    }

    pub(super) fn column(&self, field: Field) -> Option<usize> {
        self.by_field.get(&field).copied()
    }

    /// Every field that has a column.
    pub(super) fn known(&self) -> impl Iterator<Item = (Field, usize)> {
        self.by_field.iter().map(|(field, column)| (*field, *column))
    }

    /// The columns of passwords.
    pub(super) fn secret(&self) -> &[usize] {
        &self.secret
    }

    /// A field's name as the file has it.
    pub(super) fn header(&self, field: Field) -> &str {
        self.column(field).map_or(field.key(), |column| self.headers[column].trim())
    }

    /// Columns nobody knows.
    pub(super) fn unused(&self) -> Vec<String> {
        let used = |column: &usize| self.by_field.values().any(|used| used == column);
        (0..self.headers.len()).filter(|column| !used(column)).map(|column| self.headers[column].clone()).collect()
    }
}

/// What people should know of how the columns were read.
pub(super) fn told(columns: &Columns, mapping: &Mapping) -> Vec<String> {
    let mut to_do: Vec<String> = Vec::new();
    if columns.column(Password).is_none() {
        let how = "set them with `bindery seal`, or name the column with --mapping";
        to_do.push(format!("no column is known as password, so no operator has one: {how}"));
    }
    if columns.column(Cost).is_none() {
        let unused = columns.unused();
        for header in unused.iter().filter(|header| !mapping.ignores(header) && names_cost(header)) {
            let how = "name its currency in the header, such as Cost EUR, or give the column `ignore` with --mapping";
            to_do.push(format!("column `{}` was left out, so no rule has a cost: {how}", header.trim()));
        }
    }
    for header in mapping.strangers(&columns.headers) {
        to_do.push(format!("the mapping file names `{header}`, and no column is called so"));
    }
    to_do
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_names_what_is_not_known() {
        let mapping = Mapping::read("Q-Faktor: weight\nJunk: ignore\n").unwrap();
        for (header, field) in [("q faktor", Field::Weight), (" ANBIETER-ID ", OperatorId)] {
            assert_eq!(mapping.target(header).map(|target| target.field), Some(field), "{header}");
        }
        assert!(mapping.target("Junk").is_none() && mapping.target("Farbe").is_none());
        assert!(Mapping::read("A: colour\n").is_err() && Mapping::read("- a\n").is_err());
        assert!(Mapping::read("A: weight\n---\nB: port\n").is_err());
        assert_eq!(mapping.strangers(&["JUNK".to_owned()]), ["Q-Faktor"]);
    }

    #[test]
    fn what_is_left_out_of_a_header_is_told() {
        let told = |more: [&str; 2], mapping: &str| {
            let headers = "Operator ID,MNO,Country,Host,Port,System ID,Bind Mode,Prefixes".split(',').chain(more);
            let mapping = Mapping::read(mapping).unwrap();
            super::told(&Columns::find(headers.map(str::to_owned).collect(), &mapping).unwrap(), &mapping)
        };
        assert!(told(["Password", "Cost Euro"], "").is_empty());
        for (more, mapping, expected) in [
            (["Zugang", "Cost EUR"], "", "no column is known as password"),
            (["Password", "Cost USDT"], "", "column `Cost USDT` was left out"),
            (["Password", "EUR"], "", "column `EUR` was left out"),
            (["Password", "Color"], "Colour: ignore", "names `Colour`"),
        ] {
            let told = told(more, mapping);
            assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
        }
        assert!(told(["Password", "Cost USDT"], "Cost USDT: ignore").is_empty());
    }

    #[test]
    fn a_password_column_nobody_knows_fails_the_file() {
        let find = |password: &str, mapping: &str| {
            let headers =
                ["Operator ID", "MNO", "Country", "Host", "Port", "System ID", password, "Bind Mode", "Prefixes"];
            Columns::find(headers.map(str::to_owned).to_vec(), &Mapping::read(mapping).unwrap())
        };
        let error = find(" Zugangskennwort ", "").unwrap_err().to_string();
        assert!(error.contains("`Zugangskennwort`") && error.contains("--mapping"), "{error}");
        for (header, mapping) in
            [("Passwort", ""), ("Zugangskennwort", "Zugangskennwort: password"), ("Geheim", "Geheim: ignore")]
        {
            assert_eq!(find(header, mapping).unwrap().secret(), [6], "{header}");
        }
        // Nothing else may become of it.
        assert!(find("Geheim", "Geheim: notes").is_err());
    }
}
