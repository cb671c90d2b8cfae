//! The settings in use: since when, what is odd about them, and what the last reload did.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::cli::ServeArgs;
use crate::config::Mistake;
use crate::forward::journal::entry::time;

/// What is known of them, for the pages.
pub struct Configuration {
    /// The configuration file, if there is one.
    file: Option<String>,
    state: Mutex<State>,
}

struct State {
    /// When those in use were read.
    since: SystemTime,
    warnings: Vec<String>,
    last_reload: Option<(SystemTime, Reloaded)>,
}

/// What a reload did.
enum Reloaded {
    /// The new settings are in use.
    Taken {
        changed: String,
        /// Some of it only after a restart.
        needs_restart: bool,
    },
    /// Those before stay.
    Refused(Vec<String>),
}

impl Configuration {
    /// Of the start.
    pub fn new(args: &ServeArgs, warnings: &[Mistake]) -> Self {
        Self {
            file: (args.config.as_ref()).map(|file| file.display().to_string()),
            state: Mutex::new(State {
                since: SystemTime::now(),
                warnings: texts(warnings),
                last_reload: None,
            }),
        }
    }

    /// New settings are in use.
    pub fn taken(&self, changed: &str, needs_restart: bool, warnings: &[Mistake]) {
        let now = SystemTime::now();
        let changed = changed.to_owned();
        self.change(|state| {
            state.since = now;
            state.warnings = texts(warnings);
            let reloaded = Reloaded::Taken {
                changed,
                needs_restart,
            };
            state.last_reload = Some((now, reloaded));
        });
    }

    /// New settings are bad.
    pub fn refused(&self, mistakes: &[Mistake]) {
        let reloaded = Reloaded::Refused(texts(mistakes));
        self.change(|state| state.last_reload = Some((SystemTime::now(), reloaded)));
    }

    /// For the pages.
    pub(super) fn json(&self) -> Value {
        self.change(|state| {
            let last = state.last_reload.as_ref().map(|(at, reloaded)| {
                let mut json = match reloaded {
                    Reloaded::Taken {
                        changed,
                        needs_restart,
                    } => {
                        json!({ "ok": true, "changed": changed, "needs_restart": needs_restart })
                    }
                    Reloaded::Refused(mistakes) => json!({ "ok": false, "mistakes": mistakes }),
                };
                json["at"] = json!(time(*at));
                json
            });
            json!({
                "file": self.file,
                "in_use_since": time(state.since),
                "warnings": state.warnings,
                "last_reload": last,
            })
        })
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn texts(mistakes: &[Mistake]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}
