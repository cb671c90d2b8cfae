//! What is said of the connection before it is needed: by `check`, and by the documentation.

use std::fs;
use std::time::SystemTime;

use super::{DAY, configured, identity};
use crate::support::certs::Certificates;
use crate::support::configured::Configured;
use crate::support::gateway::Gateway;
use crate::support::run::Run;
use crate::support::temporal::Temporal;
use crate::support::wait::run;

#[test]
fn check_says_how_temporal_is_reached() {
    run(async {
        let own = Certificates::generate();
        let client = |days: i64| {
            let days = DAY * u32::try_from(days.unsigned_abs()).expect("few") + DAY / 2;
            Certificates::valid_until(SystemTime::now() + days)
        };
        let (long, soon) = (client(200), client(3));
        let gone = Certificates::valid_until(SystemTime::now() - DAY * 5 / 2);
        let gateway = Gateway::mtls(&own, &[&long, &soon]).await;
        for (client, mark, says) in [
            (
                &long,
                "ok",
                "mTLS, own CA: the client certificate expires in 200 days",
            ),
            (&soon, "warning", "the client certificate expires in 3 days"),
            (&gone, "WRONG", "the client certificate expired 3 days ago"),
        ] {
            let address = gateway.address();
            let tls = format!("ca = 'CA'\n{}", identity(client));
            let text = format!("[temporal]\naddress = '{address}'\n[temporal.tls]\n{tls}");
            let configured = configured(&text, &own);
            let run = check(&configured, &[]);
            let row = |name: &str| {
                let lines = run.stdout.lines();
                let mut rows = lines.filter(|line| line.starts_with(name));
                rows.next().unwrap_or_default().to_owned()
            };
            let connection = row("connection");
            assert!(
                connection.contains(mark) && connection.contains(says),
                "{run:?}"
            );
            let is_wrong = mark == "WRONG";
            assert_eq!(run.code, Some(if is_wrong { 78 } else { 0 }), "{run:?}");
            let temporal = row("temporal");
            let expected = if is_wrong { "WRONG" } else { "ok" };
            assert!(temporal.contains(&address), "{run:?}");
            assert!(temporal.contains(expected), "{run:?}");
        }
    });
}

#[test]
fn tls_where_there_is_none_and_none_where_there_is_are_said_in_words() {
    run(async {
        let own = Certificates::generate();
        let plain = Temporal::shared().await.address();
        let gateway = Gateway::tls(&own).await;
        let secure = gateway.address();
        for (address, text, says) in [
            (
                &plain,
                "[temporal.tls]\n",
                "Temporal does not speak TLS there, and the settings ask for it",
            ),
            (
                &plain,
                "[temporal.tls]\nca = 'CA'\n",
                "Temporal does not speak TLS there, and the settings ask for it",
            ),
            (&secure, "", "(does the server ask for TLS?)"),
        ] {
            let text = format!("[temporal]\naddress = '{address}'\n{text}");
            let run = check(&configured(&text, &own), &[]);
            let mut lines = run.stdout.lines();
            let row = lines.find(|line| line.starts_with("temporal       WRONG"));
            let row = row.unwrap_or_else(|| panic!("{run:?}"));
            assert!(
                row.contains(address.as_str()) && row.contains(says),
                "{row}"
            );
            assert_eq!(run.code, Some(78), "{run:?}");
        }
        // An API key asks for TLS, too.
        let text = format!("[temporal]\naddress = '{plain}'\napi_key = 'env:CLOUD_API_KEY'\n");
        let run = check(&configured(&text, &own), &[]);
        assert!(
            run.stdout.contains("Temporal does not speak TLS there"),
            "{run:?}"
        );
    });
}

#[test]
fn the_examples_of_the_documentation_are_fine() {
    let client = Certificates::generate();
    let text = include_str!("../../../docs/configuration.md");
    let (_, section) = text
        .split_once("### Connecting to Temporal\n")
        .expect("the section is there");
    let (section, _) = section.split_once("\n## ").expect("it ends");
    let blocks = section.split("```toml\n").skip(1);
    let blocks: Vec<_> = blocks.filter_map(|rest| rest.split("```").next()).collect();
    let said = [
        "TLS, API key",
        "mTLS: the client certificate",
        "TLS, own CA",
        "TLS, API key, through the proxy proxy.internal:3128",
        "TLS, own CA, API key",
    ];
    assert_eq!(blocks.len(), said.len());
    for (block, said) in blocks.into_iter().zip(said) {
        let text = block.replace("/run/secrets/", "FOLDER/");
        let configured = configured(&text, &client);
        let pem = |path| fs::read_to_string(path).expect("it was made");
        let profile = "[profile.prod]\naddress = 'temporal.example:7233'\napi_key = 'key'\n\
                       tls = { server_ca_cert_path = 'FOLDER/temporal-ca.crt' }";
        configured.write("temporal.toml", profile);
        configured.write("temporal-api-key", "key\n");
        configured.write("temporal.crt", &pem(&client.cert));
        configured.write("temporal.key", &pem(&client.key));
        configured.write("temporal-ca.crt", &pem(&client.ca));
        let run = check(&configured, &["--offline"]);
        let row = format!("connection     ok       {said}");
        assert!(
            run.code == Some(0) && run.stdout.contains(&row),
            "{block}: {run:?}"
        );
        assert_eq!(run.stderr, "", "{block}");
    }
}

fn check(configured: &Configured, args: &[&str]) -> Run {
    let args = [&["check", "--no-tls"], configured.args(), args].concat();
    let env = [("SHOPIFY_WEBHOOKS_KEY", "hush"), ("CLOUD_API_KEY", "key")];
    Run::new(&args, &env)
}
