//! The real Python worker of `examples/`, in a virtual environment of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use aws_lc_rs::digest;

use super::process::Process;
use super::run_folder;

/// A running worker. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct PythonWorker {
    process: Process,
}

impl PythonWorker {
    pub(crate) fn start(address: &str, task_queue: &str, aes: Option<(&str, &str)>) -> Self {
        static PYTHON: OnceLock<PathBuf> = OnceLock::new();
        let python = PYTHON.get_or_init(virtual_environment);
        let log = run_folder().join(format!("worker-{}.log", task_queue.replace('/', "-")));
        let log = File::create(log).expect("the folder of the run is writable");
        let mut command = Command::new(python);
        command
            .arg(folder().join("worker.py"))
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

/// `.venv` with the pinned requirements; made again only when they change.
fn virtual_environment() -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv");
    let python = venv.join("bin/python");
    let requirements = folder().join("requirements.txt");
    let text = fs::read(&requirements).expect("the example has its requirements");
    let wanted = hex::encode(digest::digest(&digest::SHA256, &text));
    let stamp = venv.join("requirements.sha256");
    if fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) && python.is_file() {
        return python;
    }
    let create = ["-m", "venv", "--clear"];
    must_succeed(Command::new("python3").args(create).arg(&venv));
    let install = ["-m", "pip", "install", "--quiet", "--requirement"];
    must_succeed(Command::new(&python).args(install).arg(requirements));
    fs::write(stamp, wanted).expect("the virtual environment is writable");
    python
}

fn must_succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{text}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workers/python")
}
