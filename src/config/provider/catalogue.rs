//! The catalogue: `providers/*.toml`, one small file per sender, compiled in.

use std::sync::LazyLock;

use webhook_core::provider::Provider;
use webhook_core::similar::did_you_mean;

use crate::config::reader::Reader;

/// The entry of this name.
pub fn find(name: &str) -> Option<&'static Provider> {
    all().iter().find(|provider| provider.name == name)
}

/// The whole catalogue, in alphabetical order.
pub fn all() -> &'static [Provider] {
    static CATALOGUE: LazyLock<Vec<Provider>> =
        LazyLock::new(|| FILES.iter().map(|(name, text)| read(name, text)).collect());
    &CATALOGUE
}

/// The entry's file.
pub fn text(name: &str) -> Option<&'static str> {
    FILES
        .iter()
        .find(|(file, _)| *file == name)
        .map(|(_, text)| *text)
}

/// The message for a name that is in no entry.
pub fn unknown(name: &str) -> String {
    let names: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
    let meant = did_you_mean(name, names.iter().copied());
    format!(
        "unknown provider {name:?}{meant}, expected one of: {}",
        names.join(", ")
    )
}

fn read(name: &str, text: &'static str) -> Provider {
    let (mut reader, section) = Reader::new(format!("providers/{name}.toml"), text);
    let provider = super::read(&mut reader, section);
    let mistakes = reader.into_mistakes();
    assert!(mistakes.is_empty(), "{mistakes:?}");
    provider
}

/// Every file's name and text, in alphabetical order: `build.rs` lists the folder.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

#[cfg(test)]
mod tests {
    use http::{Method, StatusCode};
    use webhook_core::provider::CREDENTIALS;
    use webhook_core::provider::locator::Locator;

    use super::*;

    #[test]
    fn the_catalogue_loads_is_sorted_and_whole() {
        let names: Vec<_> = all().iter().map(|p| p.name.as_str()).collect();
        assert!(names.is_sorted(), "{names:?}");
        let files: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, files, "a file is named after its provider");
        for provider in all() {
            assert!(
                !provider.sample.body.is_empty(),
                "{} has no sample",
                provider.name
            );
        }
    }

    #[test]
    fn no_entry_shows_credentials_to_the_worker() {
        for provider in all() {
            for name in CREDENTIALS {
                let keeps = provider.keep_headers.iter().any(|p| p.covers(name));
                assert!(!keeps, "{} keeps {name}", provider.name);
            }
        }
    }

    /// A GET has no body: their hash would be one id for all of them.
    #[test]
    fn no_entry_knows_a_get_by_the_hash_of_its_body() {
        let mut gets = 0;
        for provider in all() {
            if provider.methods.contains(&Method::GET) {
                gets += 1;
                let id = &provider.id;
                assert!(!id.contains(&Locator::BodySha256), "{}", provider.name);
            }
        }
        assert!(gets > 0, "no entry takes GET");
    }

    /// What asks to send again is 503, and nothing else is (`outcome.rs`).
    #[test]
    fn every_sender_repeats_what_asks_to_send_again() {
        let mut named = 0;
        for provider in all() {
            // Whoever repeats after no answer at all, or never, cannot be asked to.
            let repeats = &provider.repeats;
            if !repeats.after_an_answer() {
                continue;
            }
            let repeated = repeats.repeats(StatusCode::SERVICE_UNAVAILABLE);
            named += usize::from(repeated.is_some());
            assert_ne!(repeated, Some(false), "{} gives up on 503", provider.name);
        }
        assert!(named >= 5, "no entry names codes: {named}");
    }
}
