//! A spreadsheet as its owners read it: parsed by Python, so that nothing of the importer is asked, and with what the
//! report says was brought into another form.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bindery_tests::program::run;
use serde_json::{Value, json};

/// Prints header and rows as JSON. A byte that does not decode belongs to a row that is refused.
const READ: &str = r#"
import csv, json, sys
with open(sys.argv[1], encoding="utf-8-sig", errors="replace", newline="") as sheet:
    print(json.dumps(list(csv.reader(sheet))))
"#;

/// A row by column.
#[derive(Debug)]
pub(super) struct Row {
    cells: BTreeMap<String, String>,
}

/// What becomes of a spreadsheet.
#[derive(Debug)]
pub(super) struct Sheet {
    /// The rows that were taken, as they are to arrive.
    pub(super) taken: Vec<Row>,
    /// The rows that were refused, as they stand.
    pub(super) refused: Vec<Row>,
}

/// Carriers by country and name, with their codes and the addresses of their desks.
pub(super) type Carriers = BTreeMap<(String, String), [BTreeSet<String>; 2]>;

/// A rule with who has it: prefix, operator, priority, weight, amount and currency.
pub(super) type Rule = (String, String, u64, u64, Option<String>, Option<String>);

impl Sheet {
    /// Reads a spreadsheet beside the report of its import. Every row is in the report once.
    pub(super) fn read(csv: &Path, report: &Value) -> Self {
        let output = run("python3", &["-c", READ, csv.to_str().unwrap()], Path::new("/"), None);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
        let (header, lines) = lines.split_first().unwrap();
        let told = report["rows"].as_array().unwrap();
        let numbers: Vec<u64> = told.iter().map(|row| row["record"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>());
        let mut sheet = Self { taken: Vec::new(), refused: Vec::new() };
        for (line, told) in lines.iter().zip(told) {
            let cells = header.iter().zip(line).map(|(column, cell)| (column.clone(), cell.clone()));
            let mut row = Row { cells: cells.collect() };
            match told["outcome"].as_str().unwrap() {
                "imported" => sheet.taken.push(row),
                "normalised" => {
                    for change in told["changes"].as_array().unwrap() {
                        let text = |key: &str| change[key].as_str().unwrap().to_owned();
                        row.cells.insert(text("column"), text("to"));
                    }
                    sheet.taken.push(row);
                }
                "refused" => {
                    assert_ne!(told["reasons"], json!([]), "{row:?}");
                    sheet.refused.push(row);
                }
                "ignored" => assert!(row.cells.values().all(|cell| cell.trim().is_empty()), "{row:?}"),
                other => panic!("a row is {other}"),
            }
        }
        sheet
    }

    /// Each operator as JSON, by id.
    pub(super) fn operators(&self) -> BTreeMap<String, Value> {
        self.taken.iter().map(|row| (row.id().to_owned(), row.operator())).collect()
    }

    /// Each carrier.
    pub(super) fn carriers(&self) -> Carriers {
        let mut carriers = Carriers::new();
        for row in &self.taken {
            let [codes, desks] = carriers.entry((row.text("Country"), row.text("MNO Name"))).or_default();
            codes.extend(row.some("MCC-MNC").map(|code| code.replace('-', "")));
            desks.extend(row.some("NOC Contact"));
        }
        carriers
    }

    /// Each contract by carrier and direction, with its throughput, where all rows name the same one.
    pub(super) fn contracts(&self) -> BTreeMap<(String, &'static str), (String, u64)> {
        let mut sums: BTreeMap<_, (BTreeSet<String>, u64)> = BTreeMap::new();
        for row in &self.taken {
            let direction = if row.cell("Bind Mode") == "RX" { "INBOUND" } else { "OUTBOUND" };
            let (references, sum) = sums.entry((row.text("MNO Name"), direction)).or_default();
            references.insert(row.text("Contract Ref"));
            *sum += row.number("Max TPS");
        }
        let one = |(references, sum): (BTreeSet<String>, u64)| {
            let [reference] = <[String; 1]>::try_from(references.into_iter().collect::<Vec<_>>()).ok()?;
            (!reference.is_empty()).then_some((reference, sum))
        };
        sums.into_iter().filter_map(|(carrier, found)| Some((carrier, one(found)?))).collect()
    }

    /// Every rule.
    pub(super) fn rules(&self) -> BTreeSet<Rule> {
        self.taken.iter().flat_map(Row::rules).collect()
    }

    /// Who gets a message: of the longest prefix the operators with the lowest priority, in order.
    pub(super) fn serving(&self, number: &str) -> (Option<String>, Vec<String>) {
        let rules = self.rules();
        let matching = || rules.iter().filter(|(prefix, ..)| number.starts_with(prefix.as_str()));
        let Some(longest) = matching().map(|(prefix, ..)| prefix).max_by_key(|prefix| prefix.len()) else {
            return (None, Vec::new());
        };
        let of_it = || matching().filter(|(prefix, ..)| prefix == longest);
        let first = of_it().map(|(_, _, priority, ..)| priority).min();
        let serving = of_it().filter(|(_, _, priority, ..)| Some(priority) == first);
        (Some(longest.clone()), serving.map(|(_, operator, ..)| operator.clone()).collect())
    }
}

impl Row {
    pub(super) fn id(&self) -> &str {
        self.cell("Operator ID")
    }

    /// A cell as it stands.
    pub(super) fn cell(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    fn text(&self, column: &str) -> String {
        self.cell(column).to_owned()
    }

    fn some(&self, column: &str) -> Option<String> {
        Some(self.text(column)).filter(|text| !text.is_empty())
    }

    fn number(&self, column: &str) -> u64 {
        self.cell(column).parse().unwrap_or_else(|_| panic!("{column} of {self:?}"))
    }

    fn rules(&self) -> Vec<Rule> {
        let amount = self.some("Cost USD").map(|amount| plain(&amount));
        let currency = amount.is_some().then(|| "USD".to_owned());
        let prefixes = self.cell("Prefixes").split('|').filter(|prefix| !prefix.is_empty());
        let rule = |prefix: &str| {
            let (priority, weight) = (self.number("Priority"), self.number("Weight"));
            (prefix.to_owned(), self.id().to_owned(), priority, weight, amount.clone(), currency.clone())
        };
        prefixes.map(rule).collect()
    }

    fn operator(&self) -> Value {
        let rate = self.number("Max TPS");
        let (mode, outbound, inbound) = match self.cell("Bind Mode") {
            "TRX" => ("TRANSCEIVER", rate, 0),
            "TX" => ("TRANSMITTER", rate, 0),
            "RX" => ("RECEIVER", 0, rate),
            other => panic!("bind mode {other}"),
        };
        json!({
            "carrier": self.cell("MNO Name"), "country": self.cell("Country"), "host": self.cell("SMPP Host"),
            "port": self.number("Port"), "systemId": self.cell("System ID"), "systemType": self.some("System Type"),
            "bindMode": mode, "windowSize": self.number("Window"), "outbound": outbound, "inbound": inbound,
        })
    }
}

/// An amount without zeros that say nothing, as Postgres trims it.
fn plain(amount: &str) -> String {
    if amount.contains('.') { amount.trim_end_matches('0').trim_end_matches('.').to_owned() } else { amount.to_owned() }
}
