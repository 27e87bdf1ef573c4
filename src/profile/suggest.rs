//! `did you mean …?`: the nearest of the words that would have been right.

/// The candidate nearest to `word`, if it is near enough to be a slip of the finger.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // A third of the word may be wrong: one letter in `zpol`, two in `compresorr`; nothing in `a`.
    let allowed = (word.chars().count() / 3).clamp(usize::from(word.chars().count() > 1), 2);
    let folded = fold(word);
    candidates
        .into_iter()
        .map(|candidate| (fold(candidate), candidate))
        // What differs more in length than may be wrong can't be near.
        .filter(|(other, _)| other.len().abs_diff(folded.len()) <= allowed)
        .map(|(other, candidate)| (distance(&folded, &other, allowed), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Case and the choice between `-` and `_` are the commonest slips: they cost nothing.
fn fold(word: &str) -> Vec<char> {
    word.chars().take(64).flat_map(char::to_lowercase).map(|c| if c == '-' { '_' } else { c }).collect()
}

/// Optimal string alignment: insertions, deletions, replacements and swaps of neighbours. What is certain to be more than
/// `allowed` is not counted to its end.
fn distance(a: &[char], b: &[char], allowed: usize) -> usize {
    let mut older: Vec<usize> = Vec::new();
    let mut old: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut new = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (old[j] + usize::from(x != y)).min(old[j + 1] + 1).min(new[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(older[j - 1] + 1);
            }
            new.push(best);
        }
        // A later row is no less than the least of the two before it.
        let beyond = |row: &[usize]| row.iter().all(|count| *count > allowed);
        if beyond(&old) && beyond(&new) {
            return allowed + 1;
        }
        older = std::mem::replace(&mut old, new);
    }
    old[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 4] = ["compressor", "zpool", "enabled", "max_pool_percent"];

    #[test]
    fn finds_slips() {
        assert_eq!(nearest("compresor", WORDS), Some("compressor"));
        assert_eq!(nearest("zpol", WORDS), Some("zpool"));
        assert_eq!(nearest("zopol", WORDS), Some("zpool"));
        assert_eq!(nearest("Enabled", WORDS), Some("enabled"));
        assert_eq!(nearest("max-pool-percent", WORDS), Some("max_pool_percent"));
    }

    #[test]
    fn keeps_quiet_otherwise() {
        assert_eq!(nearest("shrinker", WORDS), None);
        assert_eq!(nearest("a", WORDS), None);
        assert_eq!(nearest("", WORDS), None);
    }
}
