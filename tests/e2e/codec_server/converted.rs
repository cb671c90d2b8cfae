//! What is encoded and decoded, and what of the rest is answered.

use super::*;

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
