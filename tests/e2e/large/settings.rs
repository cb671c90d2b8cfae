//! The section: without it, its credentials rotated, and what `check` says of it.

use serde_json::json;

use super::{body, configured, file, push, source, with_credentials};
use crate::support::configured::Configured;
use crate::support::forwarder::{Forwarder, ForwarderConfig, SECRET};
use crate::support::leaks;
use crate::support::proxy::ChaosProxy;
use crate::support::run::Run;
use crate::support::s3::{CREDENTIALS, S3};
use crate::support::sender::Sender;
use crate::support::temporal::Temporal;
use crate::support::wait::{PATIENCE, run, until};

#[test]
fn without_the_section_an_event_that_fits_nowhere_is_413_and_the_log_names_it() {
    run(async {
        let temporal = Temporal::shared().await;
        let configured = Configured::new(&source("body_limit = '50MiB'\ndeadline = '30s'"));
        let forwarder = Forwarder::start(with_credentials(&configured)).await;
        let warning = forwarder.line("the warning of the limit", |line| {
            line["level"] == "WARN"
                && line["message"]
                    .as_str()
                    .unwrap_or_default()
                    .contains("[large_payloads]")
        });
        assert!(
            warning["setting"]
                .as_str()
                .unwrap_or_default()
                .ends_with("source[1].body_limit"),
            "{warning}"
        );
        let sender = Sender::new(&forwarder);
        let mut noise = vec![0; 2_500_000];
        aws_lc_rs::rand::fill(&mut noise).expect("the system gives random numbers");
        let push = push(json!({"text": hex::encode(noise)}).to_string());
        let answer = sender.send(&push).await;
        assert_eq!(answer.status, 413, "{answer:?}");
        let line = forwarder.request_line(answer.request_id());
        assert_eq!(line["outcome"], "too_large");
        assert!(
            line["reason"]
                .as_str()
                .unwrap_or_default()
                .contains("[large_payloads]"),
            "{line}"
        );
        temporal.assert_absent(&format!("github:{}", push.id)).await;

        // A reload brings the section.
        let s3 = S3::start();
        configured.rewrite(&file(
            &s3.address(),
            "body_limit = '50MiB'\ndeadline = '30s'",
        ));
        until("the section counts", PATIENCE, || async {
            sender.send(&push).await.outcome() == "200 started"
        })
        .await;
        assert_eq!(s3.objects().len(), 1);
    });
}

#[test]
fn keys_in_awss_credentials_file_count_and_may_be_rotated() {
    run(async {
        let s3 = S3::start();
        let configured = configured(&s3.address(), "");
        let credentials = |secret: &str| {
            format!(
                "[default]\naws_access_key_id=x\naws_secret_access_key=x\n\n[hooks]\naws_access_key_id = {}\naws_secret_access_key = {secret}\n",
                CREDENTIALS[0].1
            )
        };
        configured.write("credentials", &credentials("e2e_outdated_secret"));
        let path = configured
            .path("credentials")
            .to_str()
            .expect("text")
            .to_owned();
        let path: &'static str = String::leak(path);
        let forwarder = Forwarder::start(ForwarderConfig {
            env: Vec::leak(vec![
                ("AWS_SHARED_CREDENTIALS_FILE", path),
                ("AWS_PROFILE", "hooks"),
            ]),
            ..configured.plain()
        })
        .await;
        let sender = Sender::new(&forwarder);
        let push = push(body(400_000));
        assert_eq!(sender.send(&push).await.status, 503);
        leaks::forbid(CREDENTIALS[1].1);
        configured.write("credentials", &credentials(CREDENTIALS[1].1));
        until("the new keys count", PATIENCE, || async {
            sender.send(&push).await.outcome() == "200 started"
        })
        .await;
    });
}

#[test]
fn check_says_whether_the_bucket_answers() {
    run(async {
        let temporal = Temporal::shared().await.address();
        let s3 = S3::start();
        let mut refusing = ChaosProxy::refusing(s3.address());
        let good = file(&s3.address(), "");
        let check = |text: &str, env: &[(&str, &str)]| {
            let configured = Configured::new(text);
            let mut args = vec!["check", "--no-tls", "--endpoint", &temporal];
            args.extend(configured.args());
            let env: Vec<_> = env
                .iter()
                .copied()
                .chain([("SHOPIFY_WEBHOOKS_KEY", SECRET)])
                .collect();
            Run::new(&args, &env)
        };
        let run = check(&good, &CREDENTIALS);
        assert!(
            run.stdout
                .contains("large payloads ok       bucket events answers"),
            "{run:?}"
        );
        let wrong = [
            CREDENTIALS[0],
            ("AWS_SECRET_ACCESS_KEY", "e2e_other_secret"),
        ];
        for (text, env, says) in [
            (
                good.clone(),
                wrong,
                "bucket events: status 403 SignatureDoesNotMatch",
            ),
            (
                good.replace("bucket = 'events'", "bucket = 'others'"),
                CREDENTIALS,
                "bucket others: status 404 NoSuchBucket",
            ),
            (
                file(&refusing.address(), ""),
                CREDENTIALS,
                "bucket events: ",
            ),
        ] {
            let run = check(&text, &env);
            assert_eq!(run.code, Some(78), "{run:?}");
            let row = format!("large payloads WRONG    {says}");
            assert!(run.stdout.contains(&row), "{run:?}");
        }
        refusing.black_hole().await;
        let run = check(&file(&refusing.address(), ""), &CREDENTIALS);
        assert!(
            run.stdout
                .contains("large payloads WRONG    bucket events: no answer in time"),
            "{run:?}"
        );
        assert!(s3.objects().is_empty(), "it only asks");
    });
}
