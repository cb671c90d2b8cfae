//! HubSpot signs its URL with some escapes undone.
//! <https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation>

/// The URL as HubSpot signs it: these escapes decoded, in either case, the others left as they are.
pub(super) fn decoded(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    let mut rest = url;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let escape = rest.get(at..at + 3);
        let plain = escape.and_then(|escape| {
            DECODED
                .iter()
                .find(|(code, _)| escape.eq_ignore_ascii_case(code))
        });
        match plain {
            Some((code, plain)) => {
                out.push(*plain);
                rest = &rest[at + code.len()..];
            }
            None => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

const DECODED: [(&str, char); 12] = [
    ("%3A", ':'),
    ("%2F", '/'),
    ("%3F", '?'),
    ("%40", '@'),
    ("%21", '!'),
    ("%24", '$'),
    ("%27", '\''),
    ("%28", '('),
    ("%29", ')'),
    ("%2A", '*'),
    ("%2C", ','),
    ("%3B", ';'),
];

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn these_escapes_are_undone_and_no_others() {
        for (url, signed) in [
            (
                "https://a.example/x?to=a%40b%3Ac%2fd",
                "https://a.example/x?to=a@b:c/d",
            ),
            ("%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B", ":/?@!$'()*,;"),
            ("%3a%2f%3f%40%21%24%27%28%29%2a%2c%3b", ":/?@!$'()*,;"),
            ("a%20b%26c%3Dd%25e", "a%20b%26c%3Dd%25e"),
            // Once, not until nothing is left to undo.
            ("%253A", "%253A"),
            ("%%3A", "%:"),
            ("%", "%"),
            ("%3", "%3"),
            ("a%2", "a%2"),
            ("%3é", "%3é"),
            ("%é%3A", "%é:"),
            ("", ""),
        ] {
            assert_eq!(decoded(url), signed, "{url}");
        }
    }
}
