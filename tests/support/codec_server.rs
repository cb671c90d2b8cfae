//! A running `codec-server`, on a port that the system chooses.

use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use super::leaks;
use super::log::Log;
use super::process::Process;
use super::run::BINARY;
use super::wait::PATIENCE;

/// Dropping it kills it and searches its log for what must not be there.
#[derive(Debug)]
pub(crate) struct CodecServer {
    process: Process,
    pub(crate) log: Log,
    pub(crate) address: SocketAddr,
}

impl CodecServer {
    /// With these flags and variables, and `--listen` on a free port of the loopback address.
    pub(crate) fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::start_on("127.0.0.1:0", args, env)
    }

    pub(crate) fn start_on(listen: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(BINARY);
        command
            .args(["codec-server", "--log-format", "json", "--listen", listen])
            .args(args)
            .env_clear()
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = Process::spawn("the codec server", &mut command);
        let stderr = process.child().stderr.take().expect("it is piped");
        let log = Log::follow(stderr);
        let line = log.wait_for(
            "the codec server listens",
            || process.is_running(),
            |line| line["message"] == "listening" && line["listener"] == "codec",
        );
        let address = line["address"].as_str().expect("it says where");
        Self {
            address: address.parse().expect("an address and a port"),
            process,
            log,
        }
    }

    /// What to give to Temporal's CLI.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.address.port())
    }

    pub(crate) fn signal(&mut self, signal: &str) {
        self.process.signal(signal);
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.process.signal("TERM");
        self.process.wait(PATIENCE)
    }
}

impl Drop for CodecServer {
    fn drop(&mut self) {
        self.process.kill();
        let lines = self.log.finish();
        if thread::panicking() {
            eprintln!("the codec server's log:\n{}", lines.join("\n"));
        } else {
            let leaks = leaks::find(&lines);
            assert!(leaks.is_empty(), "the log leaks:\n{}", leaks.join("\n"));
        }
    }
}
