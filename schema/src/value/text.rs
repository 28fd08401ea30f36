//! Free texts with limits.

use std::borrow::Cow;

use super::macros::text_value;
use super::{ValueError, ValueProblem, shown};

/// Longest name, in characters.
const LONGEST_NAME: usize = 120;

/// Longest reason, in characters. It is for people, and whoever writes more has another place for it.
const LONGEST_REASON: usize = 2000;

/// The text without the line break that a block scalar of YAML ends in.
fn unbroken(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text)
}

fn name(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let text = unbroken(text);
    let count = text.chars().count();
    let problem = if text.trim().is_empty() {
        "a name must not be empty".to_owned()
    } else if count > LONGEST_NAME {
        format!("a name has at most {LONGEST_NAME} characters, this one {count}")
    } else if text.contains('\n') {
        let error = ValueError::new(ValueProblem::OutOfRange, "a name must not hold line breaks");
        return Err(error.help("write it on one line, without `|` or `>`"));
    } else if text.chars().any(char::is_control) {
        "a name must not hold control characters".to_owned()
    } else {
        return Ok(text.into());
    };
    Err(ValueError::new(ValueProblem::OutOfRange, problem))
}

fn reason(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let text = unbroken(text);
    let count = text.chars().count();
    let problem = if text.trim().is_empty() {
        "a reason must not be empty".to_owned()
    } else if count > LONGEST_REASON {
        format!("a reason has at most {LONGEST_REASON} characters, this one {count}")
    } else {
        return Ok(text.into());
    };
    Err(ValueError::new(ValueProblem::OutOfRange, problem))
}

/// SMPP C-octet strings are ASCII with a fixed limit (SMPP 3.4, 5.2): the limits here leave out the closing NUL.
fn octets<'t>(what: &str, text: &'t str, shortest: usize, longest: usize) -> Result<Cow<'t, str>, ValueError> {
    if text.len() >= shortest && text.len() <= longest && text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Ok(text.into());
    }
    let message = format!("{} is no {what}: {} octets", shown(text), text.len());
    Err(ValueError::new(ValueProblem::OutOfRange, message)
        .help(format!("SMPP 3.4 allows {shortest} to {longest} printable ASCII characters")))
}

fn system_id(text: &str) -> Result<Cow<'_, str>, ValueError> {
    octets("systemId", text, 1, 15)
}

fn system_type(text: &str) -> Result<Cow<'_, str>, ValueError> {
    octets("systemType", text, 0, 12)
}

fn address_range(text: &str) -> Result<Cow<'_, str>, ValueError> {
    octets("addressRange", text, 0, 40)
}

fn document_uri(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let names_bucket = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let well_formed = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/')).is_some_and(|(bucket, key)| {
        let is_key = !key.is_empty() && !key.contains(|c: char| c.is_whitespace() || c == '?');
        !bucket.is_empty() && bucket.chars().all(names_bucket) && is_key && text.len() <= 1024
    });
    if well_formed {
        return Ok(text.into());
    }
    // What follows a question mark may be a signature, which lets anyone fetch the document.
    let without_query = text.split('?').next().unwrap_or_default();
    Err(ValueError::new(ValueProblem::OutOfRange, format!("{} is not a document reference", shown(without_query)))
        .help("name the contract document as s3://BUCKET/KEY"))
}

fn mcc_mnc(text: &str) -> Result<Cow<'_, str>, ValueError> {
    if matches!(text.len(), 5 | 6) && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text.into());
    }
    Err(ValueError::new(ValueProblem::OutOfRange, format!("{} is no MCC and MNC", shown(text)))
        .help("write the 5 or 6 digits of mobile country and network code together, quoted: \"41220\""))
}

text_value!(
    /// A name or other line of text for people: 1 to 120 characters, no control characters.
    Name, name, { "type": "string", "minLength": 1, "maxLength": 120, "pattern": "\\S" }
);
text_value!(
    /// Why something is as it is, in words for people: 1 to 2,000 characters, line breaks among them.
    Reason, reason, {
        "type": "string", "minLength": 1, "maxLength": 2000, "pattern": "\\S",
        "description": "In words for people; may have several lines."
    }
);
text_value!(
    /// A contract's reference: 1 to 120 characters.
    ContractRef, name, {
        "type": "string", "minLength": 1, "maxLength": 120, "pattern": "\\S",
        "description": "The contract's reference, unique for a carrier and direction."
    }
);
text_value!(
    /// SMPP `system_id`: 1 to 15 octets of ASCII (SMPP 3.4, 5.2.1).
    SystemId, system_id, {
        "type": "string", "minLength": 1, "maxLength": 15, "pattern": "^[ -~]*$",
        "description": "SMPP system_id: 1 to 15 ASCII characters."
    }
);
text_value!(
    /// SMPP `system_type`: at most 12 octets of ASCII (SMPP 3.4, 5.2.3).
    SystemType, system_type, {
        "type": "string", "maxLength": 12, "pattern": "^[ -~]*$",
        "description": "SMPP system_type: at most 12 ASCII characters."
    }
);
text_value!(
    /// SMPP `address_range`: at most 40 octets of ASCII (SMPP 3.4, 5.2.7).
    AddressRange, address_range, {
        "type": "string", "maxLength": 40, "pattern": "^[ -~]*$",
        "description": "SMPP address_range: at most 40 ASCII characters."
    }
);
text_value!(
    /// Where the signed contract lies: `s3://bucket/key`.
    DocumentUri, document_uri, {
        "type": "string", "maxLength": 1024, "pattern": "^s3://[A-Za-z0-9._-]+/[^\\s?]+$",
        "description": "The signed contract document, s3://bucket/key."
    }
);
text_value!(
    /// Mobile country code and network code, 5 or 6 digits (ITU-T E.212).
    MccMnc, mcc_mnc, {
        "type": "string", "pattern": "^[0-9]{5,6}$",
        "description": "Mobile country code and network code, 5 or 6 digits, quoted."
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_and_a_reason_may_be_many() {
        assert_eq!("Afone\n".parse::<Name>().unwrap().as_str(), "Afone", "a block scalar ends in a line break");
        assert_eq!("é".repeat(120).parse::<Name>().unwrap().as_str().len(), 240);
        for (text, help) in [("a\nb", true), ("a\n\n", true), ("\n", false), (" ", false), ("a\u{7}", false)] {
            let error = text.parse::<Name>().unwrap_err();
            assert_eq!((error.problem, error.help.is_some()), (ValueProblem::OutOfRange, help), "{text:?}");
        }
        assert!("a".repeat(121).parse::<Name>().is_err());

        assert_eq!(
            "agreed with the carrier\nuntil May\n".parse::<Reason>().unwrap().as_str(),
            "agreed with the carrier\nuntil May"
        );
        assert!("a".repeat(2000).parse::<Reason>().is_ok());
        for text in ["", " \n", &"a".repeat(2001)] {
            assert!(text.parse::<Reason>().is_err(), "{text:?}");
        }
    }
}
