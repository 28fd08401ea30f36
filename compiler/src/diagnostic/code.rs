//! The list of finding codes. Numbers are never reused; each has a page beside this file.

use std::fmt;
use std::str::FromStr;

use bindery_schema::value::ValueProblem;
use serde::Serialize;

/// How bad a finding is. Only errors make a check fail or a commit rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be applied.
    Error,
    /// It can, and someone should look.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $number:literal $name:literal $severity:ident;)*) => {
        /// What kind of fault a finding is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each code has a page, printed by `bindery explain`")]
        pub enum Code { $($variant),* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// `BND` and four digits.
            pub fn number(self) -> &'static str {
                match self { $(Self::$variant => $number),* }
            }

            /// The name in kebab case.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            /// The page that explains it, in Markdown.
            pub fn page(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("codes/", $number, ".md"))),* }
            }
        }
    };
}

codes! {
    YamlSyntax "BND0101" "yaml-syntax" Error;
    DuplicateKey "BND0102" "duplicate-key" Error;
    UnknownField "BND0103" "unknown-field" Error;
    WrongType "BND0104" "wrong-type" Error;
    MissingField "BND0105" "missing-field" Error;
    UnknownKind "BND0106" "unknown-kind" Error;
    UnreadableFile "BND0107" "unreadable-file" Error;
    FormulaCell "BND0108" "formula-cell" Error;
    MalformedRecord "BND0109" "malformed-record" Error;
    BadId "BND0201" "bad-id" Error;
    BadPrefix "BND0202" "bad-prefix" Error;
    OutOfRange "BND0203" "out-of-range" Error;
    BadHost "BND0204" "bad-host" Error;
    BadCodeListValue "BND0205" "bad-code-list-value" Error;
    BadCidr "BND0206" "bad-cidr" Error;
    BadDate "BND0207" "bad-date" Error;
    LongPasswordLimit "BND0208" "long-password-limit" Warning;
    UnknownReference "BND0301" "unknown-reference" Error;
    DuplicateObject "BND0302" "duplicate-object" Error;
    DuplicateEndpoint "BND0401" "duplicate-endpoint" Error;
    PlaintextSecret "BND0402" "plaintext-secret" Error;
    SealedUnreadable "BND0403" "sealed-unreadable" Error;
    DirectionCannotCarry "BND0404" "direction-cannot-carry" Error;
    WindowTooSmall "BND0405" "window-too-small" Warning;
    PrefixConflictSameOperator "BND0501" "prefix-conflict-same-operator" Error;
    PrefixNestedSameOperator "BND0502" "prefix-nested-same-operator" Error;
    PrefixConflictAcrossOperators "BND0503" "prefix-conflict-across-operators" Error;
    BadNarrows "BND0504" "bad-narrows" Error;
    SplitWithoutWeight "BND0505" "split-without-weight" Error;
    ContractOverlap "BND0601" "contract-overlap" Error;
    PeriodReversed "BND0602" "period-reversed" Error;
    TpsOverContract "BND0603" "tps-over-contract" Error;
    ReservedOverContract "BND0604" "reserved-over-contract" Error;
    ReservationWithoutContract "BND0605" "reservation-without-contract" Error;
    ContractGap "BND0606" "contract-gap" Warning;
    NoContractInForce "BND0607" "no-contract-in-force" Warning;
    PoolBelowMinimum "BND0608" "pool-below-minimum" Warning;
    RenameCollision "BND0701" "rename-collision" Error;
    RenameTooSoon "BND0702" "rename-too-soon" Warning;
    PlanHeld "BND0801" "plan-held" Warning;
    RunbookStale "BND0901" "runbook-stale" Error;
    EscalationIncomplete "BND0902" "escalation-incomplete" Warning;
    AcknowledgementExpired "BND0903" "acknowledgement-expired" Warning;
    AcknowledgementWithoutEffect "BND0904" "acknowledgement-without-effect" Warning;
}

impl From<ValueProblem> for Code {
    fn from(problem: ValueProblem) -> Self {
        match problem {
            ValueProblem::BadId => Self::BadId,
            ValueProblem::BadPrefix => Self::BadPrefix,
            ValueProblem::OutOfRange => Self::OutOfRange,
            ValueProblem::BadHost => Self::BadHost,
            ValueProblem::NotInList => Self::BadCodeListValue,
            ValueProblem::BadCidr => Self::BadCidr,
            ValueProblem::BadDate => Self::BadDate,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.number())
    }
}

impl FromStr for Code {
    type Err = String;

    /// Reads a number (`BND0501`, in any case) or a name.
    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = |code: &&Self| code.number().eq_ignore_ascii_case(text) || code.name() == text;
        Self::ALL.iter().find(wanted).copied().ok_or_else(|| format!("`{text}` is no finding code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_that_names_it_and_a_line_in_the_index() {
        let index = include_str!("codes/README.md");
        for code in Code::ALL {
            assert!(code.page().starts_with(&format!("# {} {}\n", code.number(), code.name())), "{code}");
            assert!(code.page().contains(&format!("Severity: {}", code.severity().as_str())), "{code}");
            assert!(index.contains(&format!("[{code}]({code}.md)")), "{code} is not in the index");
        }
        let mut numbers: Vec<_> = Code::ALL.iter().map(|code| code.number()).collect();
        numbers.dedup();
        assert!(numbers.is_sorted() && numbers.len() == Code::ALL.len());
    }
}
