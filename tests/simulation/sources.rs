//! The configuration of the simulated forwarders, read as `serve` reads one.

use std::sync::OnceLock;

use temporal_webhook_forwarder::cli::ServeArgs;
use temporal_webhook_forwarder::config::file::{File, Metrics};
use temporal_webhook_forwarder::config::{Config, Nothing};
use temporal_webhook_forwarder::forward::Settings;
use webhook_core::secret::Secret;
use webhook_core::source::Source;

const TEXT: &str = include_str!("sources.toml");

/// For senders: what they have to know of a source.
pub(crate) fn known() -> &'static [(Source, Secret)] {
    static KNOWN: OnceLock<Vec<(Source, Secret)>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let secrets = TEXT.lines().filter_map(|line| {
            let secret = line.strip_prefix("secrets = [\"")?.strip_suffix("\"]")?;
            Secret::new(secret.as_bytes().to_vec())
        });
        let known: Vec<_> = config().sources.into_iter().zip(secrets).collect();
        assert_eq!(known.len(), TEXT.matches("[[source]]").count());
        known
    })
}

/// Of one forwarder.
pub(crate) fn settings() -> Settings {
    let config = config();
    Settings::new(config.sources, config.codec, None, &Metrics::default())
}

fn config() -> Config {
    let (file, mistakes) = File::read("sources.toml", TEXT);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let args = ServeArgs {
        no_tls: true,
        ..ServeArgs::default()
    };
    Config::new(&args, &file, &Nothing).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}
