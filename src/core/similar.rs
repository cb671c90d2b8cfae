//! What was meant by a word that is not known: a misspelt key, name or value.

/// The one name that `word` is probably a slip of, if there is one: the same apart from case,
/// dashes and underscores; a letter or two off; or one of its words alone (`queue` for
/// `task_queue`).
pub fn closest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let names: Vec<&str> = names.into_iter().filter(|name| *name != word).collect();
    let plain_word = plain(word);
    if plain_word.is_empty() {
        return None;
    }
    if let Some(same) = names.iter().find(|name| plain(name) == plain_word) {
        return Some(same);
    }
    let distance = |name: &&str| strsim::damerau_levenshtein(&plain_word, &plain(name));
    let allowed = (plain_word.chars().count() / 3).min(MAX_SLIPS);
    let near = only_least(&names, distance).filter(|(least, _)| *least <= allowed);
    near.map(|(_, name)| name)
        .or_else(|| part_of_one(word, &names))
}

/// Ready to be put behind "unknown …": ` (did you mean `NAME`?)`, or nothing.
pub fn did_you_mean<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    closest(word, names).map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

/// The name at the least distance; of two that are equally near, the first.
fn only_least<'n>(
    names: &[&'n str],
    distance: impl Fn(&&str) -> usize,
) -> Option<(usize, &'n str)> {
    let measured = names.iter().map(|name| (distance(name), *name));
    measured.min_by_key(|(distance, _)| *distance)
}

/// `attempts` for `maximum_attempts`, `api_key` for `key`, `certificate` for `cert`: if no other name
/// has that part.
fn part_of_one<'n>(word: &str, names: &[&'n str]) -> Option<&'n str> {
    let word = word.to_ascii_lowercase();
    let is_part = |name: &str| {
        let mut parts = name.split(['_', '-']);
        let mut parts_of_word = word.split(['_', '-']);
        parts.any(|part| part == word)
            || parts_of_word.any(|part| part == name)
            || name.len() >= MIN_STEM && word.starts_with(name)
    };
    let mut fitting = names.iter().filter(|name| is_part(name));
    match (fitting.next(), fitting.next()) {
        (Some(name), None) => Some(name),
        _ => None,
    }
}

/// Case, dashes and underscores apart.
fn plain(word: &str) -> String {
    word.replace(['_', '-', ' '], "").to_lowercase()
}

/// Further away, two words have little to do with each other.
const MAX_SLIPS: usize = 3;
/// A name so long that a word which begins with it is a longer form of it.
const MIN_STEM: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 9] = [
        "path",
        "provider",
        "secrets",
        "task_queue",
        "workflow_id",
        "event_id",
        "cert",
        "key",
        "maximum_attempts",
    ];

    #[test]
    fn slips_of_every_kind_are_understood() {
        for (word, meant) in [
            ("secret", "secrets"),
            ("provder", "provider"),
            ("porvider", "provider"),
            ("taskQueue", "task_queue"),
            ("task-queue", "task_queue"),
            ("TASK_QUEUE", "task_queue"),
            ("queue", "task_queue"),
            ("attempts", "maximum_attempts"),
            ("certificate", "cert"),
            ("api_key", "key"),
            ("pth", "path"),
            ("workflowid", "workflow_id"),
        ] {
            assert_eq!(closest(word, KEYS), Some(meant), "{word}");
        }
    }

    #[test]
    fn what_may_be_two_things_or_none_is_not_guessed() {
        for word in [
            "id",
            "host",
            "if",
            "x",
            "",
            "--",
            "leeway",
            "nothing_like_it",
        ] {
            assert_eq!(closest(word, KEYS), None, "{word}");
        }
        assert_eq!(did_you_mean("leeway", KEYS), "");
        assert_eq!(did_you_mean("secret", KEYS), " (did you mean `secrets`?)");
    }
}
