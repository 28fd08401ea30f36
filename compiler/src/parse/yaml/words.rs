//! What the parser says, in plain words where they are certain.

/// The message and the help, empty where there is none, for what the parser says of a place on a line.
pub(super) fn plain(said: &str, line: &str, in_brackets: bool) -> Option<(String, &'static str)> {
    let found = |message: &str, help: &'static str| (message.to_owned(), help);
    Some(match said {
        "while scanning a quoted scalar, found unexpected end of stream"
        | "while scanning a quoted scalar, found unexpected document indicator"
        | "invalid indentation in quoted scalar" => {
            found("the quote that opens here is not closed", "close it on its line")
        }
        "invalid trailing content after double-quoted scalar" if in_brackets => {
            found("text follows a closing quote", "a comma is missing, or a quote before it is not closed")
        }
        "invalid trailing content after double-quoted scalar" => found(
            "text follows a closing quote",
            "a quote before it is not closed, or one that belongs to the text is not escaped",
        ),
        "while parsing a quoted scalar, found unknown escape character" => found(
            "a backslash in double quotes begins an escape, and this is none",
            "double the backslash, or use single quotes",
        ),
        "while parsing a flow mapping, did not find expected ',' or '}'" => {
            found("a comma or `}` is missing before this", "")
        }
        "while parsing a flow sequence, expected ',' or ']'" => found("a comma or `]` is missing before this", ""),
        "misplaced bracket" => found("a bracket closes here, and none is open", "quote the value if it is text"),
        "invalid indentation in flow construct" | "invalid indentation" if in_brackets => found(
            "a line within brackets is not indented deeper than the field that holds them",
            "indent it, the closing bracket too",
        ),
        "while parsing a block mapping, did not find expected key" if line.starts_with("- ") => {
            found("a list's dash stands among the fields of a mapping", "")
        }
        "while parsing a block mapping, did not find expected key" => {
            found("this line is indented unlike the fields around it", "indent it as those it belongs with")
        }
        "while parsing a block collection, did not find expected '-' indicator" => match line.strip_prefix('-') {
            Some(_) => found("no space behind the dash", "write `- ` before an item of a list"),
            None => found(
                "this line neither begins an item of the list above nor is indented as the item's fields",
                "begin it with `- `, or indent it",
            ),
        },
        "block sequence entries are not allowed in this context" => {
            found("a list begins behind a field, on its line", "begin the list on the next line")
        }
        "while parsing node, found unknown anchor" => {
            found("the alias has no anchor above it", "quote the value if it is text")
        }
        "while scanning an anchor or alias, did not find expected alphabetic or numeric character" => {
            found("`*` and `&` begin an alias or an anchor, and no name follows", "quote the value if it is text")
        }
        "while scanning a block scalar, did not find expected comment or line break" => {
            found("text stands behind the mark of a block of text", "begin the text on the next line")
        }
        "comment intercepting the multiline text" => {
            found("a comment stands in the middle of a value", "quote the value, or move the comment")
        }
        "simple key expect ':'" | "simple key expected" => {
            found("a field has no colon", "between a field and its value stand a colon and a space")
        }
        "did not find expected <document start>" => found(
            "this line is indented less than the first of its document, or follows its end",
            "indent the fields of a document alike",
        ),
        "while parsing a node, did not find expected node content" => {
            found("a value is missing, or begins with a mark that has a meaning", "quote the value if it is text")
        }
        _ if said.starts_with("while scanning a directive") || said.starts_with("while scanning a YAML directive") => {
            found("a line that begins with `%` is a directive", "quote it if it is text")
        }
        _ if said.starts_with("unexpected character") => found(
            &format!("a value begins with {}", said["unexpected character: ".len()..].replace('\'', "`")),
            "quote the value",
        ),
        _ => return None,
    })
}
