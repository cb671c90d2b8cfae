//! A home folder in which `dev` is tried for the first time, and the Temporal that it starts there.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use uuid::Uuid;

use super::process;
use super::program::Program;
use super::run::{BINARY, Run};
use super::{run_folder, temporal};

/// A home folder. Dropping it kills the Temporal that was started from there.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    /// A home with the real Temporal.
    pub(crate) fn new() -> Self {
        let real = temporal::binary();
        Self::with_temporal(&format!("exec '{}' \"$@\"", real.display()))
    }

    /// A home with a `temporal` program that runs this script.
    pub(crate) fn with_temporal(script: &str) -> Self {
        let folder = TempDir::new_in(run_folder()).expect("the folder of the run is writable");
        let home = Self { folder };
        let note = home.path("temporal.pid");
        let script = format!(
            "#!/bin/sh\necho $$ >'{0}.new' && mv '{0}.new' '{0}'\n{script}\n",
            note.display()
        );
        let binary = home.path("temporal");
        fs::write(&binary, script).expect("the home is writable");
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("it is ours");
        home
    }

    pub(crate) fn start(&self, endpoint: &str) -> Program {
        self.start_with(endpoint, &[])
    }

    pub(crate) fn start_with(&self, endpoint: &str, env: &[(&str, &str)]) -> Program {
        let mut command = Command::new(BINARY);
        let binary = self.path("temporal");
        command
            .args(args(endpoint))
            .arg("--temporal-bin")
            .arg(binary)
            .env_clear()
            .envs(self.env())
            .envs(env.iter().copied());
        Program::start("dev", &mut command)
    }

    /// A run that is to end by itself.
    pub(crate) fn run(&self, endpoint: &str, temporal: Option<&Path>) -> Run {
        let mut args = args(endpoint);
        if let Some(temporal) = temporal {
            args.extend(["--temporal-bin", temporal.to_str().expect("text")]);
        }
        Run::inside(self.folder.path(), &args, &self.env())
    }

    /// A line that `dev` printed, pasted into a shell.
    pub(crate) fn paste(&self, line: &str) -> Run {
        self.paste_with(line, &[])
    }

    /// The same in a shell that has these variables, too.
    pub(crate) fn paste_with<'a>(&'a self, line: &str, env: &[(&'a str, &'a str)]) -> Run {
        Run::shell(line, &[self.env().as_slice(), env].concat())
    }

    /// Where `dev` keeps what it makes.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("temporal-webhook-forwarder/dev")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The process of the Temporal that was started, as soon as there is one.
    pub(crate) fn temporal(&self) -> Option<u32> {
        let note = fs::read_to_string(self.path("temporal.pid")).ok()?;
        let pid = note.trim().parse().expect("a process id");
        process::adopt(pid);
        Some(pid)
    }

    fn env(&self) -> [(&str, &str); 3] {
        let home = self.folder.path().to_str().expect("text");
        [("HOME", home), ("XDG_DATA_HOME", home), ("PATH", PATH)]
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(pid) = self.temporal() {
            if is_alive(pid) {
                let kill = format!("kill -KILL {pid}");
                Command::new("sh").args(["-c", &kill]).status().ok();
            }
            process::forget(pid);
        }
    }
}

/// Whether the process runs; one that only waits for its parent to notice its end does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
    state.is_some_and(|state| !state.starts_with('Z'))
}

/// Whether anybody listens there.
pub(crate) fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port that is free, and so is the one a thousand above it; below those that systems hand out.
pub(crate) fn quiet_port() -> u16 {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (0..100)
        .map(|_| 20_000 + (Uuid::new_v4().as_u128() % 11_000) as u16)
        .find(|port| free(*port) && free(port + 1000))
        .expect("two ports are free")
}

fn args(endpoint: &str) -> Vec<&str> {
    let args = ["dev", "--port", "0", "--admin", "127.0.0.1:0", "--endpoint"];
    [&args[..], &[endpoint]].concat()
}

/// Neither the forwarder nor Temporal is there.
const PATH: &str = "/usr/bin:/bin";
