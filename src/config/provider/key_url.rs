//! `[signature.key_url]`: where a sender publishes its public keys, in the words of its file.

use webhook_core::provider::key_url::KeyUrl;

use crate::config::reader::{Reader, Section};

/// Reads a `key_url` table.
pub(super) fn read<'t>(r: &mut Reader<'t>, mut s: Section<'t>) -> Option<KeyUrl> {
    let location = s.require(
        r,
        "in",
        "an https URL, or its place in the request, such as \"json SigningCertURL\"",
    );
    let hosts = s.require_list(
        r,
        "hosts",
        "the hosts that may have it, such as [\"keys.example.com\"]",
    );
    let path = s.take(r, "path");
    let suffix = s.take(r, "suffix").unwrap_or_default();
    s.finish(r);
    Some(KeyUrl {
        location: location?,
        hosts: hosts?,
        path,
        suffix,
    })
}

#[cfg(test)]
mod tests {
    use webhook_core::provider::key_url::{KeyUrl, KeyUrlLocation};

    use super::super::catalogue;

    const SNS: &str = "SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem";

    fn entry(name: &str) -> Vec<KeyUrl> {
        let schemes = &catalogue::find(name).expect("in the catalogue").schemes;
        let urls = schemes.iter().filter_map(|scheme| scheme.key_url.clone());
        urls.collect()
    }

    fn accepts(name: &str, url: &str) -> bool {
        let urls = entry(name);
        assert!(!urls.is_empty(), "{name}");
        let accepted = urls.iter().filter(|place| place.accepts(url)).count();
        assert!(accepted == 0 || accepted == urls.len(), "{name} {url}");
        accepted > 0
    }

    #[test]
    fn keys_of_aws_sns_are_where_a_region_s_sns_is_and_nowhere_else() {
        for region in [
            "us-west-2",
            "eu-central-1",
            "ap-southeast-10",
            "us-gov-west-1",
            "us-iso-east-1",
            "il-central-1",
            "cn-north-1",
            "usx-west-1",
        ] {
            for domain in ["amazonaws.com", "amazonaws.com.cn"] {
                let url = format!("https://sns.{region}.{domain}/{SNS}");
                assert!(accepts("sns", &url), "{url}");
            }
        }
        for label in [
            "s3",
            "s3-us-west-2",
            "s3-website-us-west-2",
            "s3-accelerate",
            "s3-fips",
            "execute-api",
            "us-west",
            "us-2",
            "us--west-2",
            "u-west-2",
            "east-west-2",
            "us-west-2a",
            "us-w3st-2",
            "us-west-",
            "-west-2",
            "US-WEST-2",
            "us-west-2.s3",
            "s3.us-west-2",
            "",
            "*",
            "{region}",
        ] {
            for domain in ["amazonaws.com", "amazonaws.com.cn"] {
                let url = format!("https://sns.{label}.{domain}/{SNS}");
                assert!(!accepts("sns", &url), "{url}");
            }
        }
        for host in [
            "us-west-2.amazonaws.com",
            "s3.us-west-2.amazonaws.com",
            "sns.us-west-2.amazonaws.com:8443",
            "sns.us-west-2.amazonaws.com.evil.example",
            "sns.us-west-2.amazonaws.com.",
            "sns.us-west-2.amazonaws.co",
            "a.sns.us-west-2.amazonaws.com",
            "sns-us-west-2.amazonaws.com",
            "user@sns.us-west-2.amazonaws.com",
        ] {
            assert!(!accepts("sns", &format!("https://{host}/{SNS}")), "{host}");
        }
        for path in [
            "",
            "/",
            "/key.pem",
            "/SimpleNotificationService.pem",
            "/SimpleNotificationService-.pem",
            "/SimpleNotificationService-..pem",
            "/SimpleNotificationService-1.pem/",
            "/SimpleNotificationService-1.pem.txt",
            "/SimpleNotificationService-1/2.pem",
            "//SimpleNotificationService-1.pem",
            "/x/SimpleNotificationService-1.pem",
            "/x/../SimpleNotificationService-1.pem",
            "/SimpleNotificationService-1.pem?x=.pem",
            "/SimpleNotificationService-%2e.pem",
            "/simplenotificationservice-1.pem",
        ] {
            let url = format!("https://sns.us-west-2.amazonaws.com{path}");
            assert!(!accepts("sns", &url), "{url}");
        }
        assert!(!accepts(
            "sns",
            &format!("http://sns.us-west-2.amazonaws.com/{SNS}")
        ));
    }

    #[test]
    fn no_key_has_a_url_of_over_512_bytes() {
        for (name, start, end) in [
            (
                "sns",
                "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-",
                ".pem",
            ),
            (
                "paypal",
                "https://api.paypal.com/v1/notifications/certs/",
                "",
            ),
        ] {
            let url = |bytes: usize| {
                let middle = "x".repeat(bytes - start.len() - end.len());
                format!("{start}{middle}{end}")
            };
            assert!(accepts(name, &url(512)), "{name}");
            for bytes in [513, 2 << 20] {
                assert!(!accepts(name, &url(bytes)), "{name}: {bytes}");
            }
        }
    }

    #[test]
    fn keys_of_paypal_are_where_its_certificates_are() {
        let certificate = "/v1/notifications/certs/CERT-360caa42-fca2a594-5a29e601";
        for host in ["api.paypal.com", "api.sandbox.paypal.com"] {
            assert!(accepts("paypal", &format!("https://{host}{certificate}")));
            for path in [
                "/v1/oauth2/token",
                "/v1/notifications/certs/",
                "/v1/notifications/certs/a/b",
            ] {
                assert!(
                    !accepts("paypal", &format!("https://{host}{path}")),
                    "{path}"
                );
            }
        }
        for host in [
            "paypal.com",
            "evil.paypal.com",
            "api.paypal.com.evil.example",
        ] {
            assert!(
                !accepts("paypal", &format!("https://{host}{certificate}")),
                "{host}"
            );
        }
    }

    /// Any label is anybody's, sooner or later: no entry of ours has one.
    #[test]
    fn no_entry_of_the_catalogue_has_a_host_with_any_label() {
        let mut looked_at = 0;
        for provider in catalogue::all() {
            for place in provider.schemes.iter().filter_map(|s| s.key_url.as_ref()) {
                let any = place.hosts.iter().find(|host| host.contains('*'));
                assert_eq!(any, None, "{}", provider.name);
                let is_narrow = place.is_fixed() || place.path.is_some();
                assert!(is_narrow, "{}: any path", provider.name);
                if let KeyUrlLocation::Fixed(url) = &place.location {
                    assert!(place.accepts(url), "{url}");
                }
                looked_at += 1;
            }
        }
        assert!(looked_at >= 4, "{looked_at}");
    }
}
