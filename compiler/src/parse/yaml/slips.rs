//! Where the slip is that a text is no YAML for, in plain words.
//!
//! A parser stops where it can go on no further, which is often a line too late: it learns of a missing colon, bracket or
//! quote from what follows. Where the slip is certain it is marked itself; where not, the parser's place stands.

use super::source::{content, lines};
use super::walk::{Step, Walk};
use super::{Fault, escapes, tabs, words};
use crate::parse::secrets;
use crate::source::{Position, Span};

/// The fault for what the parser says of a place.
pub(super) fn explain(text: &str, at: Position, said: &str) -> Fault {
    if let Some(tab) = tab(text, at, said) {
        return tabs::fault(tab);
    }
    let slip = Slip::of(text, at);
    if let Some(Found { at, message, help }) = slip.no_indentation().or_else(|| slip.half_a_character(said)) {
        return Fault::Syntax { at, message, help };
    }
    let found = match said {
        "simple key expect ':'" | "simple key expected" => {
            slip.open_bracket().or_else(|| slip.key_line().map(|line| slip.no_colon(line)))
        }
        "mapping values are not allowed in this context" => {
            Some(slip.swallowed_line().map_or_else(|| slip.colon_too_many(), |line| slip.no_colon(line)))
        }
        _ => slip.open_bracket(),
    };
    let Found { at, message, help } = found.unwrap_or_else(|| {
        let words = words::plain(said, slip.line(at.line).trim_start(), slip.bracket.is_some());
        let (message, help) = words.unwrap_or_else(|| (said.to_owned(), ""));
        Found { at, message, help: (!help.is_empty()).then(|| help.to_owned()) }
    });
    Fault::Syntax { at: slip.within(at), message, help }
}

/// The place behind a tab that the parser itself refused.
fn tab(text: &str, at: Position, said: &str) -> Option<Position> {
    let tabbed = || tabs::lines(text).into_iter();
    match said {
        // Said of the place where the scalar above begins.
        "while scanning a plain scalar, found a tab" => tabbed().find(|tab| tab.line > at.line).map(|tab| tab.place()),
        "a block scalar content cannot start with a tab" => Some(Position { line: at.line + 1, column: 2 }),
        "tabs disallowed within this context (block indentation)" | "tab cannot be used as indentation" => {
            tabbed().find(|tab| tab.line == at.line).map(|tab| tab.place())
        }
        _ => None,
    }
}

struct Found {
    at: Position,
    message: String,
    help: Option<String>,
}

struct Slip<'t> {
    lines: Vec<&'t str>,
    at: Position,
    /// Where the last scalar or bracket before the fault ended.
    reached: Option<Position>,
    /// The last scalar before the fault.
    scalar: Option<Span>,
    /// The outermost bracket that is open at the fault.
    bracket: Option<Position>,
}

impl<'t> Slip<'t> {
    fn of(text: &'t str, at: Position) -> Self {
        let mut walk = Walk::of(text);
        while matches!(walk.step(), Step::Node(_) | Step::Other) {}
        Self {
            lines: lines(text).collect(),
            at,
            reached: walk.reached(),
            scalar: walk.scalar(),
            bracket: walk.bracket(),
        }
    }

    fn line(&self, number: u32) -> &'t str {
        self.lines.get(number.saturating_sub(1) as usize).copied().unwrap_or_default()
    }

    /// The place itself, or the end of the last line that holds something.
    fn within(&self, at: Position) -> Position {
        let last = self.lines.iter().rposition(|line| !line.trim().is_empty()).unwrap_or_default();
        let line = u32::try_from(last + 1).unwrap_or(u32::MAX);
        if at.line <= line {
            return at;
        }
        Position { line, column: columns(self.line(line)) }
    }

    fn is_at_end(&self) -> bool {
        let rest = self.lines.iter().skip(self.at.line.saturating_sub(1) as usize);
        rest.enumerate().all(|(number, line)| {
            let column = if number == 0 { self.at.column as usize - 1 } else { 0 };
            line.chars().skip(column).all(char::is_whitespace)
        })
    }

    /// The first character before the fault that belongs to nothing which has ended: the parser may still wait to see
    /// whether a key begins there. Behind dashes, the colon of the field before, and what names or types a value.
    fn pending(&self) -> Option<Position> {
        let (first, skipped) = self.reached.map_or((1, 0), |reached| (reached.line, reached.column as usize - 1));
        (first..=self.at.line).find_map(|number| {
            let line = self.line(number);
            let skipped = if number == first { skipped } else { 0 };
            let from = line.char_indices().nth(skipped).map_or(line.len(), |(byte, _)| byte);
            let mut rest = line[from..].trim_start();
            if number == first && self.reached.is_some() {
                rest = rest.strip_prefix(':').unwrap_or(rest).trim_start();
            } else if !holds_content(line) {
                return None;
            }
            rest = content(rest);
            while rest.starts_with(['&', '!']) {
                rest = rest.split_once([' ', '\t']).map_or("", |(_, rest)| rest.trim_start());
            }
            let at = Position { line: number, column: columns(&line[..line.len() - rest.len()]) };
            (!rest.is_empty() && !rest.starts_with('#') && at < self.at).then_some(at)
        })
    }

    /// The line of its own, before the fault, on which the text begins that was to be a key.
    fn key_line(&self) -> Option<u32> {
        let line = self.pending()?.line;
        (line < self.at.line && self.reached.is_none_or(|reached| reached.line < line)).then_some(line)
    }

    /// The line of its own that a text begins on which runs into a key below: a value would begin behind its field.
    fn swallowed_line(&self) -> Option<u32> {
        let scalar =
            self.scalar.filter(|scalar| scalar.end.line == self.at.line && scalar.start.line < self.at.line)?;
        let before = before(self.line(scalar.start.line), scalar.start);
        content(before).is_empty().then_some(scalar.start.line)
    }

    /// A blank that is no space before the content of a line: to YAML it is text, and the line is not indented by it.
    fn no_indentation(&self) -> Option<Found> {
        let first = self.scalar.map_or(self.at.line, |scalar| scalar.start.line.min(self.at.line));
        (first..=self.at.line).find_map(|number| {
            let line = self.line(number);
            let blank = line.chars().take_while(|c| c.is_whitespace()).position(|c| !c.is_ascii())?;
            let column = u32::try_from(blank).unwrap_or(u32::MAX).saturating_add(1);
            let message = match line.chars().nth(blank)? {
                '\u{a0}' => "a no-break space stands in the indentation".to_owned(),
                other => format!("a blank that is no space, U+{:04X}, stands in the indentation", u32::from(other)),
            };
            let help = Some("indent with spaces".to_owned());
            Some(Found { at: Position { line: number, column }, message, help })
        })
    }

    /// An escape that is half a character, as JSON writes what is beyond U+FFFF.
    fn half_a_character(&self, said: &str) -> Option<Found> {
        if said != "while parsing a quoted scalar, found invalid Unicode character escape code" {
            return None;
        }
        (self.at.line..).zip(self.lines.iter().skip(self.at.line as usize - 1)).find_map(|(number, line)| {
            let before = if number == self.at.line { before(line, self.at).len() } else { 0 };
            let (byte, whole) = escapes::half_a_character(&line[before..])?;
            let at = Position { line: number, column: columns(&line[..before + byte]) };
            let message = "the escape is half a character, as JSON writes one, and YAML has no halves".to_owned();
            // Nor may a character of a password come back.
            let whole = whole.filter(|_| !(1..=number).any(|number| secrets::names_a_secret(self.line(number))));
            let help = match whole {
                Some(whole) => format!("write the character itself, or `\\U{:08X}` for both halves", u32::from(whole)),
                None => "write the character itself".to_owned(),
            };
            Some(Found { at, message, help: Some(help) })
        })
    }

    /// A field without its colon, or without the space behind it. The next line shows it.
    fn no_colon(&self, number: u32) -> Found {
        let line = self.line(number);
        let content = content(line);
        let at = Position { line: number, column: columns(&line[..line.len() - content.len()]) };
        if content.starts_with("<<<<<<<") {
            let help = "keep one of the two sides, and take out the marks".to_owned();
            return Found { at, message: "a merge conflict is not resolved".to_owned(), help: Some(help) };
        }
        let content = content.split(" #").next().unwrap_or_default().trim_end();
        let name = content.split([' ', '\t', ':', '=']).next().unwrap_or_default();
        // Nor may the value of a password come back, whatever the line looks like.
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && !secrets::is_suspicious(name)
            && !(1..number).any(|number| secrets::names_a_secret(self.line(number)));
        if !is_name {
            let help = "between a field and its value stand a colon and a space".to_owned();
            let message = "this line is no field, and goes on from none".to_owned();
            return Found { at, message, help: Some(help) };
        }
        let rest = content[name.len()..].trim_start_matches([' ', '\t', ':', '=']);
        let is_long = rest.len() > 60 || rest.contains(|c: char| c.is_whitespace() || c.is_control());
        let is_shown = !(rest.is_empty() || is_long || secrets::names_a_secret(line) || secrets::is_suspicious(rest));
        let shown = if is_shown { format!(" {rest}") } else { String::new() };
        let missing = if content[name.len()..].starts_with(':') { "space behind the colon of" } else { "colon behind" };
        Found { at, message: format!("no {missing} `{name}`"), help: Some(format!("write `{name}:{shown}`")) }
    }

    /// A colon in a value: its second, or that of a line which the value above it runs into.
    fn colon_too_many(&self) -> Found {
        let (message, help) = if before(self.line(self.at.line), self.at).contains(": ") {
            ("`: ` stands in a value that has no quotes", "quote the value")
        } else {
            ("this line goes on from the value above it, and has a colon", "indent it as the field it belongs with")
        };
        Found { at: self.at, message: message.to_owned(), help: Some(help.to_owned()) }
    }

    /// The bracket that is not closed: the text ends in it, or a line stands where only its end would allow one.
    fn open_bracket(&self) -> Option<Found> {
        let starts = |at: &Position| self.line(at.line).chars().nth(at.column as usize - 1);
        let outermost = self.bracket.or_else(|| self.pending().filter(|at| matches!(starts(at), Some('[' | '{'))))?;
        let after = self.line_after(outermost).or_else(|| self.is_at_end().then_some(u32::MAX))?;
        let (at, bracket) = self.unclosed(outermost, after)?;
        let close = if bracket == '[' { ']' } else { '}' };
        let message = format!("the bracket `{bracket}` is not closed");
        Some(Found { at, message, help: Some(format!("close it with `{close}`")) })
    }

    /// The first line up to the fault that is indented no deeper than what holds a bracket, and does not close it.
    fn line_after(&self, bracket: Position) -> Option<u32> {
        let before = before(self.line(bracket.line), bracket);
        let content = content(before);
        let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let above = || {
            let mut above = (1..bracket.line).rev().map(|number| self.line(number));
            above.find(|line| holds_content(line) && indent(line) < before.len()).map(indent)
        };
        // Behind dashes alone it is the last of them that holds the bracket, and on a line of its own what is above.
        let holder = if content.is_empty() { before.rfind('-').or_else(above)? } else { before.len() - content.len() };
        (bracket.line + 1..=self.at.line).find(|number| {
            let line = self.line(*number);
            let closes = line.trim_start_matches(' ').starts_with([']', '}']);
            holds_content(line) && indent(line) <= holder && !closes
        })
    }

    /// The innermost bracket, from one on, that is open where another kind is closed, or where a line begins.
    fn unclosed(&self, from: Position, until: u32) -> Option<(Position, char)> {
        let (mut open, mut quote, mut before): (Vec<(Position, char)>, Option<char>, char) = (Vec::new(), None, ' ');
        for (number, line) in (1..until).zip(&self.lines).skip(from.line as usize - 1) {
            let first = if number == from.line { from.column as usize - 1 } else { 0 };
            let mut letters = (1..).zip(line.chars()).skip(first);
            let mut blank = true;
            while let Some((column, letter)) = letters.next() {
                match (quote, letter) {
                    (Some('"'), '\\') => _ = letters.next(),
                    (Some(end), _) if end == letter => quote = None,
                    (None, '#') if blank => break,
                    (None, '"' | '\'') if matches!(before, '[' | '{' | ',' | ':') => quote = Some(letter),
                    (None, '[' | '{') => open.push((Position { line: number, column }, letter)),
                    (None, ']' | '}') => {
                        let bracket = open.pop()?;
                        if (bracket.1 == '[') != (letter == ']') {
                            return Some(bracket);
                        }
                    }
                    _ => {}
                }
                blank = letter.is_whitespace();
                before = if blank { before } else { letter };
            }
        }
        open.pop()
    }
}

/// The column behind a text.
fn columns(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX).saturating_add(1)
}

fn holds_content(line: &str) -> bool {
    let content = line.trim_start();
    !content.is_empty() && !content.starts_with('#') && !["---", "..."].iter().any(|mark| line.starts_with(mark))
}

/// What stands before a place on its line.
fn before(line: &str, at: Position) -> &str {
    line.char_indices().nth(at.column.saturating_sub(1) as usize).map_or(line, |(byte, _)| &line[..byte])
}
