//! Keys, token, certificate and flags: read, read again, refused, documented.

use super::*;

#[test]
fn keys_token_and_certificate_are_read_again_and_bad_ones_are_not_taken() {
    run(async {
        leaks::forbid(TOKEN);
        leaks::forbid(OTHER_KEY);
        let with = |keys: &str| format!("encryption.keys = [{keys}]\n");
        let (new, old) = (
            "{ id = 'e2e-2026', key = 'file:FOLDER/new' }",
            "{ id = 'older', key = 'file:FOLDER/old' }",
        );
        let configured = Configured::new(&with(old));
        configured.write("old", OTHER_KEY);
        configured.write("new", AES.0);
        configured.write("token", "the-first-token-5e0c\n");
        let pems = |certificates: &Certificates| {
            for (name, path) in [("cert", &certificates.cert), ("key", &certificates.key)] {
                configured.write(name, &fs::read_to_string(path).expect("PEM"));
            }
        };
        pems(Certificates::shared());
        let path = |name| configured.path(name).display().to_string();
        let token = format!("file:{}", path("token"));
        let [cert, key] = ["cert", "key"].map(path);
        let flags = ["--token", &token, "--cert", &cert, "--key", &key];
        let mut server = CodecServer::start(&[configured.args(), &flags].concat(), &[]);

        let sealing = CodecServer::start(&[], &KEY);
        let plain = json!({ "payloads": [{ "metadata": { "encoding": b64("json/plain") }, "data": b64("1") }] });
        let sealed = answer(&sealing, "/encode", &plain).await;
        let url = format!("https://{}/decode", server.address);
        // What it is decoded to, under a token and with a certificate of this authority.
        let decoded = async |token: &str, trusted: &Certificates| {
            let client = Client::builder().no_proxy();
            let client = client.tls_backend_preconfigured(trusted.client(&TLS13, ""));
            let client = client.build().expect("a client");
            let asked = client
                .post(&url)
                .bearer_auth(token)
                .body(sealed.to_string());
            let answer = asked.send().await.ok()?;
            let status = answer.status().as_u16();
            let text = answer.text().await.expect("text");
            Some((status, serde_json::from_str::<Value>(&text).ok()))
        };
        let shared = Certificates::shared();
        let first = "the-first-token-5e0c";
        let locked = Some((200, Some(sealed.clone())));
        let opened = Some((200, Some(plain.clone())));
        assert_eq!(decoded(first, shared).await, locked);

        configured.rewrite(&with(&format!("{new}, {old}")));
        until("the new key decodes", PATIENCE, || async {
            decoded(first, shared).await == opened
        })
        .await;
        let line = server.log.wait_for(
            "it says so",
            || true,
            |line| line["message"] == "configuration reloaded",
        );
        assert_eq!(line["keys"], "e2e-2026 older");

        for (text, mistake) in [
            (
                with("{ id = 'e2e-2026', key = 'file:FOLDER/none' }"),
                "none: No such file",
            ),
            (with(old) + "[encryption", "forwarder.toml"),
            (
                with(old) + "encryption.no = 1\n",
                "encryption.no: unknown key",
            ),
        ] {
            configured.rewrite(&text);
            server.log.wait_for(
                mistake,
                || true,
                |line| {
                    let said = line["mistake"].as_str().unwrap_or_default();
                    let message = line["message"].as_str().unwrap_or_default();
                    let is_said = line["level"] == "ERROR" && said.contains(mistake);
                    is_said && message == "the new configuration is not used"
                },
            );
            assert_eq!(decoded(first, shared).await, opened, "the old one stays");
        }

        configured.rewrite(&with(old));
        server.signal("HUP");
        until("the key is gone", PATIENCE, || async {
            decoded(first, shared).await == locked
        })
        .await;

        configured.write("token", &format!("{TOKEN}\n"));
        until("the new token counts", PATIENCE, || async {
            decoded(TOKEN, shared).await == locked
        })
        .await;
        assert_eq!(
            decoded(first, shared).await.map(|(status, _)| status),
            Some(401)
        );

        let other = Certificates::generate();
        assert_eq!(decoded(TOKEN, &other).await, None, "another authority's");
        let line = server.log.wait_for(
            "who does not trust it is named",
            || true,
            |line| line["message"] == "TLS handshakes failed",
        );
        assert_eq!(line["kind"], "untrusted", "{line}");
        assert_eq!(line["peer"], "127.0.0.1", "{line}");
        pems(&other);
        until("the new certificate is shown", PATIENCE, || async {
            decoded(TOKEN, &other).await == locked
        })
        .await;
        assert!(server.stop().success());
    });
}

#[test]
fn a_certificate_that_soon_expires_is_warned_of() {
    run(async {
        let end = SystemTime::now() + Duration::from_secs(3 * 86_400 + 3600);
        let certificates = Certificates::valid_until(end);
        let [cert, key] = [&certificates.cert, &certificates.key].map(|path| path.to_str());
        let flags = ["--cert", cert.expect("text"), "--key", key.expect("text")];
        let server = CodecServer::start(&flags, &KEY);
        let said = "the certificate expires in 3 days";
        let is_said = |line: &Value| line["level"] == "WARN" && line["message"] == said;
        server.log.wait_for(said, || true, is_said);
    });
}

#[test]
fn it_serves_tls_with_a_certificate() {
    run(async {
        let certificates = Certificates::shared();
        let [cert, key] = [&certificates.cert, &certificates.key].map(|path| path.to_str());
        let (cert, key) = (cert.expect("text"), key.expect("text"));
        let mut server = CodecServer::start(&["--cert", cert, "--key", key], &KEY);
        let client = Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(certificates.client(&TLS13, ""));
        let url = format!("https://{}/decode", server.address);
        let none = json!({ "payloads": [] });
        let asked = client
            .build()
            .expect("a client")
            .post(url)
            .body(none.to_string());
        assert_eq!(asked.send().await.expect("an answer").status(), 200);
        assert!(server.stop().success());
    });
}

#[test]
fn every_mistake_is_reported_in_one_run_and_no_token_is_repeated() {
    let configured =
        Configured::new("[encryption]\nkeys = [{ id = 'a', key = 'file:FOLDER/none' }]\nno = 1\n");
    let args = ["--listen", "8081", "--token", TOKEN, "--origin", "*"];
    let more = ["--origin", "https://a.example/x", "--cert", "chain.pem"];
    let args = [&["codec-server"], &args[..], &more, configured.args()].concat();
    let run = Run::new(&args, &[("AES_KEY_ID", "x")]);
    run.misconfigured(&[
        "encryption.no: unknown key",
        "none: No such file",
        "AES_KEY_ID: set, but AES_KEY does not decide",
        r#"--listen (TWF_CODEC_LISTEN): "8081": expected ADDRESS:PORT"#,
        r#"--token (TWF_CODEC_TOKEN): expected "env:NAME" or "file:PATH""#,
        r#"--origin (TWF_CODEC_ORIGIN): "*": expected scheme, host and port"#,
        r#"--origin (TWF_CODEC_ORIGIN): "https://a.example/x""#,
        "--key (TWF_CODEC_KEY): missing",
    ]);
    assert!(!run.stderr.contains(TOKEN), "{run:?}");
    let env = [("TWF_CODEC_TOKEN", "env:SPACED"), ("SPACED", "two words")];
    let run = Run::new(&["codec-server"], &env);
    run.misconfigured(&["env:SPACED: a token is printable ASCII"]);
    let other = Certificates::generate();
    let [cert, key] = [&Certificates::shared().cert, &other.key].map(|path| path.to_str());
    let args = [
        "codec-server",
        "--cert",
        cert.expect("text"),
        "--key",
        key.expect("text"),
    ];
    Run::new(&args, &KEY).misconfigured(&["the private key is not the certificate's"]);
}

#[test]
fn the_page_about_it_has_every_flag_with_its_variable() {
    let page = include_str!("../../../docs/codec-server.md");
    let help = Run::new(&["codec-server", "--help"], &[]).fine();
    let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
    let flags = words.filter(|word| word.starts_with("TWF_") || word.starts_with("--"));
    let flags: Vec<_> = flags.filter(|flag| !flag.ends_with("-endpoint")).collect();
    assert!(flags.len() > 15, "{help}");
    for flag in flags {
        let elsewhere = ["--help", "--workflow-id", "--detailed"].contains(&flag);
        let there = [format!("`{flag} "), format!("`{flag}`")];
        let there = there.iter().any(|form| page.contains(form));
        assert!(elsewhere || there, "{flag} is not in the page");
    }
    for situation in [
        "wrong origin",
        "no token",
        "missing key",
        "untrusted certificate",
        "denied permission",
        "server down",
    ] {
        assert!(page.contains(&format!("\n| {situation}")), "{situation}");
    }
}
