//! Who is answered, by name, token and address: the rules without a network.

use http::Request;
use http::header::AUTHORIZATION;
use webhook_core::secret::Secret;

use super::*;

fn access(address: &str, host: &str, token: Option<&str>) -> Access {
    let rules = Admin {
        token: token.and_then(|token| Secret::new(token.as_bytes().to_vec())),
        hosts: vec!["forwarder.internal".to_owned()],
    };
    Access::new(address.parse().expect("an address"), host, rules)
}

fn status(access: &Access, host: &str, path: &str, token: Option<&str>) -> u16 {
    let mut request = Request::builder().uri(path).header(HOST, host);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    access.refusal(&parts).map_or(200, |it| it.status.as_u16())
}

#[test]
fn a_page_elsewhere_comes_under_its_own_name_and_is_not_answered() {
    let local = access("127.0.0.1:9000", "127.0.0.1", None);
    let ours = [
        "localhost",
        "LOCALHOST:9000",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1:81",
        "[::1]",
        "[::1]:9000",
        "forwarder.internal:443",
    ];
    for host in ours {
        assert_eq!(status(&local, host, "/stats", None), 200, "{host}");
    }
    let others = [
        "evil.example",
        "evil.example:9000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "10.0.0.1",
        "[2001:db8::1]:9000",
        "a b",
    ];
    for host in others {
        for path in ["/stats", "/metrics", "/health/live", "/"] {
            assert_eq!(status(&local, host, path, None), 421, "{host} {path}");
        }
    }
    let named = access("10.0.0.1:9000", "Admin.Internal", Some("t"));
    for host in ["admin.internal", "10.0.0.1:9000", "10.9.9.9", "localhost"] {
        assert_eq!(status(&named, host, "/stats", Some("t")), 200, "{host}");
    }
    assert_eq!(status(&named, "evil.example", "/stats", Some("t")), 421);
    assert_eq!(status(&named, "evil.example", "/metrics", None), 200);
}

#[test]
fn other_sites_ask_nothing_in_the_background_and_may_link() {
    let local = access("127.0.0.1:9000", "127.0.0.1", None);
    let status = |site: &str, mode: &str| {
        let request = Request::builder().uri("/stream").header(HOST, "localhost");
        let request = request.header("sec-fetch-site", site);
        let request = request.header("sec-fetch-mode", mode);
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        local.refusal(&parts).map_or(200, |it| it.status.as_u16())
    };
    assert_eq!(status("same-origin", "cors"), 200);
    assert_eq!(status("none", "navigate"), 200);
    assert_eq!(status("cross-site", "navigate"), 200);
    for (site, mode) in [
        ("cross-site", "no-cors"),
        ("cross-site", "cors"),
        ("same-site", "cors"),
    ] {
        assert_eq!(status(site, mode), 403, "{site} {mode}");
    }
}

#[test]
fn a_request_names_one_host() {
    let local = access("127.0.0.1:9000", "127.0.0.1", None);
    let status = |uri: &str, hosts: &[&str]| {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        local.refusal(&parts).map_or(200, |it| it.status.as_u16())
    };
    assert_eq!(status("/", &[]), 400);
    assert_eq!(status("/", &["localhost", "evil.example"]), 400);
    assert_eq!(status("http://evil.example/", &["localhost"]), 400);
    assert_eq!(status("http://evil.example/", &["evil.example"]), 421);
    assert_eq!(status("http://localhost/", &["localhost"]), 200);
}

#[test]
fn without_a_token_other_machines_get_health_and_metrics_only() {
    let public = access("0.0.0.0:9000", "0.0.0.0", None);
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(status(&public, "10.0.0.1", path, None), 200, "{path}");
    }
    for path in ["/", "/stats", "/events", "/stream", "/metrics/", "/none"] {
        assert_eq!(status(&public, "10.0.0.1", path, Some("t")), 403, "{path}");
    }
}

#[test]
fn with_a_token_all_but_the_page_health_and_metrics_ask_for_it() {
    for address in ["0.0.0.0:9000", "127.0.0.1:9000"] {
        let access = access(address, "", Some("the token"));
        let status = |path: &str, token| status(&access, "localhost", path, token);
        for path in ["/health/live", "/health/ready", "/metrics", "/"] {
            assert_eq!(status(path, None), 200, "{path}");
        }
        for path in ["/stats", "/test/a", "/none"] {
            assert_eq!(status(path, None), 401, "{path}");
            assert_eq!(status(path, Some("the toke")), 401, "{path}");
            assert_eq!(status(path, Some("the token")), 200, "{path}");
            let in_url = format!("{path}?token=the+token&access_token=the%20token");
            assert_eq!(status(&in_url, None), 401, "{in_url}");
        }
    }
}

#[test]
fn new_rules_hold_from_the_next_request_on() {
    let access = access("127.0.0.1:9000", "", Some("old"));
    access.replace(Admin {
        token: Secret::new(b"new".to_vec()),
        hosts: Vec::new(),
    });
    assert_eq!(status(&access, "localhost", "/stats", Some("old")), 401);
    assert_eq!(status(&access, "localhost", "/stats", Some("new")), 200);
    assert_eq!(
        status(&access, "forwarder.internal", "/stats", Some("new")),
        421
    );
}
