//! One run of the binary to its end, with nothing in its environment but what the test puts there.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Process;

/// How it ended and what it said.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Runs it in an empty folder. A run that does not end is a failure.
    pub(crate) fn new(args: &[&str], env: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let file = |name: &str| {
            let file = fs::File::create(folder.path().join(name));
            Stdio::from(file.expect("the folder is writable"))
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_temporal-webhook-forwarder"));
        command
            .args(args)
            .env_clear()
            .envs(env.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        let mut process = Process::spawn("the forwarder", &mut command);
        let status = process.wait(Duration::from_secs(20));
        let text = |name| fs::read_to_string(folder.path().join(name)).expect("text");
        let run = Self {
            code: status.code(),
            stdout: text("stdout"),
            stderr: text("stderr"),
        };
        assert!(!run.stderr.contains("panicked"), "{run:?}");
        run
    }

    /// It succeeded and said nothing on standard error.
    pub(crate) fn fine(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }

    /// It found the configuration wrong and named each of these.
    pub(crate) fn misconfigured(&self, named: &[&str]) {
        assert_eq!(self.code, Some(78), "{self:?}");
        for name in named {
            assert!(self.stderr.contains(name), "{name} is not named: {self:?}");
        }
    }
}
