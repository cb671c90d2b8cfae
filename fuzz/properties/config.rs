//! A configuration file: whatever it says, every mistake has its place and its words.

use std::path::Path;

use temporal_webhook_forwarder::cli::ServeArgs;
use temporal_webhook_forwarder::config::file::File;
use temporal_webhook_forwarder::config::{Config, Environment, Identity};

/// Whether there was anything to hold.
pub(crate) fn holds(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let (file, mut mistakes) = File::read("fuzzed.toml", &text);
    let args = ServeArgs {
        no_tls: true,
        ..ServeArgs::default()
    };
    match Config::new(&args, &file, &Nothing) {
        Ok(config) => assert!(!mistakes.is_empty() || !config.sources.is_empty()),
        Err(more) => mistakes.extend(more),
    }
    let is_read = mistakes.is_empty();
    for mistake in mistakes {
        assert!(
            !mistake.place.is_empty() && !mistake.problem.is_empty(),
            "{mistake:?}"
        );
    }
    is_read
}

struct Nothing;

impl Environment for Nothing {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        (!name.starts_with("OTEL_")).then(|| SECRET.to_vec())
    }

    fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
        Ok(SECRET.to_vec())
    }

    fn check_identity(&self, _: &Identity) -> Result<(), String> {
        Ok(())
    }
}

const SECRET: &[u8] = b"00112233445566778899aabbccddeeff";
