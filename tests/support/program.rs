//! A program that runs until it is told to stop, and what it prints.

use std::fs::{self, File};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::Process;
use super::run_folder;
use super::wait::PATIENCE;

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Program {
    process: Process,
    output: TempDir,
}

impl Program {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let output = TempDir::new_in(run_folder()).expect("the folder of the run is writable");
        let file = |name: &str| {
            let file = File::create(output.path().join(name));
            Stdio::from(file.expect("the folder of the run is writable"))
        };
        command
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        let process = Process::spawn(name, command);
        Self { process, output }
    }

    pub(crate) fn stdout(&self) -> String {
        self.read("stdout")
    }

    pub(crate) fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// Waits until it has printed what `find` finds in what it printed so far.
    pub(crate) fn wait_for<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            // Asked first: what it printed before its end is then all there.
            let running = self.process.is_running();
            let printed = self.stdout() + &self.stderr();
            if let Some(found) = find(&printed) {
                return found;
            }
            let go_on = running && started.elapsed() < PATIENCE;
            assert!(go_on, "not seen: {what}; it printed:\n{printed}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn signal(&mut self, signal: &str) {
        self.process.signal(signal);
    }

    pub(crate) fn wait(&mut self, bound: Duration) -> ExitStatus {
        self.process.wait(bound)
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.output.path().join(name)).expect("it was made");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
