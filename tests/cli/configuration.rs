//! Mistakes in flags, environment and files: all in one run, each naming its setting, exit 78.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use super::run::Run;
use crate::certs::Certificates;

#[test]
fn every_mistake_is_reported_in_one_run() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let args = [
        "--host",
        "127.0.0.1",
        "--port",
        &port,
        "--cert",
        "no-cert.pem",
    ];
    let args = [&args[..], &["--key", "no-key.pem", "--admin", "nonsense"]].concat();
    let run = Run::new(&args, &[("AES_KEY", "this is no hex")]);
    run.misconfigured(&[
        "AES_KEY",
        "SHOPIFY_WEBHOOKS_KEY",
        "no-cert.pem",
        "no-key.pem",
        "--admin",
        "--port",
        &port,
    ]);
    assert!(
        !run.stderr.contains("this is no hex"),
        "it prints the key: {run:?}"
    );
}

#[test]
fn an_aes_key_must_be_hex_of_16_24_or_32_bytes() {
    for key in [
        "xyz",
        "",
        "00",
        "0123456789abcdef",
        &"ab".repeat(31),
        &"ab".repeat(33),
        &"g".repeat(64),
    ] {
        let run = Run::new(&["--no-tls"], &[("AES_KEY", key), SECRET]);
        run.misconfigured(&["AES_KEY"]);
        assert!(key.len() < 4 || !run.stderr.contains(key), "{run:?}");
    }
}

#[test]
fn a_secret_is_needed_unless_validation_is_off() {
    Run::new(&["--no-tls"], &[]).misconfigured(&["SHOPIFY_WEBHOOKS_KEY"]);
    let empty = [("SHOPIFY_WEBHOOKS_KEY", "")];
    Run::new(&["--no-tls"], &empty).misconfigured(&["SHOPIFY_WEBHOOKS_KEY"]);
    let args = ["--no-tls", "--no-validate-hmac", "--validate-hmac"];
    Run::new(&args, &[]).misconfigured(&["SHOPIFY_WEBHOOKS_KEY"]);
}

#[test]
fn missing_certificate_files_are_named_with_the_ways_out() {
    let ways_out = ["fullchain.pem", "privkey.pem", "dev", "--no-tls"];
    Run::new(&[], &[SECRET]).misconfigured(&ways_out);
}

#[test]
fn a_certificate_and_a_key_must_be_readable_and_belong_together() {
    let (one, other) = (Certificates::generate(), Certificates::generate());
    let folder = TempDir::new().expect("a temporary folder can be made");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("the folder is writable");
        path
    };
    let garbage = file("garbage.pem", "-----BEGIN CERTIFICATE-----\n!!!\n");
    let empty = file("empty.pem", "");
    let cases: [(&Path, &Path); 6] = [
        (&one.cert, &other.key),
        (&garbage, &one.key),
        (&empty, &one.key),
        (&one.cert, &garbage),
        (&one.cert, &empty),
        (&one.cert, folder.path()),
    ];
    for (cert, key) in cases {
        let [cert, key] = [cert, key].map(|path| path.to_str().expect("text"));
        let run = Run::new(&["--cert", cert, "--key", key], &[SECRET]);
        let culprit = if cert == one.cert.to_str().expect("text") {
            key
        } else {
            cert
        };
        run.misconfigured(&[culprit]);
        assert!(!run.stderr.contains("PRIVATE KEY"), "{run:?}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it is bound");
    let port = address.port().to_string();
    let args = ["--no-tls", "--host", "127.0.0.1", "--port", &port];
    Run::new(&args, &[SECRET]).misconfigured(&["--port", &port]);
    let args = ["--no-tls", "--port", "0", "--admin", &address.to_string()];
    Run::new(&args, &[SECRET]).misconfigured(&["--admin", &port]);
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let config = folder.path().join("forwarder.toml");
    let text = "[server.tls]\ncert = 'in-file.pem'\n";
    fs::write(&config, text).expect("the folder is writable");
    let config = config.to_str().expect("text");
    let env = [SECRET, ("TWF_CERT", "in-env.pem")];
    Run::new(&["--config", config, "--cert", "in-flag.pem"], &env).misconfigured(&["in-flag.pem"]);
    Run::new(&["--config", config], &env).misconfigured(&["in-env.pem"]);
    Run::new(&["--config", config], &env[..1]).misconfigured(&["in-file.pem"]);
    Run::new(&[], &env[..1]).misconfigured(&["fullchain.pem"]);
}

#[test]
fn a_bad_configuration_file_is_named_with_the_place() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let config = folder.path().join("forwarder.toml");
    let path = config.to_str().expect("text");
    Run::new(&["--config", path], &[SECRET]).misconfigured(&[path]);
    for (text, named) in [
        ("[server]\nlisten_on = '0.0.0.0:1'\n", "listen_on"),
        ("[sever]\n", "sever"),
        ("server = \n", "1"),
        ("[server]\nlisten = 'nonsense'\n", "nonsense"),
    ] {
        fs::write(&config, text).expect("the folder is writable");
        let run = Run::new(&["--no-tls", "--config", path], &[SECRET]);
        run.misconfigured(&[named]);
    }
}

const SECRET: (&str, &str) = ("SHOPIFY_WEBHOOKS_KEY", "hush-hush");
