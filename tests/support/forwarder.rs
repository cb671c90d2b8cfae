//! The real binary, started as an operator would, on ports that the system chooses.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::certs::Certificates;
use super::leaks;
use super::log::Log;
use super::passed::Passed;
use super::process::Process;
use super::proxy::ChaosProxy;
use super::run::BINARY;
use super::run_folder;
use super::sender::{Answer, Sender};
use super::temporal::Temporal;

/// How to start a forwarder; the default is the product's default, with TLS and a secret.
#[derive(Debug, Clone)]
pub(crate) struct ForwarderConfig {
    /// Temporal's address; `None`: the shared server.
    pub(crate) endpoint: Option<String>,
    /// Where to listen.
    pub(crate) host: &'static str,
    /// On which port, if a flag says so.
    pub(crate) port: Option<&'static str>,
    /// The sockets that systemd would pass.
    pub(crate) passed: Option<Passed>,
    /// The configuration file.
    pub(crate) config: Option<PathBuf>,
    pub(crate) tls: bool,
    /// Whether the configuration file names the certificate.
    pub(crate) certificate_in_file: bool,
    pub(crate) secret: Option<&'static str>,
    /// Hex key and key id.
    pub(crate) aes: Option<(&'static str, &'static str)>,
    /// Where the admin listener listens.
    pub(crate) admin: &'static str,
    pub(crate) args: &'static [&'static str],
    pub(crate) env: &'static [(&'static str, &'static str)],
    /// Whether to wait until it has found Temporal.
    pub(crate) await_temporal: bool,
}

impl Default for ForwarderConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            host: "127.0.0.1",
            port: Some("0"),
            passed: None,
            config: None,
            tls: true,
            certificate_in_file: false,
            secret: Some(SECRET),
            aes: None,
            admin: "127.0.0.1:0",
            args: &[],
            env: &[],
            await_temporal: true,
        }
    }
}

impl ForwarderConfig {
    /// The same with a deadline that a busy machine does not miss.
    pub(crate) fn patient() -> Self {
        static FILE: OnceLock<PathBuf> = OnceLock::new();
        let file = FILE.get_or_init(|| {
            let file = run_folder().join("patient.toml");
            fs::write(&file, PATIENT).expect("the folder of the run is writable");
            file
        });
        Self {
            config: Some(file.clone()),
            ..Self::default()
        }
    }
}

/// A running forwarder. Dropping it kills it and searches its log for what must not be there.
#[derive(Debug)]
pub(crate) struct Forwarder {
    process: Process,
    log: Log,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) tls: bool,
}

impl Forwarder {
    pub(crate) async fn start(config: ForwarderConfig) -> Self {
        let endpoint = match config.endpoint.clone() {
            Some(endpoint) => endpoint,
            None => Temporal::shared().await.address(),
        };
        let mut process = Process::spawn("the forwarder", &mut command(&config, &endpoint));
        let stderr = process.child().stderr.take().expect("it is piped");
        let log = Log::follow(stderr);
        let mut wait = |what: &str, wanted: &dyn Fn(&Value) -> bool| {
            log.wait_for(what, || process.is_running(), wanted)
        };
        let address = |line: Value| {
            let address = line["address"].as_str().expect("it says where");
            address.parse().expect("an address and a port")
        };
        let admin = address(wait("the admin listener", &|line| {
            line["message"] == "listening" && line["listener"] == "admin"
        }));
        let public = address(wait("the public listener", &|line| {
            line["message"] == "listening" && line["listener"] == "public"
        }));
        if config.await_temporal {
            wait("Temporal is found", &|line| {
                line["message"] == "connected to Temporal"
            });
        }
        Self {
            process,
            log,
            public,
            admin,
            tls: config.tls,
        }
    }

    /// The product's default, and the proxy that stands between it and the shared Temporal.
    pub(crate) async fn behind_proxy() -> (ChaosProxy, Self) {
        let proxy = ChaosProxy::start(Temporal::shared().await.address()).await;
        let forwarder = Self::start(ForwarderConfig {
            endpoint: Some(proxy.address()),
            ..Default::default()
        });
        let forwarder = forwarder.await;
        (proxy, forwarder)
    }

    /// Its like before a Temporal that is not to be found: the proxy refuses, or is mute.
    pub(crate) async fn without_temporal(proxy: &ChaosProxy) -> Self {
        Self::start(ForwarderConfig {
            endpoint: Some(proxy.address()),
            await_temporal: false,
            ..Default::default()
        })
        .await
    }

    /// Waits for the line that says how this request ended.
    pub(crate) fn request_line(&self, request_id: &str) -> Value {
        let what = format!("the log line of request {request_id}");
        self.log.wait_for(
            &what,
            || true,
            |line| is_request(line) && line["request_id"] == request_id,
        )
    }

    /// The deadline of a request, by the server's own clock: one of a client measures the machine,
    /// too. What a deadline is to the millisecond is tested on paused time; here, that there is one
    /// whoever is away: without it an answer takes a multiple, or does not come.
    pub(crate) fn in_time(&self, answer: &Answer, deadline: Duration) -> Value {
        let line = self.request_line(answer.request_id());
        assert_in_time(&line, deadline);
        line
    }

    /// As [`Self::in_time`], of all requests until now.
    pub(crate) fn all_in_time(&self, deadline: Duration) {
        for line in self.log_lines() {
            let line = serde_json::from_str(&line).unwrap_or_default();
            if is_request(&line) {
                assert_in_time(&line, deadline);
            }
        }
    }

    /// What the admin listener says to Prometheus.
    pub(crate) async fn metrics(&self) -> String {
        let admin = Sender::plain(&self.admin.to_string());
        admin.get("/metrics").await.text
    }

    /// Waits for a line that is wanted.
    pub(crate) fn line(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.log.wait_for(what, || true, wanted)
    }

    /// The log so far, one entry a line.
    pub(crate) fn log_lines(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    pub(crate) fn signal(&mut self, signal: &str) {
        self.process.signal(signal);
    }

    pub(crate) fn wait(&mut self, bound: Duration) -> ExitStatus {
        self.process.wait(bound)
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.process.kill();
        let lines = self.log.finish();
        if thread::panicking() {
            let tail = lines.len().saturating_sub(20);
            eprintln!("the forwarder's last lines:\n{}", lines[tail..].join("\n"));
        } else {
            let leaks = leaks::find(&lines);
            assert!(leaks.is_empty(), "the log leaks:\n{}", leaks.join("\n"));
        }
    }
}

fn is_request(line: &Value) -> bool {
    line["message"] == "request"
}

fn assert_in_time(line: &Value, deadline: Duration) {
    let took = Duration::from_millis(line["ms"].as_u64().expect("it is measured"));
    assert!(took < 2 * deadline, "not within {deadline:?}: {line}");
}

fn command(config: &ForwarderConfig, endpoint: &str) -> Command {
    let mut command = match &config.passed {
        Some(passed) => passed.command(),
        None => Command::new(BINARY),
    };
    if let Some(port) = config.port {
        command.args(["--host", config.host, "--port", port]);
    }
    command
        .env_clear()
        // No temporal.toml of whoever runs the tests.
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .args(["--admin", config.admin])
        .args(["--log-format", "json", "--endpoint", endpoint])
        .args(config.args)
        .envs(config.env.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if config.tls && config.certificate_in_file {
        // No flag says more.
    } else if config.tls {
        let certificates = Certificates::shared();
        command.arg("--cert").arg(&certificates.cert);
        command.arg("--key").arg(&certificates.key);
    } else {
        command.arg("--no-tls");
    }
    if let Some(file) = &config.config {
        command.arg("--config").arg(file);
    }
    if let Some(secret) = config.secret {
        leaks::forbid(secret);
        command.env("SHOPIFY_WEBHOOKS_KEY", secret);
    }
    if let Some((key, id)) = config.aes {
        leaks::forbid(key);
        command.env("AES_KEY", key).env("AES_KEY_ID", id);
    }
    if let Some(passed) = &config.passed {
        passed.pass(&mut command);
    }
    command
}

/// The client secret of the pretended Shopify app.
pub(crate) const SECRET: &str = "shpss_e2e_8e1a7d04c2f94a6b";

const PATIENT: &str = "[[source]]
path = '/temporal/shopify'
provider = 'shopify'
secrets = ['env:SHOPIFY_WEBHOOKS_KEY']
deadline = '1m'
";

/// A key for AES-256 and its id.
pub(crate) const AES: (&str, &str) = (
    "6b1d0c8ff2a94e03b75a16d98c4e2f70513bd6a8e97c04f2a1b8d3e65f90c742",
    "e2e-2026",
);
