//! The admin listener: who is answered, and what every answer says to a browser.

mod journal;
mod stream;
mod try_out;

use base64::Engine;
use serde_json::Value;

use crate::support::configured::Configured;
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::leaks;
use crate::support::proxy::ChaosProxy;
use crate::support::sender::{Answer, Sender};
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn a_page_elsewhere_that_leads_its_own_name_here_is_not_answered() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let admin = Sender::plain(&forwarder.admin.to_string());
        for path in PATHS {
            let rebound = admin.get_with(path, &[("Host", "evil.example")]).await;
            assert_problem(&rebound, 421, "hosts = [");
            for no_host in ["localhost:evil", "localhost:", "127.0.0.1:70000"] {
                let answer = admin.get_with(path, &[("Host", no_host)]).await;
                assert!([400, 421].contains(&answer.status), "{no_host}: {answer:?}");
            }
            let own = format!("localhost:{}", forwarder.admin.port());
            let answer = admin.get_with(path, &[("Host", &own)]).await;
            assert_ne!(answer.status, 421, "{answer:?}");
        }
        forwarder.line("the odd name is said", |line| {
            line["message"] == REFUSED && text(line, "reason").contains("evil.example")
        });
    });
}

#[test]
fn every_answer_tells_a_browser_to_keep_guess_frame_and_load_nothing() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let admin = Sender::plain(&forwarder.admin.to_string());
        let mut answers = vec![admin.get_with("/", &[("Host", "evil.example")]).await];
        for path in PATHS.into_iter().chain(["/no/such/page"]) {
            answers.push(admin.get(path).await);
        }
        for answer in answers {
            for (name, value) in [
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("x-frame-options", "DENY"),
            ] {
                assert_eq!(answer.header(name), value, "{name}: {answer:?}");
            }
            let policy = answer.header("content-security-policy");
            for part in ["default-src 'none'", "frame-ancestors 'none'"] {
                assert!(policy.contains(part), "{answer:?}");
            }
            assert!(!policy.contains("unsafe"), "{answer:?}");
        }
    });
}

#[test]
fn a_browser_gets_the_page_and_everything_else_the_list_of_pages() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        let admin = Sender::plain(&forwarder.admin.to_string());
        for accept in ["application/json", "*/*", "text/plain"] {
            let list = admin.get_with("/", &[("Accept", accept)]).await;
            assert_eq!(list.header("content-type"), "application/json");
            let pages = list.json()["pages"].clone();
            for path in pages.as_array().expect("a list") {
                let path = path.as_str().expect("a path");
                let is_there = ![404, 421].contains(&admin.head(path).await);
                assert!(is_there, "{path} is in the list only");
            }
            assert!(
                pages.as_array().is_some_and(|pages| pages.len() >= 9),
                "{pages}"
            );
        }
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let page = admin.get_with("/", &[("Accept", accept)]).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("vary"), "accept");
        let policy = page.header("content-security-policy");
        let policy: Vec<_> = policy.split("; ").collect();
        for (element, directive) in [("script", "script-src"), ("style", "style-src")] {
            let (_, rest) = page.text.split_once(&format!("<{element}>")).expect("one");
            let (text, _) = rest.split_once(&format!("</{element}>")).expect("its end");
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
            let hash = base64::engine::general_purpose::STANDARD.encode(digest);
            let wanted = format!("{directive} 'sha256-{hash}'");
            assert!(policy.contains(&wanted.as_str()), "{wanted}: {policy:?}");
        }
        for directive in [
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(&directive), "{directive}: {policy:?}");
        }
    });
}

#[test]
fn without_a_token_other_machines_are_answered_for_health_and_metrics_only() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig {
            admin: "0.0.0.0:0",
            ..ForwarderConfig::default()
        });
        let forwarder = forwarder.await;
        forwarder.line("it warns", |line| {
            line["level"] == "WARN" && text(line, "message").contains("health and metrics only")
        });
        let admin = Sender::plain(&format!("127.0.0.1:{}", forwarder.admin.port()));
        for path in OPEN {
            // As a service is called inside a cluster.
            let answer = admin.get_with(path, &[("Host", "forwarder.svc")]).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        for path in ["/", "/stats", "/no/such/page"] {
            let answer = admin.get(path).await;
            assert_problem(&answer, 403, "--admin-token");
        }
    });
}

#[test]
fn with_a_token_all_but_the_page_health_and_metrics_ask_for_it() {
    run(async {
        leaks::forbid(TOKEN);
        let forwarder = Forwarder::start(ForwarderConfig {
            admin: "0.0.0.0:0",
            args: &["--admin-token", "env:THE_TOKEN"],
            env: &[("THE_TOKEN", TOKEN)],
            ..ForwarderConfig::default()
        });
        let forwarder = forwarder.await;
        let admin = Sender::plain(&format!("127.0.0.1:{}", forwarder.admin.port()));
        for path in OPEN.into_iter().chain(["/"]) {
            assert_eq!(admin.get(path).await.status, 200, "{path}");
        }
        let bearer = format!("Bearer {TOKEN}");
        let long = format!("{bearer}x");
        for shown in [
            &[][..],
            &["Bearer x"],
            &[TOKEN],
            &[&long],
            &[&bearer, "Bearer x"],
        ] {
            let headers: Vec<_> = shown.iter().map(|it| ("Authorization", *it)).collect();
            let answer = admin.get_with(HIDDEN, &headers).await;
            assert_problem(&answer, 401, "");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
        let in_url = admin.get(&format!("{HIDDEN}?token={TOKEN}")).await;
        assert_eq!(in_url.status, 401, "no URL carries it: {in_url:?}");
        let shown = admin.get_with(HIDDEN, &[("Authorization", &bearer)]).await;
        assert_eq!(shown.status, 404, "{shown:?}");
        forwarder.line("who tries a wrong one is said", |line| {
            line["message"] == REFUSED && line["level"] == "WARN" && line["status"] == 401
        });
    });
}

#[test]
fn a_new_token_and_new_names_hold_without_a_restart() {
    run(async {
        let file = |host: &str| {
            format!(
                "[admin]\nlisten = '127.0.0.1:0'\ntoken = 'file:FOLDER/token'\nhosts = ['{host}']\n{SOURCE}"
            )
        };
        let configured = Configured::new(&file("old.internal"));
        configured.write("token", "the-old-token-of-the-admin");
        let forwarder = Forwarder::start(configured.plain()).await;
        let admin = Sender::plain(&forwarder.admin.to_string());
        let ask = async |token: &str, host: &str| {
            let bearer = format!("Bearer {token}");
            let headers = [("Authorization", bearer.as_str()), ("Host", host)];
            admin.get_with(HIDDEN, &headers).await.status
        };
        assert_eq!(ask("the-old-token-of-the-admin", "old.internal").await, 404);
        assert_eq!(ask("the-new-token-of-the-admin", "old.internal").await, 401);
        configured.write("token", "the-new-token-of-the-admin\n");
        configured.rewrite(&file("new.internal"));
        let taken = || async { ask("the-new-token-of-the-admin", "new.internal").await == 404 };
        until("the new token and name hold", PATIENCE, taken).await;
        assert_eq!(ask("the-old-token-of-the-admin", "new.internal").await, 401);
        assert_eq!(ask("the-new-token-of-the-admin", "old.internal").await, 421);
        forwarder.line("the reload says so", |line| {
            text(line, "changed").contains("token or hosts of [admin] changed")
        });
    });
}

#[test]
fn readiness_gives_its_reason_to_the_operator_alone() {
    run(async {
        let proxy = ChaosProxy::refusing("127.0.0.1:1".to_owned());
        let forwarder = Forwarder::without_temporal(&proxy).await;
        let admin = Sender::plain(&forwarder.admin.to_string());
        let answer = admin.get("/health/ready").await;
        assert_eq!(answer.status, 503);
        assert_ne!(answer.header("retry-after"), "");
        let reasons = &answer.json()["reasons"];
        assert_eq!(reasons[0]["about"], "temporal", "{answer:?}");
        assert_ne!(text(&reasons[0], "reason"), "", "{answer:?}");
        let public = Sender::new(&forwarder).get("/health/ready").await;
        assert_eq!(public.status, 503);
        assert_eq!(public.json()["reasons"], Value::Null, "{public:?}");
    });
}

fn assert_problem(answer: &Answer, status: u16, says: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{answer:?}");
    assert!(text(&problem, "detail").contains(says), "{answer:?}");
}

fn text<'a>(json: &'a Value, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_default()
}

const OPEN: [&str; 3] = ["/health/live", "/health/ready", "/metrics"];
const PATHS: [&str; 4] = ["/", "/health/live", "/health/ready", "/metrics"];
/// Of no page, so that its answer is the same whoever is answered.
const HIDDEN: &str = "/no/such/page";
const REFUSED: &str = "admin request refused";
const TOKEN: &str = "admin-token-3f1c9a70d2b84e65";
const SOURCE: &str = "[[source]]\npath = '/temporal/shopify'\nprovider = 'shopify'\nsecrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n";
