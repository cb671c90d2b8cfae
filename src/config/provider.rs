//! Senders as files have them: the catalogue (`providers/*.toml`, compiled in), and an operator's own
//! (`[source.provider]`), in the same words and read by the same code.

pub mod catalogue;
mod key_url;
pub mod scheme;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::{Method, StatusCode};
use serde::de::IgnoredAny;
use webhook_core::expression::template::Template;
use webhook_core::provider::{IdScope, Provider, default_names, values};

use super::reader::{Reader, Section};

/// Reads a provider's table from the catalogue.
pub fn read<'t>(reader: &mut Reader<'t>, mut section: Section<'t>) -> Provider {
    let name = section
        .require(reader, "name", "the file's name")
        .unwrap_or_default();
    named(reader, section, Some(name))
}

/// Reads an operator's own provider, which may start from another (`extends = "NAME"`); `None`
/// if it has a mistake.
pub fn read_inline<'t>(reader: &mut Reader<'t>, mut section: Section<'t>) -> Option<Provider> {
    let (at, before) = (section.at("extends"), reader.count());
    // What an entry says of its ids is not said of others.
    let has_own_ids = section.has("id") && !section.has("id_scope");
    if let Some(base) = section.take::<String>(reader, "extends") {
        match catalogue::text(&base) {
            Some(text) => section.extend(Reader::new(base, text).1),
            None => {
                let problem = catalogue::unknown(&base);
                reader.mistake(at, &section.full("extends"), &problem);
                // What else it needs may be in the entry that was meant.
                section.extend(Reader::new("generic", catalogue::text("generic")?).1);
            }
        }
    }
    let name = section.take(reader, "name");
    let mut provider = named(reader, section, name);
    if has_own_ids {
        provider.id_scope = IdScope::Sender;
    }
    (reader.count() == before).then_some(provider)
}

fn named<'t>(reader: &mut Reader<'t>, mut section: Section<'t>, name: Option<String>) -> Provider {
    let (queue, workflow_type) = default_names(name.as_deref().unwrap_or_default());
    let name = name.unwrap_or_else(|| "custom".to_owned());
    let schemes = (section.tables(reader, "signature").into_iter())
        .filter_map(|table| scheme::read(reader, table))
        .collect();
    if section.has("retry_window") {
        let (at, key) = (section.at("retry_window"), section.full("retry_window"));
        reader.mistake(at, &key, RENAMED);
        section.take::<IgnoredAny>(reader, "retry_window");
    }
    let template = |text: &str| Template::try_from(text.to_owned()).expect("a template");
    let provider = Provider {
        title: section
            .take(reader, "title")
            .unwrap_or_else(|| name.clone()),
        docs: section.take(reader, "docs"),
        note: section.take(reader, "note"),
        id: section
            .require_list(
                reader,
                "id",
                "the places of the event's id, such as [\"header X-Id\", \"body-sha256\"]",
            )
            .unwrap_or_default(),
        topic: section.take(reader, "topic").unwrap_or_default(),
        tenant: section.take(reader, "tenant").unwrap_or_default(),
        keep_headers: section.take(reader, "keep_headers").unwrap_or_default(),
        task_queue: section
            .take(reader, "task_queue")
            .unwrap_or_else(|| template(&queue)),
        workflow_type: section
            .take(reader, "workflow_type")
            .unwrap_or_else(|| template(&workflow_type)),
        workflow_id: section
            .take(reader, "workflow_id")
            .unwrap_or_else(|| template("{name}:{event_id}")),
        id_scope: section.take(reader, "id_scope").unwrap_or_default(),
        deadline: section
            .take(reader, "deadline")
            .map_or(DEADLINE, |values::Deadline(span)| span),
        repeats: section.take(reader, "repeats").unwrap_or_default(),
        methods: section
            .take(reader, "methods")
            .map_or_else(|| vec![Method::POST], |values::Methods(methods)| methods),
        handshake: section.take(reader, "handshake"),
        success_status: section
            .take(reader, "success_status")
            .map_or(StatusCode::OK, |values::Success(status)| status),
        success_body: section.take(reader, "success_body"),
        content_type: section.take(reader, "content_type"),
        json_fields: section.take(reader, "json_fields").unwrap_or_default(),
        sample: section.take(reader, "sample").unwrap_or_default(),
        samples: section.take(reader, "samples").unwrap_or_default(),
        schemes,
        name,
    };
    section.finish(reader);
    provider
}

const DEADLINE: Duration = Duration::from_secs(4);
const RENAMED: &str = "is repeats now: expected repeats = \"never\" (instead of \"0s\"), a duration such as \"4h\", or { for = \"4h\", on = [\"5xx\", \"429\"] }";
