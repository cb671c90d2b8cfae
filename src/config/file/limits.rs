//! `rate_limit` and `cors_origins` of a source, `block` of `[server]`, as the person wrote them.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use http::Uri;
use serde::Deserialize;
use webhook_core::limit::{Block, Counted, Rate, RateLimit};
use webhook_core::provider::values::Span;

use crate::config::reader::{Reader, Section};

/// `{ per_second, per_minute, per_hour, burst, key }`
pub(super) fn rate_limit<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Option<RateLimit> {
    let before = r.count();
    let mut s = s.table(r, "rate_limit")?;
    let at_burst = s.at("burst");
    let mut rates: Vec<Rate> = Vec::new();
    for (name, per) in PERIODS {
        let at = s.at(name);
        let Some(Number(number)) = s.take(r, name) else {
            continue;
        };
        if let Some(shorter) = rates.last().filter(|shorter| shorter.number > number) {
            let problem = format!(
                "less than {} = {}, which would never be reached: expected {1} or more",
                shorter.name, shorter.number
            );
            r.mistake(at, &s.full(name), &problem);
        }
        rates.push(Rate {
            name,
            per,
            number,
            burst: number,
        });
    }
    let burst = s.take(r, "burst").map(|Number(number)| number);
    let counted = s.take(r, "key").map(|Key(counted)| counted);
    match (burst, rates.as_mut_slice()) {
        (Some(burst), [_, longer, ..]) if burst > longer.number => {
            let problem = format!(
                "more than {} = {}, which would refuse them: expected {1} or less",
                longer.name, longer.number
            );
            r.mistake(at_burst, &s.full("burst"), &problem);
        }
        (Some(burst), [shortest, ..]) => shortest.burst = burst,
        _ => {}
    }
    if rates.is_empty() && r.count() == before {
        r.mistake(s.start(), s.place(), NO_RATE);
    }
    s.finish(r);
    (!rates.is_empty()).then(|| RateLimit {
        rates,
        counted: counted.unwrap_or(Counted::Together),
    })
}

/// `{ bad_signatures, within, for }`
pub(super) fn block<'t>(r: &mut Reader<'t>, s: &mut Section<'t>) -> Option<Block> {
    let mut s = s.table(r, "block")?;
    let number = s.require(r, "bad_signatures", "how many block an address, such as 20");
    let within = s.require(r, "within", "a duration such as \"1m\"");
    let lasts = s.require(r, "for", "a duration such as \"10m\"");
    s.finish(r);
    Some(Block {
        bad_signatures: number.map(|Number(number)| number.get())?,
        within: within.map(|Pause(span)| span)?,
        lasts: lasts.map(|Pause(span)| span)?,
    })
}

/// How many of something.
#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Number(NonZeroU32);

impl TryFrom<i64> for Number {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let fits = u32::try_from(number).ok().and_then(NonZeroU32::new);
        fits.filter(|number| number.get() <= MOST)
            .map(Self)
            .ok_or_else(|| format!("{number}: expected 1 to {MOST}"))
    }
}

/// Who is counted by himself.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Key(Counted);

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Counted::by(&text).map(Self)
    }
}

/// How long bad signatures are counted, and how long an address is blocked.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Span")]
struct Pause(Duration);

impl TryFrom<Span> for Pause {
    type Error = &'static str;

    fn try_from(Span(span): Span) -> Result<Self, &'static str> {
        let fits = PAUSES.contains(&span);
        fits.then_some(Self(span))
            .ok_or("expected \"1s\" to \"24h\"")
    }
}

/// Whence a page may be, exactly as a browser says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin(pub String);

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let is_host = |rest: &str| {
            let uri = rest.parse::<Uri>();
            let authority = uri.ok().and_then(|uri| uri.into_parts().authority);
            authority.is_some_and(|it| it.as_str() == rest && !rest.contains('@'))
        };
        // A browser leaves the scheme's own port out, and writes names in small letters.
        let own_port = (text.starts_with("https:") && text.ends_with(":443"))
            || (text.starts_with("http:") && text.ends_with(":80"));
        let is_plain = !text.bytes().any(|b| b.is_ascii_uppercase()) && !own_port;
        if rest.is_some_and(is_host) && is_plain {
            return Ok(Self(text));
        }
        Err(format!(
            "{text:?}: expected an origin as a browser writes it, without path, \"*\" and the scheme's own port, such as \"https://app.example.com\""
        ))
    }
}

const PERIODS: [(&str, Duration); 3] = [
    ("per_second", Duration::from_secs(1)),
    ("per_minute", Duration::from_secs(60)),
    ("per_hour", Duration::from_secs(60 * 60)),
];
const MOST: u32 = 1_000_000;
const PAUSES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
const NO_RATE: &str = "no rate: expected per_second, per_minute or per_hour, such as rate_limit = { per_minute = 600 }";
