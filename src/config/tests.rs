//! Tests of [`Config::new`]: precedence, fail-closed, and every mistake named in one run.

use std::collections::HashMap;

use webhook_core::source::Verification;

use super::tls::{CERT, KEY};
use super::*;

/// A world of a few variables and files.
#[derive(Default)]
struct Fake {
    env: HashMap<&'static str, &'static str>,
    files: HashMap<&'static str, &'static str>,
}

impl Environment for Fake {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        self.env.get(name).map(|&text| text.into())
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let text = self.files.get(path.to_str().unwrap_or_default());
        text.map(|text| text.as_bytes().to_vec())
            .ok_or_else(|| "no such file".to_owned())
    }

    fn check_identity(&self, identity: &Identity) -> Result<(), String> {
        let fits = identity.cert == identity.key.reveal();
        fits.then_some(()).ok_or_else(|| "no match".to_owned())
    }
}

fn world() -> Fake {
    Fake {
        env: [("SHOPIFY_WEBHOOKS_KEY", "hush-hush-hush-hush")].into(),
        files: [(CERT, "pem"), (KEY, "pem")].into(),
    }
}

fn file(text: &str) -> File {
    let (file, mistakes) = File::read("f.toml", text);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    file
}

fn mistakes(args: &ServeArgs, text: &str, environment: &Fake) -> Vec<String> {
    let (file, mut mistakes) = File::read("f.toml", text);
    mistakes.extend(
        Config::new(args, &file, environment)
            .err()
            .unwrap_or_default(),
    );
    mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn the_defaults_are_one_verified_shopify_source_over_tls() {
    let config = Config::new(&ServeArgs::default(), &File::default(), &world()).expect("fine");
    assert!(config.tls.is_some() && config.codec.keys().is_empty());
    let [source] = config.sources.as_slice() else {
        panic!("one source");
    };
    assert_eq!(source.path, "/temporal/shopify");
    assert_eq!(
        source.provider.task_queue.literal(),
        Some("shopify_webhooks")
    );
    assert_eq!(source.provider.deadline, Duration::from_secs(4));
    assert_eq!(source.body_limit, 2 * 1024 * 1024);
    assert!(
        matches!(&source.verification, Verification::Signature { secrets, .. } if secrets.len() == 1)
    );
}

#[test]
fn nothing_is_open_by_accident() {
    let without = Fake {
        env: HashMap::new(),
        ..world()
    };
    let found = mistakes(&ServeArgs::default(), "", &without);
    assert_eq!(
        found,
        ["/temporal/shopify: SHOPIFY_WEBHOOKS_KEY is not set; signatures are verified with it"]
    );
    let open = ServeArgs {
        no_validate_hmac: true,
        ..ServeArgs::default()
    };
    let config = Config::new(&open, &File::default(), &without).expect("asked for by name");
    assert!(matches!(
        config.sources[0].verification,
        Verification::DangerUnverified
    ));

    let text = r#"source = [{ path = "/a", provider = "shopify" }, { path = "/b", provider = "generic" }]"#;
    let found = mistakes(&ServeArgs::default(), text, &world());
    assert_eq!(
        found,
        [
            "f.toml:1 source[1].secrets: missing: without one no signature can be checked, expected [\"env:NAME\"] or [\"file:PATH\"]",
            "f.toml:1 source[2].provider: \"generic\" signs nothing: danger_accept_unverified = true accepts whatever anybody sends",
        ]
    );
}

#[test]
fn flag_beats_file_beats_default() {
    let text = r#"
        [server]
        listen = "[::1]:6000"
        drain_timeout = "1m"
    "#;
    let flags = ServeArgs {
        port: Some(7000),
        ..ServeArgs::default()
    };
    let config = Config::new(&flags, &file(text), &world()).expect("fine");
    assert_eq!(config.drain_timeout, Duration::from_secs(60));
    let listen = listen::public(&flags, file(text).server.listen.as_deref()).expect("fine");
    assert_eq!((listen.host.as_str(), listen.port), ("::1", 7000));
    let listen = listen::public(&ServeArgs::default(), None).expect("fine");
    assert_eq!((listen.host.as_str(), listen.port), ("0.0.0.0", 5000));
}

#[test]
fn the_environment_beats_the_file() {
    let mut world = world();
    world
        .env
        .insert("AES_KEY", "000102030405060708090a0b0c0d0e0f");
    world
        .env
        .insert("FILE_KEY", "ff0102030405060708090a0b0c0d0e0f");
    let text = r#"
        [encryption]
        keys = [{ id = "from-file", key = "env:FILE_KEY" }]
    "#;
    let config = Config::new(&ServeArgs::default(), &file(text), &world).expect("fine");
    let ids: Vec<_> = config.codec.keys().iter().map(Key::id).collect();
    assert_eq!(ids, ["default", "from-file"], "the file's still decrypts");
    assert!(
        config
            .warnings
            .iter()
            .any(|warning| warning.place == "AES_KEY")
    );
    let named = r#"encryption = { keys = [{ id = "2026-11", key = "env:AES_KEY" }] }"#;
    let config = Config::new(&ServeArgs::default(), &file(named), &world).expect("fine");
    assert_eq!(config.codec.keys()[0].id(), "2026-11");
    assert_eq!(config.warnings, []);
    world.env.remove("AES_KEY");
    let config = Config::new(&ServeArgs::default(), &file(text), &world).expect("fine");
    assert_eq!(config.codec.keys()[0].id(), "from-file");
}

#[test]
fn the_keys_of_the_file_are_kept_in_their_order() {
    let mut world = world();
    world
        .env
        .insert("FILE_KEY", "ff0102030405060708090a0b0c0d0e0f");
    let text = r#"encryption = { keys = [{ id = "new", key = "env:FILE_KEY" }, { id = "old", key = "env:FILE_KEY" }] }"#;
    let config = Config::new(&ServeArgs::default(), &file(text), &world).expect("fine");
    let ids: Vec<_> = config.codec.keys().iter().map(Key::id).collect();
    assert_eq!(ids, ["new", "old"]);
}

#[test]
fn every_mistake_is_named_in_one_run() {
    let world = Fake {
        env: [("AES_KEY", "zz"), ("EMPTY", "")].into(),
        files: HashMap::from([("secret", "\n")]),
    };
    let text = r#"
        [[source]]
        path = "/a"
        provider = "shopify"
        secrets = ["env:EMPTY", "env:UNSET", "file:secret", "file:missing"]
        [[source]]
        path = "/a"
        provider = "stripes"
        [[source]]
        path = "health"
        provider = "shopify"
        danger_accept_unverified = true
    "#;
    let found = mistakes(&ServeArgs::default(), text, &world).join("\n");
    for part in [
        "--cert (TWF_CERT): fullchain.pem: no such file",
        "--key (TWF_KEY): privkey.pem: no such file\n  for a first try, `temporal-webhook-forwarder dev`",
        "AES_KEY: not hex: expected 32, 48 or 64 digits",
        "f.toml:5 source[1].secrets[1]: EMPTY is empty",
        "f.toml:5 source[1].secrets[2]: UNSET is not set",
        "f.toml:5 source[1].secrets[3]: secret: the file is empty",
        "f.toml:5 source[1].secrets[4]: missing: no such file",
        "f.toml:7 source[2].path: another source has the path \"/a\", too",
        "f.toml:8 source[2].provider: unknown provider \"stripes\" (did you mean `stripe`?), expected one of: ",
        "f.toml:10 source[3].path: no path: it begins with \"/\"",
    ] {
        assert!(found.contains(part), "{part:?} is not in:\n{found}");
    }
}

#[test]
fn a_certificate_must_fit_its_key() {
    let mut world = world();
    world.files.insert(KEY, "other");
    assert_eq!(
        mistakes(&ServeArgs::default(), "", &world),
        ["--cert (TWF_CERT) fullchain.pem, --key (TWF_KEY) privkey.pem: no match"]
    );
    let plain = ServeArgs {
        no_tls: true,
        ..ServeArgs::default()
    };
    assert!(Config::new(&plain, &File::default(), &world).is_ok());
}

#[test]
fn aes_key_ids_and_keys_come_together() {
    let mut world = world();
    world.env.insert("AES_KEY_ID", "k");
    assert_eq!(
        mistakes(&ServeArgs::default(), "", &world),
        ["AES_KEY_ID: set, but AES_KEY does not decide: set both, or name the key in [encryption]"]
    );
    world.env.insert("AES_KEY", "");
    let found = mistakes(&ServeArgs::default(), "", &world);
    assert!(found[0].starts_with("AES_KEY: 0 bytes long"), "{found:?}");
}

#[test]
fn one_trailing_newline_is_no_part_of_a_secret() {
    let mut world = world();
    world.files.insert("s", "two\n\n");
    let text = r#"source = [{ path = "/a", provider = "shopify", secrets = ["file:s"] }]"#;
    let config = Config::new(&ServeArgs::default(), &file(text), &world).expect("fine");
    let Verification::Signature { secrets, .. } = &config.sources[0].verification else {
        panic!("verified");
    };
    assert_eq!(secrets[0].secret.reveal(), b"two\n");
}

#[test]
fn the_configuration_prints_no_secret() {
    let mut world = world();
    world
        .env
        .insert("AES_KEY", "abababababababababababababababab");
    let config = Config::new(&ServeArgs::default(), &File::default(), &world).expect("fine");
    let shown = format!("{config:?}");
    assert!(shown.contains("[REDACTED]"));
    for secret in ["hush", "abab", "171", "104, 117"] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }
}

#[test]
fn an_unknown_key_is_refused() {
    assert_eq!(
        mistakes(
            &ServeArgs::default(),
            "[server]
port = 1
listen = 5
[serber]",
            &world()
        ),
        [
            "f.toml:2 server.port: unknown key, expected one of: listen, drain_timeout, idle_timeout, max_connections_per_peer, trusted_proxies, client_header, proxy_protocol, block, trust_traceparent, tls, certificate",
            "f.toml:3 server.listen: expected a text in quotes, found a number",
            "f.toml:4 serber: unknown key (did you mean `server`?), expected one of: server, admin, metrics, temporal, encryption, large_payloads, source",
        ]
    );
}

#[test]
fn a_literal_secret_works_with_a_warning_that_does_not_show_it() {
    let text = r#"source = [{ path = "/a", provider = "shopify", secrets = ["hunter2-hunter2-hunter2"] }]"#;
    let config = Config::new(&ServeArgs::default(), &file(text), &world()).expect("fine");
    let [warning] = config.warnings.as_slice() else {
        panic!("one warning");
    };
    assert!(warning.problem.contains("env:NAME"));
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_signal_reaches_what_is_started_with_its_template() {
    for (starts, action, is_given) in [
        ("workflow_id = '{body.gid}'", "start", false),
        ("workflow_id = '{body.gid}'", "signal-with-start", false),
        ("workflow_id = '{body.gid}'", "update-with-start", false),
        ("workflow_id = '{body.gid}'", "signal", true),
        ("workflow_id = '{body.id}'", "signal-with-start", true),
        ("", "drop", true),
    ] {
        let text = format!(
            "[[source]]\npath = '/signals'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n\
             [[source.route]]\nwhen = 'true'\naction = 'signal'\nworkflow_id = '{{body.gid}}'\n\
             [[source]]\npath = '/starts'\nprovider = 'github'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n\
             [[source.route]]\nwhen = 'true'\naction = '{action}'\n{starts}\n"
        );
        let config = Config::new(&ServeArgs::default(), &file(&text), &world()).expect("fine");
        let signal = &config.sources[0].routes[0].settings;
        assert_eq!(signal.is_given_id, is_given, "{starts} {action}");
        // What starts workflows writes ids its own way, always.
        assert!(!config.sources[0].default_route().settings.is_given_id);
    }
}
