//! A real S3 server (versitygw over a folder), and a worker that reads large payloads from it.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::Process;
use super::temporal::{free_port, go_program};
use super::wait::PATIENCE;
use super::worker::{self, Language, Worker};
use super::{install, run_folder};

/// A running server with one bucket, [`BUCKET`]. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct S3 {
    process: Process,
    port: u16,
    folder: TempDir,
}

impl S3 {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new_in(run_folder()).expect("the folder of the run is writable");
        for name in ["side", &format!("data/{BUCKET}")] {
            fs::create_dir_all(folder.path().join(name)).expect("the folder is writable");
        }
        for _ in 0..3 {
            let port = free_port();
            if let Some(process) = spawn(port, folder.path()) {
                return Self {
                    process,
                    port,
                    folder,
                };
            }
        }
        panic!("no S3 server came up: see {:?}", run_folder());
    }

    /// `HOST:PORT`
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, on the same port with the same objects.
    pub(crate) fn restart(&mut self) {
        let process = spawn(self.port, self.folder.path());
        self.process = process.expect("a server that ran before starts again");
    }

    /// The keys of all objects, in order, and their contents.
    pub(crate) fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let bucket = self.folder.path().join("data").join(BUCKET);
        let mut objects = Vec::new();
        collect(&bucket, &bucket, &mut objects);
        objects.sort();
        objects
    }

    /// A worker that polls this task queue and reads from this server.
    pub(crate) fn worker(&self, temporal: &str, queue: &str, aes: (&str, &str)) -> Worker {
        static PYTHON: OnceLock<PathBuf> = OnceLock::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/large");
        let python =
            PYTHON.get_or_init(|| install::python(".venv-large", &folder.join("requirements.txt")));
        let mut command = Command::new(python);
        command.arg(folder.join("large_worker.py"));
        let endpoint = format!("http://{}", self.address());
        let codec = worker::examples(Language::Python);
        let env = [
            ("AES_KEY", aes.0),
            ("AES_KEY_ID", aes.1),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ENDPOINT_URL_S3", &endpoint),
            ("PYTHONPATH", codec.to_str().expect("text")),
            CREDENTIALS[0],
            CREDENTIALS[1],
        ];
        Worker::spawn(&mut command, temporal, queue, &env)
    }
}

/// Waits until it listens; `None` if it ends instead.
fn spawn(port: u16, folder: &Path) -> Option<Process> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(run_folder().join(format!("versitygw-{port}.log")))
        .expect("the folder of the run is writable");
    let binary = go_program("VERSITYGW_BIN", "versitygw")
        .expect("versitygw: `scripts/versitygw.sh` builds it, or set VERSITYGW_BIN");
    let mut command = Command::new(binary);
    command
        .args(["--port", &format!("127.0.0.1:{port}"), "--region", REGION])
        .args(["posix", "--sidecar"])
        .args([folder.join("side"), folder.join("data")])
        .env("ROOT_ACCESS_KEY", CREDENTIALS[0].1)
        .env("ROOT_SECRET_KEY", CREDENTIALS[1].1)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file handle can be copied"))
        .stderr(log);
    let mut process = Process::spawn("versitygw", &mut command);
    let started = Instant::now();
    while process.is_running() {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(process);
        }
        assert!(started.elapsed() < PATIENCE, "S3 is mute");
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

fn collect(bucket: &Path, folder: &Path, objects: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder of the bucket") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            collect(bucket, &path, objects);
        } else {
            let key = path.strip_prefix(bucket).expect("it is inside");
            let content = fs::read(&path).expect("an object");
            objects.push((key.to_str().expect("ASCII").to_owned(), content));
        }
    }
}

/// The bucket that is there.
pub(crate) const BUCKET: &str = "events";
/// Where it says it is.
pub(crate) const REGION: &str = "eu-test-1";
/// What the server lets in.
pub(crate) const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "e2e-access-key"),
    ("AWS_SECRET_ACCESS_KEY", "e2e_s3_secret_51c07f7d3a9b"),
];
