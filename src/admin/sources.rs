//! `/sources`: who may send, who does, and who has gone silent. No secrets, only the settings they came from.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use webhook_core::source::{Source, Verification};

use super::{Admin, answer, queues};
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new().route(PATH, get(page::<T>))
}

async fn page<T: Temporal>(State(admin): State<Arc<Admin<T>>>) -> Response {
    let (sources, task_queues) = (all(&admin), queues::all(&admin));
    let page = json!({ "sources": sources, "task_queues": task_queues });
    answer::json(StatusCode::OK, &page)
}

/// Each source of the settings in use, and what is known of it.
pub(super) fn all<T: Temporal>(admin: &Admin<T>) -> Value {
    let (settings, now) = (admin.forwarder.settings(), Instant::now());
    let sources = settings.sources.iter().map(|source| {
        let mut json = about(source);
        let counts = admin
            .journal
            .source(&source.path, |counts| counts.json(now));
        json["counts"] = counts.unwrap_or_default();
        json
    });
    sources.collect()
}

/// The counts alone, by path.
pub(super) fn counts<T: Temporal>(admin: &Admin<T>) -> Value {
    let (settings, now) = (admin.forwarder.settings(), Instant::now());
    let counts = settings.sources.iter().filter_map(|source| {
        let counts = admin
            .journal
            .source(&source.path, |counts| counts.json(now));
        Some((source.path.clone(), counts?))
    });
    Value::Object(counts.collect::<Map<_, _>>())
}

fn about(source: &Source) -> Value {
    let (how, secrets): (_, Vec<_>) = match &source.verification {
        Verification::Signature { secrets, .. } => {
            let names = secrets
                .iter()
                .map(|named| json!({ "name": named.name, "tenant": named.tenant }));
            ("signature", names.collect())
        }
        Verification::AddressHandshake { .. } => ("address", Vec::new()),
        Verification::ClientCertificate => ("client-certificate", Vec::new()),
        Verification::DangerUnverified => ("none", Vec::new()),
    };
    let certificate = source.client_certificate.as_ref();
    let capture = source.capture.as_ref();
    json!({
        "name": source.name,
        "path": source.path,
        "provider": { "name": source.provider.name, "title": source.provider.title },
        "verification": how,
        "secrets": secrets,
        "client_certificate": certificate.map(|it| json!({ "subjects": it.subjects })),
        "deadline_seconds": source.provider.deadline.as_secs_f64(),
        "captures": capture.map(|it| json!({ "last": it.last, "bodies": it.bodies })),
    })
}

/// Of the page.
pub(super) const PATH: &str = "/sources";
