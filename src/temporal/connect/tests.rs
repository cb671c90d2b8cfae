//! Who has the last word, and what is refused before anything is sent.

use std::path::Path;

use super::*;
use crate::config::Identity;
use crate::config::file::File;

/// A world of a few files, where every certificate fits every key.
struct Fake(HashMap<&'static str, &'static str>);

impl Environment for Fake {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        (name == "KEY").then(|| b"from-env".to_vec())
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let text = self.0.get(path.to_str().unwrap_or_default());
        text.map(|text| text.as_bytes().to_vec())
            .ok_or_else(|| "no such file".to_owned())
    }

    fn check_identity(&self, _: &Identity) -> Result<(), String> {
        Ok(())
    }
}

const PROFILES: &str = r#"
[profile.default]
address = "toml:1"
namespace = "toml"
api_key = "toml-key"
[profile.default.grpc_meta]
from = "toml"
tenant = "toml"
[profile.plain]
address = "plain:1"
[profile.mtls]
[profile.mtls.tls]
client_cert_path = "toml.crt"
client_key_path = "toml.key"
server_name = "toml"
[profile.blind.tls]
disable_host_verification = true
"#;

fn load(args: &ServeArgs, text: &str, variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let files = [
        ("t.toml", PROFILES),
        ("broken.toml", "[profile.default]\napi_key = \"hush"),
        ("typed.toml", "\n[profile.default]\ntls = \"hush\"\n"),
        ("crt", "crt"),
        ("toml.crt", "toml-crt"),
        ("toml.key", "toml-key"),
        ("env.key", "env-key"),
        ("api-key", "from-file\n"),
        ("two-lines", "hush\nhush\n"),
    ];
    let (file, mistakes) = File::read("f.toml", text);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let variables = variables
        .iter()
        .copied()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let variables = [("TEMPORAL_CONFIG_FILE".to_owned(), "t.toml".to_owned())]
        .into_iter()
        .chain(variables)
        .collect();
    let environment = Fake(files.into());
    Loader::new(args, &file.temporal, &environment, &variables)
        .load()
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

fn fine(text: &str, variables: &[(&str, &str)]) -> Settings {
    load(&ServeArgs::default(), text, variables).expect("fine")
}

fn wrong(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    load(&ServeArgs::default(), text, variables).expect_err("wrong")
}

#[test]
fn flag_beats_variable_beats_file_beats_profile_beats_default() {
    let file = "[temporal]\naddress = 'file:1'\nnamespace = 'file'\napi_key = 'env:KEY'\n\
                grpc_meta = { From = 'file', x_file = 'file' }";
    let variables = [
        ("TEMPORAL_ADDRESS", "variable:1"),
        ("TEMPORAL_API_KEY", "variable-key"),
        ("TEMPORAL_GRPC_META_FROM", "variable"),
        ("TEMPORAL_GRPC_META_TENANT", ""),
    ];
    let flags = ServeArgs {
        endpoint: Some("flag:1".to_owned()),
        namespace: Some("flag".to_owned()),
        ..ServeArgs::default()
    };
    let said = |args: &ServeArgs, text, variables: &[_]| {
        let settings = load(args, text, variables).expect("fine");
        let mut headers: Vec<_> = settings
            .options
            .headers
            .unwrap_or_default()
            .into_iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        headers.sort();
        let key = settings.options.api_key.unwrap_or_default();
        [settings.address, settings.namespace, key, headers.join(" ")]
    };
    let none = ServeArgs::default();
    assert_eq!(
        said(&flags, file, &variables),
        [
            "flag:1",
            "flag",
            "variable-key",
            "from=variable x-file=file"
        ]
    );
    assert_eq!(
        said(&none, file, &variables),
        [
            "variable:1",
            "file",
            "variable-key",
            "from=variable x-file=file"
        ]
    );
    assert_eq!(
        said(&none, file, &[]),
        [
            "file:1",
            "file",
            "from-env",
            "from=file tenant=toml x-file=file"
        ]
    );
    assert_eq!(
        said(&none, "", &[]),
        ["toml:1", "toml", "toml-key", "from=toml tenant=toml"]
    );
    let other = "temporal = { profile = 'plain' }";
    assert_eq!(said(&none, other, &[]), ["plain:1", "default", "", ""]);
    assert_eq!(
        said(&none, other, &[("TEMPORAL_PROFILE", "mtls")])[..2],
        ["localhost:7233", "default"]
    );
}

#[test]
fn files_of_tls_follow_the_same_order_and_are_read() {
    let tls = |text: &str, variables: &[(&str, &str)]| {
        let tls = fine(text, variables).options.tls_options.expect("TLS");
        let identity = tls.client_tls_options.expect("a client certificate");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (
            text(identity.client_cert),
            text(identity.client_private_key),
            tls.domain.unwrap_or_default(),
        )
    };
    let expected = |c: &str, k: &str, n: &str| (c.to_owned(), k.to_owned(), n.to_owned());
    let file = "[temporal]\nprofile = 'mtls'\n[temporal.tls]\ncert = 'crt'";
    let profile = "temporal = { profile = 'mtls' }";
    assert_eq!(tls(profile, &[]), expected("toml-crt", "toml-key", "toml"));
    assert_eq!(tls(file, &[]), expected("crt", "toml-key", "toml"));
    let variables = [
        ("TEMPORAL_TLS_CLIENT_CERT_DATA", "data"),
        ("TEMPORAL_TLS_CLIENT_KEY_PATH", "env.key"),
        ("TEMPORAL_TLS_SERVER_NAME", "variable"),
    ];
    assert_eq!(
        tls(file, &variables),
        expected("data", "env-key", "variable")
    );
}

#[test]
fn tls_is_on_if_anything_asks_for_it_and_off_only_by_name() {
    let plain = "temporal = { profile = 'plain' }";
    let with = |more: &str| format!("[temporal]\nprofile = 'plain'\n{more}");
    for (text, variables, expected) in [
        (plain.to_owned(), None, "no TLS"),
        (with("api_key = 'env:KEY'"), None, "TLS, API key"),
        (with("address = 'https://a:1'"), None, "TLS"),
        (with("address = 'http://a:1'"), None, "no TLS"),
        (with("[temporal.tls]"), None, "TLS"),
        (with("[temporal.tls]\ndisabled = true"), None, "no TLS"),
        (
            with("api_key = 'env:KEY'\ntls = { disabled = true }"),
            None,
            "no TLS, API key",
        ),
        (plain.to_owned(), Some(("TEMPORAL_TLS", "true")), "TLS"),
        (
            with("[temporal.tls]"),
            Some(("TEMPORAL_TLS", "0")),
            "no TLS",
        ),
        (
            plain.to_owned(),
            Some(("TEMPORAL_API_KEY", "key")),
            "TLS, API key",
        ),
        (with("api_key = 'file:api-key'"), None, "TLS, API key"),
        (
            with("proxy = 'http://u:hush@proxy:1'\ncompression = true"),
            None,
            "no TLS, through the proxy proxy:1, gzip",
        ),
    ] {
        let variables: Vec<_> = variables.into_iter().collect();
        let settings = fine(&text, &variables);
        assert_eq!(settings.security(), expected, "{text} {variables:?}");
        let scheme = settings.options.target.scheme();
        let is_tls = settings.options.tls_options.is_some();
        assert_eq!(scheme == "https", is_tls, "{text} {variables:?}");
        let shown = format!("{settings:?}");
        assert!(
            !shown.contains("hush") && !shown.contains("from-"),
            "{shown}"
        );
    }
}

#[test]
fn what_would_go_wrong_later_or_in_the_clear_is_refused_with_its_place() {
    let with = |more: &str| format!("[temporal]\nprofile = 'plain'\n{more}");
    let expect = |text: &str, variables: &[(&str, &str)], expected: &[&str]| {
        let found = wrong(text, variables);
        let fits = |(found, expected): (&String, &&str)| found.starts_with(expected);
        let all = found.iter().zip(expected).all(fits) && found.len() == expected.len();
        assert!(all, "{text} {variables:?}: {found:#?}");
    };
    let key = "api_key = 'env:KEY'\n";
    for (more, expected) in [
        (
            format!("{key}address = 'http://a:1'"),
            "f.toml:4 temporal.address: http:// is without TLS, and there is an API key",
        ),
        (
            "address = 'http://a:1'\ntls = {}".to_owned(),
            "f.toml:3 temporal.address: http:// is without TLS, and there are settings for TLS",
        ),
        (
            "address = 'https://a:1'\ntls = { disabled = true }".to_owned(),
            "f.toml:3 temporal.address: https://, but TLS is disabled",
        ),
        (
            "address = 'grpc://a:1'".to_owned(),
            "f.toml:3 temporal.address: expected host:port, or a URL",
        ),
        (
            "api_key = 'file:two-lines'".to_owned(),
            "f.toml:3 temporal.api_key: no header can hold it",
        ),
        (
            "tls = { cert = 'crt' }".to_owned(),
            "f.toml:3 temporal.tls.cert: a client certificate and its key go together",
        ),
        (
            "[temporal.tls]\nca = 'nowhere'".to_owned(),
            "f.toml:4 temporal.tls.ca nowhere: no such file",
        ),
        (
            "[temporal.tls]\nca = 'crt'".to_owned(),
            "f.toml:4 temporal.tls.ca crt: the certificate file holds no PEM certificate",
        ),
        (
            "[temporal.grpc_meta]\n'a b' = 'hush'".to_owned(),
            "f.toml:4 temporal.grpc_meta.a b: no name of a header",
        ),
    ] {
        expect(&with(&more), &[], &[expected]);
    }
    let plain = with("");
    for (variable, expected) in [
        (
            ("TEMPORAL_TLS", "yes"),
            "TEMPORAL_TLS: expected true or false",
        ),
        (
            ("TEMPORAL_API_KEY", "hush\n"),
            "TEMPORAL_API_KEY: no header",
        ),
        (
            ("TEMPORAL_PROFILE", "x"),
            "TEMPORAL_PROFILE: t.toml has no [profile.x]",
        ),
        (
            ("TEMPORAL_GRPC_META_X_Y", "hush\n"),
            "TEMPORAL_GRPC_META_X_Y: no header",
        ),
        (
            ("TEMPORAL_TLS_CLIENT_KEY_PATH", "gone"),
            "TEMPORAL_TLS_CLIENT_KEY_PATH gone: no such file",
        ),
    ] {
        let found = wrong(&plain, &[variable]);
        assert!(found[0].starts_with(expected), "{found:?}");
        assert!(!found.concat().contains("hush"), "{found:?}");
    }
    for (name, expected) in [
        ("broken.toml", "broken.toml:2: "),
        ("typed.toml", "typed.toml:3: expected a table, found a text"),
        (
            "nowhere.toml",
            "TEMPORAL_CONFIG_FILE: nowhere.toml: no such file",
        ),
    ] {
        let found = wrong("", &[("TEMPORAL_CONFIG_FILE", name)]);
        assert!(found[0].starts_with(expected), "{found:?}");
        assert!(!found.concat().contains("hush"), "{found:?}");
    }
    expect(
        "temporal = { profile = 'blind' }",
        &[],
        &["t.toml [profile.blind] tls.disable_host_verification: the client does not support it"],
    );
}
