//! `check`: whether Temporal remembers a workflow for longer than its sender repeats a delivery.

use webhook_core::provider::locator::Locator;
use webhook_core::provider::repeats::Repeats;
use webhook_core::provider::values::format_duration;
use webhook_core::source::Source;

use super::ask::Namespace;
use super::{Finding, Problem};

/// Whether and how long the sender repeats, and what to do if it does not. A redelivery that comes
/// after Temporal forgot the workflow would start it again.
pub(super) fn finding(source: &Source, namespace: Option<&Namespace<'_>>) -> Finding {
    let (name, repeats) = (&source.provider.name, &source.provider.repeats);
    let text = match repeats {
        Repeats::Never => format!("{name} never repeats a delivery by itself: {BY_HAND}"),
        Repeats::Unknown => format!("whether {name} repeats a delivery by itself is not known"),
        Repeats::For { .. } if !repeats.after_an_answer() => {
            format!("{name} repeats a delivery for {repeats}: what was answered is lost, {BY_HAND}")
        }
        Repeats::For { .. } => format!("{name} repeats a delivery for {repeats}"),
    };
    let Some(namespace) = namespace.filter(|_| has_an_id(source)) else {
        return Ok(text);
    };
    let needed = repeats.span().unwrap_or_default();
    if namespace.retention >= needed {
        return Ok(text);
    }
    Err(Problem::Wrong(format!(
        "{text}, but namespace {} keeps closed workflows for {} only: a late one would start its workflow twice; \
         temporal operator namespace update --namespace {0} --retention {}h raises it",
        namespace.name(),
        format_duration(namespace.retention),
        needed.as_secs().div_ceil(3600)
    )))
}

/// Whether a redelivery is known at all: the time of receipt makes each delivery an event of its
/// own.
fn has_an_id(source: &Source) -> bool {
    source.provider.id.iter().any(|place| !is_unique(place))
}

fn is_unique(place: &Locator) -> bool {
    match place {
        Locator::ReceivedAt => true,
        Locator::Joined(parts) => parts.iter().any(is_unique),
        _ => false,
    }
}

const BY_HAND: &str = "redeliver by hand after an outage";
