//! OpenTelemetry's variables: whether there is a collector to send traces to, and whether they say what can be
//! done. What they say is read by its SDK.

use super::{Environment, Mistake, text};

/// Whether traces are sent: if a collector is named, and nothing switches them off.
pub(super) fn wanted(environment: &dyn Environment, mistakes: &mut Vec<Mistake>) -> bool {
    let var = |name: &str| text(environment, name).filter(|value| !value.trim().is_empty());
    let is_off = var("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let of_traces = ENDPOINTS.iter().find_map(|name| Some((*name, var(name)?)));
    let Some((name, endpoint)) = of_traces.filter(|_| !is_off) else {
        return false;
    };
    match var(EXPORTER).as_deref() {
        None | Some("otlp") => {}
        Some("none") => return false,
        Some(other) => mistakes.push(Mistake::new(
            EXPORTER,
            format!("{other:?}: expected otlp or none"),
        )),
    }
    let is_url = endpoint.starts_with("http://") || endpoint.starts_with("https://");
    if !is_url || endpoint.parse::<http::Uri>().is_err() {
        let problem = "no URL: expected the collector's, such as \"http://localhost:4318\"";
        mistakes.push(Mistake::new(name, problem));
    }
    if let Some((name, protocol)) = PROTOCOLS.iter().find_map(|it| Some((*it, var(it)?)))
        && protocol != PROTOCOL
    {
        let problem =
            format!("{protocol:?}: expected {PROTOCOL}, which collectors take at port 4318");
        mistakes.push(Mistake::new(name, problem));
    }
    if let Some(sampler) = var(SAMPLER) {
        if !SAMPLERS.contains(&sampler.as_str()) {
            let problem = format!("{sampler:?}: expected one of: {}", SAMPLERS.join(", "));
            mistakes.push(Mistake::new(SAMPLER, problem));
        }
        let ratio = var(SAMPLER_ARG).map(|ratio| ratio.trim().parse::<f64>());
        let is_ratio = |ratio| matches!(ratio, Some(Ok(ratio)) if (0.0..=1.0).contains(&ratio));
        if sampler.ends_with("traceidratio") && !is_ratio(ratio) {
            let problem =
                format!("missing or no ratio, which {sampler} needs: expected 0.0 to 1.0");
            mistakes.push(Mistake::new(SAMPLER_ARG, problem));
        }
    }
    true
}

/// The first that is set counts.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
const PROTOCOLS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const PROTOCOL: &str = "http/protobuf";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Identity;

    struct Variables(&'static [(&'static str, &'static str)]);

    impl Environment for Variables {
        fn var(&self, name: &str) -> Option<Vec<u8>> {
            let found = self.0.iter().find(|(it, _)| *it == name);
            found.map(|(_, value)| value.as_bytes().to_vec())
        }

        fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
            Err("no such file".to_owned())
        }

        fn check_identity(&self, _: &Identity) -> Result<(), String> {
            Ok(())
        }
    }

    #[test]
    fn traces_are_sent_if_a_collector_is_named_and_nothing_says_otherwise() {
        const TO: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for (variables, expected, says) in [
            (&[][..], false, ""),
            (&[("OTEL_SERVICE_NAME", "hooks")], false, ""),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], false, ""),
            (&[TO], true, ""),
            (
                &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c/v1/traces")],
                true,
                "",
            ),
            (&[TO, ("OTEL_SDK_DISABLED", "TRUE")], false, ""),
            (&[TO, ("OTEL_TRACES_EXPORTER", "none")], false, ""),
            (
                &[TO, ("OTEL_TRACES_EXPORTER", "zipkin")],
                true,
                "OTEL_TRACES_EXPORTER: \"zipkin\": expected otlp or none",
            ),
            (
                &[TO, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")],
                true,
                "",
            ),
            (
                &[TO, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
                true,
                "OTEL_EXPORTER_OTLP_PROTOCOL: \"grpc\": expected http/protobuf",
            ),
            (
                &[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")],
                true,
                "OTEL_EXPORTER_OTLP_ENDPOINT: no URL",
            ),
            (
                &[TO, ("OTEL_TRACES_SAMPLER", "sometimes")],
                true,
                "OTEL_TRACES_SAMPLER: \"sometimes\": expected one of: always_on",
            ),
            (
                &[TO, ("OTEL_TRACES_SAMPLER", "traceidratio")],
                true,
                "OTEL_TRACES_SAMPLER_ARG: missing",
            ),
            (
                &[
                    TO,
                    ("OTEL_TRACES_SAMPLER", "traceidratio"),
                    ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
                ],
                true,
                "",
            ),
        ] {
            let mut mistakes = Vec::new();
            assert_eq!(
                wanted(&Variables(variables), &mut mistakes),
                expected,
                "{variables:?}"
            );
            let said = mistakes
                .first()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                said.starts_with(says) && said.is_empty() == says.is_empty(),
                "{said}"
            );
        }
    }
}
