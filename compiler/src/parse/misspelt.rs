//! When a name that nobody knows is for certain another, misspelt.
//!
//! A near name helps a reader, who will see whether it was meant; a fix has no reader. Near is also what means the
//! opposite (`inactive`), the other limit (`minDeletes`), another unit (`reservedTpm`) or another thing (`notes`, `nodes`).

/// Shortest name in which a slip can be told from another name.
const LEAST: usize = 5;
/// Shortest word of a name in which one letter may stand for another. Of shorter ones that makes others: `Tps` and `Tpm`.
const LEAST_WORD: usize = 6;

/// Whether a text can be nothing but a misspelling of a name: they differ in case and separators alone, or in one letter
/// more, one less or two that changed places, and begin alike. One letter in place of another counts in long words alone.
pub(super) fn is_certain(written: &str, name: &str) -> bool {
    let (one, two) = (letters(written), letters(name));
    if one == two {
        return true;
    }
    one.first() == two.first() && two.len() >= LEAST && is_one_slip(&one, &two, name)
}

fn is_one_slip(written: &[char], right: &[char], name: &str) -> bool {
    let from = written.iter().zip(right).take_while(|(one, two)| one == two).count();
    let (rest, right) = (&written[from..], &right[from..]);
    match (rest, right) {
        ([_, rest @ ..], _) if rest == right => true,
        (_, [_, right @ ..]) if rest == right => true,
        ([a, b, rest @ ..], [c, d, right @ ..]) if (a, b) == (d, c) => rest == right,
        ([_, rest @ ..], [_, right @ ..]) => rest == right && word_at(name, from) >= LEAST_WORD,
        _ => false,
    }
}

/// The letters of a name, whatever their case and whatever separates its words.
fn letters(name: &str) -> Vec<char> {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// How many letters the word of a camelCase name has that the letter of this number stands in.
fn word_at(name: &str, index: usize) -> usize {
    let begins = |letter: &char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
    let letters: Vec<char> = name.chars().collect();
    let start = letters.iter().take(index + 1).rposition(begins).unwrap_or(0);
    1 + letters.iter().skip(start + 1).take_while(|letter| !begins(letter)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_certain() {
        for (written, name) in [
            ("window_size", "windowSize"),
            ("windowsize", "windowSize"),
            ("Window-Size", "windowSize"),
            ("TPS", "tps"),
            ("systemID", "systemId"),
            ("prefx", "prefix"),
            ("windwoSize", "windowSize"),
            ("window_siez", "windowSize"),
            ("contractedTp", "contractedTps"),
            ("reservedTsp", "reservedTps"),
            ("prioritty", "priority"),
            ("prority", "priority"),
            ("counrty", "country"),
            ("enquireLinkSecond", "enquireLinkSeconds"),
            ("enquireLinkSecands", "enquireLinkSeconds"),
            ("effectiveForm", "effectiveFrom"),
            ("directiom", "direction"),
        ] {
            assert!(is_certain(written, name), "{written} {name}");
        }
    }

    #[test]
    fn another_word_is_not() {
        for (written, name) in [
            ("inactive", "active"),
            ("deactive", "active"),
            ("unhealthyP95Seconds", "unhealthyP95Millis"),
            ("healthyErrorRate", "unhealthyErrorRate"),
            ("unavailabilityPercent", "availabilityPercent"),
            ("maxOnDemandPoolPercent", "minOnDemandPoolPercent"),
            ("minDeletes", "maxDeletes"),
            ("unprotect", "protect"),
            ("underPercent", "overPercent"),
            ("unreservedTps", "reservedTps"),
            ("reservedTPM", "reservedTps"),
            ("contractedTph", "contractedTps"),
            ("unbound", "inbound"),
            ("mtls", "tls"),
            ("others", "theirs"),
            ("yours", "ours"),
            ("height", "weight"),
            ("effectiveAt", "effectiveTo"),
            ("ineffectiveTo", "effectiveTo"),
            ("state", "status"),
            ("line", "fine"),
            ("nodes", "notes"),
            ("hots", "host"),
            ("bindNode", "bindMode"),
            ("aprefix", "prefix"),
            ("windowwSizee", "windowSize"),
            ("\u{a0}port", "port"),
            ("", "priority"),
        ] {
            assert!(!is_certain(written, name), "{written} {name}");
        }
    }

    #[test]
    fn words_of_a_name_have_a_length() {
        for (name, index, length) in [
            ("prefix", 0, 6),
            ("prefix", 5, 6),
            ("reservedTps", 7, 8),
            ("reservedTps", 8, 3),
            ("reservedTps", 10, 3),
            ("p95Millis", 4, 6),
        ] {
            assert_eq!(word_at(name, index), length, "{name} {index}");
        }
    }
}
