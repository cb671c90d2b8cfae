//! A dead letter by its workflow's id, or by its event's.

use std::time::SystemTime;

use anyhow::anyhow;
use webhook_core::dead_letter::WORKFLOW_TYPE;

use super::list::plain;
use crate::commands::Failure;
use crate::commands::connected::Connected;
use crate::events::filter::Filter;
use crate::events::item::Item;
use crate::events::show::shown;

/// The dead letter of this id, or of the event of this id.
///
/// # Errors
/// There is none.
pub(in crate::commands) async fn letter(connected: &Connected, id: &str) -> Result<Item, Failure> {
    let events = connected.events();
    let found = shown(&events, id, "").await;
    let found = found.map_err(|error| anyhow!("{}: {error}", plain(id)))?;
    if let Some(found) = &found
        && found.item.workflow_type == WORKFLOW_TYPE
    {
        return Ok(found.item.clone());
    }
    // Beside the workflow that the event started once the route was mended.
    let filter = Filter {
        text: Some(id.to_owned()),
        status: None,
        ..Filter::open_dead_letters()
    };
    let page = events.page(&filter, SystemTime::now()).await?;
    let mut letters = page.items.into_iter();
    let letter = letters.find(|item| item.event_id.as_deref() == Some(id));
    letter.ok_or_else(|| {
        let id = plain(id);
        let text = match found {
            Some(found) => format!(
                "{id}: it is no dead letter but the workflow {} of the type {}: `replay --workflow-id` starts it again",
                plain(&found.item.workflow_id), plain(&found.item.workflow_type)
            ),
            None => format!(
                "{id}: there is no such dead letter, or Temporal has forgotten it: `dead-letters` lists them"
            ),
        };
        anyhow!(text).into()
    })
}
