//! Verified events by outcome and, if they are declared, by topic and tenant. What a sender says is a label only
//! if an operator has listed it.

use std::collections::HashMap;
use std::sync::OnceLock;

use metrics::{Counter, Label};
use webhook_core::action::Action;
use webhook_core::event::Event;
use webhook_core::outcome::LABELS;
use webhook_core::source::Source;

use crate::config::file::Metrics;
use crate::config::file::metrics::OTHER;
use crate::telemetry::EVENTS;

/// The topics and tenants that are labels.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    topics: Declared,
    tenants: Declared,
}

impl Labels {
    /// Those that the configuration declares.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            topics: Declared::new(&metrics.topics),
            tenants: Declared::new(&metrics.tenants),
        }
    }
}

/// A list of labels, found by their text; the last is for all others. Empty: there is no such label.
#[derive(Debug, Clone, Default)]
struct Declared {
    labels: Vec<String>,
    indices: HashMap<String, usize>,
}

impl Declared {
    fn new(listed: &[String]) -> Self {
        if listed.is_empty() {
            return Self::default();
        }
        let indices = listed.iter().cloned().zip(0..).collect();
        let labels = listed.iter().cloned().chain([OTHER.to_owned()]).collect();
        Self { labels, indices }
    }

    /// How many values the label has; without one there is a single series.
    fn len(&self) -> usize {
        self.labels.len().max(1)
    }

    fn index(&self, text: Option<&str>) -> usize {
        if self.labels.is_empty() {
            return 0;
        }
        let listed = text.and_then(|text| self.indices.get(text)).copied();
        listed.unwrap_or(self.labels.len() - 1)
    }
}

/// Of one source.
pub(super) struct EventCounters {
    path: String,
    labels: Labels,
    /// By outcome, topic, tenant; each made when it is needed.
    counters: Vec<OnceLock<Counter>>,
}

impl EventCounters {
    /// Those of what the source's routes do begin at 0.
    pub(super) fn new(source: &Source, labels: &Labels) -> Self {
        let each = labels.topics.len() * labels.tenants.len();
        let all = LABELS.len() * each;
        let counters = Self {
            path: source.path.clone(),
            labels: labels.clone(),
            counters: (0..all).map(|_| OnceLock::new()).collect(),
        };
        for route in &source.routes {
            let outcome = usual(route.settings.action);
            if let Some(outcome) = LABELS.iter().position(|label| *label == outcome) {
                (0..each).for_each(|index| _ = counters.counter(outcome * each + index));
            }
        }
        counters
    }

    /// One more with the outcome of this index.
    pub(super) fn count(&self, outcome: usize, event: &Event) {
        let Labels { topics, tenants } = &self.labels;
        let topic = topics.index(event.topic.as_deref());
        let tenant = tenants.index(event.tenant.as_deref());
        let index = (outcome * topics.len() + topic) * tenants.len() + tenant;
        self.counter(index).increment(1);
    }

    fn counter(&self, index: usize) -> &Counter {
        self.counters[index].get_or_init(|| {
            let Labels { topics, tenants } = &self.labels;
            let (rest, tenant) = (index / tenants.len(), index % tenants.len());
            let (outcome, topic) = (rest / topics.len(), rest % topics.len());
            let mut all = vec![
                Label::new("source", self.path.clone()),
                Label::from_static_parts("outcome", LABELS[outcome]),
            ];
            let topic = topics.labels.get(topic).cloned();
            let tenant = tenants.labels.get(tenant).cloned();
            all.extend(topic.map(|topic| Label::new("topic", topic)));
            all.extend(tenant.map(|tenant| Label::new("tenant", tenant)));
            let counter = metrics::counter!(EVENTS, all);
            counter.increment(0);
            counter
        })
    }
}

/// What becomes of an event that takes such a route, if nothing is in its way.
const fn usual(action: Action) -> &'static str {
    match action {
        Action::Start => "started",
        Action::SignalWithStart | Action::Signal => "signalled",
        Action::UpdateWithStart => "updated",
        Action::Drop => "dropped",
    }
}
