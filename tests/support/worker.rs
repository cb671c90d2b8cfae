//! The real workers of `examples/`, installed or built once.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::process::Process;
use super::{install, run_folder};

/// What an example worker is written in; the name is its folder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Go,
    TypeScript,
    Java,
}

/// A running worker. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Process,
}

/// The one that most tests use.
pub(crate) type PythonWorker = Worker;

impl Worker {
    /// The Python one, with a hex key and its id.
    pub(crate) fn start(address: &str, task_queue: &str, aes: Option<(&str, &str)>) -> Self {
        let env = aes.map(|(key, id)| [("AES_KEY", key), ("AES_KEY_ID", id)]);
        Language::Python.start(address, task_queue, env.as_ref().map_or(&[], |env| env))
    }

    /// The worker of `tests/workers/entity.py`.
    pub(crate) fn entity(address: &str, task_queue: &str) -> Self {
        let mut command = Command::new(python());
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers/entity.py"));
        Self::spawn(&mut command, address, task_queue, &[])
    }

    /// Starts it with nothing but this in its environment.
    pub(crate) fn spawn(
        command: &mut Command,
        address: &str,
        task_queue: &str,
        env: &[(&str, &str)],
    ) -> Self {
        let log = run_folder().join(format!("worker-{}.log", task_queue.replace('/', "-")));
        let log = File::options().create(true).append(true).open(log);
        let log = log.expect("the folder of the run is writable");
        command
            .arg(task_queue)
            .env_clear()
            .envs(["PATH", "JAVA_HOME"].map(|name| (name, env::var_os(name).unwrap_or_default())))
            // No temporal.toml of whoever runs the tests.
            .env("HOME", run_folder())
            .env("XDG_CONFIG_HOME", run_folder())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TEMPORAL_ADDRESS", address)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle can be copied"))
            .stderr(log);
        Self {
            process: Process::spawn("the worker", command),
        }
    }

    pub(crate) fn assert_running(&mut self) {
        let logs = run_folder().display();
        assert!(self.process.is_running(), "the worker ended: see {logs}");
    }
}

impl Language {
    pub(crate) const ALL: [Self; 4] = [Self::Python, Self::Go, Self::TypeScript, Self::Java];

    /// A copy of its folder, outside of `examples/`: that is where it is built.
    pub(crate) fn folder(self) -> &'static Path {
        static COPIES: [OnceLock<PathBuf>; 4] = [const { OnceLock::new() }; 4];
        COPIES[self as usize].get_or_init(|| install::alone(&examples(self)))
    }

    /// Starts the example worker, with these variables.
    pub(crate) fn start(self, address: &str, task_queue: &str, env: &[(&str, &str)]) -> Worker {
        Worker::spawn(&mut self.command(), address, task_queue, env)
    }

    /// Installs it at the first call; from then on it is quick.
    pub(crate) fn command(self) -> Command {
        let folder = self.folder();
        match self {
            Self::Python => {
                let mut command = Command::new(python());
                command.arg(folder.join("worker.py"));
                command
            }
            Self::Go => {
                static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
                Command::new(PROGRAM.get_or_init(|| install::go(folder)))
            }
            Self::TypeScript => {
                static BUILT: OnceLock<()> = OnceLock::new();
                BUILT.get_or_init(|| install::typescript(folder));
                let mut command = Command::new("node");
                command.arg(folder.join("lib/worker.js"));
                command
            }
            Self::Java => {
                static BUILT: OnceLock<()> = OnceLock::new();
                BUILT.get_or_init(|| install::maven(folder));
                let mut command = Command::new("java");
                command.args(["-XX:TieredStopAtLevel=1", "-jar"]);
                command.arg(folder.join("target/worker.jar"));
                command
            }
        }
    }
}

/// A Python that has Temporal's SDK and what the worker's codec needs.
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        install::python(
            ".venv",
            &examples(Language::Python).join("requirements.txt"),
        )
    })
}

/// Where the example worker is.
pub(crate) fn examples(language: Language) -> PathBuf {
    let folder = format!("{language:?}").to_lowercase();
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/workers")
        .join(folder)
}
