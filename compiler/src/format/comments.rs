//! Comments stay in order and with what they stand above, wherever they are written.

use proptest::prelude::*;

use super::*;

/// What a value is.
#[derive(Debug, Clone)]
enum Tree {
    Word,
    List(Vec<(Comments, Self)>),
    Map(Vec<(Comments, Self)>),
}

/// Comments about one entry.
#[derive(Debug, Clone)]
struct Comments {
    /// Those above, each with how much farther in it is.
    above: Vec<usize>,
    /// One behind the key or dash.
    behind: bool,
    /// Whether a mapping begins on the line below the dash.
    below_dash: bool,
}

fn comments(farthest: usize) -> impl Strategy<Value = Comments> {
    let above = prop::collection::vec(0..=farthest, 0..3);
    (above, prop::bool::weighted(0.3), prop::bool::ANY).prop_map(|(above, behind, below_dash)| Comments {
        above,
        behind,
        below_dash,
    })
}

/// A mapping of lists, mappings and words.
fn tree(farthest: usize) -> impl Strategy<Value = Tree> {
    let inner = Just(Tree::Word).prop_recursive(3, 24, 4, move |inner| {
        let entries = || prop::collection::vec((comments(farthest), inner.clone()), 1..4);
        prop_oneof![entries().prop_map(Tree::List), entries().prop_map(Tree::Map)]
    });
    prop::collection::vec((comments(farthest), inner), 1..4).prop_map(Tree::Map)
}

/// A text that is written from a tree, no word of it twice.
#[derive(Default)]
struct Text {
    lines: Vec<String>,
    words: usize,
}

impl Text {
    fn word(&mut self) -> String {
        self.words += 1;
        format!("w{}", self.words)
    }

    fn comment(&mut self) -> String {
        let word = self.word();
        format!("#{word}")
    }

    /// Writes the entries of a list or mapping. The first may stand behind a dash that is there already.
    fn write(&mut self, tree: &Tree, indent: usize, mut behind_dash: bool) {
        let (entries, is_list) = match tree {
            Tree::Word => return,
            Tree::List(entries) => (entries, true),
            Tree::Map(entries) => (entries, false),
        };
        let pad = " ".repeat(indent);
        for (comments, value) in entries {
            for farther in comments.above.iter().filter(|_| !behind_dash) {
                let comment = self.comment();
                self.lines.push(format!("{pad}{}{comment}", " ".repeat(*farther)));
            }
            let mut line = if is_list { "-".to_owned() } else { format!("{}:", self.word()) };
            let is_joined = is_list && matches!(value, Tree::Map(_)) && !(comments.behind || comments.below_dash);
            if matches!(value, Tree::Word) {
                line = format!("{line} {}", self.word());
            }
            if comments.behind {
                line = format!("{line} {}", self.comment());
            }
            match self.lines.last_mut() {
                Some(last) if std::mem::take(&mut behind_dash) => last.push_str(&format!(" {line}")),
                _ => self.lines.push(format!("{pad}{line}")),
            }
            self.write(value, indent + 2, is_joined);
        }
    }

    fn of(tree: &Tree) -> String {
        let mut text = Self::default();
        text.write(tree, 0, false);
        text.lines.join("\n") + "\n"
    }
}

fn words_of(text: &str) -> Vec<&str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '#')).filter(|word| !word.is_empty()).collect()
}

fn has_list_in_list(tree: &Tree) -> bool {
    match tree {
        Tree::Word => false,
        Tree::List(entries) => {
            entries.iter().any(|(_, value)| matches!(value, Tree::List(_)) || has_list_in_list(value))
        }
        Tree::Map(entries) => entries.iter().any(|(_, value)| has_list_in_list(value)),
    }
}

#[test]
fn a_comment_behind_a_dash_stays_before_those_of_the_first_key() {
    for text in [
        "a:\n  - #c8\n    #c9\n    y1: 1\n",
        "a:\n  #c7\n  - #c8\n    #c9\n    y1: 1\n    #c10\n    z1: 1\n",
        "a: #c1\n  #c2\n  b: #c3\n    #c4\n    c: 1\n",
    ] {
        assert_eq!(format(text).as_deref(), Ok(text));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn comments_where_people_put_them_stay_in_order(tree in tree(0)) {
        let text = Text::of(&tree);
        match format(&text) {
            Ok(formatted) => {
                prop_assert_eq!(words_of(&formatted), words_of(&text), "{}", text);
                prop_assert_eq!(format(&formatted), Ok(formatted));
            }
            Err(reason) => prop_assert!(has_list_in_list(&tree), "{reason}: {text}"),
        }
    }

    #[test]
    fn comments_anywhere_stay_in_order_or_the_file_is_left_alone(tree in tree(5)) {
        let text = Text::of(&tree);
        if let Ok(formatted) = format(&text) {
            prop_assert_eq!(words_of(&formatted), words_of(&text), "{}", text);
        }
    }

    #[test]
    fn comments_move_with_their_keys(
        rules in prop::collection::vec(
            Just(["prefix", "priority", "weight", "cost", "active"]).prop_shuffle(), 1..4
        ),
        about in prop::collection::vec(prop::bool::ANY, 15),
        behind in prop::bool::ANY,
    ) {
        let mut text = "kind: Routes\nspec:\n  rules:\n".to_owned();
        let mut about = about.into_iter();
        for keys in &rules {
            text.push_str(if behind { "    - # member\n" } else { "    -\n" });
            for key in keys {
                if about.next() == Some(true) {
                    text.push_str(&format!("      # about {key}\n"));
                }
                text.push_str(&format!("      {key}: 1\n"));
            }
        }
        let formatted = format(&text).unwrap();
        let mut lines = formatted.lines();
        while let Some(line) = lines.next() {
            if let Some(key) = line.trim().strip_prefix("# about ") {
                let next = lines.next().unwrap_or_default().trim_start_matches([' ', '-']);
                prop_assert!(next.starts_with(key), "{}", formatted);
            }
        }
        prop_assert_eq!(formatted.matches('#').count(), text.matches('#').count());
    }
}
