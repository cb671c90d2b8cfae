//! One run of the binary to its end, with nothing in its environment but what the test puts there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::{PATIENCE, Process};

/// How it ended and what it said.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Runs it in an empty folder.
    pub(crate) fn new(args: &[&str], env: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        Self::inside(folder.path(), args, env)
    }

    /// Runs it in this folder.
    pub(crate) fn inside(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::of(
            Command::new(BINARY)
                .args(args)
                .env_clear()
                // Not the home of whoever runs the tests: `dev` may have kept a secret there, or
                // there may be a temporal.toml.
                .env("XDG_DATA_HOME", folder)
                .env("XDG_CONFIG_HOME", folder)
                .envs(env.iter().copied())
                .current_dir(folder)
                .stdin(Stdio::null()),
        )
    }

    /// Runs a line in a shell, as a person does who pastes it.
    pub(crate) fn shell(line: &str, env: &[(&str, &str)]) -> Self {
        Self::of(
            Command::new("/bin/sh")
                .args(["-c", line])
                .env_clear()
                .envs(env.iter().copied())
                .stdin(Stdio::null()),
        )
    }

    /// Runs any command. One that does not end is a failure.
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::begun(command, |_| {})
    }

    /// The same; the last thing done to the command is this.
    pub(crate) fn begun(command: &mut Command, finish: impl FnOnce(&mut Command)) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let file = |name: &str| {
            let file = fs::File::create(folder.path().join(name));
            Stdio::from(file.expect("the folder is writable"))
        };
        command.stdout(file("stdout")).stderr(file("stderr"));
        finish(command);
        let mut process = Process::spawn("the forwarder", command);
        let status = process.wait(PATIENCE);
        let text = |name| {
            let bytes = fs::read(folder.path().join(name)).expect("it was made");
            String::from_utf8(bytes).expect("it prints text")
        };
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
        self.failed(78, named);
    }

    /// It ended with this exit code and named each of these on standard error.
    pub(crate) fn failed(&self, code: i32, named: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for name in named {
            assert!(self.stderr.contains(name), "{name} is not named: {self:?}");
        }
    }
}

/// The program under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_temporal-webhook-forwarder");
