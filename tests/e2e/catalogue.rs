//! `send` for every entry of the catalogue, and for every kind of key that it has, against the real
//! forwarder: a new entry is covered as soon as it is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use futures_util::stream::{self, StreamExt};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::run::Run;
use crate::support::sources::{self, Source};
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn what_send_signs_is_taken_and_started_for_every_entry_and_kind_of_key() {
    run(async {
        let sources = sources::of_every_kind("send");
        let (folder, file) = sources::write(&sources);
        let config = ForwarderConfig {
            config: Some(file),
            secret: None,
            ..Default::default()
        };
        let forwarder = Forwarder::start(config).await;
        let names: BTreeSet<_> = sources.iter().map(|s| s.name.clone()).collect();
        let sends = sources.into_iter().map(|source| {
            let args = arguments(&forwarder, &source, folder.path());
            spawn_blocking(move || send(&source, &args))
        });
        let failed: Vec<_> = stream::iter(sends)
            .buffer_unordered(AT_ONCE)
            .filter_map(|failed| async { failed.expect("it does not panic") })
            .collect()
            .await;
        assert!(failed.is_empty(), "{}", failed.join("\n"));

        let started = Temporal::shared().await.runs("send/", names.len()).await;
        let started: BTreeSet<_> = started
            .iter()
            .filter_map(|id| id.split_once(':'))
            .map(|(name, _)| name.to_owned())
            .collect();
        assert_eq!(started, names);
    });
}

/// What is wrong with the answer.
fn send(source: &Source, args: &[String]) -> Option<String> {
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let sent = Run::new(&args, &[]);
    let first = sent.stdout.lines().next().unwrap_or_default();
    let wanted = format!("HTTP/2.0 {}", source.provider.success_status);
    let fine = sent.code == Some(0) && first == wanted;
    (!fine).then(|| format!("{}: {sent:?}", source.name))
}

fn arguments(forwarder: &Forwarder, source: &Source, folder: &Path) -> Vec<String> {
    let url = format!("https://{}/{}", forwarder.public, source.name);
    let id = Uuid::new_v4().to_string();
    let mut args = vec!["send".to_owned(), source.provider.name.clone()];
    args.extend(["--insecure", "--url", &url, "--id", &id].map(str::to_owned));
    args.extend(["--public-url".to_owned(), source.public_url()]);
    for (name, value) in source.params() {
        args.extend(["--param".to_owned(), format!("{name}={value}")]);
    }
    if let Some(keys) = &source.keys {
        let file = folder.join(format!("{}.signs", source.name.replace('/', "-")));
        fs::write(&file, &keys.signs).expect("the folder is writable");
        args.extend(["--secret".to_owned(), format!("file:{}", file.display())]);
    }
    args
}

/// All at once would only wait for each other.
const AT_ONCE: usize = 4;
