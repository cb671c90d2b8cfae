//! The connection to a Temporal that is not on this machine: TLS, client certificates, API keys,
//! metadata, proxies, and new ones of them without a restart.

mod check;

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::connect_proxy::ConnectProxy;
use crate::support::delivery::{Delivery, SHOPIFY};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::gateway::Gateway;
use crate::support::leaks;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn tls_with_an_authority_of_its_own() {
    run(async {
        let own = Certificates::generate();
        let gateway = Gateway::tls(&own).await;
        let configured = configured("[temporal.tls]\nca = 'CA'", &own);
        let forwarder = start(&configured, &gateway, true).await;
        let line = connected(&forwarder);
        assert_eq!(line["security"], "TLS, own CA", "{line}");
        starts(&forwarder, &gateway).await;
    });
}

#[test]
fn a_server_of_another_authority_or_name_gets_nothing() {
    run(async {
        let (own, other) = (Certificates::generate(), Certificates::generate());
        let gateway = Gateway::tls(&own).await;
        for (tls, reason) in [
            (
                format!("ca = '{}'", other.ca.display()),
                "invalid peer certificate",
            ),
            ("server_name = 'localhost'".to_owned(), "cert"),
            (
                "ca = 'CA'\nserver_name = 'elsewhere'".to_owned(),
                "elsewhere",
            ),
        ] {
            let configured = configured(&format!("[temporal.tls]\n{tls}"), &own);
            let forwarder = start(&configured, &gateway, false).await;
            unreachable(&forwarder, reason).await;
        }
        let configured = configured("[temporal.tls]\ndisabled = true", &own);
        let forwarder = start(&configured, &gateway, false).await;
        unreachable(&forwarder, "does the server ask for TLS?").await;
        assert!(gateway.starts().is_empty());

        let end = SystemTime::now() + DAY;
        let named = Certificates::named(&["temporal.internal"], end);
        let gateway = Gateway::tls(&named).await;
        let tls = "[temporal.tls]\nca = 'CA'\nserver_name = 'temporal.internal'";
        let configured = self::configured(tls, &named);
        let forwarder = start(&configured, &gateway, true).await;
        starts(&forwarder, &gateway).await;
    });
}

#[test]
fn a_client_certificate_is_shown_and_without_one_the_log_says_what_is_missing() {
    run(async {
        let (own, client) = (Certificates::generate(), Certificates::generate());
        let gateway = Gateway::mtls(&own, &[&client]).await;
        let without = configured("[temporal.tls]\nca = 'CA'", &own);
        let forwarder = start(&without, &gateway, false).await;
        unreachable(&forwarder, "does the server ask for a client certificate?").await;
        drop(forwarder);

        let with = format!("[temporal.tls]\nca = 'CA'\n{}", identity(&client));
        let configured = configured(&with, &own);
        let forwarder = start(&configured, &gateway, true).await;
        let line = connected(&forwarder);
        assert_eq!(line["security"], "mTLS, own CA", "{line}");
        starts(&forwarder, &gateway).await;
        assert_eq!(gateway.last_start().certificate, Some(client.leaf()));
    });
}

#[test]
fn a_new_client_certificate_takes_over_without_a_restart_and_a_bad_one_does_not() {
    run(async {
        let own = Certificates::generate();
        let [one, other, stranger] = [(); 3].map(|()| Certificates::generate());
        let gateway = Gateway::mtls(&own, &[&one, &other]).await;
        let files = "[temporal.tls]\nca = 'CA'\ncert = 'FOLDER/tls.crt'\nkey = 'FOLDER/tls.key'";
        let configured = configured(files, &own);
        let mount = |version: &str, cert: &Certificates, key: &Certificates| {
            let read = |path| fs::read(path).expect("it was made");
            let pair = [("tls.crt", read(&cert.cert)), ("tls.key", read(&key.key))];
            configured.mount(version, &pair);
        };
        mount("1", &one, &one);
        let forwarder = start(&configured, &gateway, true).await;
        starts(&forwarder, &gateway).await;
        assert_eq!(gateway.last_start().certificate, Some(one.leaf()));

        mount("2", &other, &one);
        let line = forwarder.line("a pair that does not fit", |line| {
            line["message"] == "the new configuration is not used"
        });
        let mistake = line["mistake"].as_str().unwrap_or_default();
        assert!(
            mistake.ends_with("the private key is not the certificate's")
                && mistake.contains("temporal.tls.cert"),
            "{line}"
        );
        starts(&forwarder, &gateway).await;

        mount("3", &stranger, &stranger);
        forwarder.line("the old one stays", |line| {
            let text = line["message"].as_str().unwrap_or_default();
            text.contains("the old one stays in use")
        });
        starts(&forwarder, &gateway).await;
        assert_eq!(gateway.last_start().certificate, Some(one.leaf()));

        mount("4", &other, &other);
        until("the new certificate is shown", PATIENCE, || async {
            starts(&forwarder, &gateway).await;
            gateway.last_start().certificate == Some(other.leaf())
        })
        .await;
    });
}

#[test]
fn an_api_key_goes_along_over_tls_and_its_file_may_change() {
    run(async {
        let own = Certificates::generate();
        let gateway = Gateway::tls(&own).await;
        let (old, new) = ("api-key-one-5f0a", "api-key-two-9c3e");
        leaks::forbid(old);
        leaks::forbid(new);
        gateway.require_key(old);
        let text =
            "[temporal]\napi_key = 'file:FOLDER/api-key'\ntls = { ca = 'CA' }\nconnections = 1";
        let configured = configured(text, &own);
        configured.write("api-key", &format!("{old}\n"));
        let forwarder = start(&configured, &gateway, true).await;
        assert_eq!(connected(&forwarder)["security"], "TLS, own CA, API key");
        starts(&forwarder, &gateway).await;
        let first = gateway.last_start();
        assert_eq!(first.header("authorization"), format!("Bearer {old}"));

        gateway.require_key(new);
        let sender = Sender::new(&forwarder);
        let order = Delivery::order();
        let refused = sender.send(&order).await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(!refused.text.contains("API key"), "{refused:?}");
        let line = forwarder.request_line(refused.request_id());
        let reason = line["reason"].to_string();
        assert!(reason.contains("this API key is not known"), "{line}");

        configured.write("api-key", "two\nlines\n");
        forwarder.line("a key that no header can hold", |line| {
            let mistake = line["mistake"].as_str().unwrap_or_default();
            mistake.contains("temporal.api_key: no header can hold it")
        });
        configured.write("api-key", new);
        until("the new key is used", PATIENCE, || async {
            sender.send(&order).await.outcome() == "200 started"
        })
        .await;
        let last = gateway.last_start();
        assert_eq!(last.header("authorization"), format!("Bearer {new}"));
        assert_eq!(last.connection, first.connection, "it goes on");
    });
}

#[test]
fn a_key_that_was_wrong_at_the_start_may_be_corrected() {
    run(async {
        let own = Certificates::generate();
        let gateway = Gateway::tls(&own).await;
        gateway.require_key("right");
        let text = "[temporal]\napi_key = 'file:FOLDER/api-key'\ntls = { ca = 'CA' }";
        let configured = configured(text, &own);
        configured.write("api-key", "wrong");
        let forwarder = start(&configured, &gateway, false).await;
        unreachable(&forwarder, "this API key is not known").await;
        configured.write("api-key", "right");
        connected(&forwarder);
        starts(&forwarder, &gateway).await;
    });
}

#[test]
fn a_profile_of_temporal_toml_and_what_our_file_says_over_it() {
    run(async {
        let own = Certificates::generate();
        let gateway = Gateway::tls(&own).await;
        gateway.require_key("profile-key");
        let ca = own.ca.display();
        let profile = |key: &str| {
            format!(
                "[profile.edge]\naddress = 'nowhere:1'\napi_key = '{key}'\n\
                 [profile.edge.tls]\nserver_ca_cert_path = '{ca}'\n\
                 [profile.edge.grpc_meta]\nx_team = 'toml'\nx_other = 'toml'\n"
            )
        };
        let text = "[temporal]\nprofile = 'edge'\nconfig_file = 'FOLDER/temporal.toml'\n\
                    grpc_meta = { x-other = 'ours', X-Token = 'file:FOLDER/token' }";
        let configured = configured(text, &own);
        configured.write("temporal.toml", &profile("profile-key"));
        configured.write("token", "one");
        let forwarder = start(&configured, &gateway, true).await;
        starts(&forwarder, &gateway).await;
        let seen = gateway.last_start();
        let headers = ["authorization", "x-team", "x-other", "x-token"];
        let values = headers.map(|name| seen.header(name));
        assert_eq!(values, ["Bearer profile-key", "toml", "ours", "one"]);

        gateway.require_key("another-key");
        configured.write("token", "two");
        configured.write("temporal.toml", &profile("another-key"));
        until("the changed profile is used", PATIENCE, || async {
            let answer = Sender::new(&forwarder).send(&Delivery::order()).await;
            answer.status == 200 && gateway.last_start().header("x-token") == "two"
        })
        .await;
    });
}

#[test]
fn the_variables_of_temporals_sdks() {
    run(async {
        let (own, client) = (Certificates::generate(), Certificates::generate());
        let gateway = Gateway::mtls(&own, &[&client]).await;
        gateway.require_key("variable-key");
        let path = |path: &std::path::Path| path.to_str().expect("text").to_owned();
        let variables = [
            ("TEMPORAL_TLS_SERVER_CA_CERT_PATH", path(&own.ca)),
            (
                "TEMPORAL_TLS_CLIENT_CERT_DATA",
                fs::read_to_string(&client.cert).expect("PEM"),
            ),
            ("TEMPORAL_TLS_CLIENT_KEY_PATH", path(&client.key)),
            ("TEMPORAL_API_KEY", "variable-key".to_owned()),
            ("TEMPORAL_GRPC_META_X_TEAM", "variable".to_owned()),
        ];
        // The file says otherwise, and is beaten.
        let text = "[temporal]\napi_key = 'env:NOT_SET'\n[temporal.tls]\ndisabled = false\n\
                    cert = 'not-there.pem'\n";
        let configured = configured(text, &own);
        let forwarder = Forwarder::start(ForwarderConfig {
            endpoint: Some(gateway.address()),
            env: leaked(&variables),
            ..configured.plain()
        })
        .await;
        starts(&forwarder, &gateway).await;
        let seen = gateway.last_start();
        assert_eq!(seen.header("authorization"), "Bearer variable-key");
        assert_eq!(seen.header("x-team"), "variable");
        assert_eq!(seen.certificate, Some(client.leaf()));
    });
}

#[test]
fn calls_are_compressed_only_if_asked() {
    run(async {
        let own = Certificates::generate();
        let gateway = Gateway::plain().await;
        for (text, encoding) in [
            ("", ""),
            ("[temporal]\ncompression = false", ""),
            ("[temporal]\ncompression = true", "gzip"),
        ] {
            let forwarder = start(&configured(text, &own), &gateway, true).await;
            starts(&forwarder, &gateway).await;
            let seen = gateway.last_start();
            assert_eq!(seen.header("grpc-encoding"), encoding, "{text}");
            assert!(seen.headers.get("authorization").is_none(), "{seen:?}");
        }
    });
}

#[test]
fn through_an_http_connect_proxy() {
    run(async {
        let own = Certificates::generate();
        let gateway = Gateway::tls(&own).await;
        let password = "p@ss-word-77";
        leaks::forbid(password);
        let open = ConnectProxy::start(None).await;
        let locked = ConnectProxy::start(Some(&format!("operator:{password}"))).await;
        let (free, closed) = (open.address(), locked.address());
        let credentials = format!("http://operator:p%40ss-word-77@{closed}");
        let text = |proxy: &str| format!("[temporal]\nproxy = '{proxy}'\ntls = {{ ca = 'CA' }}");

        for (proxy, url) in [
            (&open, format!("http://{free}")),
            (&locked, "file:FOLDER/proxy".to_owned()),
        ] {
            let configured = configured(&text(&url), &own);
            configured.write("proxy", &credentials);
            let forwarder = start(&configured, &gateway, true).await;
            let line = connected(&forwarder);
            let expected = format!("TLS, own CA, through the proxy {}", proxy.address());
            assert_eq!(line["security"], expected, "{line}");
            starts(&forwarder, &gateway).await;
            let tunnels = proxy.tunnels();
            assert!(
                tunnels.iter().all(|to| *to == gateway.address()),
                "{tunnels:?}"
            );
            assert!(
                (2..=4).contains(&tunnels.len()),
                "two for each connection: {tunnels:?}"
            );
        }
        let before = locked.tunnels();
        let configured = configured(&text(&format!("http://{closed}")), &own);
        let forwarder = start(&configured, &gateway, false).await;
        unreachable(&forwarder, "407").await;
        assert_eq!(locked.tunnels(), before);
    });
}

/// A Shopify source and this; `CA` stands for the authority's file.
fn configured(text: &str, authority: &Certificates) -> Configured {
    let ca = authority.ca.to_str().expect("text");
    let text = text.replace("'CA'", &format!("'{ca}'"));
    Configured::new(&format!(
        "{text}\n[[source]]\npath = '{SHOPIFY}'\nprovider = 'shopify'\n\
         secrets = ['env:SHOPIFY_WEBHOOKS_KEY']\n"
    ))
}

fn identity(client: &Certificates) -> String {
    let (cert, key) = (client.cert.display(), client.key.display());
    format!("cert = '{cert}'\nkey = '{key}'")
}

/// A forwarder before this gateway, which logs all that it may.
async fn start(configured: &Configured, gateway: &Gateway, await_temporal: bool) -> Forwarder {
    Forwarder::start(ForwarderConfig {
        endpoint: Some(gateway.address()),
        env: &[("TWF_DEBUG", "1")],
        await_temporal,
        ..configured.plain()
    })
    .await
}

fn connected(forwarder: &Forwarder) -> Value {
    forwarder.line("Temporal is found", |line| {
        line["message"] == "connected to Temporal"
    })
}

/// An event becomes a workflow, by way of this gateway.
async fn starts(forwarder: &Forwarder, gateway: &Gateway) {
    let before = gateway.starts().len();
    let order = Delivery::order();
    let answer = Sender::new(forwarder).send(&order).await;
    assert_eq!(answer.outcome(), "200 started", "{answer:?}");
    let temporal = Temporal::shared().await;
    assert_eq!(temporal.run_id(&order.id).await, Some(answer.run_id()));
    assert!(gateway.starts().len() > before, "it went another way");
}

/// An event is not taken, and the log says why.
async fn unreachable(forwarder: &Forwarder, reason: &str) {
    let order = Delivery::order();
    let answer = Sender::new(forwarder).send(&order).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    forwarder.line(&format!("the reason {reason}"), |line| {
        let error = line["error"].as_str().unwrap_or_default();
        line["message"] == "no connection to Temporal, trying again" && error.contains(reason)
    });
    Temporal::shared().await.assert_absent(&order.id).await;
}

/// For as long as the process lives.
fn leaked(variables: &[(&'static str, String)]) -> &'static [(&'static str, &'static str)] {
    let variables = variables.iter();
    let leak = |(name, value): &(_, String)| (*name, &*String::leak(value.clone()));
    Vec::leak(variables.map(leak).collect())
}

const DAY: Duration = Duration::from_secs(86_400);
