//! What Temporal's own CLI shows through it of what is encrypted.

use super::*;

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
