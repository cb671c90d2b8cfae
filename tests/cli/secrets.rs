//! Secrets that work but are not what was meant, or easy to guess, are warned of and never said;
//! files that are not there are named with the folder that they were looked for in.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::run::Run;

#[test]
fn an_odd_secret_is_a_warning_that_does_not_show_it() {
    let space = "white space or a newline at an end, which is part of the secret";
    let short = "under 16 bytes, which can be found by trying";
    let mark = "a byte-order mark at its beginning";
    let long = "a-hush-of-24-bytes-long-";
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("shopify", "fine", &format!("{long}\n"), &[]),
        ("shopify", "16 bytes", "hush-of-16-bytes", &[]),
        ("shopify", "two newlines", &format!("{long}\n\n"), &[space]),
        ("shopify", "of Windows", &format!("{long}\r\n"), &[space]),
        ("shopify", "space behind", &format!("{long} "), &[space]),
        ("shopify", "space before", &format!("\t{long}"), &[space]),
        ("shopify", "a mark", &format!("\u{feff}{long}"), &[mark]),
        ("shopify", "15 bytes", "hush-of-15-byte", &[short]),
        ("stripe", "both", "hush\n\n", &[space, short]),
        // base64: 12 bytes
        ("svix", "short key", "whsec_aHVzaC1odXNoLTEy", &[short]),
        (
            "svix",
            "long key",
            "whsec_aHVzaC1odXNoLWh1c2gtaHVzaC1odXNo",
            &[],
        ),
        // Its text is a token, and would be a short key in base64, too.
        ("gitlab", "token", "abcdefghijklmnop", &[]),
        (
            "gitlab",
            "token and a newline",
            "abcdefghijklmnop\n\n",
            &[space],
        ),
        // What everybody may know.
        ("discord-events", "public key", key, &[]),
        ("bigcommerce", "short token", "hushhush", &[short]),
    ];
    for (provider, case, secret, says) in cases {
        let source = format!("path = '/a'\nprovider = '{provider}'\nsecrets = ['file:secret']");
        let run = check(&source, secret);
        let table = run.fine();
        let place = "f.toml:4 source[1].secrets[1]: file:secret: ";
        assert_eq!(
            warnings(&table, place).len(),
            says.len(),
            "{provider}, {case}: {table}"
        );
        for (said, says) in warnings(&table, place).iter().zip(*says) {
            assert!(said.starts_with(says), "{provider}, {case}: {table}");
        }
        let end = format!("\n0 wrong, {} warning", says.len());
        assert!(table.contains(&end), "{provider}, {case}: {table}");
        assert!(
            !table.contains(secret.trim()),
            "{provider}, {case}: {table}"
        );
    }
}

#[test]
fn so_is_an_odd_verify_token() {
    let long = "a-hush-of-24-bytes-long-";
    let meta =
        "path = '/a'\nprovider = 'meta'\nsecrets = ['env:META']\nverify_token = 'file:secret'";
    let place = "f.toml:5 source[1].verify_token: ";
    let table = check(meta, &format!("{long}\r\n")).fine();
    assert!(
        warnings(&table, place)[0].starts_with("white space or a newline"),
        "{table}"
    );
    // It opens nothing: the events are signed.
    assert_eq!(warnings(&check(meta, "hush").fine(), place), [""; 0]);

    let address = "path = '/a'\nprovider = 'generic'\nverify = 'address-handshake'\nverify_token = 'file:secret'";
    let table = check(address, "hush\n").fine();
    assert!(
        warnings(&table, place)[0].starts_with("under 16 bytes"),
        "{table}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_folder_that_was_tried() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let real = folder.path().canonicalize().expect("it is there");
    let tried = format!(
        "No such file or directory (os error 2), looked for in {}",
        real.display()
    );
    let source = "path = '/a'\nprovider = 'shopify'\nsecrets = ['file:secrets/hook', 'file:/nowhere/hook']\n";
    let text = format!("[temporal]\nconfig_file = 'temporal.toml'\n[[source]]\n{source}");
    fs::write(folder.path().join("f.toml"), text).expect("the folder is writable");
    let run = Run::inside(
        folder.path(),
        &["check", "--config", "f.toml", "--cert", "c.pem"],
        &[],
    );
    run.misconfigured(&[
        &format!("source[1].secrets[1]: secrets/hook: {tried}"),
        &format!("--cert (TWF_CERT): c.pem: {tried}"),
        &format!("privkey.pem: {tried}"),
        &format!("temporal.config_file: temporal.toml: {tried}"),
        "source[1].secrets[2]: /nowhere/hook: No such file or directory (os error 2); signatures",
    ]);
    let secret = [("SHOPIFY_WEBHOOKS_KEY", "a-hush-of-24-bytes-long-")];
    for (args, code, says) in [
        (
            &["serve", "--config", "g.toml"][..],
            78,
            "--config (TWF_CONFIG) g.toml: ",
        ),
        (
            &[
                "send",
                "shopify",
                "--secret",
                "file:hook",
                "--print",
                "http",
            ],
            64,
            "--secret: hook: ",
        ),
        (
            &["send", "shopify", "--data", "body.json", "--print", "http"],
            1,
            "--data body.json: ",
        ),
        (
            &["check", "--offline", "--no-tls", "--event", "e.http"],
            1,
            "--event e.http: ",
        ),
    ] {
        let run = Run::inside(folder.path(), args, &secret);
        run.failed(code, &[&format!("{says}{tried}")]);
    }
}

/// Whoever reads one waits until somebody writes: a reload would never end.
#[test]
fn a_named_pipe_is_no_file_and_is_not_waited_for() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let source = "path = '/a'\nprovider = 'shopify'\nsecrets = ['file:pipe']\n";
    fs::write(
        folder.path().join("f.toml"),
        format!("[[source]]\n{source}"),
    )
    .expect("the folder is writable");
    for (args, place) in [
        (
            ["--config", "f.toml", "--no-tls"],
            "source[1].secrets[1]: pipe",
        ),
        (
            ["--config", "pipe", "--no-tls"],
            "--config (TWF_CONFIG) pipe",
        ),
        (
            ["--cert", "pipe", "--no-global-queue"],
            "--cert (TWF_CERT): pipe",
        ),
    ] {
        let args = [&["check", "--offline"], &args[..]].concat();
        let run = Run::inside(folder.path(), &args, &[]);
        run.misconfigured(&[&format!("{place}: a named pipe: expected a file")]);
    }
}

fn check(source: &str, secret: &str) -> Run {
    let folder = TempDir::new().expect("a temporary folder can be made");
    fs::write(
        folder.path().join("f.toml"),
        format!("[[source]]\n{source}\n"),
    )
    .expect("the folder is writable");
    fs::write(folder.path().join("secret"), secret).expect("the folder is writable");
    let args = ["check", "--offline", "--no-tls", "--config", "f.toml"];
    Run::inside(
        folder.path(),
        &args,
        &[("META", "a-hush-of-24-bytes-long-")],
    )
}

/// What is said about this place.
fn warnings<'t>(table: &'t str, place: &str) -> Vec<&'t str> {
    let lines = table
        .lines()
        .filter_map(|line| line.strip_prefix("configuration  warning  "));
    lines.filter_map(|line| line.strip_prefix(place)).collect()
}
