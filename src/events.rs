//! What was received, as Temporal has it: events listed, filtered, counted. There is no database of our
//! own; whatever is said here says how it was looked for.

pub mod cursor;
#[cfg(test)]
mod fake;
pub mod filter;
pub mod item;
pub mod query;
pub mod scope;
pub mod show;
pub mod slices;
pub mod stats;

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tonic::{Code, Status};
use webhook_core::codec::Codec;
use webhook_core::dead_letter::WORKFLOW_TYPE;

use self::cursor::{Cursor, Mode, Position};
use self::filter::{Filter, Wrong};
use self::item::{Item, Place};
use self::query::{and, equals};
use self::scope::Scope;
use self::slices::Walk;
use crate::temporal::status;
use crate::temporal::visibility::Visibility;

/// Looks for events.
pub struct Events<'a, V> {
    /// Where they are.
    pub store: &'a V,
    /// Which are ours.
    pub scope: Scope,
    /// Opens memos.
    pub codec: &'a Codec,
    /// Where people look at them.
    pub place: Place,
}

/// Some events, the newest first.
#[derive(Debug, Serialize)]
pub struct Page {
    /// No more than the limit.
    pub items: Vec<Item>,
    /// What gives the next ones; `None`: there are none.
    pub next: Option<String>,
    /// How many there are in all; `None`: to know it, every memo would have to be read.
    pub total: Option<u64>,
    /// How it was looked for.
    pub looked: Looked,
}

/// How events were looked for.
#[derive(Debug, Serialize)]
pub struct Looked {
    /// Who chose them.
    pub by: By,
    /// How many workflows were read for this page.
    pub looked_at: usize,
    /// How many there are to be read in all, on this page and on others.
    pub of: u64,
    /// Whether the page is full, or all that there is. If not, it ended where enough was read, and
    /// `next` goes on there.
    pub complete: bool,
}

/// Who chose what is on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Temporal: counts are exact.
    Query,
    /// We, by the memo of each workflow that Temporal listed.
    Memo,
}

/// Why there is no page.
#[derive(Debug)]
pub enum Error {
    /// What was asked for cannot be.
    Wrong(Wrong),
    /// What Temporal says.
    Temporal(Status),
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Temporal(status)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(wrong) => wrong.fmt(f),
            Self::Temporal(error) => write!(f, "Temporal: {}", status::text(error)),
        }
    }
}

/// What is asked of Temporal, and what is left for us to look at.
struct Asked {
    condition: String,
    memo: MemoFilter,
}

/// What memos have to say.
#[derive(Debug, Default)]
struct MemoFilter {
    source: Option<String>,
    topic: Option<String>,
    tenant: Option<String>,
    text: Option<String>,
    /// The query alone does not say which are ours.
    only_ours: bool,
}

impl<V: Visibility> Events<'_, V> {
    /// A page of what the filter lets through; `now` bounds nothing, it is where to begin.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn page(&self, filter: &Filter, now: SystemTime) -> Result<Page, Error> {
        let floor = filter.cursor.as_ref().map_or(filter.since, |c| c.floor);
        let floor = floor.unwrap_or(SystemTime::UNIX_EPOCH);
        let from = match (&filter.cursor, filter.until) {
            (Some(cursor), _) => cursor.at.clone(),
            (None, Some(until)) => Position::after(until),
            (None, None) => Position::after(now + SKEW),
        };
        let mode = self.mode(filter, floor).await?;
        let asked = self.asked(filter, mode)?;
        let by = if asked.memo.is_empty() {
            By::Query
        } else {
            By::Memo
        };
        let whole = query::between(&asked.condition, floor, whole_range(filter, now));
        let of = count(self.store, &whole, filter).await?;
        let (skip, limit) = (filter.offset, filter.limit);
        let mut walk = Walk::new(self.store, asked.condition, floor, from, now);
        let (mut items, mut skipped) = (Vec::new(), 0);
        let mut matching = 0_u64;
        while walk.looked_at() < BUDGET {
            let want = match by {
                By::Query => skip + limit - skipped - items.len(),
                By::Memo => BUDGET,
            };
            let Some(slice) = walk.next(want + 1).await? else {
                break;
            };
            for (number, info) in slice.into_iter().enumerate() {
                breathe(number).await;
                let Some(item) = Item::of(&info, self.codec, &self.place) else {
                    continue;
                };
                if !asked.memo.takes(&item) {
                    continue;
                }
                matching += 1;
                if skipped < skip {
                    skipped += 1;
                } else {
                    items.push(item);
                }
            }
            if items.len() > limit {
                break;
            }
        }
        let is_over = walk.is_over();
        let at = if items.len() > limit {
            items.truncate(limit);
            items.last().map(Item::position)
        } else {
            (!is_over).then(|| walk.position())
        };
        let complete = items.len() == limit || is_over;
        let total = match by {
            By::Query => Some(of),
            By::Memo => (filter.cursor.is_none() && is_over).then_some(matching),
        };
        Ok(Page {
            next: at.map(|at| {
                let floor = filter.cursor.as_ref().map_or(filter.since, |c| c.floor);
                Cursor { at, floor, mode }.encode()
            }),
            looked: Looked {
                by,
                looked_at: walk.looked_at(),
                of,
                complete,
            },
            items,
            total,
        })
    }

    /// Whether a text is the beginning of some id or type: then Temporal finds all of them. Else it may
    /// stand in a memo.
    async fn mode(&self, filter: &Filter, floor: SystemTime) -> Result<Mode, Error> {
        if let Some(cursor) = &filter.cursor {
            return Ok(cursor.mode);
        }
        let Some(text) = &filter.text else {
            return Ok(Mode::Query);
        };
        let Some(begins) = self.scope.begins_with(text) else {
            return Ok(Mode::Memo);
        };
        let mut without = filter.clone();
        without.text = None;
        let asked = self.asked(&without, Mode::Query)?;
        let condition = and(&[&asked.condition, &begins]);
        let far = filter.until.unwrap_or_else(|| SystemTime::now() + SKEW);
        let found = count(self.store, &query::between(&condition, floor, far), filter).await?;
        Ok(if found > 0 { Mode::Query } else { Mode::Memo })
    }

    fn asked(&self, filter: &Filter, mode: Mode) -> Result<Asked, Error> {
        let mut memo = MemoFilter::default();
        let mut conditions = Vec::new();
        if filter.dead_letters {
            conditions.extend(equals("WorkflowType", WORKFLOW_TYPE));
        } else if filter.query.is_some() {
            memo.only_ours = true;
        } else {
            let ours = self.scope.ours();
            memo.only_ours = ours.is_none();
            conditions.extend(ours);
        }
        conditions.extend(filter.query.as_ref().map(|raw| format!("({raw})")));
        let status = filter.status;
        conditions.extend(status.and_then(|status| equals("ExecutionStatus", status)));
        if let Some(name) = &filter.source {
            let path = self.scope.path(name)?;
            match self.scope.of_source(path) {
                Some(condition) => conditions.push(condition),
                None => memo.source = Some(path.to_owned()),
            }
        }
        let topic = filter.topic.as_deref();
        match topic.map(|topic| (topic, self.scope.with_topic(topic))) {
            Some((_, Some(condition))) => conditions.push(condition),
            Some((topic, None)) => memo.topic = Some(topic.to_owned()),
            None => {}
        }
        let tenant = filter.tenant.as_deref();
        match tenant.map(|tenant| (tenant, self.scope.with_tenant(tenant))) {
            Some((_, Some(condition))) => conditions.push(condition),
            Some((tenant, None)) => memo.tenant = Some(tenant.to_owned()),
            None => {}
        }
        match (mode, &filter.text) {
            (Mode::Query, Some(text)) => conditions.extend(self.scope.begins_with(text)),
            (Mode::Memo, Some(text)) => memo.text = Some(text.to_lowercase()),
            (_, None) => {}
        }
        let conditions: Vec<_> = conditions.iter().map(String::as_str).collect();
        Ok(Asked {
            condition: and(&conditions),
            memo,
        })
    }
}

impl MemoFilter {
    const fn is_empty(&self) -> bool {
        let Self {
            source,
            topic,
            tenant,
            text,
            only_ours,
        } = self;
        source.is_none() && topic.is_none() && tenant.is_none() && text.is_none() && !*only_ours
    }

    fn takes(&self, item: &Item) -> bool {
        let is = |wanted: &Option<String>, found: &Option<String>| {
            (wanted.as_deref()).is_none_or(|wanted| found.as_deref() == Some(&*item::label(wanted)))
        };
        is(&self.source, &item.source)
            && is(&self.topic, &item.topic)
            && is(&self.tenant, &item.tenant)
            && self.text.as_ref().is_none_or(|text| item.says(text))
    }
}

async fn count(store: &impl Visibility, query: &str, filter: &Filter) -> Result<u64, Error> {
    store.count(query).await.map_err(|error| {
        // Ours are good; what is wrong is what was given.
        let given = match (&filter.query, filter.status) {
            (Some(_), _) => "query",
            // Older servers pause no workflows.
            (None, Some(_)) => "status",
            (None, None) => return error.into(),
        };
        if error.code() == Code::InvalidArgument {
            let why = format!("Temporal does not take it: {}", status::text(&error));
            return Wrong::new(given, why).into();
        }
        error.into()
    })
}

/// What decrypts memos lets others go on now and then.
async fn breathe(number: usize) {
    if number.is_multiple_of(BREATH) {
        tokio::task::yield_now().await;
    }
}

fn whole_range(filter: &Filter, now: SystemTime) -> SystemTime {
    filter.until.unwrap_or(now + SKEW)
}

/// How far Temporal's clock may be before ours.
const SKEW: Duration = Duration::from_secs(600);
/// Memos that are decrypted at a stretch.
const BREATH: usize = 50;
/// Workflows that are read for one page, at most; the last slice may bring it over.
const BUDGET: usize = 5000;

#[cfg(test)]
mod tests;
