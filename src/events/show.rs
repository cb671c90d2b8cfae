//! One event, by its workflow's id or its own.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};
use webhook_core::outcome::Execution;

use super::filter::{Filter, MAX_LIMIT};
use super::item::{Item, label};
use super::{Error, Events};
use crate::temporal::visibility::{Info, Visibility};

/// An event as it stands.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// What it is, and where.
    #[serde(flatten)]
    pub item: Item,
    /// What Temporal finds it by.
    pub search_attributes: Map<String, Value>,
    /// Others with the same id: runs and workflows of other sources.
    pub others: Vec<Execution>,
}

/// The workflow of this id, or the newest of those that were started with the event of this id; without a
/// run's id the newest run. `None`: there is none that was started by us; or an id that is written otherwise
/// in its workflow's (`a%3Ab`) is farther back than a page's memos.
///
/// # Errors
/// What Temporal says.
pub async fn shown<V: Visibility>(
    events: &Events<'_, V>,
    id: &str,
    run_id: &str,
) -> Result<Option<Shown>, Error> {
    let named = Execution {
        workflow_id: id.to_owned(),
        run_id: run_id.to_owned(),
    };
    let item = |info: &Info| Item::of(info, events.codec, &events.place);
    if let Some(info) = events.store.info(&named).await?
        && let Some(item) = item(&info)
    {
        return Ok(Some(Shown::new(&info, item, Vec::new())));
    }
    let mut workflows = Vec::new();
    if let Some(condition) = events.scope.of_event(id) {
        let listed = events.store.list(&condition, MOST, Vec::new()).await?;
        workflows = listed.workflows;
    }
    if workflows.is_empty() {
        workflows = with_memo(events, id).await?;
    }
    let mut found: Vec<_> = workflows
        .iter()
        .filter(|info| run_id.is_empty() || info.execution.run_id == run_id)
        .filter_map(|info| Some((info, item(info)?)))
        .collect();
    found.sort_by_cached_key(|(_, item)| item.position());
    let Some((info, item)) = found.pop() else {
        return Ok(None);
    };
    let others = found.iter().map(|(info, _)| info.execution.clone());
    Ok(Some(Shown::new(info, item, others.collect())))
}

/// The workflows whose memo names this event: a template may write its id otherwise, or not at all.
async fn with_memo<V: Visibility>(events: &Events<'_, V>, id: &str) -> Result<Vec<Info>, Error> {
    let filter = Filter {
        text: Some(id.to_owned()),
        limit: MAX_LIMIT,
        ..Filter::default()
    };
    let page = events.page(&filter, SystemTime::now()).await?;
    let is_it = |item: &&Item| item.event_id.as_deref() == Some(&*label(id));
    let mut found = Vec::new();
    for item in page.items.iter().filter(is_it).take(SEVERAL) {
        let execution = Execution {
            workflow_id: item.workflow_id.clone(),
            run_id: item.run_id.clone(),
        };
        found.extend(events.store.info(&execution).await?);
    }
    Ok(found)
}

impl Shown {
    fn new(info: &Info, item: Item, others: Vec<Execution>) -> Self {
        let fields = info.search_attributes.iter();
        let attributes = fields.filter_map(|(name, payload)| {
            let value = serde_json::from_slice(&payload.data).ok()?;
            Some((name.clone(), value))
        });
        Self {
            search_attributes: attributes.collect(),
            item,
            others,
        }
    }
}

/// Workflows that one event's id may name.
const MOST: i32 = 20;
/// Of those that a memo named: each costs a call.
const SEVERAL: usize = 5;
