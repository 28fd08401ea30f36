//! Values that a comma cuts off: in braces `{amount: 1,5}` is an amount of 1, and a field `5` without a value.

use super::yaml::{Node, Resolved, Value};

/// What to do about both parts.
pub(super) const HELP: &str = "a comma ends a value in braces, so that what follows counts as a field: write the whole value in quotes, \
                               a decimal with a point";

type Entry<'a> = (Node<'a>, Node<'a>);

/// What stands behind a value as if it were a field: digits, without a colon, on its line.
pub(super) fn behind<'n, 'a>(entries: &'n [Entry<'a>], value: &Node<'_>) -> Option<&'n Node<'a>> {
    if !matches!(value.value, Value::Scalar(_)) {
        return None;
    }
    let at = entries.iter().position(|(_, other)| std::ptr::eq(other, value))?;
    let (key, absent) = entries.get(at + 1)?;
    (is_stray(key, absent) && key.span.start.line == value.span.end.line).then_some(key)
}

/// The help for a field that is none but the rest of the value before it.
pub(super) fn help(entries: &[Entry<'_>], key: &Node<'_>, absent: &Node<'_>) -> Option<String> {
    let at = entries.iter().position(|(other, _)| std::ptr::eq(other, key))?;
    let (_, before) = entries.get(at.checked_sub(1)?)?;
    let is_rest = is_stray(key, absent) && matches!(before.value, Value::Scalar(_)) && ends_in_digit(before);
    is_rest.then(|| HELP.to_owned())
}

fn ends_in_digit(node: &Node<'_>) -> bool {
    node.as_text().is_some_and(|text| text.ends_with(|c: char| c.is_ascii_digit()))
}

/// Whether an entry is digits alone: its value, which is not there, has the place of the key.
fn is_stray(key: &Node<'_>, absent: &Node<'_>) -> bool {
    let is_null =
        matches!(&absent.value, Value::Scalar(scalar) if scalar.text.is_empty() && scalar.resolve() == Resolved::Null);
    is_null
        && absent.span == key.span
        && key.as_text().is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use crate::parse::parse_file;
    use crate::source::Content;

    #[test]
    fn nothing_is_offered_for_a_value_that_is_cut_off() {
        let cost = |amount: &str| {
            let rule = format!("{{prefix: \"+93\", cost: {{amount: {amount}, currency: EUR}}}}");
            let text = format!(
                "apiVersion: bindery/v1\nkind: Routes\nmetadata: {{operator: a}}\nspec:\n  rules:\n    - {rule}\n"
            );
            let faults = parse_file(Content::Text(text.into())).faults.into_iter();
            faults
                .map(|fault| (fault.code.number(), fault.fix.is_some(), fault.help.unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        for amount in ["1,5", "1, 5", "0,10"] {
            let [(_, number, one), (_, stray, two)] = &*cost(amount) else { panic!("{:?}", cost(amount)) };
            assert!(!number && !stray && one.contains("comma ends") && one == two, "{:?}", cost(amount));
        }
        assert!(matches!(&*cost("1"), [("BND0104", true, _)]), "{:?}", cost("1"));
        assert!(matches!(&*cost("1, 5: 6"), [("BND0104", true, _), ("BND0103", false, _)]), "{:?}", cost("1, 5: 6"));
    }
}
