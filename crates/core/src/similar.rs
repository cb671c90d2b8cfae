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

/// The path that was probably meant by one that is not known: the same apart from case and doubled
/// or last slashes; the path that it goes on from; the one path that ends alike; or a letter or two
/// off.
pub fn closest_path<'n>(path: &str, paths: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let path = plain_path(path);
    if path.is_empty() {
        return None;
    }
    let paths: Vec<(String, &str)> = paths.into_iter().map(|p| (plain_path(p), p)).collect();
    let begins = |known: &str| path.strip_prefix(known).is_some_and(|m| m.starts_with('/'));
    let same = paths.iter().find(|(known, _)| *known == path);
    let same = same.or_else(|| paths.iter().find(|(known, _)| begins(known)));
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut alike = paths.iter().filter(|(known, _)| name(known) == name(&path));
    let alike = alike.next().filter(|_| alike.next().is_none());
    if let Some((_, found)) = same.or(alike) {
        return Some(found);
    }
    let allowed = (path.len() / 3).min(MAX_SLIPS);
    let near = paths
        .iter()
        .filter(|(known, _)| known.len().abs_diff(path.len()) <= allowed);
    let near: Vec<&str> = near.map(|(_, known)| *known).collect();
    let distance = |known: &&str| strsim::damerau_levenshtein(&path, &plain_path(known));
    let found = only_least(&near, distance).filter(|(least, _)| *least <= allowed);
    found.map(|(_, known)| known)
}

fn plain_path(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let plain = segments
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .join("/");
    if plain.len() > LONGEST_PATH {
        String::new()
    } else {
        plain
    }
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
/// Longer, nobody mistyped it.
const LONGEST_PATH: usize = 200;
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
    fn a_path_is_taken_for_the_one_that_it_is_nearly() {
        let paths = [
            "/temporal/shopify",
            "/temporal/github",
            "/hooks/github",
            "/temporal/stripe",
        ];
        for (path, meant) in [
            ("/temporal/shopify/", Some("/temporal/shopify")),
            ("/temporal//shopify", Some("/temporal/shopify")),
            ("/Temporal/Shopify", Some("/temporal/shopify")),
            ("/temporal/shopify/orders", Some("/temporal/shopify")),
            ("/shopify", Some("/temporal/shopify")),
            ("/webhooks/stripe", Some("/temporal/stripe")),
            ("/temporal/shopfy", Some("/temporal/shopify")),
            ("/temporal/shopif%79", Some("/temporal/shopify")),
            ("/temporal-stripe", Some("/temporal/stripe")),
            ("/github", None),
            ("/", None),
            ("/temporal", None),
            ("/favicon.ico", None),
            ("/wp-login.php", None),
        ] {
            assert_eq!(closest_path(path, paths), meant, "{path}");
        }
        assert_eq!(closest_path(&"/temporal/shopify".repeat(100), paths), None);
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
