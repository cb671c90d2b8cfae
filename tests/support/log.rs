//! What a forwarder writes to its log, as it comes.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::ChildStderr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::run_folder;
use super::wait::PATIENCE;

/// A child's standard error: kept in memory and in a file of the run's folder.
#[derive(Debug)]
pub(crate) struct Log {
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    pub(crate) fn follow(stderr: ChildStderr) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("forwarder-{}.log", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut file = File::create(run_folder().join(name)).expect("the folder is writable");
        let lines = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let shared = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                writeln!(file, "{line}").expect("the folder is writable");
                shared.0.lock().expect("no holder panics").push(line);
                shared.1.notify_all();
            }
        });
        Self {
            lines,
            reader: Some(reader),
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.0.lock().expect("no holder panics").clone()
    }

    /// All lines, once the child has ended.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.lines()
    }

    pub(crate) fn wait_for(
        &self,
        what: &str,
        mut alive: impl FnMut() -> bool,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let started = Instant::now();
        let mut seen = 0;
        let mut lines = self.lines.0.lock().expect("no holder panics");
        loop {
            for line in &lines[seen..] {
                if let Ok(line) = serde_json::from_str(line)
                    && wanted(&line)
                {
                    return line;
                }
            }
            seen = lines.len();
            if !alive() || started.elapsed() >= PATIENCE {
                // Not while holding the lock: whoever drops the log needs it.
                let log = lines.join("\n");
                drop(lines);
                panic!("not seen: {what}; the log:\n{log}");
            }
            let tick = Duration::from_millis(50);
            let waited = self.lines.1.wait_timeout(lines, tick);
            lines = waited.expect("no holder panics").0;
        }
    }
}
