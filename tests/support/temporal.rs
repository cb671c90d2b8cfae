//! A real Temporal dev server. All tests share one; a test that kills it starts its own.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use temporalio_client::{Connection, ConnectionOptions, Url};
use tokio::sync::OnceCell;

use super::process::Process;
use super::wait::PATIENCE;
use super::{history, run_folder};

/// A running server with its database, and a connection to it.
#[derive(Debug)]
pub(crate) struct Temporal {
    process: Process,
    port: u16,
    folder: TempDir,
    args: &'static [&'static str],
    connection: Connection,
}

impl Temporal {
    /// The server of the whole run.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Temporal> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(&[])).await
    }

    /// A server of one's own, with these further flags.
    pub(crate) async fn start(args: &'static [&'static str]) -> Self {
        let folder = TempDir::new_in(run_folder()).expect("the folder of the run is writable");
        for _ in 0..3 {
            let port = free_port();
            let mut process = spawn(port, folder.path(), args);
            if let Some(connection) = connect(&mut process, port).await {
                return Self {
                    process,
                    port,
                    folder,
                    args,
                    connection,
                };
            }
        }
        panic!("no Temporal dev server came up: see {:?}", run_folder());
    }

    /// What to give to `--endpoint`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// SIGKILL: what is not on disk is lost.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, on the same port with the same database.
    pub(crate) async fn restart(&mut self) {
        self.process = spawn(self.port, self.folder.path(), self.args);
        self.connection = connect(&mut self.process, self.port)
            .await
            .expect("a server that ran before starts again");
    }
}

fn spawn(port: u16, folder: &Path, args: &[&str]) -> Process {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(run_folder().join(format!("temporal-{port}.log")))
        .expect("the folder of the run is writable");
    let mut command = Command::new(server());
    command
        .args(["server", "start-dev", "--headless", "--ip", "127.0.0.1"])
        .args(["--log-level", "error", "--port", &port.to_string()])
        .arg("--db-filename")
        .arg(folder.join("temporal.db"))
        // What it wrote outlives its process, which is all that is killed here: no test waits for disks.
        .args(["--sqlite-pragma", "synchronous=0"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file handle can be copied"))
        .stderr(log);
    Process::spawn("Temporal", &mut command)
}

/// Waits until the server answers for its namespace; `None` if it ends instead.
async fn connect(process: &mut Process, port: u16) -> Option<Connection> {
    let target = Url::parse(&format!("http://127.0.0.1:{port}")).expect("a URL");
    let options = ConnectionOptions::new(target)
        .connect_timeout(Duration::from_secs(1))
        .build();
    let started = Instant::now();
    while process.is_running() {
        if let Ok(connection) = Connection::connect(options.clone()).await
            && history::namespace_is_there(&connection).await
        {
            return Some(connection);
        }
        assert!(started.elapsed() < PATIENCE, "Temporal is mute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// Another server than the CLI's, if the variable names one: it takes the same flags.
fn server() -> PathBuf {
    env::var_os("TEMPORAL_SERVER_BIN").map_or_else(binary, PathBuf::from)
}

pub(crate) fn binary() -> PathBuf {
    go_program("TEMPORAL_BIN", "temporal")
        .expect("the Temporal CLI: `make temporal`, or set TEMPORAL_BIN")
}

/// What the variable names, else `PATH`, else Go's folder. Without it nothing is tested, so its
/// absence is an error.
pub(crate) fn go_program(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        return Some(path.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let go = Command::new("go").args(["env", "GOPATH"]).output();
    let go = go.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    env::split_paths(&path)
        .chain(go.map(|go| Path::new(&go).join("bin")))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
