//! Names of files and values in lines for people.

use std::borrow::Cow;

/// A name or a value with everything escaped that could end its line, command a terminal, turn the direction of writing or
/// stay unseen: whoever writes it must not be able to forge lines of a log, or what a reviewer reads.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if is_unsafe(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect::<String>().into()
}

/// The same for a text of many lines, which stay lines.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    let hides = |c: char| c != '\n' && is_unsafe(c);
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n").into()
}

/// Control characters, line and paragraph separators, marks of direction, and what takes no room: spaces and joiners of no
/// width, soft hyphens, tags.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::render::{concise, full, github, junit};
    use crate::diagnostic::{Code, Finding, Location, Related, Severity};
    use crate::source::{FileId, SourceMap, Span};

    #[test]
    fn a_name_stays_one_line() {
        assert_eq!(shown("operators/ä b.yaml"), "operators/ä b.yaml");
        assert_eq!(shown("a\u{200b}b\u{feff}\u{2066}"), "a\\u{200b}b\\u{feff}\\u{2066}");
        assert_eq!(shown_lines("a\n\u{202e}b\n"), "a\n\\u{202e}b\n");
        assert_eq!(shown("a\nb\u{1b}[31m\u{202e}.yaml"), "a\\nb\\u{1b}[31m\\u{202e}.yaml");
    }

    #[test]
    fn no_format_for_people_lets_a_name_forge_a_line() {
        let path = "operators/x\n::error file=y::forged\r\u{1b}[2J.yaml";
        for text in ["", "a: 1\n"] {
            let sources = SourceMap::new(vec![(Arc::from(path), Arc::from(text))]);
            let primary = Location { file: FileId(0), span: Span::FILE };
            let finding = Finding {
                code: Code::UnreadableFile,
                message: "the file is UTF-16".to_owned(),
                primary,
                related: vec![Related { location: primary, message: "here".to_owned() }],
                help: None,
                fix: None,
                object: None,
            };
            let findings = [finding];
            let mut out = Vec::new();
            full::write(&findings, &sources, &mut out).unwrap();
            concise::write(&findings, &sources, &mut out).unwrap();
            github::write(&findings, &sources, &mut out).unwrap();
            junit::write(&findings, &sources, jiff::Timestamp::UNIX_EPOCH, Severity::Error, &mut out).unwrap();
            let written = String::from_utf8(out).unwrap();
            assert!(written.contains("operators/x") && !written.contains('\r'), "{written}");
            assert!(!written.contains("\u{1b}[2J"), "{written}");
            assert!(!written.lines().any(|line| line.starts_with("::error file=y")), "{written}");
        }
    }
}
