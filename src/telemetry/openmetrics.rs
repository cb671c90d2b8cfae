//! The page of metrics in the format that is asked for: Prometheus' text, which the exporter writes, or
//! OpenMetrics, which is made of it: other names in the heads of counters, no empty lines, an end, and room
//! for exemplars.

use std::collections::BTreeMap;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use super::timing::{Exemplars, exemplars};

/// The page as this `Accept` wants it: its type and its text.
pub fn page(handle: &PrometheusHandle, accept: Option<&str>) -> (&'static str, String) {
    let text = handle.render();
    match accept.is_some_and(prefers_openmetrics) {
        true => (OPENMETRICS, openmetrics(&text, &exemplars())),
        false => (TEXT, text),
    }
}

/// Whether OpenMetrics is named, and no worse than plain text.
fn prefers_openmetrics(accept: &str) -> bool {
    let quality = |kind: &str| {
        let ranges = accept.split(',').map(|range| range.split(';'));
        let named = ranges.filter_map(|mut parts| {
            let is_it = parts.next()?.trim().eq_ignore_ascii_case(kind);
            let q = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok());
            is_it.then(|| q.unwrap_or(1.0))
        });
        named.fold(None, |best: Option<f64>, q| {
            Some(best.map_or(q, |best| best.max(q)))
        })
    };
    let text = quality("text/plain").unwrap_or(0.0);
    quality("application/openmetrics-text").is_some_and(|q| q > 0.0 && q >= text)
}

fn openmetrics(text: &str, exemplars: &BTreeMap<String, Arc<Exemplars>>) -> String {
    let mut page = String::with_capacity(text.len() + 1024);
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some((kind, name, rest)) = head(line) {
            // The family of a counter is named without what its sample ends in.
            let family = name.strip_suffix("_total").unwrap_or(name);
            page.extend(["# ", kind, " ", family, " ", rest, "\n"]);
        } else if let Some((series, bound, count)) = bucket(line) {
            let is_whole = bound.bytes().all(|byte| byte.is_ascii_digit());
            let decimals = if is_whole { ".0" } else { "" };
            page.extend([series, ",le=\"", bound, decimals, "\"} ", count]);
            let exemplars = exemplars.get(series);
            let of_bucket = exemplars.and_then(|exemplars| exemplars.of_bucket(bound));
            page.extend(of_bucket.map(|exemplar| format!(" # {exemplar}")));
            page.push('\n');
        } else {
            page.extend([line, "\n"]);
        }
    }
    page + "# EOF\n"
}

/// `# TYPE name counter`, `# HELP name text`
fn head(line: &str) -> Option<(&str, &str, &str)> {
    let mut words = line.strip_prefix("# ")?.splitn(3, ' ');
    Some((words.next()?, words.next()?, words.next()?))
}

/// `name_bucket{label="value",le="0.5"} 3`: what stands before the bound, the bound, the count.
fn bucket(line: &str) -> Option<(&str, &str, &str)> {
    let (series, rest) = line.split_once(",le=\"")?;
    let (bound, count) = rest.split_once("\"} ")?;
    Some((series, bound, count))
}

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_format_of_the_two_is_given() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            (prometheus, true),
            ("application/openmetrics-text", true),
            (
                "application/openmetrics-text; version=1.0.0, text/plain",
                true,
            ),
            ("text/plain, application/openmetrics-text;q=0.5", false),
            ("application/openmetrics-text;q=0", false),
            ("text/plain;version=0.0.4", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(prefers_openmetrics(accept), expected, "{accept}");
        }
    }
}
