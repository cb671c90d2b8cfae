//! `send --source`: all that it needs to know is in the file.

use super::KEY;
use crate::support::configured::Configured;
use crate::support::forwarder::{Forwarder, ForwarderConfig, SECRET};
use crate::support::run::Run;
use crate::support::wait::run;

#[test]
fn a_source_of_the_file_is_all_that_it_needs_to_know() {
    run(async {
        let configured = Configured::new(SOURCES);
        let forwarder = Forwarder::start(ForwarderConfig {
            env: &[("OWN", "the secret of our own")],
            ..configured.plain()
        })
        .await;
        let (config, port) = (configured.path("forwarder.toml"), forwarder.public.port());
        let config = config.to_str().expect("text");
        let port = port.to_string();
        let env = [
            (KEY, SECRET),
            ("OWN", "the secret of our own"),
            ("TWF_NO_TLS", "true"),
            ("TWF_PORT", port.as_str()),
        ];
        let sending = |args: &[&str]| {
            let args = [&["send", "--config", config], args].concat();
            Run::new(&args, &env)
        };
        for (args, outcome) in [
            // By name, by path, by the path's last part, by the provider.
            (&["--source", "shop"][..], "started"),
            (&["--source", "/temporal/shopify"], "started"),
            (&["--source", "shopify"], "started"),
            (&["inhouse"], "started"),
            // The first tenant of the table, and another; his place is a header, JSON, a form.
            (&["--source", "tenants"], "started"),
            (
                &["--source", "tenants", "--tenant", "b.myshopify.com"],
                "started",
            ),
            (&["--source", "teams"], "started"),
            (&["--source", "teams", "--tenant", "T2"], "started"),
            (&["--source", "accounts", "--tenant", "B"], "started"),
            // What is signed is the URL that the sender knows.
            (&["--source", "sms"], "started"),
            (&["--source", "sms", "--sample", "message"], "started"),
            // Only the public key is here.
            (&["--source", "public"], "fails"),
            // Of our own, with its id in a header, in JSON, in a form, in the query of a GET.
            (&["--source", "own-header"], "started"),
            (&["--source", "own-json"], "started"),
            (&["--source", "own-form"], "started"),
            (&["--source", "own-get"], "started"),
            (&["--source", "open"], "started"),
            // A second sample, which its route drops.
            (&["--source", "slack", "--sample", "command"], "dropped"),
            (&["--source", "slack"], "started"),
            (&["--source", "shop", "--topic", "dropped"], "dropped"),
            (&["--source", "teams", "--topic", "dropped"], "dropped"),
        ] {
            let sent = sending(args);
            if outcome == "fails" {
                sent.failed(64, &["public key", "--secret"]);
                continue;
            }
            let expected = format!(r#""status":"{outcome}""#);
            assert!(sent.stdout.contains(&expected), "{args:?}: {sent:?}");
        }
        for (args, said) in [
            (
                &["--source", "shopp"][..],
                &["no source \"shopp\"", "/temporal/shopify"][..],
            ),
            (&[], &["several sources", "--source"]),
            (
                &["shopify"],
                &[
                    "several sources",
                    "which of /temporal/shopify, /temporal/tenants\n",
                ],
            ),
            (&["github"], &["no source of the file is one of \"github\""]),
            (
                &["--source", "tenants", "--tenant", "c"],
                &["no secret of \"c\"", "a.myshopify.com, b.myshopify.com"],
            ),
            (
                &["--source", "slack", "--sample", "comand"],
                &["did you mean `command`?", "interaction"],
            ),
            (
                &["--source", "own-json", "--sample", "x"],
                &["one sample only"],
            ),
        ] {
            sending(args).failed(64, said);
        }
        Run::new(&["send", "--source", "shop"], &[]).failed(64, &["--config FILE"]);
        let by_variable = [env.as_slice(), &[("TWF_CONFIG", config)]].concat();
        Run::new(&["send", "--source", "shop"], &by_variable).fine();
        configured.rewrite("[serverr]\n");
        sending(&["--source", "shop"]).failed(78, &["serverr", "did you mean `server`?"]);
    });
}

/// Every kind of source that `send` may meet in a file.
const SOURCES: &str = r#"
[[source]]
name = "shop"
path = "/temporal/shopify"
provider = "shopify"
secrets = ["env:SHOPIFY_WEBHOOKS_KEY"]
shared_ids = true
[[source.route]]
when = 'topic == "dropped"'
action = "drop"

[[source]]
path = "/temporal/tenants"
provider = "shopify"
workflow_id = "tenants:{event_id}"
[source.secrets]
"a.myshopify.com" = "env:SHOPIFY_WEBHOOKS_KEY"
"b.myshopify.com" = "env:OWN"

[[source]]
path = "/temporal/teams"
provider = "slack"
[source.secrets]
T1 = "env:SHOPIFY_WEBHOOKS_KEY"
T2 = "env:OWN"
[[source.route]]
when = 'topic == "dropped"'
action = "drop"

[[source]]
path = "/temporal/accounts"
[source.secrets]
A = "env:SHOPIFY_WEBHOOKS_KEY"
B = "env:OWN"
[source.provider]
id = ["form event"]
tenant = ["form account"]
[[source.provider.signature]]
in = ["header X-Signature"]

[[source]]
path = "/temporal/sms"
provider = "twilio"
secrets = ["env:OWN"]
public_url = "https://hooks.example.com/temporal/sms"

[[source]]
path = "/temporal/public"
provider = "discord-events"
secrets = ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"]

[[source]]
path = "/temporal/own-header"
secrets = ["env:OWN"]
[source.provider]
name = "inhouse"
id = ["header X-Event-Id"]
[[source.provider.signature]]
in = ["header X-Signature"]
prefix = "v1="
signed = "{ts}.{body}"
timestamp = { in = "header X-Time" }

[[source]]
path = "/temporal/own-json"
secrets = ["env:OWN"]
[source.provider]
id = ["json event.id"]
topic = ["json event.kind"]
[[source.provider.signature]]
in = ["header X-Signature"]
encoding = "base64"

[[source]]
path = "/temporal/own-form"
secrets = ["env:OWN"]
[source.provider]
id = ["form id"]
[[source.provider.signature]]
in = ["query signature"]

[[source]]
path = "/temporal/own-get"
secrets = ["env:OWN"]
[source.provider]
methods = ["GET"]
id = ["query event"]
[[source.provider.signature]]
in = ["header X-Token"]
algorithm = "token"
encoding = "text"

[[source]]
path = "/temporal/open"
provider = "generic"
danger_accept_unverified = true

[[source]]
path = "/temporal/slack"
provider = "slack"
secrets = ["env:OWN"]
[[source.route]]
when = 'topic == "/weather"'
action = "drop"
"#;
