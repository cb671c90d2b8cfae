//! What was meant by a word that is not known: a misspelt key, name or value.

/// The name that `word` is probably a slip of, if there is one: the same apart from case, dashes and
/// underscores; a letter or two off, of two that are equally near the first; or the one of whose
/// words it is (`queue` for `task_queue`).
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
    let near = nearest(names.iter().copied(), distance).filter(|(least, _)| *least <= allowed);
    near.map(|(_, name)| name)
        .or_else(|| part_of_one(word, &names))
}

/// Ready to be put behind "unknown …": ` (did you mean `NAME`?)`, or nothing.
pub fn did_you_mean<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    closest(word, names).map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

/// Paths that others are compared with, made ready for it once.
#[derive(Debug, Default)]
pub struct Paths(Vec<Known>);

#[derive(Debug)]
struct Known {
    path: String,
    plain: String,
}

impl Paths {
    /// Of these.
    pub fn new<'p>(paths: impl IntoIterator<Item = &'p str>) -> Self {
        let known = |path: &str| Known {
            path: path.to_owned(),
            plain: plain_path(path),
        };
        Self(paths.into_iter().map(known).collect())
    }

    /// The path that was probably meant by one that is not known: the same apart from case and
    /// doubled or last slashes; the path that it goes on from; the one path that ends alike; or, of
    /// one of at most 64 characters, the nearest that is a letter or two off.
    pub fn closest(&self, path: &str) -> Option<&str> {
        let path = &*plain_path(path);
        if path.is_empty() {
            return None;
        }
        let begins = |known: &Known| {
            let more = path.strip_prefix(known.plain.as_str());
            more.is_some_and(|more| more.starts_with('/'))
        };
        let same = self
            .0
            .iter()
            .find(|known| known.plain == path)
            .or_else(|| self.0.iter().find(|known| begins(known)));
        let found = same
            .or_else(|| self.alike(path))
            .or_else(|| self.near(path))?;
        Some(&found.path)
    }

    /// The one that ends alike.
    fn alike(&self, path: &str) -> Option<&Known> {
        let name = |path: &str| path.rfind('/').map_or(0, |slash| slash + 1);
        let last = &path[name(path)..];
        let ends = |known: &&Known| &known.plain[name(&known.plain)..] == last;
        let mut alike = self.0.iter().filter(ends);
        alike.next().filter(|_| alike.next().is_none())
    }

    /// The nearest, if it is near.
    fn near(&self, path: &str) -> Option<&Known> {
        if path.chars().count() > LONGEST_MISTYPED {
            return None;
        }
        let allowed = (path.len() / 3).min(MAX_SLIPS);
        let near = self
            .0
            .iter()
            .filter(|known| known.plain.len().abs_diff(path.len()) <= allowed);
        let distance = |known: &&Known| strsim::damerau_levenshtein(path, &known.plain);
        let found = nearest(near, distance).filter(|(least, _)| *least <= allowed);
        found.map(|(_, known)| known)
    }
}

fn plain_path(path: &str) -> String {
    if path.len() > LONGEST_PATH {
        return String::new();
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let plain: Vec<_> = segments.map(str::to_lowercase).collect();
    plain.join("/")
}

/// What is at the least distance, and that; of two that are equally near, the first.
fn nearest<T>(
    all: impl IntoIterator<Item = T>,
    distance: impl Fn(&T) -> usize,
) -> Option<(usize, T)> {
    let measured = all.into_iter().map(|one| (distance(&one), one));
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
/// Longer, in bytes, nobody meant it.
const LONGEST_PATH: usize = 200;
/// Longer, nobody typed it by hand; and comparing takes as many steps as the lengths multiplied.
const LONGEST_MISTYPED: usize = 64;
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
        let paths = Paths::new([
            "/temporal/shopify",
            "/temporal/github",
            "/hooks/github",
            "/temporal/stripe",
        ]);
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
            assert_eq!(paths.closest(path), meant, "{path}");
        }
        assert_eq!(paths.closest(&"/temporal/shopify".repeat(100)), None);
    }

    #[test]
    fn only_a_short_path_is_searched_for_slips() {
        for (length, found) in [(63, true), (64, false)] {
            let known = format!("/{}", "a".repeat(length));
            let paths = Paths::new([known.as_str()]);
            let slip = format!("{known}b");
            assert_eq!(paths.closest(&slip).is_some(), found, "{length}");
            assert!(paths.closest(&format!("{known}/more")).is_some());
        }
    }

    #[test]
    fn of_two_that_are_equally_near_it_is_the_first() {
        assert_eq!(closest("key", ["kex", "kez"]), Some("kex"));
        assert_eq!(
            Paths::new(["/ab/key1", "/ab/key2"]).closest("/ab/key3"),
            Some("/ab/key1")
        );
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
