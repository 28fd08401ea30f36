//! Checks between documents.

/// The known word nearest to a text, if one is near enough to be meant.
pub(crate) fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = text.to_lowercase();
    let scored = known.into_iter().map(|word| (strsim::damerau_levenshtein(&lower, &word.to_lowercase()), word));
    // A third of the letters may differ; of short words one.
    scored.filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1)).min().map(|(_, word)| word)
}
