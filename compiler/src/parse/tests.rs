//! The quick reader takes nothing that the careful one reads otherwise.

use std::path::Path;

use proptest::prelude::*;

use super::*;

/// Every YAML file of this repository and of the fixtures.
fn texts() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders = ["operators", "contracts", "tests/fixtures"].map(|name| walkdir::WalkDir::new(root.join(name)));
    let files = folders.into_iter().flatten().map(Result::unwrap);
    let yaml = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "yaml"));
    yaml.filter_map(|file| std::fs::read_to_string(file.path()).ok()).filter(|text| text.len() < 20_000).collect()
}

/// Says where the two differ over a text; `None` where the quick one declines.
fn disagreement(text: &str) -> Option<Result<(), String>> {
    let quick = parse_quickly(text)?;
    let careful = parse_carefully(text.into());
    let (quick, read) = (format!("{quick:#?}"), format!("{:#?}", careful.documents));
    Some(if careful.faults.is_empty() && quick == read {
        Ok(())
    } else {
        Err(format!("{text}\n--- quick\n{quick}\n--- careful\n{read}\n{:#?}", careful.faults))
    })
}

#[test]
fn the_readers_agree_on_every_file() {
    let texts = texts();
    let taken = texts.iter().filter_map(|text| disagreement(text)).inspect(|same| assert_eq!(*same, Ok(()))).count();
    assert!(taken * 2 > texts.len(), "the quick reader took {taken} of {}", texts.len());
}

/// What is put into a text to spoil it, or to say the same in another way.
const BITS: [&str; 40] = [
    " ", "  ", "\n", "\t", "\r\n", ":", ": ", "- ", "-", "?", "? ", "#", " # x", ",", "[", "]", "{", "}", "\"", "'",
    "&a ", "*a", "!!str ", "!", "|", ">", "%", "@", "`", "~", "null", "no", "0", "\\", "\u{a0}", "ä", "---\n", "...\n",
    "<<: ", "\u{85}",
];

proptest! {
    #[test]
    fn the_readers_agree_on_spoiled_files(
        pick in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..BITS.len(), 0..3_usize), 1..4),
    ) {
        thread_local!(static TEXTS: Vec<String> = texts());
        let mut text = TEXTS.with(|texts| pick.get(texts).clone());
        for (at, bit, cut) in edits {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let Some(at) = (!places.is_empty()).then(|| *at.get(&places)) else { continue };
            let end = places.iter().copied().filter(|place| *place >= at).nth(cut).unwrap_or(text.len());
            text.replace_range(at..end, BITS[bit]);
        }
        if let Some(same) = disagreement(&text) {
            prop_assert_eq!(same, Ok(()));
        }
    }
}
