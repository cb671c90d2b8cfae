//! How many events there are: in all, by state, source, topic and tenant, and when. What Temporal can count
//! is exact; the rest is counted in the memos of the newest, and says so.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;
use tonic::Status;
use webhook_core::dead_letter::WORKFLOW_TYPE;

use super::cursor::Position;
use super::item::{self, Item};
use super::query::{and, between, equals};
use super::slices::Walk;
use super::{By, Events, SKEW, breathe};
use crate::temporal::visibility::{PAGE, Visibility};

/// All counts.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// When they were counted.
    #[serde(serialize_with = "item::rfc3339")]
    pub as_of: SystemTime,
    /// Events in all; `None`: no query says which workflows are ours.
    pub total: Option<u64>,
    /// By the state of their workflows.
    pub by_status: BTreeMap<String, u64>,
    /// By the path of their source.
    pub by_source: Counts,
    /// By topic, of those that are declared.
    pub by_topic: Counts,
    /// By tenant, of those that are declared.
    pub by_tenant: Counts,
    /// Dead letters that wait for a person.
    pub dead_letters_open: u64,
    /// When the first of those that Temporal remembers was started.
    #[serde(serialize_with = "item::rfc3339_or_null")]
    pub first_event: Option<SystemTime>,
    /// And the last.
    #[serde(serialize_with = "item::rfc3339_or_null")]
    pub last_event: Option<SystemTime>,
    /// Started within the last minute.
    pub last_minute: u64,
    /// Within the last hour.
    pub last_hour: u64,
    /// Within the last day.
    pub last_day: u64,
}

/// Counts by a label.
#[derive(Debug, Default, Serialize)]
pub struct Counts {
    /// By label.
    pub counts: BTreeMap<String, u64>,
    /// Who counted.
    pub by: Option<By>,
    /// By memo: how many workflows were read, the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<usize>,
    /// Whether that is all of them.
    pub complete: bool,
}

/// The labels that are counted for themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Declared<'a> {
    /// Topics.
    pub topics: &'a [String],
    /// Tenants.
    pub tenants: &'a [String],
}

/// What memos say, of the newest.
struct Tally {
    sources: BTreeMap<String, u64>,
    topics: BTreeMap<String, u64>,
    tenants: BTreeMap<String, u64>,
    ours: u64,
    last: Option<SystemTime>,
    looked_at: usize,
    complete: bool,
}

impl<V: Visibility> Events<'_, V> {
    /// Counts.
    ///
    /// # Errors
    /// What Temporal says.
    pub async fn stats(&self, declared: Declared<'_>, now: SystemTime) -> Result<Stats, Status> {
        let ours = self.scope.ours();
        let base = ours.clone().unwrap_or_default();
        let by_query = |labels: Vec<(String, Option<String>)>| -> Option<Vec<(String, String)>> {
            let all = labels.into_iter();
            all.map(|(label, condition)| Some((label, condition?)))
                .collect()
        };
        let sources = self.scope.sources().map(|(_, path)| path.to_owned());
        let sources = sources.map(|path| (path.clone(), self.scope.of_source(&path)));
        let topics = declared.topics.iter();
        let topics = topics.map(|topic| (topic.clone(), self.scope.with_topic(topic)));
        let tenants = declared.tenants.iter();
        let tenants = tenants.map(|tenant| (tenant.clone(), self.scope.with_tenant(tenant)));
        let [sources, topics, tenants] = [
            by_query(sources.collect()),
            by_query(topics.collect()),
            by_query(tenants.collect()),
        ];
        let all_by_query =
            ours.is_some() && sources.is_some() && topics.is_some() && tenants.is_some();
        let budget = if all_by_query { 1 } else { BUDGET };
        let tally = self.tally(&base, declared, now, budget).await?;
        let counts = |conditions: Option<Vec<(String, String)>>,
                      tallied: &BTreeMap<String, u64>| {
            let tallied = Counts {
                counts: tallied.clone(),
                by: Some(By::Memo),
                looked_at: Some(tally.looked_at),
                complete: tally.complete,
            };
            async move {
                match conditions {
                    Some(conditions) => self.counted(conditions).await,
                    None => Ok(tallied),
                }
            }
        };
        let within = async |seconds| {
            let from = now - Duration::from_secs(seconds);
            self.store.count(&between(&base, from, now + SKEW)).await
        };
        let every = between(&base, SystemTime::UNIX_EPOCH, now + SKEW);
        let total = match ours {
            Some(_) => Some(self.store.count(&every).await?),
            None => tally.complete.then_some(tally.ours),
        };
        let open = [
            equals("WorkflowType", WORKFLOW_TYPE).unwrap_or_default(),
            equals("ExecutionStatus", "Running").unwrap_or_default(),
        ];
        Ok(Stats {
            as_of: now,
            total,
            by_status: self.store.count_by_status(&every).await?,
            by_source: counts(sources, &tally.sources).await?,
            by_topic: counts(topics, &tally.topics).await?,
            by_tenant: counts(tenants, &tally.tenants).await?,
            dead_letters_open: self.store.count(&and(&[&open[0], &open[1]])).await?,
            first_event: match tally.last {
                Some(_) => self.first(&base, now).await?,
                None => None,
            },
            last_event: tally.last,
            last_minute: within(60).await?,
            last_hour: within(3600).await?,
            last_day: within(24 * 3600).await?,
        })
    }

    async fn counted(&self, conditions: Vec<(String, String)>) -> Result<Counts, Status> {
        let each = conditions.into_iter().map(|(label, condition)| async move {
            let count = self.store.count(&condition).await?;
            Ok::<_, Status>((label, count))
        });
        let counts: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
        Ok(Counts {
            counts: counts.into_iter().collect::<Result<_, _>>()?,
            by: Some(By::Query),
            looked_at: None,
            complete: true,
        })
    }

    /// In the memos of the newest.
    async fn tally(
        &self,
        base: &str,
        declared: Declared<'_>,
        now: SystemTime,
        budget: usize,
    ) -> Result<Tally, Status> {
        let from = Position::after(now + SKEW);
        let floor = SystemTime::UNIX_EPOCH;
        let mut walk = Walk::new(self.store, base.to_owned(), floor, from, now);
        let zeros = |labels: &[String]| labels.iter().map(|label| (label.clone(), 0)).collect();
        let sources = self.scope.sources().map(|(_, path)| (path.to_owned(), 0));
        let mut tally = Tally {
            sources: sources.collect(),
            topics: zeros(declared.topics),
            tenants: zeros(declared.tenants),
            ours: 0,
            last: None,
            looked_at: 0,
            complete: false,
        };
        while walk.looked_at() < budget
            && let Some(slice) = walk.next(budget).await?
        {
            for (number, info) in slice.iter().enumerate() {
                breathe(number).await;
                let Some(item) = Item::of(info, self.codec, &self.place) else {
                    continue;
                };
                tally.ours += 1;
                tally.last.get_or_insert(item.start_time);
                if let Some(source) = item.source {
                    *tally.sources.entry(source).or_default() += 1;
                }
                count_label(&mut tally.topics, item.topic);
                count_label(&mut tally.tenants, item.tenant);
            }
        }
        tally.looked_at = walk.looked_at();
        tally.complete = walk.is_over();
        Ok(tally)
    }

    /// When the oldest was started: by halves, for the store gives no order.
    async fn first(&self, base: &str, now: SystemTime) -> Result<Option<SystemTime>, Status> {
        let count = async |from, to| self.store.count(&between(base, from, to)).await;
        let (mut from, mut to) = (now, now + SKEW);
        let mut span = Duration::from_secs(60);
        while from > SystemTime::UNIX_EPOCH {
            from = now.checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH);
            from = from.max(SystemTime::UNIX_EPOCH);
            if count(SystemTime::UNIX_EPOCH, from).await? == 0 {
                break;
            }
            to = from;
            span = span.saturating_mul(8);
        }
        let mut left = count(from, to).await?;
        while left > FEW {
            let half = to.duration_since(from).unwrap_or_default() / 2;
            if half < Duration::from_millis(1) {
                break;
            }
            let earlier = count(from, from + half).await?;
            if earlier > 0 {
                (to, left) = (from + half, earlier);
            } else {
                from += half;
            }
        }
        let query = between(base, from, to);
        let listed = self.store.list(&query, PAGE, Vec::new()).await?;
        let listed = listed.workflows.into_iter();
        Ok(listed.map(|info| info.started).min())
    }
}

/// What is not declared counts together, as in the metrics.
fn count_label(counts: &mut BTreeMap<String, u64>, label: Option<String>) {
    let Some(label) = label.filter(|_| !counts.is_empty()) else {
        return;
    };
    match counts.get_mut(&label) {
        Some(count) => *count += 1,
        None => *counts.entry(OTHER.to_owned()).or_default() += 1,
    }
}

/// All that are not declared.
const OTHER: &str = "other";
/// Workflows whose memos are read.
const BUDGET: usize = 2000;
/// Questions at once.
const AT_ONCE: usize = 8;
/// Workflows that are listed to find the oldest of them.
const FEW: u64 = 100;
