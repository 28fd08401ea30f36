//! Two ordered maps at once.

use itertools::EitherOrBoth::{Both, Left, Right};
use itertools::Itertools as _;

/// Every entry of one sequence with what another, in the same order of keys, has for its key: one pass over both, where a
/// lookup for each entry would compare a dozen keys.
pub(crate) fn left_join<K: Ord, A, B>(
    left: impl IntoIterator<Item = (K, A)>,
    right: impl IntoIterator<Item = (K, B)>,
) -> impl Iterator<Item = (K, A, Option<B>)> {
    left.into_iter().merge_join_by(right, |left, right| left.0.cmp(&right.0)).filter_map(|sides| match sides {
        Left((key, left)) => Some((key, left, None)),
        Both((key, left), (_, right)) => Some((key, left, Some(right))),
        Right(_) => None,
    })
}
