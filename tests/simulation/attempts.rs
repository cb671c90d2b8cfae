//! Attempts at starts as they come: what was refused for overload does not come again.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use temporalio_common::protos::temporal::api::workflowservice::v1::StartWorkflowExecutionRequest;

use super::cluster::Cluster;

/// By request id.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    open: BTreeMap<String, usize>,
    /// Temporal has too much to do, and said so of this one.
    refused: BTreeSet<String>,
}

/// One attempt, until it is answered or dropped.
pub(crate) struct Attempt<'c> {
    cluster: &'c Cluster,
    request_id: String,
}

impl<'c> Attempt<'c> {
    pub(crate) fn begin(cluster: &'c Cluster, message: &[u8]) -> Self {
        let start = StartWorkflowExecutionRequest::decode(message).expect("a start");
        let request_id = start.request_id;
        let mut starts = cluster.starts();
        if starts.refused.contains(&request_id) {
            let wrong = format!("no retry on overload: {:?} came again", start.workflow_id);
            cluster.model().wrongs.push(wrong);
        }
        *starts.open.entry(request_id.clone()).or_default() += 1;
        Self {
            cluster,
            request_id,
        }
    }

    /// Another that is open may still be given up, and made anew.
    pub(crate) fn is_refused(&self) {
        let mut starts = self.cluster.starts();
        if starts.open[&self.request_id] == 1 {
            starts.refused.insert(self.request_id.clone());
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut starts = self.cluster.starts();
        let open = starts.open.get_mut(&self.request_id);
        *open.expect("it was counted") -= 1;
    }
}
