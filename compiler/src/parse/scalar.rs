//! How a scalar becomes a text, a number or a boolean, and what is said and mended where it does not.

use std::fmt::Display;
use std::str::FromStr;

use bindery_schema::value::{ValueError, ValueProblem, shown};

use super::decode::{Report, certain, did_you_mean};
use super::secrets;
use super::yaml::{Node, Resolved, Scalar, Value};
use crate::diagnostic::{Code, Fix};

/// Text, quoted or of a spelling that is text in YAML 1.2.
pub(super) fn text_of<'n>(node: &'n Node<'_>, report: &mut Report) -> Option<&'n str> {
    text_for(node, report, |_| Ok(()))
}

/// Text of which only some fits, as `fits` says and `help` explains. Text that does not is for the caller to refuse, but for
/// a token in the clear: that is a fault already, and another would repeat it.
pub(super) fn text_that<'n>(
    node: &'n Node<'_>,
    report: &mut Report,
    fits: impl Fn(&str) -> bool,
    help: impl Display,
) -> Option<&'n str> {
    let misfit = || ValueError::new(ValueProblem::OutOfRange, String::new()).help(help.to_string());
    let text = text_for(node, report, |text| if fits(text) { Ok(()) } else { Err(misfit()) })?;
    not_a_misfit(text, report, &fits)
}

/// The text but for a token in the clear that does not fit.
fn not_a_misfit<'n>(text: &'n str, report: &mut Report, fits: impl Fn(&str) -> bool) -> Option<&'n str> {
    let is_token = secrets::is_suspicious(text) && !fits(text);
    report.partial |= is_token;
    (!is_token).then_some(text)
}

/// Text, where what else may stand there is judged by what its quotes would make of it.
fn text_for<'n>(
    node: &'n Node<'_>,
    report: &mut Report,
    judge: impl Fn(&str) -> Result<(), ValueError>,
) -> Option<&'n str> {
    let Value::Scalar(scalar) = &node.value else {
        report.wrong_type(node, "text");
        return None;
    };
    let read = match scalar.resolve() {
        Resolved::Text => return Some(&scalar.text),
        Resolved::Null => {
            report.wrong_type(node, "text");
            return None;
        }
        Resolved::Bool(value) => format!("the boolean {value}"),
        Resolved::Int(value) => format!("the number {value}"),
        Resolved::Float(value) => format!("the number {value}"),
    };
    if secrets::is_suspicious(&scalar.text) {
        return None;
    }
    let (help, replacement) = quoting(scalar, judge(&scalar.text));
    let fix = replacement.map(|replacement| Fix { span: node.span, replacement });
    let message = format!("`{}` is read as {read}, and text belongs here", scalar.text);
    report.fixable(Code::WrongType, node.span, message, Some(help), fix);
    None
}

/// What to do about a scalar that is no text, and what to write where quotes make of it what belongs there.
fn quoting(scalar: &Scalar<'_>, judged: Result<(), ValueError>) -> (String, Option<String>) {
    // Of 9.37E+04 a spreadsheet has thrown away digits: quotes would keep what is wrong.
    let is_exact = !scalar.text.contains(['e', 'E']) || matches!(scalar.resolve(), Resolved::Bool(_));
    let error = match judged {
        Ok(()) => {
            let quoted = format!("\"{}\"", scalar.text);
            return (format!("quote it: {quoted}"), is_exact.then_some(quoted));
        }
        Err(error) => error,
    };
    if let Some(right) = certain(&error).filter(|_| is_exact) {
        return (format!("quote it: {right}"), Some(right.to_owned()));
    }
    let help = match error.problem {
        ValueProblem::BadPrefix => {
            Some("write all its digits with the country code in quotes, such as \"+9379\"".to_owned())
        }
        _ => error.help,
    };
    (help.unwrap_or_else(|| "write what belongs here, in quotes".to_owned()), None)
}

/// A value that is written as text.
pub(super) fn value<T: FromStr<Err = ValueError>>(node: &Node<'_>, report: &mut Report) -> Option<T> {
    let text = text_for(node, report, |text| text.parse::<T>().map(drop))?;
    match text.parse() {
        Ok(value) => Some(value),
        // The token in it is the fault that counts; repeating it would print it.
        Err(_) if secrets::is_suspicious(text) => None,
        Err(error) => {
            report.value_error(node, error);
            None
        }
    }
}

/// A word of a fixed list.
pub(super) fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Node<'_>, &mut Report) -> Option<T> {
    move |node, report| {
        let find = |text: &str| words.iter().find(|(word, _)| *word == text);
        let text = text_for(node, report, |text| find(text).map(drop).ok_or_else(|| unknown_word(words, text)))?;
        if let Some((_, value)) = find(text) {
            return Some(*value);
        }
        let text = not_a_misfit(text, report, |_| false)?;
        report.value_error(node, unknown_word(words, text));
        None
    }
}

fn unknown_word<T>(words: &[(&'static str, T)], text: &str) -> ValueError {
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let same = names.iter().find(|name| name.eq_ignore_ascii_case(text)).map(|name| format!("write {name}"));
    let help = same.or_else(|| did_you_mean(text, names.iter().copied()));
    let help = help.unwrap_or_else(|| format!("it is one of {}", names.join(", ")));
    ValueError::new(ValueProblem::NotInList, format!("{} is not one of the known words", shown(text))).help(help)
}

/// A whole number between two limits.
pub(super) fn whole<T>(least: T, most: T) -> impl Fn(&Node<'_>, &mut Report) -> Option<T>
where
    T: TryFrom<i128> + Into<i128> + Copy + Display,
{
    move |node, report| {
        let within = |number: i128| (least.into()..=most.into()).contains(&number);
        let Some(Resolved::Int(number)) = scalar(node).map(Scalar::resolve) else {
            let range = format!("from {least} to {most}");
            not_a(node, report, ("a whole number", &range), |text| match plain(text) {
                Resolved::Int(number) => Some(within(number) && !has_leading_zeros(text)),
                _ => None,
            });
            return None;
        };
        if is_octal_elsewhere(node, report, number) {
            return None;
        }
        if within(number) {
            return T::try_from(number).ok();
        }
        let message = format!("{} is out of range", node.as_text().unwrap_or_default());
        report.fault(
            Code::OutOfRange,
            node.span,
            message,
            Some(format!("it is a whole number from {least} to {most}")),
        );
        None
    }
}

/// A number between two limits, with or without a fraction.
pub(super) fn number(least: f64, most: f64) -> impl Fn(&Node<'_>, &mut Report) -> Option<f64> {
    move |node, report| {
        let within = |number: f64| number.is_finite() && (least..=most).contains(&number);
        let range =
            || if most.is_finite() { format!("from {least} to {most}") } else { format!("of at least {least}") };
        let number = match scalar(node).map(Scalar::resolve) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a percentage or a rate; what is too large is refused below"
            )]
            Some(Resolved::Int(number)) => number as f64,
            Some(Resolved::Float(number)) => number,
            _ => {
                not_a(node, report, ("a number", &range()), |text| match plain(text) {
                    Resolved::Int(_) | Resolved::Float(_) if has_leading_zeros(text) => Some(false),
                    #[expect(clippy::cast_precision_loss, reason = "as above")]
                    Resolved::Int(number) => Some(within(number as f64)),
                    Resolved::Float(number) => Some(within(number)),
                    _ => None,
                });
                return None;
            }
        };
        if within(number) {
            return Some(number);
        }
        report.fault(
            Code::OutOfRange,
            node.span,
            format!("{} is out of range", node.as_text().unwrap_or_default()),
            Some(format!("it is a number {}", range())),
        );
        None
    }
}

/// Notes a number with leading zeros: YAML 1.2 leaves them out, YAML 1.1 reads the rest as octal.
fn is_octal_elsewhere(node: &Node<'_>, report: &mut Report, number: i128) -> bool {
    let text = node.as_text().unwrap_or_default();
    if !has_leading_zeros(text) {
        return false;
    }
    let octal = i128::from_str_radix(text, 8).map(|octal| format!(", and as the octal {octal} by YAML 1.1"));
    let message = format!("`{text}` is read as the number {number} by YAML 1.2{}", octal.unwrap_or_default());
    // Which of the two was meant only its author knows.
    report.fault(Code::WrongType, node.span, message, Some("write the number without leading zeros".to_owned()));
    true
}

/// Whether a number begins with a zero that counts for nothing, or for octal.
fn has_leading_zeros(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.starts_with('0') && digits.len() > 1 && digits.bytes().all(|b| b.is_ascii_digit())
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node<'_>, report: &mut Report) -> Option<bool> {
    if let Some(Resolved::Bool(value)) = scalar(node).map(Scalar::resolve) {
        return Some(value);
    }
    let text = node.as_text().unwrap_or_default();
    let meant = match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" | "true" => Some("true"),
        "no" | "off" | "n" | "false" => Some("false"),
        _ => None,
    };
    let Some(meant) = meant else {
        report.wrong_type(node, "true or false");
        return None;
    };
    let message = format!("expected true or false, found the text `{text}`");
    let fix = Fix { span: node.span, replacement: meant.to_owned() };
    report.fixable(Code::WrongType, node.span, message, Some(format!("write {meant}, without quotes")), Some(fix));
    None
}

fn scalar<'n, 'a>(node: &'n Node<'a>) -> Option<&'n Scalar<'a>> {
    match &node.value {
        Value::Scalar(scalar) => Some(scalar),
        _ => None,
    }
}

fn plain(text: &str) -> Resolved {
    Scalar { text: text.into(), plain: true }.resolve()
}

/// Notes that a number was expected. Of a text `fits` says whether the number it holds would do; if so, and quotes are all
/// that is wrong, offers to take them off.
fn not_a(node: &Node<'_>, report: &mut Report, (expected, range): (&str, &str), fits: impl Fn(&str) -> Option<bool>) {
    let Some((text, fits)) = node.as_text().and_then(|text| Some((text, fits(text)?))) else {
        return report.wrong_type(node, expected);
    };
    let message = format!("expected {expected}, found the text `{text}`");
    let (help, fix) = if fits {
        let fix = Fix { span: node.span, replacement: text.to_owned() };
        (format!("write {text}, without quotes"), Some(fix))
    } else {
        (format!("write {expected} {range}, without quotes and leading zeros"), None)
    };
    report.fixable(Code::WrongType, node.span, message, Some(help), fix);
}

#[cfg(test)]
mod tests {
    use crate::parse::parse_file;
    use crate::source::Content;

    /// What is offered for the one fault of a field: the replacement, and the help.
    fn offered(kind: &str, metadata: &str, spec: &str) -> (Option<String>, String) {
        let text = format!("apiVersion: bindery/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec:\n{spec}\n");
        let parsed = parse_file(Content::Text(text.as_str().into()));
        let [fault] = &*parsed.faults else { panic!("{text}{:#?}", parsed.faults) };
        (fault.fix.as_ref().map(|fix| fix.replacement.clone()), fault.help.clone().unwrap_or_default())
    }

    #[test]
    fn quotes_are_offered_where_they_make_what_belongs_there() {
        let routes = |rule: &str| offered("Routes", "operator: a", &format!("  rules:\n    - {{{rule}}}"));
        let operator = |smpp: &str, more: &str| {
            let smpp = format!("host: a.example, systemId: a, {smpp}");
            let spec = format!("  displayName: A\n  tps: {{outbound: 1}}\n  smpp: {{{smpp}}}\n{more}");
            offered("Operator", "id: a, mno: b", &spec)
        };
        let mends = |(replacement, _): (Option<String>, String), expected: &str| {
            assert_eq!(replacement.as_deref(), Some(expected));
        };
        mends(routes("prefix: +9379"), "\"+9379\"");
        mends(routes("prefix: 0093"), "\"+93\"");
        mends(routes("prefix: \"+93\", cost: {amount: 0.10, currency: EUR}"), "\"0.10\"");
        mends(operator("port: 2775, interfaceVersion: 3.4", ""), "\"3.4\"");
        mends(operator("port: \"2775\"", ""), "2775");
        mends(operator("port: 2775, tls: \"no\"", ""), "false");

        let leaves = |(replacement, help): (Option<String>, String), expected: &str| {
            assert_eq!(replacement, None, "{help}");
            assert!(help.contains(expected) && !help.contains("quote it"), "{help}");
        };
        leaves(routes("prefix: 9.37E+04"), "all its digits with the country code in quotes");
        leaves(routes("prefix: 0x16E04"), "all its digits with the country code in quotes");
        leaves(routes("prefix: \"+93\", cost: {amount: 1.25e-2, currency: EUR}"), "a quoted decimal");
        leaves(routes("prefix: \"+93\", cost: {amount: \"1\", currency: 840}"), "ISO 4217");
        leaves(operator("port: \"02775\"", ""), "from 1 to 65535, without quotes and leading zeros");
        leaves(operator("port: \"99999\"", ""), "from 1 to 65535");
        leaves(operator("port: 2775, interfaceVersion: 5", ""), "3.4, 5.0");
        leaves(operator("port: 2775", "  status: true"), "ACTIVE, INACTIVE");
        leaves(operator("port: 2775", "  credentials: {sealed: 123}"), "bindery seal");
        leaves(operator("port: 2775", "  health: {confirm: \"0\"}"), "from 1 to 1000");
        leaves(operator("port: 2775", "  health: {degradedErrorRate: \"7\"}"), "from 0 to 1");
    }

    #[test]
    fn a_token_in_the_clear_is_one_fault_wherever_it_stands() {
        for spec in [
            "  secrets: {recipients: [hvs.x]}",
            "  routing: {sameOperatorNesting: hvs.x}",
            "  acknowledge: [{code: hvs.x, object: a, reason: b, expires: 2027-01-01}]",
        ] {
            let text = format!("apiVersion: bindery/v1\nkind: Policy\nspec:\n{spec}\n");
            let faults = parse_file(Content::Text(text.as_str().into())).faults;
            assert_eq!(faults.iter().map(|fault| fault.code.number()).collect::<Vec<_>>(), ["BND0402"], "{spec}");
        }
    }
}
