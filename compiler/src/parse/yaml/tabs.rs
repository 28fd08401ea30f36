//! Tabs that YAML forbids: in the indentation of what begins on a line.
//!
//! The parser takes a tab behind the spaces of an indentation for white space between tokens, and so for a column.
//! Allowed are tabs before whatever goes on from the line above: text, and the inside of brackets.

use super::walk::{Step, Walk};
use super::{Fault, source};
use crate::source::Position;

/// A line that holds something, with a tab before it.
pub(super) struct Tabbed {
    pub(super) line: u32,
    /// The column behind the first tab.
    behind: u32,
    /// The column of what it holds.
    content: u32,
    begins: Begins,
}

/// What a line would begin if it did not go on from the one above.
#[derive(PartialEq)]
enum Begins {
    /// A member, by its `-`, `?` or `:`.
    Member,
    /// A key, by a colon somewhere behind.
    Key,
    Text,
}

impl Tabbed {
    pub(super) fn place(&self) -> Position {
        Position { line: self.line, column: self.behind }
    }
}

/// The fault of a text with a tab before this place.
pub(super) fn fault(at: Position) -> Fault {
    Fault::Syntax {
        at,
        message: "a tab stands in the indentation".to_owned(),
        help: Some("indent with spaces".to_owned()),
    }
}

/// The place behind the first tab that stands in the indentation of a key or of a list's dash.
pub(super) fn in_indentation(text: &str) -> Option<Position> {
    let tabbed = lines(text);
    let mut tabbed = tabbed.iter().peekable();
    tabbed.peek()?;
    let mut walk = Walk::of(text);
    loop {
        let covered = walk.covered();
        match walk.step() {
            Step::Other => {}
            Step::End => return None,
            Step::Node(node) => {
                while let Some(line) = tabbed.next_if(|line| line.line < node.at.line) {
                    if line.line > covered && line.begins == Begins::Member {
                        return Some(line.place());
                    }
                }
                let on_its_line = tabbed.peek().filter(|line| line.line == node.at.line && line.line > covered);
                if let Some(line) = on_its_line {
                    let begins = match line.begins {
                        Begins::Member => !node.is_block_scalar,
                        _ => node.is_block_key && node.at.column == line.content,
                    };
                    if begins {
                        return Some(line.place());
                    }
                }
            }
            // What stands before the fault may not have come as an event yet.
            Step::Fault(error) => {
                let last = super::read::to_position(error.marker()).line;
                let mut left = tabbed.filter(|line| line.line > covered && line.line <= last);
                return left.find(|line| line.begins != Begins::Text).map(Tabbed::place);
            }
        }
    }
}

/// The lines whose content has a tab before it. A comment is no content.
pub(super) fn lines(text: &str) -> Vec<Tabbed> {
    if !text.contains('\t') {
        return Vec::new();
    }
    (1..).zip(source::lines(text)).filter_map(|(number, line)| tabbed_line(number, line)).collect()
}

fn tabbed_line(number: u32, line: &str) -> Option<Tabbed> {
    let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
    // Between a dash and a key that follows it on the line stands indentation as well.
    let content = if line[..indent].contains('\t') { &line[indent..] } else { source::content(line) };
    let before = &line[..line.len() - content.len()];
    let tab = before.find('\t')?;
    if content.is_empty() || content.starts_with('#') {
        return None;
    }
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t']);
    let begins = match content.strip_prefix(['-', '?', ':']) {
        Some(rest) if ends(rest) => Begins::Member,
        _ if content.split(':').skip(1).any(ends) => Begins::Key,
        _ => Begins::Text,
    };
    let column = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX).saturating_add(1);
    Some(Tabbed { line: number, behind: column(tab + 1), content: column(before.len()), begins })
}
