//! Who may ask: whoever has the token, pages of the operator's origins, nobody from elsewhere without one.

use super::*;

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
