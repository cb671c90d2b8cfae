//! `dev`: a first try on one machine needs nothing, says what to type, and leaves nothing running.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::delivery::SHOPIFY;
use crate::support::dev::{Home, answers, is_alive, quiet_port};
use crate::support::history::namespace_is_there;
use crate::support::program::Program;
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, eventually, run, until};

#[test]
fn a_first_try_needs_nothing_and_leaves_nothing_running() {
    run(async {
        let home = Home::new();
        let port = quiet_port();
        let mut dev = home.start(&format!("127.0.0.1:{port}"));
        let printed = instructions(&mut dev);

        let sent = home.paste(&printed.send).fine();
        assert!(sent.contains(r#""status":"started""#), "{sent}");
        for outcome in ["started", "duplicate"] {
            let sent = home.paste(&printed.curl).fine();
            assert!(sent.contains(&format!(r#""status":"{outcome}""#)), "{sent}");
        }
        let address = printed.page.trim_start_matches("http://");
        let page = Sender::plain(address.trim_end_matches('/'));
        let shown = page.get_with("/", &[("Accept", "text/html")]).await;
        assert!(shown.text.starts_with("<!doctype html>"), "{shown:?}");
        let state = page.get("/state").await.json();
        let listed = printed.ui.as_deref().map(|ui| format!("http://{ui}"));
        assert_eq!(
            state["temporal"]["ui"].as_str(),
            listed.as_deref(),
            "{state}"
        );
        let seen = || home.paste(&printed.events).fine();
        until("it is listed", PATIENCE, async || {
            seen().contains("\"first-try\"")
        })
        .await;
        let ui = Sender::plain(&printed.ui.expect("the address of Temporal's web interface"));
        assert_eq!(ui.get("/").await.status, 200);

        let secret = fs::read_to_string(home.data().join("shopify-secret")).expect("it is kept");
        assert!(dev.stdout().contains(&secret), "the secret is printed");
        assert!(!dev.stderr().contains(&secret), "and not logged");
        assert_private(&home.data());

        let temporal = home.temporal().expect("it was started");
        assert!(is_alive(temporal) && answers(port));
        dev.signal("INT");
        assert_eq!(dev.wait(PATIENCE).code(), Some(0));
        assert!(
            !is_alive(temporal) && !answers(port),
            "its Temporal is gone"
        );
    });
}

#[test]
fn the_next_try_keeps_certificate_and_secret_and_leaves_a_temporal_of_others_alone() {
    run(async {
        let temporal = Temporal::shared().await;
        let home = Home::new();
        let mut kept = Vec::new();
        for _ in 0..2 {
            let mut dev = home.start(&temporal.address());
            let printed = instructions(&mut dev);
            let sent = home.paste(&printed.send).fine();
            assert!(sent.contains(r#""status":"started""#), "{sent}");
            dev.signal("TERM");
            assert_eq!(dev.wait(PATIENCE).code(), Some(0));
            let files = ["cert.pem", "key.pem", "shopify-secret"];
            kept.push(files.map(|name| fs::read(home.data().join(name)).expect("it is kept")));
        }
        assert!(kept[0] == kept[1], "the same again");
        assert_eq!(home.temporal(), None, "no other Temporal is started");
        assert!(
            namespace_is_there(temporal.connection()).await,
            "it runs on"
        );
    });
}

#[test]
fn what_others_could_read_is_theirs_no_more() {
    run(async {
        let temporal = Temporal::shared().await;
        let home = Home::new();
        // As an earlier version, a copy or a restored backup left them.
        let folder = home.data();
        fs::create_dir_all(&folder).expect("the home is writable");
        fs::write(folder.join("shopify-secret"), "an-old-secret").expect("the home is writable");
        fs::write(folder.join("temporal.log"), "").expect("the home is writable");
        let open = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
        };
        open(&folder.join("shopify-secret"), 0o644);
        open(&folder.join("temporal.log"), 0o666);
        open(&folder, 0o755);
        let mut dev = home.start(&temporal.address());
        let printed = instructions(&mut dev);
        assert_private(&folder);
        let kept = fs::read_to_string(folder.join("shopify-secret"));
        assert_eq!(kept.expect("it is kept"), "an-old-secret");
        let sent = home.paste(&printed.send).fine();
        assert!(sent.contains(r#""status":"started""#), "{sent}");
    });
}

#[test]
fn a_secret_of_ones_own_is_used_and_not_shown() {
    run(async {
        let temporal = Temporal::shared().await;
        let home = Home::new();
        let own = [("SHOPIFY_WEBHOOKS_KEY", "it's my own")];
        let mut dev = home.start_with(&temporal.address(), &own);
        let send = instructions(&mut dev).send;
        assert!(send.contains("env:SHOPIFY_WEBHOOKS_KEY"), "{send}");
        let shown = dev.stdout();
        assert!(!shown.contains(own[0].1), "{shown}");
        let sent = home.paste_with(&send, &own).fine();
        assert!(sent.contains(r#""status":"started""#), "{sent}");
        let kept = home.data().join("shopify-secret");
        assert!(!kept.exists(), "only what is made here is kept");
    });
}

#[test]
fn an_address_handshake_without_a_token_gets_one_that_is_printed() {
    run(async {
        let temporal = Temporal::shared().await;
        let home = Home::new();
        let file = home.path("forwarder.toml");
        let text = r#"
            [[source]]
            path = "/hook"
            provider = "generic"
            verify = "address-handshake"
            workflow_id = "dev-handshake:{event_id}"
        "#;
        fs::write(&file, text).expect("the folder is writable");
        let env = [("TWF_CONFIG", file.to_str().expect("text"))];
        let mut dev = home.start_with(&temporal.address(), &env);
        let url = dev.wait_for("the handshake's URL", |text| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("Handshake: "))?;
            Some(line.trim().to_owned())
        });
        let hook = url.split('?').next().expect("a URL").to_owned();
        let post = format!("curl -sSk '{hook}' -H 'Webhook-Id: 1' --data-raw 'a=1'");
        let refused = home.paste(&post).fine();
        assert!(refused.contains("invalid signature"), "{refused}");
        let greeted = home.paste(&format!("curl -sSk '{url}'")).fine();
        assert!(greeted.contains("authorised"), "{greeted}");
        let taken = home.paste(&post).fine();
        assert!(taken.contains(r#""status":"started""#), "{taken}");
        dev.signal("INT");
        assert_eq!(dev.wait(PATIENCE).code(), Some(0));
    });
}

#[test]
fn each_sender_of_the_file_gets_a_line_to_paste() {
    run(async {
        let temporal = Temporal::shared().await;
        let home = Home::new();
        let file = home.path("forwarder.toml");
        let text = r#"
            [[source]]
            path = "/hooks/stripe"
            provider = "stripe"
            secrets = ["env:STRIPE_SECRET"]
        "#;
        fs::write(&file, text).expect("the folder is writable");
        let env = [
            ("TWF_CONFIG", file.to_str().expect("text")),
            ("STRIPE_SECRET", "whsec_dev"),
        ];
        let mut dev = home.start_with(&temporal.address(), &env);
        let line = dev.wait_for("the line to paste", |text| {
            let mut lines = text.lines();
            lines
                .find(|line| line.contains("send stripe"))
                .map(str::to_owned)
        });
        assert!(!line.contains("whsec_dev"), "{line}");
        let sent = home.paste_with(&line, &env[1..]).fine();
        assert!(sent.contains(r#""status":"started""#), "{sent}");
        assert!(!dev.stdout().contains("send shopify"), "{}", dev.stdout());
    });
}

#[test]
fn every_line_that_is_printed_for_a_file_is_accepted_as_it_stands() {
    run(async {
        let temporal = Temporal::shared().await;
        let home = Home::new();
        let file = home.path("the forwarder's.toml");
        let text = r#"
            [[source]]
            path = "/tenants"
            provider = "shopify"
            secrets = { "a.myshopify.com" = "env:ACME", "b.myshopify.com" = "env:STRIPE_SECRET" }

            [[source]]
            path = "/sms"
            provider = "twilio"
            secrets = ["env:ACME"]
            public_url = "https://hooks.example.com/sms"

            [[source]]
            path = "/stripe"
            provider = "stripe"
            secrets = ["env:STRIPE_SECRET"]

            [[source]]
            path = "/acme"
            secrets = ["env:ACME"]
            [source.provider]
            name = "acme corp"
            id = ["json event.id"]
            [[source.provider.signature]]
            in = ["header X-Acme-Signature"]

            [[source]]
            path = "/temporal/generic"
            provider = "generic"
            event_id = ["header X-Own-Id"]
            danger_accept_unverified = true

            [[source]]
            path = "/public-key"
            provider = "discord-events"
            secrets = ["d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"]
        "#;
        fs::write(&file, text).expect("the folder is writable");
        let env = [
            ("TWF_CONFIG", file.to_str().expect("text")),
            ("STRIPE_SECRET", "whsec_dev"),
            ("ACME", "acme's own"),
        ];
        let mut dev = home.start_with(&temporal.address(), &env);
        let printed = dev.wait_for("the instructions", |printed| {
            let whole = printed.contains("Ctrl-C") && printed.contains(r#"listener="public""#);
            whole.then(|| printed.to_owned())
        });
        assert!(
            !printed.contains("whsec_dev") && !printed.contains("acme's own"),
            "{printed}"
        );
        let lines: Vec<_> = printed
            .lines()
            .filter(|line| line.contains(" send "))
            .collect();
        assert_eq!(lines.len(), 5, "{printed}");
        for line in lines {
            let sent = home.paste_with(line, &env[1..]).fine();
            assert!(sent.contains(r#""status":"started""#), "{line}: {sent}");
        }
    });
}

#[test]
fn a_taken_port_for_the_web_interface_is_no_obstacle_and_a_closed_terminal_ends_temporal() {
    let home = Home::new();
    let port = quiet_port();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1000)).expect("it was free");
    let mut dev = home.start(&format!("localhost:{port}"));
    let printed = instructions(&mut dev);
    let sent = home.paste(&printed.send).fine();
    assert!(sent.contains(r#""status":"started""#), "{sent}");
    drop(taken);

    let temporal = home.temporal().expect("it was started");
    dev.signal("HUP");
    dev.wait(PATIENCE);
    assert!(
        !is_alive(temporal) && !answers(port),
        "its Temporal is gone"
    );
}

#[test]
fn whoever_stops_it_while_temporal_starts_leaves_no_temporal_behind() {
    run(async {
        for signal in ["INT", "TERM", "HUP"] {
            let home = Home::with_temporal("exec sleep 600");
            let mut dev = home.start(&format!("127.0.0.1:{}", quiet_port()));
            let started = || async { home.temporal() };
            let temporal = eventually("Temporal starts", PATIENCE, started).await;
            dev.signal(signal);
            dev.wait(PATIENCE);
            // It was killed before `dev` ended, but dies in its own time.
            let gone = || async { !is_alive(temporal) };
            until(&format!("gone after SIG{signal}"), PATIENCE, gone).await;
        }
    });
}

#[test]
fn without_a_temporal_program_it_says_how_to_get_one() {
    let home = Home::new();
    let port = quiet_port();
    let run = home.run(&format!("127.0.0.1:{port}"), None);
    run.failed(
        1,
        &[
            "temporal",
            "https://docs.temporal.io/cli",
            "go install",
            "--temporal-bin",
        ],
    );
    assert_eq!(run.stdout, "", "nothing to type: {run:?}");

    let nowhere = home.path("nowhere");
    let run = home.run(&format!("127.0.0.1:{port}"), Some(&nowhere));
    run.failed(1, &["cannot start", nowhere.to_str().expect("text")]);
    assert!(!answers(port));
}

#[test]
fn a_temporal_that_does_not_start_is_shown_with_its_own_words() {
    let home = Home::with_temporal("echo 'no room on this disk' >&2; exit 3");
    let temporal = home.path("temporal");
    let run = home.run(&format!("127.0.0.1:{}", quiet_port()), Some(&temporal));
    run.failed(1, &["no room on this disk", "3"]);
}

#[test]
fn it_starts_no_temporal_for_an_address_elsewhere() {
    let home = Home::new();
    let temporal = home.path("temporal");
    // An address that documentation may name and nobody has.
    let run = home.run("192.0.2.1:7233", Some(&temporal));
    run.failed(1, &["192.0.2.1:7233", "--endpoint"]);
    assert_eq!(home.temporal(), None);
}

#[test]
fn nothing_is_started_for_a_configuration_that_cannot_serve() {
    let home = Home::new();
    let temporal = home.path("temporal");
    let run = home.run("127.0.0.1:99999", Some(&temporal));
    assert_ne!(run.code, Some(0), "{run:?}");
    assert_eq!(home.temporal(), None);
}

/// What it printed for a person to use.
struct Instructions {
    page: String,
    send: String,
    curl: String,
    events: String,
    ui: Option<String>,
}

fn instructions(dev: &mut Program) -> Instructions {
    let printed = dev.wait_for("the instructions", |printed| {
        let whole = printed.contains("Ctrl-C") && printed.contains(r#"listener="public""#);
        whole.then(|| printed.to_owned())
    });
    let line = |wanted: &str| {
        let line = printed.lines().find(|line| line.contains(wanted));
        line.map(str::to_owned)
    };
    let url = line("Webhooks:").expect("the URL");
    assert!(
        url.contains("https://localhost:") && url.ends_with(SHOPIFY),
        "{url}"
    );
    let curl = printed.find("\ncurl ").expect("a curl line");
    let curl = &printed[curl..];
    let page = line("Page:").expect("the page's address");
    Instructions {
        page: page.trim_start_matches("Page:").trim().to_owned(),
        events: line(" events --endpoint ").expect("an events line"),
        send: line(" send shopify ").expect("a send line"),
        curl: curl[..curl.find("\n\n").expect("its end")].to_owned(),
        ui: line("Temporal:").map(|line| line.rsplit("http://").next().unwrap_or("").to_owned()),
    }
}

/// Nobody but the owner can look into the folder or any file of it.
fn assert_private(folder: &Path) {
    let mode = |path: &Path| {
        let metadata = fs::metadata(path).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(folder), 0o700, "{folder:?}");
    let files: Vec<_> = fs::read_dir(folder).expect("a folder").flatten().collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file.path()), 0o600, "{file:?}");
    }
}
