//! `codec-server`: Temporal's own CLI shows through it what is encrypted; nobody else can.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::common::v1::Payload;
use tokio_rustls::rustls::version::TLS13;

use crate::support::certs::Certificates;
use crate::support::codec_server::CodecServer;
use crate::support::configured::Configured;
use crate::support::delivery::Delivery;
use crate::support::forwarder::{AES, Forwarder, ForwarderConfig};
use crate::support::leaks::{self, CANARY};
use crate::support::run::Run;
use crate::support::sender::Sender;
use crate::support::temporal::{self, Temporal};
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn temporals_cli_shows_an_encrypted_event() {
    run(async {
        let id = encrypted_event("").await;
        let sealed = show(&id, &[]).await.fine();
        assert!(sealed.contains("YmluYXJ5L2VuY3J5cHRlZA=="), "{sealed}");
        assert!(!sealed.contains(CANARY), "{sealed}");

        let server = CodecServer::start(&[], &KEY);
        let url = server.url();
        for endpoint in [url.clone(), format!("{url}/{{namespace}}")] {
            let shown = show(&id, &["--codec-endpoint", &endpoint]).await.fine();
            assert!(shown.contains(CANARY), "{shown}");
            assert!(shown.contains("e2e.myshopify.com"), "the memo: {shown}");
            assert!(!shown.contains("binary/encrypted"), "{shown}");
        }
    });
}

#[test]
fn temporals_cli_shows_a_compressed_and_encrypted_event_with_a_token_and_keys_of_the_file() {
    run(async {
        let id = encrypted_event("compress = 'zlib'").await;
        let configured = Configured::new(
            "encryption.keys = [{ id = 'newer', key = 'file:FOLDER/newer' }, { id = 'e2e-2026', key = 'file:FOLDER/key' }]\n\
             [[source]]\npath = '/a'\nprovider = 'shopify'\nsecrets = ['env:NOT_SET_HERE']\n",
        );
        configured.write("key", AES.0);
        configured.write("newer", OTHER_KEY);
        configured.write("token", &format!("{TOKEN}\n"));
        let token = format!("file:{}", configured.path("token").display());
        let args = [configured.args(), &["--token", &token]].concat();
        let server = CodecServer::start(&args, &[]);
        let url = server.url();
        let good = format!("Bearer {TOKEN}");
        let args = ["--codec-endpoint", &url, "--codec-auth", &good];
        let shown = show(&id, &args).await.fine();
        assert!(shown.contains(CANARY), "{shown}");

        for auth in ["", "Bearer wrong", TOKEN] {
            let args = ["--codec-endpoint", &url, "--codec-auth", auth];
            let refused = show(&id, &args).await;
            assert_eq!(refused.code, Some(1), "{refused:?}");
            assert!(!refused.stdout.contains(CANARY), "{refused:?}");
        }
        server
            .log
            .wait_for("it refused", || true, |line| line["status"] == 401);
    });
}

#[test]
fn a_key_of_other_bytes_is_an_error_that_says_which_and_no_garbage() {
    run(async {
        let id = encrypted_event("").await;
        let env = [("AES_KEY", OTHER_KEY), ("AES_KEY_ID", AES.1)];
        let server = CodecServer::start(&[], &env);
        let refused = show(&id, &["--codec-endpoint", &server.url()]).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        // The CLI only says that it tried for as long as it may.
        let line = warned(&server, r#"does not decrypt with key "e2e-2026""#);
        assert_eq!(line["status"], 400);
    });
}

#[test]
fn temporals_cli_shows_what_can_be_read_beside_what_cannot() {
    run(async {
        let configured = Configured::new(
            "[[source]]\npath = '/temporal/shopify'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n\
             action = 'signal-with-start'\nworkflow_id = 'mixed:{body.key}'\ntask_queue = 'nobody-asks'\n",
        );
        let key = Delivery::order().id;
        for (env, note) in [(&KEY, CANARY), (&FOREIGN, "of another team")] {
            let forwarder = Forwarder::start(ForwarderConfig {
                env,
                ..configured.plain()
            });
            let body = json!({ "key": key, "note": note }).to_string();
            let event = Delivery::shopify(body);
            let answer = Sender::new(&forwarder.await).send(&event).await;
            assert_eq!(answer.outcome(), "200 signalled", "{answer:?}");
        }
        let id = format!("mixed:{key}");
        let server = CodecServer::start(&[], &KEY);
        let shown = show(&id, &["--codec-endpoint", &server.url()]).await.fine();
        assert!(shown.contains(CANARY), "{shown}");
        assert!(shown.contains(&b64(FOREIGN[1].1)), "as it came: {shown}");
        assert!(!shown.contains("of another team"), "{shown}");
        let line = warned(
            &server,
            r#"encrypted with key "theirs", and there is no key"#,
        );
        assert_eq!(
            (&line["status"], &line["operation"]),
            (&json!(200), &json!("decode"))
        );

        // A key that nobody knows is nobody's mistake.
        let none = CodecServer::start(&[], &[]);
        let sealed = show(&id, &["--codec-endpoint", &none.url()]).await.fine();
        assert!(!sealed.contains(CANARY), "{sealed}");
        warned(
            &none,
            r#"1 of 1 payloads answered as they came: the payload is encrypted with key "e2e-2026""#,
        );
    });
}

#[test]
fn what_does_not_decode_is_answered_as_it_came_unless_nothing_does() {
    run(async {
        let (ours, theirs) = (
            CodecServer::start(&[], &KEY),
            CodecServer::start(&[], &FOREIGN),
        );
        let plain = json!({ "metadata": { "encoding": b64("json/plain") }, "data": b64("1") });
        let sealed = async |server| {
            let asked = json!({ "payloads": [plain] });
            answer(server, "/encode", &asked).await["payloads"][0].take()
        };
        let (known, unknown) = (sealed(&ours).await, sealed(&theirs).await);
        let damaged = json!({ "metadata": known["metadata"], "data": b64(&"x".repeat(40)) });
        let unnamed =
            json!({ "metadata": { "encoding": b64("binary/encrypted") }, "data": b64("x") });
        let bomb =
            json!({ "metadata": { "encoding": b64("binary/zlib") }, "data": b64("no zlib") });
        for (asked, expected, reason) in [
            (
                vec![&known, &unknown, &plain],
                Some(vec![&plain, &unknown, &plain]),
                "1 of 3 payloads",
            ),
            (vec![&unknown], Some(vec![&unknown]), "1 of 1 payloads"),
            (
                vec![&unknown, &unnamed],
                Some(vec![&unknown, &unnamed]),
                "2 of 2 payloads",
            ),
            (
                vec![&damaged, &known],
                Some(vec![&damaged, &plain]),
                "does not decrypt",
            ),
            (
                vec![&bomb, &plain],
                Some(vec![&bomb, &plain]),
                "no zlib stream",
            ),
            (vec![&damaged], None, "does not decrypt"),
            (vec![&unknown, &bomb], None, "no zlib stream"),
        ] {
            let body = json!({ "payloads": asked }).to_string();
            let answer = post(&ours, "/decode")
                .body(body)
                .send()
                .await
                .expect("an answer");
            let (status, text) = (answer.status().as_u16(), answer.text().await.expect("text"));
            let wanted = expected
                .as_ref()
                .map(|payloads| json!({ "payloads": payloads }));
            let read = serde_json::from_str::<Value>(&text).ok();
            assert_eq!(
                (status, read),
                (if wanted.is_some() { 200 } else { 400 }, wanted),
                "{asked:?}"
            );
            let line = ours.log.wait_for(
                "one line",
                || true,
                |line| {
                    let said = line["reason"].as_str().unwrap_or_default();
                    line["status"] == status && said.contains(reason)
                },
            );
            assert_eq!(line["level"], "WARN", "{line}");
        }
        let line = json!({ "payloads": [{ "metadata": {
            "encoding": b64("binary/encrypted"), "encryption-key-id": b64("a\u{1b}[31m\nb") } }] });
        answer(&ours, "/decode", &line).await;
        warned(&ours, r#"key "a\u{1b}[31m\nb""#);
    });
}

#[test]
fn what_is_encoded_is_decoded_and_everything_else_is_left_alone() {
    run(async {
        let server = CodecServer::start(&[], &KEY);
        let plain = json!([
            { "metadata": { "encoding": b64("json/plain") }, "data": b64(CANARY) },
            { "metadata": { "encoding": b64("binary/null") } },
        ]);
        let asked = json!({ "payloads": plain });
        let encoded = answer(&server, "/encode", &asked).await;
        let encoding = &encoded["payloads"][0]["metadata"]["encoding"];
        assert_eq!(encoding, &json!(b64("binary/encrypted")));
        let decoded = answer(&server, "/some-namespace/decode", &encoded).await;
        assert_eq!(decoded, asked);
        assert_eq!(answer(&server, "/decode", &asked).await, asked);
        let none = json!({ "payloads": [] });
        assert_eq!(answer(&server, "/encode", &none).await, none);

        let line = server.log.wait_for(
            "who looked",
            || true,
            |line| line["operation"] == "decode" && line["payloads"] == 2,
        );
        assert_eq!(
            (&line["status"], &line["namespace"]),
            (&json!(200), &json!("e2e"))
        );
    });
}

#[test]
fn what_does_not_decode_is_400_without_a_word_of_what_is_in_it() {
    run(async {
        let server = CodecServer::start(&[], &KEY);
        let zlib = json!({ "metadata": { "encoding": b64("binary/zlib") }, "data": b64(CANARY) });
        let unsealed = json!({ "metadata": { "encoding": b64("binary/encrypted"), "encryption-key-id": b64(AES.1) }, "data": b64(CANARY) });
        for body in [
            CANARY.to_owned(),
            format!(r#"{{"payloads":["{CANARY}"]}}"#),
            json!({ "payloads": [zlib] }).to_string(),
            json!({ "payloads": [unsealed] }).to_string(),
        ] {
            let answer = post(&server, "/decode").body(body.clone()).send().await;
            let answer = answer.expect("an answer");
            assert_eq!(answer.status(), 400, "{body}");
            let text = answer.text().await.expect("text");
            assert!(!text.is_empty() && !text.contains(CANARY), "{text}");
        }
        let large = post(&server, "/decode").body("x".repeat((16 << 20) + 1));
        let large = large.send().await.expect("an answer");
        assert_eq!(large.status(), 413);
        let text = large.text().await.expect("text");
        assert_eq!(text, "the body is over 16 MiB\n");
        for (method, path, status) in [
            (Method::GET, "/decode", 405),
            (Method::POST, "/", 404),
            (Method::POST, "/a/b/decode", 404),
        ] {
            let url = server.url() + path;
            let answer = client().request(method, url).send().await;
            assert_eq!(answer.expect("an answer").status(), status, "{path}");
        }
    });
}

#[test]
fn nothing_is_answered_without_the_token() {
    run(async {
        let env = [KEY[0], KEY[1], ("CODEC_TOKEN", TOKEN)];
        let server = CodecServer::start(&["--token", "env:CODEC_TOKEN"], &env);
        let none = json!({ "payloads": [] });
        for (shown, reason) in [
            (vec![format!("Bearer {TOKEN}")], ""),
            (vec![format!("bearer  {TOKEN}")], ""),
            (vec![], "token missing"),
            (vec![String::new()], "token malformed"),
            (vec!["Bearer".to_owned()], "token malformed"),
            (vec!["Bearer ".to_owned()], "token malformed"),
            (vec![TOKEN.to_owned()], "token malformed"),
            (vec![format!("Basic {TOKEN}")], "token malformed"),
            (
                vec![format!("Bearer {TOKEN}"), "Bearer x".to_owned()],
                "token malformed: there is more than one",
            ),
            (vec![format!("Bearer {}", &TOKEN[1..])], "token wrong"),
            (vec![format!("Bearer {TOKEN}x")], "token wrong"),
        ] {
            let status = if reason.is_empty() { 200 } else { 401 };
            let mut request = post(&server, "/decode").body(none.to_string());
            for value in &shown {
                request = request.header("Authorization", value);
            }
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), status, "{shown:?}");
            if status == 401 {
                assert_eq!(header(&answer, "www-authenticate"), "Bearer");
                assert_eq!(header(&answer, "cache-control"), "no-store");
                let line = warned(&server, reason);
                let peer = line["peer"].as_str().unwrap_or_default();
                assert!(peer.starts_with("127.0.0.1:"), "{line}");
            }
        }
        // A page has to learn that the token is wrong, too.
        let asked = post(&server, "/decode")
            .header("Origin", UI)
            .body(none.to_string());
        let answer = asked.send().await.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), header(&answer, ALLOWED)),
            (401, UI)
        );
    });
}

#[test]
fn pages_of_the_configured_origins_may_ask_and_no_others() {
    run(async {
        let cloud = "https://cloud.temporal.io";
        let args = ["--origin", UI, "--origin", "https://Cloud.temporal.io:443"];
        let server = CodecServer::start(&args, &KEY);
        let preflight = async |origin: &str| {
            let request = client().request(Method::OPTIONS, server.url() + "/decode");
            let request = request
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "POST")
                .header(
                    "Access-Control-Request-Headers",
                    "authorization,content-type,x-namespace",
                );
            request.send().await.expect("an answer")
        };
        for origin in [UI, cloud] {
            let answer = preflight(origin).await;
            assert_eq!(answer.status(), 200, "{origin}");
            assert_eq!(header(&answer, ALLOWED), origin);
            assert_eq!(header(&answer, "access-control-allow-methods"), "POST");
            assert_eq!(header(&answer, "access-control-allow-credentials"), "true");
            let allowed = header(&answer, "access-control-allow-headers");
            for name in ["authorization", "content-type", "x-namespace"] {
                assert!(
                    allowed.split(',').any(|allowed| allowed == name),
                    "{allowed}"
                );
            }
        }
        let none = json!({ "payloads": [] });
        let asked = async |origin: &str| {
            let request = post(&server, "/decode")
                .header("Origin", origin)
                .body(none.to_string());
            request.send().await.expect("an answer")
        };
        let answer = asked(UI).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, ALLOWED)),
            (200, UI)
        );
        for origin in [
            "http://evil.example",
            "http://localhost:8234",
            "https://localhost:8233",
            "http://localhost:8233.evil.example",
            "null",
        ] {
            for answer in [preflight(origin).await, asked(origin).await] {
                assert_eq!(answer.status(), 403, "{origin}");
                assert_eq!(header(&answer, ALLOWED), "", "{origin}");
            }
            // One for the browser's question before, one for the request that no browser sends.
            let lines = || {
                let lines = server.log.lines().into_iter();
                let lines = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
                lines
                    .filter(|line| line["origin"] == origin)
                    .collect::<Vec<_>>()
            };
            until("both are said", PATIENCE, async || lines().len() >= 2).await;
            let lines = lines();
            assert_eq!(lines.len(), 2, "{lines:?}");
            for line in lines {
                let told = [&line["level"], &line["status"]];
                assert_eq!(told, [&json!("WARN"), &json!(403)], "{line}");
                let reason = line["reason"].as_str().unwrap_or_default();
                assert!(
                    reason.contains("none of --origin") && reason.contains(cloud),
                    "{line}"
                );
                let peer = line["peer"].as_str().unwrap_or_default();
                assert!(peer.starts_with("127.0.0.1:"), "{line}");
            }
        }
        preflight(&"x".repeat(5000)).await;
        let long = server.log.wait_for(
            "it is cut",
            || true,
            |line| {
                line["origin"]
                    .as_str()
                    .is_some_and(|origin| origin.starts_with("xxx"))
            },
        );
        assert_eq!(long["origin"].as_str().map(str::len), Some(200));
    });
}

#[test]
fn what_a_browser_will_not_send_after_all_is_said() {
    run(async {
        let server = CodecServer::start(&[], &KEY);
        for (method, headers, reason) in [
            ("POST", "content-type,X-Custom", "the header X-Custom"),
            ("PUT", "content-type", "wants to send PUT"),
        ] {
            let request = client().request(Method::OPTIONS, server.url() + "/decode");
            let request = request
                .header("Origin", UI)
                .header("Access-Control-Request-Method", method)
                .header("Access-Control-Request-Headers", headers);
            assert_eq!(request.send().await.expect("an answer").status(), 200);
            let line = warned(&server, reason);
            assert_eq!(line["origin"], UI);
        }
        let answer = post(&server, "/decod\u{e9}")
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 404);
        warned(
            &server,
            "POST /decod%C3%A9: expected POST /encode or /decode",
        );
    });
}

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
fn without_a_token_it_listens_on_loopback_only() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8081"] {
        let run = Run::new(&["codec-server", "--listen", listen], &KEY);
        run.misconfigured(&[
            "--listen (TWF_CODEC_LISTEN)",
            "not a loopback address",
            "--token",
        ]);
    }
    for listen in ["127.0.0.1:0", "127.9.9.9:0", "localhost:0"] {
        let server = CodecServer::start_on(listen, &[], &KEY);
        assert!(server.address.ip().is_loopback());
    }
    let env = [KEY[0], KEY[1], ("CODEC_TOKEN", TOKEN)];
    let args = ["--token", "env:CODEC_TOKEN"];
    let server = CodecServer::start_on("0.0.0.0:0", &args, &env);
    server.log.wait_for(
        "plain HTTP is warned of",
        || true,
        |line| {
            line["level"] == "WARN"
                && line["message"]
                    .as_str()
                    .is_some_and(|m| m.starts_with("plain HTTP"))
        },
    );
    let server = CodecServer::start(&[], &[]);
    server.log.wait_for(
        "no key is warned of",
        || true,
        |line| {
            line["level"] == "WARN"
                && line["message"]
                    .as_str()
                    .is_some_and(|m| m.starts_with("no payload key"))
        },
    );
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
    let page = include_str!("../../docs/codec-server.md");
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

/// An event in Temporal, encrypted by a forwarder with these further settings; its workflow id.
async fn encrypted_event(settings: &str) -> String {
    leaks::forbid(TOKEN);
    leaks::forbid(OTHER_KEY);
    let configured = Configured::new(&format!(
        "[[source]]\npath = '/temporal/shopify'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n{settings}\n"
    ));
    let forwarder = Forwarder::start(ForwarderConfig {
        aes: Some(AES),
        ..configured.plain()
    })
    .await;
    let order = Delivery::order();
    let answer = Sender::new(&forwarder).send(&order).await;
    assert_eq!(answer.outcome(), "200 started");
    let payload: &Payload = &Temporal::shared().await.started(&order.id).await.input[0];
    assert_eq!(payload.metadata["encoding"], b"binary/encrypted");
    order.id
}

/// `temporal workflow show` of its whole history.
async fn show(workflow_id: &str, args: &[&str]) -> Run {
    let address = Temporal::shared().await.address();
    Run::of(
        Command::new(temporal::binary())
            .args(["workflow", "show", "--workflow-id", workflow_id])
            .args([
                "--address",
                &address,
                "--detailed",
                "--command-timeout",
                "2s",
            ])
            .args(args)
            .env_clear()
            .env("HOME", "/nonexistent"),
    )
}

/// The line of a refusal, or of what could not be done.
fn warned(server: &CodecServer, reason: &str) -> Value {
    server.log.wait_for(
        reason,
        || true,
        |line| {
            let said = line["reason"].as_str().unwrap_or_default();
            line["level"] == "WARN" && said.contains(reason)
        },
    )
}

async fn answer(server: &CodecServer, path: &str, body: &Value) -> Value {
    let asked = post(server, path).body(body.to_string());
    let answer = asked.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "content-type"), "application/json");
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let text = answer.text().await.expect("text");
    serde_json::from_str(&text).expect("JSON")
}

fn post(server: &CodecServer, path: &str) -> RequestBuilder {
    let request = client().post(server.url() + path);
    request.header("X-Namespace", "e2e")
}

fn client() -> Client {
    Client::builder().no_proxy().build().expect("a client")
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().expect("ASCII"))
}

fn b64(text: &str) -> String {
    STANDARD.encode(text)
}

const KEY: [(&str, &str); 2] = [("AES_KEY", AES.0), ("AES_KEY_ID", AES.1)];
/// Those of somebody else.
const FOREIGN: [(&str, &str); 2] = [("AES_KEY", OTHER_KEY), ("AES_KEY_ID", "theirs")];
const OTHER_KEY: &str = "1c2d3e4f5a6b7c8d9eafb0c1d2e3f4051c2d3e4f5a6b7c8d9eafb0c1d2e3f405";
const TOKEN: &str = "codec-token-4f8a0d7be1";
/// Where `temporal server start-dev` has its web interface.
const UI: &str = "http://localhost:8233";
const ALLOWED: &str = "access-control-allow-origin";
