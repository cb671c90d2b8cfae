//! The real Python worker of `examples/`, in a virtual environment of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::process::Process;
use super::{install, run_folder};

/// A running worker. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct PythonWorker {
    process: Process,
}

impl PythonWorker {
    pub(crate) fn start(address: &str, task_queue: &str, aes: Option<(&str, &str)>) -> Self {
        Self::script(&folder().join("worker.py"), address, task_queue, aes)
    }

    /// The worker of `tests/workers/entity.py`.
    pub(crate) fn entity(address: &str, task_queue: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers/entity.py");
        Self::script(&script, address, task_queue, None)
    }

    fn script(script: &Path, address: &str, task_queue: &str, aes: Option<(&str, &str)>) -> Self {
        let log = run_folder().join(format!("worker-{}.log", task_queue.replace('/', "-")));
        let log = File::create(log).expect("the folder of the run is writable");
        let mut command = Command::new(python());
        command
            .arg(script)
            .arg(task_queue)
            .env_clear()
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TEMPORAL_ADDRESS", address)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle can be copied"))
            .stderr(log);
        if let Some((key, id)) = aes {
            command.env("AES_KEY", key).env("AES_KEY_ID", id);
        }
        Self {
            process: Process::spawn("the Python worker", &mut command),
        }
    }

    pub(crate) fn assert_running(&mut self) {
        let logs = run_folder().display();
        assert!(self.process.is_running(), "the worker ended: see {logs}");
    }
}

/// A Python that has Temporal's SDK and what the worker's codec needs.
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| install::python(".venv", &folder().join("requirements.txt")))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workers/python")
}
