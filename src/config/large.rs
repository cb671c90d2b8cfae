//! `[large_payloads]`: where payloads over a threshold are stored, and with whose credentials.

pub mod credentials;

use std::ops::RangeInclusive;

use http::Uri;
use serde::Deserialize;
use webhook_core::provider::values::Size;

use self::credentials::{Credentials, Profile, credentials, variable};
use super::reader::{Places, Reader, Section};
use super::{Environment, Mistake};

/// Where large payloads are stored: a bucket of S3, or of a server that speaks as S3 does.
#[derive(Debug)]
pub struct Large {
    /// The bucket's name.
    pub bucket: String,
    /// The bucket's region.
    pub region: String,
    /// The server's URL, scheme and authority; `None`: AWS.
    pub endpoint: Option<Uri>,
    /// The bucket's name stands in the URL's path, not in its host.
    pub path_style: bool,
    /// A payload of so many bytes or more, encoded, is stored.
    pub threshold: usize,
    /// The name under which workers know the store.
    pub driver_name: String,
    /// Who stores.
    pub credentials: Credentials,
}

/// `[large_payloads]` as written.
#[derive(Debug)]
pub struct Written {
    places: Places,
    bucket: Option<String>,
    region: Option<String>,
    endpoint: Option<Uri>,
    path_style: Option<bool>,
    threshold: Option<usize>,
    driver_name: Option<String>,
}

impl Written {
    pub(super) fn read<'t>(r: &mut Reader<'t>, mut s: Section<'t>) -> Self {
        let written = Self {
            places: r.places(&s),
            bucket: s
                .require(r, "bucket", "the bucket's name")
                .map(|Bucket(name)| name),
            region: s.take(r, "region").map(|Region(name)| name),
            endpoint: s.take(r, "endpoint").map(|Endpoint(url)| url),
            path_style: s.take(r, "path_style"),
            threshold: s.take(r, "threshold").map(|Threshold(bytes)| bytes),
            driver_name: s.take(r, "driver_name").map(|DriverName(name)| name),
        };
        s.finish(r);
        written
    }

    /// What works, but should be otherwise.
    pub(super) fn warning(&self) -> Option<Mistake> {
        let url = self.endpoint.as_ref()?;
        let host = url.host().unwrap_or_default();
        let is_here = host == "localhost" || host.starts_with("127.") || host == "[::1]";
        (url.scheme_str() == Some("http") && !is_here).then(|| {
            let problem =
                "plain HTTP: whoever is on the way can read events that are not encrypted";
            Mistake::new(self.places.of("endpoint"), problem)
        })
    }
}

impl Large {
    /// What was written, with what the environment and AWS' files add.
    pub(super) fn new(
        written: &Written,
        environment: &dyn Environment,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Self> {
        let profile = Profile::read(environment);
        let variable = |name| variable(environment, name);
        let places = &written.places;
        let named = (written.region.clone())
            .or_else(|| variable("AWS_REGION"))
            .or_else(|| variable("AWS_DEFAULT_REGION"))
            .or_else(|| profile.get("region"))
            .or_else(|| places.has("endpoint").then(|| REGION.to_owned()))
            .ok_or_else(|| NO_REGION.to_owned());
        let region = match named.and_then(Region::try_from) {
            Ok(Region(name)) => Some(name),
            // What stands there is wrong: that was said.
            Err(_) if places.has("region") => None,
            Err(problem) => {
                mistakes.push(Mistake::new(places.of("region"), problem));
                None
            }
        };
        let credentials = credentials(&profile, environment)
            .map_err(|mistake| mistakes.push(mistake))
            .ok();
        Some(Self {
            bucket: written.bucket.clone()?,
            region: region?,
            path_style: written
                .path_style
                .unwrap_or_else(|| written.endpoint.is_some()),
            endpoint: written.endpoint.clone(),
            threshold: written.threshold.unwrap_or(THRESHOLD),
            driver_name: (written.driver_name.clone()).unwrap_or_else(|| DRIVER_NAME.to_owned()),
            credentials: credentials?,
        })
    }
}

/// A text that a check lets pass.
macro_rules! checked {
    ($name:ident, $check:expr, $problem:expr) => {
        #[derive(Debug, Deserialize)]
        #[serde(try_from = "String")]
        struct $name(String);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err(format!("{text:?}: {}", $problem))
                }
            }
        }
    };
}

checked!(
    Bucket,
    |name| (3..=63).contains(&name.len()) && is_word(name, "._-"),
    "expected a bucket's name: 3 to 63 letters, digits, \".\", \"-\" and \"_\""
);
checked!(
    Region,
    |name| (1..=63).contains(&name.len()) && is_word(name, "-"),
    "expected a region such as \"eu-central-1\""
);
checked!(
    DriverName,
    |name| (1..=100).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()),
    "expected the name that the workers' driver has, such as \"aws.s3driver\""
);

fn is_word(name: &str, others: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    name.chars().all(good) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// `"https://HOST:PORT"`
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Endpoint(Uri);

impl TryFrom<String> for Endpoint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        // Without the text: a user may hold a secret.
        let url: Uri = text.parse().map_err(|_| ENDPOINT)?;
        let is_web = matches!(url.scheme_str(), Some("http" | "https"));
        let is_bare = url.path() == "/" && url.query().is_none() && !text.contains(['@', '#']);
        (is_web && is_bare).then_some(Self(url)).ok_or(ENDPOINT)
    }
}

/// From which size on payloads are stored.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Size")]
struct Threshold(usize);

impl TryFrom<Size> for Threshold {
    type Error = &'static str;

    fn try_from(Size(bytes): Size) -> Result<Self, &'static str> {
        let fits = THRESHOLDS.contains(&bytes);
        fits.then_some(Self(bytes))
            .ok_or("expected \"1KiB\" to \"1MiB\"")
    }
}

/// As in every Temporal SDK.
const THRESHOLD: usize = 256 * 1024;
/// Well below the 2 MiB that Temporal takes.
const THRESHOLDS: RangeInclusive<usize> = 1024..=1024 * 1024;
/// As in every Temporal SDK.
const DRIVER_NAME: &str = "aws.s3driver";
/// What servers other than AWS take when nobody says anything else.
const REGION: &str = "us-east-1";
const NO_REGION: &str =
    "missing: expected one such as \"eu-central-1\", here or in AWS_REGION, or an endpoint";
const ENDPOINT: &str =
    "no URL: expected one such as \"https://s3.example.com:9000\", without user, path and query";
