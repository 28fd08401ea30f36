//! Keep blocks: what people wrote into a generated file.

use super::Error;

const CLOSE: &str = "<!-- /bindery:keep -->";

/// A stretch of a file.
enum Part<'a> {
    /// Generated lines.
    Text(&'a str),
    /// A block: its name, and its lines without the markers.
    Keep { name: &'a str, body: String },
}

/// Puts the blocks of `existing` into `rendered`. Blocks without a place there go to the end: text is never lost.
pub(super) fn merge(rendered: &str, existing: &str) -> Result<String, Error> {
    let mut kept: Vec<(&str, Option<String>)> = Vec::new();
    for part in parts(existing)? {
        if let Part::Keep { name, body } = part {
            kept.push((name, Some(body)));
        }
    }
    let mut text = String::with_capacity(rendered.len());
    for part in parts(rendered)? {
        match part {
            Part::Text(line) => text.push_str(line),
            Part::Keep { name, body } => {
                let written = kept.iter_mut().find(|(known, _)| *known == name).and_then(|(_, body)| body.take());
                push(&mut text, name, &written.unwrap_or(body));
            }
        }
    }
    let orphans: Vec<_> = kept.into_iter().filter_map(|(name, body)| Some((name, body?))).collect();
    if !orphans.is_empty() {
        text.truncate(text.trim_end().len());
        text.push_str("\n\n## Kept notes\n\nThe template no longer has a place for these notes.\n");
        for (name, body) in orphans {
            text.push('\n');
            push(&mut text, name, &body);
        }
    }
    Ok(text)
}

fn push(text: &mut String, name: &str, body: &str) {
    text.extend(["<!-- bindery:keep ", name, " -->\n", body, CLOSE, "\n"]);
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, Error> {
    let mut parts = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    let mut open: Option<(&str, usize, String)> = None;
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        match (open.as_mut(), opening(line)) {
            (Some((name, line, _)), Some(_)) => return Err(Error::Unclosed { name: (*name).to_owned(), line: *line }),
            (Some(_), None) if line.trim() == CLOSE => {
                parts.extend(open.take().map(|(name, _, body)| Part::Keep { name, body }));
            }
            (Some((_, _, body)), None) => body.push_str(line),
            (None, Some(name)) if names.contains(&name) => {
                return Err(Error::Twice { name: name.to_owned(), line: number });
            }
            (None, Some(name)) => {
                names.push(name);
                open = Some((name, number, String::new()));
            }
            (None, None) => parts.push(Part::Text(line)),
        }
    }
    match open {
        Some((name, line, _)) => Err(Error::Unclosed { name: name.to_owned(), line }),
        None => Ok(parts),
    }
}

/// The name in an opening marker that has its line to itself.
fn opening(line: &str) -> Option<&str> {
    Some(line.trim().strip_prefix("<!-- bindery:keep ")?.strip_suffix("-->")?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "# Title\n<!-- bindery:keep a -->\nnothing\n<!-- /bindery:keep -->\nend\n";

    #[test]
    fn what_people_wrote_replaces_the_default() {
        assert_eq!(merge(TEMPLATE, "").unwrap(), TEMPLATE);
        let existing = "old\n<!-- bindery:keep a -->\nmine\n\n- more\n<!-- /bindery:keep -->\n";
        let merged = merge(TEMPLATE, existing).unwrap();
        assert_eq!(merged, TEMPLATE.replace("nothing\n", "mine\n\n- more\n"));
        assert_eq!(merge(TEMPLATE, &merged).unwrap(), merged);
    }

    #[test]
    fn a_block_without_a_place_goes_to_the_end_and_stays_there() {
        let existing = "<!-- bindery:keep gone -->\nprecious\n<!-- /bindery:keep -->\n";
        let merged = merge(TEMPLATE, existing).unwrap();
        assert!(merged.starts_with(TEMPLATE) && merged.ends_with(existing), "{merged}");
        assert_eq!(merge(TEMPLATE, &merged).unwrap(), merged);
    }

    #[test]
    fn unclear_blocks_are_errors() {
        let unclosed = "<!-- bindery:keep a -->\nmine\n";
        assert!(matches!(merge(TEMPLATE, unclosed), Err(Error::Unclosed { line: 1, .. })));
        let block = "<!-- bindery:keep a -->\n<!-- /bindery:keep -->\n";
        assert!(matches!(merge(TEMPLATE, &block.repeat(2)), Err(Error::Twice { line: 3, .. })));
    }
}
