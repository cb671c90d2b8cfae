//! Child processes that never outlive the test run, however that ends.
//!
//! Statics are not dropped and a killed test process drops nothing, so a small shell waits for the
//! end of its standard input, which the system closes for us, and then kills what is registered.

use std::io::Write;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// A running child. Dropping it kills it and waits.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
}

impl Process {
    pub(crate) fn spawn(name: &str, command: &mut Command) -> Self {
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error} ({command:?})"));
        tell_reaper('+', child.id());
        Self {
            child,
            name: name.to_owned(),
        }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.exit_status().is_none()
    }

    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Sends a signal by its name, `TERM` or `KILL`.
    pub(crate) fn signal(&mut self, signal: &str) {
        assert!(self.is_running(), "{} has already ended", self.name);
        let kill = format!("kill -{signal} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("sh is there").success(), "{kill} failed");
    }

    /// Waits until the child ends by itself.
    pub(crate) fn wait(&mut self, bound: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.exit_status() {
                return status;
            }
            assert!(
                started.elapsed() < bound,
                "{} still runs after {bound:?}",
                self.name
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGKILL, then waits.
    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().expect("a killed child ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        tell_reaper('-', self.child.id());
    }
}

/// Notes a process that a child of ours started.
pub(crate) fn adopt(pid: u32) {
    tell_reaper('+', pid);
}

/// The end of [`adopt`].
pub(crate) fn forget(pid: u32) {
    tell_reaper('-', pid);
}

fn tell_reaper(sign: char, pid: u32) {
    static REAPER: OnceLock<Mutex<Child>> = OnceLock::new();
    let reaper = REAPER.get_or_init(|| {
        let shell = Command::new("sh")
            .args(["-c", REAPER_SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Mutex::new(shell.expect("sh is there"))
    });
    let mut reaper = reaper.lock().expect("no writer panics");
    let stdin = reaper.stdin.as_mut().expect("it is piped");
    writeln!(stdin, "{sign}{pid}").expect("the reaper lives as long as the tests");
}

/// For waits whose length promises nothing, on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const REAPER_SCRIPT: &str = r#"
trap '' INT TERM HUP
pids=' '
while read -r line; do
    pid=${line#?}
    case $line in
    +*) pids="$pids$pid " ;;
    -*) pids="${pids%% $pid *} ${pids#* $pid }" ;;
    esac
done
for pid in $pids; do kill -KILL "$pid"; done
"#;
