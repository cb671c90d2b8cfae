//! Help, version, completions, and wrong usage.

use super::run::Run;

#[test]
fn help_names_every_flag_of_the_contract() {
    let help = Run::new(&["--help"], &[]).fine();
    for flag in [
        "--host",
        "--port",
        "--cert",
        "--key",
        "--endpoint",
        "--global-queue",
        "--no-global-queue",
        "--validate-hmac",
        "--no-validate-hmac",
        "--help-env-vars",
        "-d, --debug",
        "--config",
        "--no-tls",
        "--admin",
        "--log-format",
        "--payload-format",
        "--generic-unverified",
    ] {
        assert!(help.contains(flag), "{flag} is not in\n{help}");
    }
    for command in [
        "serve",
        "dev",
        "send",
        "check",
        "replay",
        "events",
        "dead-letters",
        "codec-server",
        "health",
        "completions",
        "man",
    ] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command}\n{help}"
        );
    }
    Run::new(&["serve", "--help"], &[]).fine();
    Run::new(&["help", "send"], &[]).fine();
}

#[test]
fn a_subcommand_shows_its_own_flags_apart_from_and_before_those_of_serve() {
    for (command, own) in [
        ("dev", &["--temporal-bin"][..]),
        ("check", &["--offline", "--event"]),
        (
            "replay",
            &["--workflow-id", "--query", "--dry-run", "--url"],
        ),
        ("events", &["--topic", "--since", "--cursor"]),
        ("dead-letters", &["--topic", "--all"]),
    ] {
        for help in [
            vec![command, "--help"],
            vec![command, "-h"],
            vec!["help", command],
        ] {
            let text = Run::new(&help, &[]).fine();
            let (before, after) = text
                .split_once("\nAs for `serve`:\n")
                .unwrap_or_else(|| panic!("{help:?}: {text}"));
            for flag in own {
                assert!(before.contains(&format!(" {flag}")), "{flag}: {text}");
                assert!(!after.contains(&format!("      {flag} ")), "{flag}: {text}");
            }
            assert!(before.contains("-h, --help"), "{text}");
            for flag in ["--config", "--host", "--drain-timeout", "-d, --debug"] {
                assert!(after.contains(&format!(" {flag}")), "{flag}: {text}");
                assert!(
                    !before.contains(&format!("\n      {flag} <")),
                    "{flag}: {text}"
                );
            }
        }
    }
}

#[test]
fn dev_shows_its_own_defaults() {
    let help = Run::new(&["dev", "--help"], &[]).fine();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for default in [
        "or else 127.0.0.1]",
        "or else 127.0.0.1:9000]",
        "for localhost, made once]",
        "a dev server is started]",
    ] {
        assert!(help.contains(default), "{default}: {help}");
    }
    for default in ["0.0.0.0", "fullchain.pem", "privkey.pem", "[default: none]"] {
        assert!(!help.contains(default), "{default}: {help}");
    }
    let serve = Run::new(&["serve", "--help"], &[]).fine();
    assert!(serve.contains("[default: 0.0.0.0]"), "{serve}");
}

#[test]
fn a_replay_of_nothing_names_both_ways_to_say_what() {
    let run = Run::new(&["replay"], &[]);
    run.failed(64, &["--workflow-id <ID>", "--query <QUERY>"]);
    let both = ["replay", "--workflow-id", "a", "--query", "b"];
    Run::new(&both, &[]).failed(64, &["--workflow-id", "--query"]);
}

#[test]
fn help_env_vars_names_every_variable_and_no_value() {
    let env = [("SHOPIFY_WEBHOOKS_KEY", "hush-hush"), ("AES_KEY", "f00d")];
    let help = Run::new(&["--help-env-vars"], &env).fine();
    for name in [
        "AES_KEY",
        "AES_KEY_ID",
        "SHOPIFY_WEBHOOKS_KEY",
        "TEMPORAL_ENDPOINT",
        "TEMPORAL_NAMESPACE",
        "TEMPORAL_ADDRESS",
        "TEMPORAL_API_KEY",
        "TEMPORAL_TLS",
    ] {
        assert!(help.contains(name), "{name} is not in\n{help}");
    }
    assert!(
        !help.contains("hush-hush") && !help.contains("f00d"),
        "{help}"
    );
    let help = Run::new(&["--help"], &env).fine();
    assert!(
        !help.contains("hush-hush") && !help.contains("f00d"),
        "{help}"
    );
}

#[test]
fn version_is_the_packages() {
    let version = Run::new(&["--version"], &[]).fine();
    let expected = concat!(
        "temporal-webhook-forwarder ",
        env!("CARGO_PKG_VERSION"),
        "\n"
    );
    assert_eq!(version, expected);
}

#[test]
fn completions_and_the_manual_page_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Run::new(&["completions", shell], &[]).fine();
        assert!(script.contains("generic-unverified"), "{shell}");
    }
    let page = Run::new(&["man"], &[]).fine();
    assert!(page.contains(".TH"), "{page}");
}

#[test]
fn wrong_usage_is_exit_64_and_names_what_is_wrong() {
    for (args, named) in [
        (vec!["--no-such-flag"], "--no-such-flag"),
        (vec!["--port", "high"], "--port"),
        (vec!["--port", "65536"], "--port"),
        (vec!["--log-format", "xml"], "--log-format"),
        (vec!["--payload-format", "xml"], "--payload-format"),
        (vec!["no-such-command"], "no-such-command"),
        (vec!["send"], "PROVIDER"),
        (
            vec!["send", "dropbox", "--secret", "s", "--topic", "t"],
            "--topic: events of Dropbox have none",
        ),
        (
            vec!["send", "sendgrid", "--secret", "s", "--tenant", "t"],
            "--tenant: events of SendGrid",
        ),
        (vec!["completions", "no-such-shell"], "no-such-shell"),
    ] {
        let run = Run::new(&args, &[]);
        assert_eq!(run.code, Some(64), "{run:?}");
        assert!(run.stderr.contains(named), "{named}: {run:?}");
        assert_eq!(run.stdout, "", "{args:?}");
    }
}

#[test]
fn variables_that_are_wrong_are_configuration_and_named_in_one_run() {
    let run = Run::new(
        &[],
        &[("TWF_PORT", "high"), ("TWF_HOST", ""), ("TWF_NO_TLS", "so")],
    );
    assert_eq!(run.code, Some(78), "{run:?}");
    for named in [
        "TWF_PORT (--port): ",
        "TWF_HOST (--host): empty",
        "TWF_NO_TLS",
    ] {
        assert!(run.stderr.contains(named), "{named}: {run:?}");
    }
    // What does not serve does not mind.
    assert_eq!(Run::new(&["man"], &[("TWF_HOST", "")]).code, Some(0));
}
