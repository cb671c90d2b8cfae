//! Log lines on their way to standard error: whoever logs leaves a line in a buffer, and one thread writes what
//! is there. A reader that does not read, a full disk or a closed pipe holds up no request: lines that find no
//! room, or cannot be written, are counted, and that is said.

use std::cell::Cell;
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::LOG_LINES_LOST;

/// Where lines are left.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

/// Lines are written for as long as it lives; when it is dropped, those that are left are, for a moment.
#[must_use = "without it nothing is written"]
pub struct Written {
    shared: Arc<Shared>,
    ended: Receiver<()>,
}

struct Shared {
    state: Mutex<State>,
    /// There is something to do for the thread.
    wake: Condvar,
    most: usize,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    /// Lines that were not written, and of which that was not said.
    lost: u64,
    /// Whether the thread waits to be woken.
    is_idle: bool,
    is_ending: bool,
}

/// Lines, and the thread that writes them.
///
/// # Errors
/// If there can be no thread.
pub(super) fn start(to: impl Write + Send + 'static, most: usize) -> io::Result<(Lines, Written)> {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        wake: Condvar::new(),
        most,
    });
    let (end, ended) = sync_channel(1);
    let own = Arc::clone(&shared);
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || {
            IS_WRITER.set(true);
            own.write_all(to);
            end.send(()).ok();
        })?;
    let lines = Lines(Arc::clone(&shared));
    Ok((lines, Written { shared, ended }))
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the end.
    fn write_all(&self, mut to: impl Write) {
        let mut batch = Vec::new();
        loop {
            let mut state = self.state();
            while state.lines.is_empty() && !state.is_ending {
                state.is_idle = true;
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            state.is_idle = false;
            if state.lines.is_empty() {
                return;
            }
            mem::swap(&mut batch, &mut state.lines);
            let is_ending = state.is_ending;
            drop(state);
            match put(&mut to, &batch) {
                Ok(()) => self.say_what_was_lost(),
                Err(rest) => self.lose(count(rest)),
            }
            batch.clear();
            batch.shrink_to(USUAL);
            if !is_ending {
                // Who logs much wakes nobody for each line.
                thread::sleep(PAUSE);
            }
        }
    }

    fn lose(&self, lines: u64) {
        self.state().lost += lines;
        metrics::counter!(LOG_LINES_LOST).increment(lines);
    }

    /// Whether or not there is room.
    fn say_what_was_lost(&self) {
        let lines = mem::take(&mut self.state().lost);
        if lines > 0 {
            tracing::warn!(
                lines,
                "log lines were lost: they could not be written in time"
            );
        }
    }
}

/// Writes it all; or what is left of it from the first line on that could not be.
fn put<'b>(to: &mut impl Write, batch: &'b [u8]) -> Result<(), &'b [u8]> {
    let mut rest = batch;
    let mut patience = PATIENCE;
    while !rest.is_empty() {
        match to.write(rest) {
            Ok(0) => return Err(rest),
            Ok(written) => {
                rest = &rest[written..];
                patience = PATIENCE;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A terminal that somebody else has made so.
            Err(error) if error.kind() == ErrorKind::WouldBlock && !patience.is_zero() => {
                thread::sleep(PAUSE);
                patience = patience.saturating_sub(PAUSE);
            }
            Err(_) => return Err(rest),
        }
    }
    to.flush().map_err(|_| rest)
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|&&byte| byte == b'\n').count() as u64
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

/// A whole line each time: it is formatted in a buffer that its thread keeps.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let shared = &self.0;
        let mut state = shared.state();
        if state.lines.len() + line.len() > shared.most && !IS_WRITER.get() {
            drop(state);
            shared.lose(count(line));
            return Ok(line.len());
        }
        state.lines.extend_from_slice(line);
        let is_idle = mem::take(&mut state.is_idle);
        drop(state);
        if is_idle {
            shared.wake.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        self.shared.state().is_ending = true;
        self.shared.wake.notify_one();
        // Whoever does not read now will not.
        if let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(PATIENCE) {}
    }
}

thread_local! {
    /// Of the thread that writes: it has little to say itself, and that must not be lost.
    static IS_WRITER: Cell<bool> = const { Cell::new(false) };
}

/// Bytes that a buffer keeps.
const USUAL: usize = 64 * 1024;
/// Between two writes.
const PAUSE: Duration = Duration::from_millis(5);
/// For a reader that does not read: at the end, and of a terminal.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::time::Instant;

    use super::*;

    /// A reader of a pipe: takes something only when it is told to.
    struct Slow(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(|_| ErrorKind::BrokenPipe)?;
            self.1.send(bytes.to_vec()).ok();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_never_waits_and_every_line_is_written_or_counted() {
        let (go, may_go) = channel();
        let (taken, lines) = channel();
        let (to, written) = start(Slow(may_go, taken), 10 * 5).expect("a thread");
        let log = |line: &str| (&to).write_all(line.as_bytes()).expect("it never fails");
        log("one0\n");
        let until = Instant::now() + Duration::from_secs(10);
        // The thread has it, and is stuck with it.
        while !written.shared.state().lines.is_empty() {
            assert!(Instant::now() < until, "the thread does not come");
            thread::yield_now();
        }
        let begun = Instant::now();
        (0..30).for_each(|n| log(&format!("{n:04}\n")));
        assert!(begun.elapsed() < Duration::from_millis(500), "it waited");
        assert_eq!(written.shared.state().lost, 20, "ten fit in");
        go.send(()).expect("it is there");
        assert_eq!(lines.recv().expect("a line"), b"one0\n");
        go.send(()).expect("it is there");
        let rest = lines.recv().expect("the lines that fit in");
        assert_eq!(count(&rest), 10);
        assert!(rest.starts_with(b"0000\n0001\n"));
    }

    #[test]
    fn what_is_left_is_written_at_the_end_and_a_reader_that_is_gone_holds_up_nobody() {
        let (go, may_go) = channel();
        let (taken, lines) = channel();
        let (to, written) = start(Slow(may_go, taken), 1000).expect("a thread");
        go.send(()).expect("it is there");
        go.send(()).expect("it is there");
        (&to).write_all(b"first\n").expect("it never fails");
        (&to).write_all(b"last\n").expect("it never fails");
        drop(written);
        let all: Vec<_> = lines.try_iter().flatten().collect();
        assert_eq!(all, b"first\nlast\n");

        let (_go, may_go) = channel();
        let (to, written) = start(Slow(may_go, channel().0), 1000).expect("a thread");
        (&to).write_all(b"never\n").expect("it never fails");
        let begun = Instant::now();
        drop(written);
        assert!(begun.elapsed() < 3 * PATIENCE);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let (go, may_go) = channel();
        drop(go);
        let (to, written) = start(Slow(may_go, channel().0), 1000).expect("a thread");
        (&to).write_all(b"one\n").expect("it never fails");
        let until = Instant::now() + Duration::from_secs(10);
        while written.shared.state().lost == 0 {
            assert!(Instant::now() < until, "it is not counted");
            thread::yield_now();
        }
        assert_eq!(written.shared.state().lost, 1);
    }
}
