//! What `rate_limit` and `[server] block` would lose of a source: whatever its sender does not send again.

use http::StatusCode;
use webhook_core::event::is_own;
use webhook_core::limit::{Block, Counted};
use webhook_core::provider::Provider;
use webhook_core::provider::values::format_duration;

use crate::config::Mistake;
use crate::config::file;

/// What the source does about addresses that sign badly.
pub(super) fn block(
    entry: &file::Source,
    provider: &Provider,
    mistakes: &mut Vec<Mistake>,
) -> Option<Block> {
    let wanted = entry.block.unwrap_or(true) && !entry.danger_accept_unverified;
    let block = entry.block_of_server.clone().filter(|_| wanted)?;
    let lost = not_repeated(provider).or_else(|| {
        let span = provider.repeats.span()?;
        (span <= block.lasts).then(|| {
            let (span, lasts) = (format_duration(span), format_duration(block.lasts));
            format!("repeats a delivery for {span}, and [server] block lasts {lasts}")
        })
    });
    if let Some(why) = lost {
        let key = if entry.places.has("block") {
            "block"
        } else {
            "provider"
        };
        let problem = format!(
            "{} {why}: senders share addresses, and what comes from a blocked one would be lost. Expected block = false here, or no [server] block",
            provider.title
        );
        mistakes.push(Mistake::new(entry.places.of(key), problem));
    }
    Some(block)
}

/// What the operator may not have thought of.
pub(super) fn doubts(entry: &file::Source, provider: &Provider) -> Vec<Mistake> {
    let Some(limit) = &entry.rate_limit else {
        return Vec::new();
    };
    let doubt = |text| Mistake::new(entry.places.of("rate_limit"), text);
    let mut doubts = Vec::new();
    if let Some(why) = not_repeated(provider) {
        let text = format!("{} {why}: what is over the limit is lost", provider.title);
        doubts.push(doubt(text));
    }
    if let Counted::By(key) = &limit.counted {
        let never_there = key
            .headers()
            .filter(|name| !provider.keeps(name) && !is_own(name));
        doubts.extend(never_there.map(|name| {
            doubt(format!(
                "key: headers never has {name:?}: the source does not keep that header, see keep_headers"
            ))
        }));
    }
    doubts
}

/// Why the sender would not come again, as far as is known.
fn not_repeated(provider: &Provider) -> Option<String> {
    let repeats = &provider.repeats;
    if !repeats.after_an_answer() {
        return Some("never repeats what was answered".to_owned());
    }
    let too_many = repeats.repeats(StatusCode::TOO_MANY_REQUESTS);
    (too_many == Some(false)).then(|| "does not repeat what is answered 429".to_owned())
}
