//! `check` of a certificate that is to be ordered: what is said, and every mistake.

use std::fs;

use tempfile::TempDir;

use super::run::Run;
use crate::certs::Certificates;

#[test]
fn it_says_what_is_ordered_from_whom_and_what_several_replicas_need() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let acme = "domains = ['Hooks.example.com', 'b.example']\ncache = 'state'\n";
    let table = check(&folder, "", acme).fine();
    for row in [
        "acme           ok       hooks.example.com, b.example: ordered from https://acme-v02.api.letsencrypt.org/directory at the start: there is none in state\n",
        "acme           warning  the authority connects to port 443 of hooks.example.com, b.example: it has to lead to port 5000 here\n",
        "acme           ok       with several replicas, all need the folder state, shared and with locks: ",
    ] {
        assert!(table.contains(row), "{row}{table}");
    }
    assert!(
        !table.contains("certificate    "),
        "there is none yet: {table}"
    );
    assert!(!folder.path().join("state").exists(), "it only looks");
    let table = check(&folder, "", &format!("{acme}staging = true\n")).fine();
    assert!(table.contains("from https://acme-staging-v02."), "{table}");

    // Beside one of a file.
    let own = Certificates::generate();
    let (cert, key) = (own.cert.display(), own.key.display());
    let table = check(&folder, &format!("cert = '{cert}'\nkey = '{key}'\n"), acme).fine();
    let row = "certificate    ok       localhost, 127.0.0.1: matches its key";
    assert!(table.contains(row), "{table}");

    let pebble = "directory = 'https://localhost:14000/dir'\n";
    let kept = folder.path().join("state/localhost-14000-dir");
    fs::create_dir_all(&kept).expect("the folder is writable");
    let both = fs::read_to_string(&own.key).expect("a key")
        + &fs::read_to_string(&own.cert).expect("a chain");
    fs::write(kept.join("certificate.pem"), both).expect("the folder is writable");
    let acme = format!("domains = ['localhost', '127.example']\ncache = 'state'\n{pebble}");
    let table = check(&folder, "", &acme).fine();
    assert!(
        table.contains(
            "localhost, 127.example: ordered from https://localhost:14000/dir at the start"
        ),
        "of other names: {table}"
    );
}

#[test]
fn every_mistake_has_its_place_and_what_would_do() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let own = Certificates::generate();
    let ca = own.ca.display();
    let good = "domains = ['hooks.example.com']\ncache = 'state'\n";
    for (tls, acme, said) in [
        (
            "",
            String::new(),
            &[
                "f.toml:3 server.tls.acme.domains: missing, expected the names to be certified",
                "f.toml:3 server.tls.acme.cache: missing, expected a folder for account and certificate",
            ][..],
        ),
        (
            "",
            "domains = ['*.example.com']\ncache = 'x'\n".to_owned(),
            &[
                "f.toml:4 server.tls.acme.domains: \"*.example.com\": no wildcard can be proven by TLS-ALPN-01",
            ],
        ),
        (
            "",
            "domains = ['192.0.2.7']\ncache = 'x'\n".to_owned(),
            &["\"192.0.2.7\": expected a host name"],
        ),
        (
            "",
            "domains = ['https://a.example']\ncache = 'x'\n".to_owned(),
            &["\"https://a.example\": expected a host name"],
        ),
        (
            "",
            "domains = ['a.example', 'A.example']\ncache = 'x'\n".to_owned(),
            &["f.toml:3 server.tls.acme: \"a.example\" is there twice"],
        ),
        (
            "",
            format!("{good}email = 'me'\n"),
            &["f.toml:6 server.tls.acme.email: \"me\": expected one e-mail address"],
        ),
        (
            "",
            format!("{good}directory = 'http://a.example/dir'\n"),
            &["f.toml:6 server.tls.acme.directory: expected the URL of an ACME directory"],
        ),
        (
            "",
            format!("{good}staging = true\ndirectory = 'https://a.example/dir'\n"),
            &["f.toml:6 server.tls.acme.staging: true beside directory: expected one of them"],
        ),
        (
            "",
            format!("{good}directory_ca = '{ca}'\n"),
            &["f.toml:6 server.tls.acme.directory_ca: of no use without directory"],
        ),
        (
            "",
            format!("{good}directory = 'https://a.example/dir'\ndirectory_ca = 'nowhere.pem'\n"),
            &["f.toml:7 server.tls.acme.directory_ca: nowhere.pem: No such file"],
        ),
        (
            "",
            format!("{good}challenge = 'dns-01'\n"),
            &[
                "f.toml:6 server.tls.acme.challenge: unknown key, expected one of: domains, cache, email",
            ],
        ),
        (
            &*format!("client_ca = '{ca}'\n"),
            good.to_owned(),
            &[
                "f.toml:3 server.tls.client_ca: every client has to show a certificate, and the authority of acme shows none when it looks: expected client_certificate = \"optional\"",
            ],
        ),
    ] {
        let run = check(&folder, tls, &acme);
        run.misconfigured(said);
        assert!(!run.stderr.contains("fullchain.pem"), "{run:?}");
    }

    // A folder that cannot be made is said at the start.
    fs::write(folder.path().join("file"), "").expect("the folder is writable");
    let text = config(
        "",
        "domains = ['hooks.example.com']\ncache = 'file/state'\n",
    );
    fs::write(folder.path().join("f.toml"), text).expect("the folder is writable");
    let args = ["serve", "--port", "0", "--config", "f.toml"];
    let run = Run::inside(folder.path(), &args, &SECRET);
    run.misconfigured(&[
        "[server.tls] acme: file/state/",
        "expected a folder that this process may make and write to",
    ]);
}

fn check(folder: &TempDir, tls: &str, acme: &str) -> Run {
    fs::write(folder.path().join("f.toml"), config(tls, acme)).expect("the folder is writable");
    let args = ["check", "--offline", "--config", "f.toml"];
    Run::inside(folder.path(), &args, &SECRET)
}

fn config(tls: &str, acme: &str) -> String {
    format!(
        "# A certificate that is ordered.\n[server.tls]\n{tls}[server.tls.acme]\n{acme}[[source]]\npath = '/a'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n"
    )
}

const SECRET: [(&str, &str); 1] = [("SHOPIFY_WEBHOOKS_KEY", "shpss_certificates_0")];
