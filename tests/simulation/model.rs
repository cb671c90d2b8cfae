//! A model of Temporal: what it keeps of workflows, signals and updates, and what it takes twice. Held to the
//! real server by `table.rs`.

mod rpc;
mod run;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use self::rpc::{NAMESPACE, Said};
use self::run::Run;
use super::random::Random;

/// One namespace.
#[derive(Debug)]
pub(crate) struct Model {
    rules: Rules,
    random: Random,
    now: Instant,
    kept: Kept,
    /// As it was, for a fail-over that brings it back.
    replica: Option<Kept>,
    /// Everything that was ever stored, by the mark of its event.
    facts: BTreeMap<String, Vec<Fact>>,
    /// What should never be.
    pub(crate) wrongs: Vec<String>,
}

/// What is drawn of a namespace.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// How long a closed run is remembered.
    pub(crate) retention: Duration,
    /// Of one run.
    pub(crate) max_signals: usize,
    /// How long runs take; `None`: until they are terminated.
    pub(crate) lives: Option<(Duration, Duration)>,
    /// How long a worker takes to accept an update, at most; `None`: there is no worker.
    pub(crate) accepts: Option<Duration>,
    /// How long it then works on it, at most.
    pub(crate) works: Duration,
    /// When workers are there again: nothing is accepted before.
    pub(crate) workers_from: Option<Instant>,
}

/// What a fail-over may take back.
#[derive(Debug, Clone, Default)]
struct Kept {
    /// The runs of each workflow id, the newest last.
    workflows: BTreeMap<String, Vec<Run>>,
}

/// Something that was stored for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) what: What,
    pub(crate) workflow_id: String,
    pub(crate) run_id: String,
    pub(crate) fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Started,
    Parked,
    Signalled,
    Updated,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    /// A fail-over took it back.
    RolledBack,
    /// Its run was closed for longer than the namespace remembers.
    Forgotten,
}

impl Model {
    pub(crate) fn new(rules: Rules, random: Random) -> Self {
        Self {
            rules,
            random,
            now: Instant::now(),
            kept: Kept::default(),
            replica: None,
            facts: BTreeMap::new(),
            wrongs: Vec::new(),
        }
    }

    /// Whatever happens by itself until now: runs close and are forgotten, updates are accepted.
    fn settle(&mut self) {
        self.now = Instant::now();
        let (now, retention) = (self.now, self.rules.retention);
        let mut accepted = Vec::new();
        for (id, runs) in &mut self.kept.workflows {
            for run in &mut *runs {
                for update in &mut run.updates {
                    if update.is_due(now, run.closes) {
                        update.is_noted = true;
                        accepted.push((id.clone(), run.run_id.clone(), update.mark.clone()));
                    }
                }
            }
            runs.retain(|run| {
                let is_over = run.closes.is_some_and(|at| at + retention <= now);
                if is_over {
                    let facts = self.facts.values_mut().flatten();
                    facts
                        .filter(|fact| fact.run_id == run.run_id && fact.fate == Fate::Kept)
                        .for_each(|fact| fact.fate = Fate::Forgotten);
                }
                !is_over
            });
        }
        self.kept.workflows.retain(|_, runs| !runs.is_empty());
        for (workflow_id, run_id, mark) in accepted {
            self.note(mark, What::Updated, &workflow_id, &run_id);
        }
    }

    /// Writes down what was stored, and whether it should have been.
    fn note(&mut self, mark: Option<String>, what: What, workflow_id: &str, run_id: &str) {
        let Some(mark) = mark else { return };
        let facts = self.facts.entry(mark.clone()).or_default();
        let mut before = facts.iter().filter(|fact| {
            let same = match what {
                // Of the event, wherever.
                What::Started | What::Parked => true,
                // Each run may have it once.
                What::Signalled | What::Updated => fact.run_id == run_id,
            };
            fact.fate == Fate::Kept && fact.what == what && same
        });
        if let Some(before) = before.next() {
            let Fact {
                workflow_id: id, ..
            } = before;
            self.wrongs.push(format!(
                "once: {mark} is {what:?} twice: in {id:?} {}, and in {workflow_id:?} {run_id}",
                before.run_id
            ));
        }
        facts.push(Fact {
            what,
            workflow_id: workflow_id.to_owned(),
            run_id: run_id.to_owned(),
            fate: Fate::Kept,
        });
    }

    /// From here on everything may be taken back.
    pub(crate) fn replicate(&mut self) {
        self.settle();
        self.replica = Some(self.kept.clone());
    }

    /// The other cluster takes over, which has not heard of what came last.
    pub(crate) fn fail_over(&mut self) {
        self.settle();
        let Some(replica) = self.replica.take() else {
            return;
        };
        self.kept = replica;
        let kept = &self.kept;
        let holds = |fact: &Fact, mark: &str| {
            let runs = kept.workflows.get(&fact.workflow_id);
            let run = runs.and_then(|runs| runs.iter().find(|run| run.run_id == fact.run_id));
            run.is_some_and(|run| run.holds(fact.what, mark))
        };
        for (mark, facts) in &mut self.facts {
            for fact in facts.iter_mut().filter(|fact| fact.fate == Fate::Kept) {
                if !holds(fact, mark) {
                    fact.fate = Fate::RolledBack;
                }
            }
        }
        self.settle();
    }

    /// What was stored for the event of this mark.
    pub(crate) fn facts(&mut self, mark: &str) -> Vec<Fact> {
        self.settle();
        self.facts.get(mark).cloned().unwrap_or_default()
    }

    /// A workflow that somebody else has started, and that ends then, if ever.
    pub(crate) fn begin(&mut self, workflow_id: &str, closes: Option<Instant>) {
        self.settle();
        let run_id = self.next_run_id();
        let run = Run {
            closes,
            ..Run::new(run_id, "Job".to_owned(), String::new())
        };
        let runs = self.kept.workflows.entry(workflow_id.to_owned());
        runs.or_default().push(run);
    }

    fn next_run_id(&mut self) -> String {
        format!("run-{:016x}", self.random.draw())
    }

    fn lifetime(&mut self) -> Option<Instant> {
        let (least, most) = self.rules.lives?;
        // One in three runs for ever.
        (!self.random.chance(333)).then(|| self.now + self.random.spread(least, most))
    }
}
