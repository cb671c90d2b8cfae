//! `/health/live` and `/health/ready`: as on the public listener, with the reasons in full.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use super::Admin;
use crate::forward::answer::Answer;
use crate::forward::pages::{LIVE, READY};
use crate::temporal::Temporal;

pub(super) fn router<T: Temporal>() -> Router<Arc<Admin<T>>> {
    Router::new()
        .route(LIVE, get(live::<T>))
        .route(READY, get(ready::<T>))
}

async fn live<T: Temporal>(State(admin): State<Arc<Admin<T>>>) -> Answer {
    admin.forwarder.pages.live()
}

async fn ready<T: Temporal>(State(admin): State<Arc<Admin<T>>>) -> Answer {
    admin.forwarder.pages.ready_in_detail().await
}
