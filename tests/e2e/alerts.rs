//! The alert rules of deploy/prometheus, over pages that forwarders really served: each fires when it should, no
//! other does, and none before.

mod dashboard;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use tokio::time::sleep;
use uuid::Uuid;

use super::{acme, logs};
use crate::support::configured::Configured;
use crate::support::delivery::{Delivery, SHOPIFY, SIGNATURE};
use crate::support::forwarder::{Forwarder, ForwarderConfig};
use crate::support::pebble::Pebble;
use crate::support::proxy::ChaosProxy;
use crate::support::sender::Sender;
use crate::support::telemetry::{Alert, Page, evaluate, rules};
use crate::support::temporal::{Temporal, free_port};
use crate::support::wait::{PATIENCE, eventually, run, until};

#[test]
fn every_rule_is_tested_here() {
    let here = include_str!("alerts.rs");
    let names: Vec<_> = rules()
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .map(str::to_owned)
        .collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        let short = name.strip_prefix("WebhookForwarder").expect("all begin so");
        assert!(
            here.contains(&format!("\"{short}\"")),
            "{name} is not tested"
        );
    }
}

#[test]
fn a_forwarder_that_is_well_fires_none_until_its_source_is_silent_for_hours() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        connected(&forwarder).await;
        Sender::new(&forwarder).send(&Delivery::order()).await;
        let well = page(&forwarder).await;
        let fired = alerts(now(), 7 * HOUR, &[(0, &well)]);
        assert_eq!(names(&fired), ["SourceSilent"]);
        let silent = fired.iter().find(|alert| alert.name() == "SourceSilent");
        let silent = silent.expect("it fired");
        assert!(
            silent.at > 6 * HOUR && silent.at < 6 * HOUR + 10 * MINUTE,
            "{silent:?}"
        );
        assert_eq!(silent.labels["source"], "/temporal/shopify");
    });
}

#[test]
fn a_certificate_is_told_of_two_weeks_before_its_end() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        connected(&forwarder).await;
        let well = page(&forwarder).await;
        let end = well.value("webhook_forwarder_certificate_expiry_timestamp_seconds ");
        let fired = alerts(end as u64 - 14 * DAY - HOUR, 2 * HOUR, &[(0, &well)]);
        assert_eq!(names(&fired), ["CertificateExpires"]);
        // Others' events may wait on the queue, which is told of, too.
        let mut told = fired.iter();
        let told = told.find(|alert| alert.alert.ends_with("CertificateExpires"));
        let at = told.expect("it is told").at;
        assert!(at > HOUR && at < HOUR + 10 * MINUTE, "{fired:?}");
    });
}

#[test]
fn a_certificate_of_six_days_is_told_of_one_before_its_end_and_not_while_it_is_renewed_in_time() {
    run(async {
        let port = free_port();
        let pebble = Pebble::start(port, Duration::from_secs(6 * DAY)).await;
        let configured = Configured::new(&acme::text(&pebble, acme::NAME, ""));
        let forwarder = acme::start(&configured, port).await;
        connected(&forwarder).await;
        let series =
            "webhook_forwarder_certificate_expiry_timestamp_seconds{certificate=\"acme\"} ";
        let well = eventually("the certificate", PATIENCE, async || {
            let page = page(&forwarder).await;
            page.text.contains(series).then_some(page)
        })
        .await;
        let end = well.value(series) as u64;
        // It is renewed from two days before its end on.
        let fired = alerts(end - DAY - 2 * HOUR, 3 * HOUR, &[(0, &well)]);
        assert_eq!(names(&fired), ["CertificateExpires"]);
        let mut told = fired.iter();
        let told = told.find(|alert| alert.alert.ends_with("CertificateExpires"));
        let told = told.expect("it is told");
        assert!(
            told.at > 2 * HOUR && told.at < 2 * HOUR + 10 * MINUTE,
            "{told:?}"
        );
        assert_eq!(told.labels["certificate"], "acme");
    });
}

#[test]
fn an_address_that_is_blocked_is_told() {
    run(async {
        let configured = Configured::new(&format!(
            "[server]\nblock = {{ bad_signatures = 3, within = '60s', for = '10m' }}\n{SOURCE}"
        ));
        let forwarder = Forwarder::start(configured.plain()).await;
        connected(&forwarder).await;
        let sender = Sender::new(&forwarder);
        let well = page(&forwarder).await;
        let forged = Delivery::order().without(SIGNATURE);
        for _ in 0..2 {
            assert_eq!(sender.send(&forged).await.status, 401);
        }
        let heard = page(&forwarder).await;
        assert_eq!(goes_off(&well, &heard), [""; 0], "it is still heard");
        assert_eq!(sender.send(&forged).await.status, 401);
        assert_eq!(sender.send(&forged).await.status, 429);
        let blocked = page(&forwarder).await;
        assert_eq!(goes_off(&well, &blocked), ["AddressesBlocked"]);
        let fired = alerts(now(), 20 * MINUTE, &[(0, &heard), (5 * MINUTE, &blocked)]);
        let told = fired.iter().find(|alert| !is_shared(alert));
        assert_eq!(told.expect("it is told").labels["source"], SHOPIFY);
    });
}

#[test]
fn a_temporal_that_is_away_is_told_and_so_are_the_events_that_it_does_not_take() {
    run(async {
        let (mut proxy, forwarder) = Forwarder::behind_proxy().await;
        connected(&forwarder).await;
        let sender = Sender::new(&forwarder);
        assert_eq!(
            sender.send(&Delivery::order()).await.outcome(),
            "200 started"
        );
        let well = page(&forwarder).await;
        proxy.refuse().await;
        proxy.cut();
        until("it is away", PATIENCE, async || up(&forwarder).await == 0.0).await;
        let away = page(&forwarder).await;
        assert_eq!(goes_off(&well, &away), ["TemporalDown"]);
        let mut pages = vec![well];
        for _ in 0..4 {
            assert_eq!(sender.send(&Delivery::order()).await.status, 503);
            pages.push(page(&forwarder).await);
        }
        let once = goes_off(&pages[0], &pages[1]);
        assert_eq!(once, ["TemporalDown"], "one event comes again");
        let every_three_minutes: Vec<_> = (12..)
            .step_by(3)
            .map(|at| at * MINUTE)
            .zip(&pages)
            .collect();
        let fired = alerts(now(), 40 * MINUTE, &every_three_minutes);
        assert_eq!(names(&fired), ["EventsNotTaken", "TemporalDown"]);
        proxy.pass().await;
        until("it is back", PATIENCE, async || up(&forwarder).await == 1.0).await;
        let back = page(&forwarder).await;
        assert_eq!(goes_off(&pages[0], &back), [""; 0], "it was away only");
    });
}

#[test]
fn wrong_signatures_are_told_if_they_are_many() {
    run(async {
        let forwarder = Forwarder::start(ForwarderConfig::default()).await;
        connected(&forwarder).await;
        let sender = Sender::new(&forwarder);
        let send = async |count: usize, delivery: &Delivery| {
            for _ in 0..count {
                sender.send(delivery).await;
            }
        };
        send(1, &Delivery::order()).await;
        let well = page(&forwarder).await;
        let forged = Delivery::order().without(SIGNATURE);
        send(8, &forged).await;
        let some = page(&forwarder).await;
        assert_eq!(goes_off(&well, &some), [""; 0], "a few are no reason");
        send(12, &forged).await;
        let many = page(&forwarder).await;
        assert_eq!(goes_off(&well, &many), ["SignatureFailures"]);
    });
}

#[test]
fn settings_that_are_bad_are_told() {
    run(async {
        let configured = Configured::new(SOURCE);
        let forwarder = Forwarder::start(configured.plain()).await;
        connected(&forwarder).await;
        let well = page(&forwarder).await;
        configured.rewrite("[[source]]\npath = '/temporal/shopify'\n");
        forwarder.line("it is bad", |line| {
            line["message"] == "the new configuration is not used"
        });
        let bad = page(&forwarder).await;
        assert_eq!(goes_off(&well, &bad), ["ReloadFailed"]);
    });
}

#[test]
fn an_event_that_is_parked_is_told() {
    run(async {
        let configured = Configured::new(&format!(
            "{SOURCE}search_attributes = {{ NobodyRegistersThis = '{{tenant}}' }}\n"
        ));
        let forwarder = Forwarder::start(configured.plain()).await;
        connected(&forwarder).await;
        let well = page(&forwarder).await;
        let answer = Sender::new(&forwarder).send(&Delivery::order()).await;
        assert_eq!(answer.outcome(), "200 dead_lettered");
        let parked = page(&forwarder).await;
        assert_eq!(goes_off(&well, &parked), ["DeadLetters"]);
    });
}

#[test]
fn answers_that_come_late_are_told_before_they_come_too_late() {
    run(async {
        let mut proxy = ChaosProxy::start(Temporal::shared().await.address()).await;
        let forwarder = Forwarder::start(ForwarderConfig {
            endpoint: Some(proxy.address()),
            ..ForwarderConfig::patient()
        });
        let forwarder = forwarder.await;
        connected(&forwarder).await;
        let sender = Sender::new(&forwarder);
        assert_eq!(
            sender.send(&Delivery::order()).await.outcome(),
            "200 started"
        );
        let well = page(&forwarder).await;
        proxy.hold().await;
        let order = Delivery::order();
        let (answer, ()) = tokio::join!(sender.send(&order), async {
            sleep(Duration::from_millis(2700)).await;
            proxy.pass().await;
        });
        assert_eq!(answer.outcome(), "200 started");
        until("Temporal is asked again", PATIENCE, async || {
            up(&forwarder).await == 1.0
        })
        .await;
        let late = page(&forwarder).await;
        assert_eq!(goes_off(&well, &late), ["DeadlineMargin"]);
    });
}

#[test]
fn a_queue_without_a_worker_is_told_once_something_waits_there() {
    run(async {
        let queue = format!("nobody-{}", Uuid::new_v4().simple());
        let configured = Configured::new(&format!(
            "[metrics]\ntask_queue_interval = '1s'\n{SOURCE}task_queue = '{queue}'\n"
        ));
        let forwarder = Forwarder::start(configured.plain()).await;
        let series =
            format!("webhook_forwarder_task_queue_backlog_age_seconds{{task_queue=\"{queue}\"}} ");
        let wait = async |is_right: fn(f64) -> bool| {
            eventually("Temporal was asked", PATIENCE, async || {
                let page = page(&forwarder).await;
                let is_there = page.text.contains(&series) && is_right(page.value(&series));
                is_there.then_some(page)
            })
            .await
        };
        let idle = wait(|age| age == 0.0).await;
        Sender::new(&forwarder).send(&Delivery::order()).await;
        let waiting = wait(|age| age > 0.0).await;
        assert_eq!(goes_off(&idle, &waiting), ["NoWorker"]);
    });
}

#[test]
fn log_lines_that_are_lost_are_told() {
    run(async {
        let (_process, public, admin, stderr) = logs::start().await;
        until("it has found Temporal", PATIENCE, async || {
            up_at(&admin).await == 1.0
        })
        .await;
        let well = page_of(&admin).await;
        drop(stderr);
        let sender = Sender::plain(&public);
        until("lines are lost", PATIENCE, async || {
            sender.send(&logs::event()).await;
            page_of(&admin)
                .await
                .value("webhook_forwarder_log_lines_lost_total ")
                > 0.0
        })
        .await;
        let lost = page_of(&admin).await;
        assert_eq!(goes_off(&well, &lost), ["LogLinesLost"]);
    });
}

/// The alerts that fire when what was a page for a while becomes the other: after that, and none before. An hour is
/// too short for silence.
fn goes_off(before: &Page, after: &Page) -> Vec<String> {
    let fired = alerts(now(), 45 * MINUTE, &[(0, before), (15 * MINUTE, after)]);
    for alert in &fired {
        assert!(
            alert.at >= 15 * MINUTE || is_shared(alert),
            "too early: {alert:?}"
        );
    }
    names(&fired)
}

fn alerts(start: u64, end: u64, pages: &[(u64, &Page)]) -> Vec<Alert> {
    evaluate(start, end, pages, &[]).fired
}

/// In order, each once.
fn names(fired: &[Alert]) -> Vec<String> {
    let fired = fired.iter().filter(|alert| !is_shared(alert));
    let mut names: Vec<_> = fired.map(|alert| alert.name().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// On the task queue that all tests share, something always waits.
fn is_shared(alert: &Alert) -> bool {
    let queue = alert.labels.get("task_queue");
    queue.is_some_and(|queue| queue == "shopify_webhooks")
}

async fn page(forwarder: &Forwarder) -> Page {
    page_of(&forwarder.admin.to_string()).await
}

/// As Prometheus asks for it.
async fn page_of(admin: &str) -> Page {
    let page = Delivery::bare(Method::GET, "/metrics");
    let page = page.with(
        "Accept",
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    );
    let answer = Sender::plain(admin).page(&page).await;
    Page {
        kind: answer.header("content-type").to_owned(),
        text: answer.text,
    }
}

async fn connected(forwarder: &Forwarder) {
    until("it has found Temporal", PATIENCE, async || {
        up(forwarder).await == 1.0
    })
    .await;
}

async fn up(forwarder: &Forwarder) -> f64 {
    up_at(&forwarder.admin.to_string()).await
}

async fn up_at(admin: &str) -> f64 {
    page_of(admin).await.value("webhook_forwarder_temporal_up ")
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("later").as_secs()
}

const SOURCE: &str = "[[source]]
path = '/temporal/shopify'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
";
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
