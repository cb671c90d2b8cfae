//! Who a request is from: the address of its connection or, through proxies that are trusted, the one that
//! they say.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// The proxies that are believed, and where they say whom they speak for. Nobody else is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    /// Their networks; not empty.
    pub trusted: Vec<IpNet>,
    /// The one header that is read; `None`: none is.
    pub header: Option<HeaderName>,
    /// Their connections begin with a PROXY protocol header.
    pub protocol: bool,
}

impl Proxies {
    /// Whether this is one of them.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    /// From the right to the left, for each proxy has added whom it was asked by: the first that is not
    /// trusted, for what is left of it anybody may have written. Where one says nothing that can be read,
    /// it is the client itself; where all are trusted, the left-most.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let Some(name) = &self.header else {
            return client;
        };
        let values = headers.get_all(name).iter().rev();
        let hops = values.flat_map(|value| value.as_bytes().rsplit(|&byte| byte == b','));
        for hop in hops.filter(|hop| !hop.trim_ascii().is_empty()) {
            if !self.trusts(client) {
                break;
            }
            let said = if *name == FORWARDED {
                forwarded_for(hop)
            } else {
                Some(hop)
            };
            match said.and_then(address) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// Whoever has an address of IPv6 has the whole /64.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        address => address,
    }
}

/// The value of `for` in an element of `Forwarded` (RFC 7239). No address has a comma in it, so those may
/// be split without a look at quotes, which a client could leave open.
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    let mut pairs = element.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    pairs.find_map(|pair| {
        let (name, value) = pair.split_at_checked("for=".len())?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    })
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `"[2001:db8::1]:4711"`.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?.trim().trim_matches('"');
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse();
    let address = address.or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn proxies(header: &str) -> Proxies {
        Proxies {
            trusted: ["10.0.0.0/8", "192.0.2.7/32", "2001:db8:1::/48"]
                .map(|network| network.parse().expect("a network"))
                .to_vec(),
            header: Some(header.parse().expect("a name")),
            protocol: false,
        }
    }

    fn client(peer: &str, header: &str, values: &[&str]) -> String {
        let proxies = proxies(header);
        let name = proxies.header.clone().expect("it has one");
        let mut headers = HeaderMap::new();
        headers.insert("x-real-ip", HeaderValue::from_static("198.51.100.99"));
        for value in values {
            headers.append(&name, HeaderValue::from_str(value).expect("a value"));
        }
        proxies
            .client(peer.parse().expect("an address"), &headers)
            .to_string()
    }

    #[test]
    fn the_right_most_that_is_not_trusted_is_the_client() {
        for (values, expected) in [
            (&["203.0.113.5"][..], "203.0.113.5"),
            (&["198.51.100.1, 203.0.113.5"], "203.0.113.5"),
            (&["198.51.100.1,203.0.113.5,10.1.2.3"], "203.0.113.5"),
            (
                &["198.51.100.1, 203.0.113.5, 192.0.2.7 , 10.9.9.9"],
                "203.0.113.5",
            ),
            // several lines are one list
            (&["198.51.100.1", "203.0.113.5", "10.1.2.3"], "203.0.113.5"),
            // a client inside, through proxies inside
            (&["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
            (&["203.0.113.5:4711"], "203.0.113.5"),
            (&["2001:db8::5"], "2001:db8::5"),
            (&["[2001:db8::5]:4711, [2001:db8:1::9]"], "2001:db8::5"),
            (&["::ffff:203.0.113.5"], "203.0.113.5"),
            (&["203.0.113.5,"], "203.0.113.5"),
            // what cannot be read is nobody: the one who wrote it
            (&["203.0.113.5, unknown"], "10.0.0.3"),
            (&["203.0.113.5, unknown, 10.0.0.9"], "10.0.0.9"),
            (&["203.0.113.5 198.51.100.1"], "10.0.0.3"),
            (&["fe80::1%eth0"], "10.0.0.3"),
            (&[""], "10.0.0.3"),
            (&[], "10.0.0.3"),
        ] {
            assert_eq!(
                client("10.0.0.3", "x-forwarded-for", values),
                expected,
                "{values:?}"
            );
            assert_eq!(
                client("203.0.113.77", "x-forwarded-for", values),
                "203.0.113.77",
                "{values:?}: nobody else is believed"
            );
        }
        assert_eq!(
            client("::ffff:10.0.0.3", "cf-connecting-ip", &["203.0.113.5"]),
            "203.0.113.5"
        );
    }

    #[test]
    fn the_standard_header_is_read_likewise() {
        for (values, expected) in [
            (&["for=203.0.113.5"][..], "203.0.113.5"),
            (
                &["for=198.51.100.1, For=\"203.0.113.5:80\";proto=https;by=10.0.0.1"],
                "203.0.113.5",
            ),
            (
                &["proto=https; for=\"[2001:db8::5]:4711\", for=10.0.0.7"],
                "2001:db8::5",
            ),
            // a quote that the client has left open swallows nothing
            (&["for=\"", "for=203.0.113.5"], "203.0.113.5"),
            (&["for=\", for=203.0.113.5"], "203.0.113.5"),
            (&["for=203.0.113.5, for=_hidden"], "10.0.0.3"),
            (&["for=203.0.113.5, proto=https"], "10.0.0.3"),
            (&["203.0.113.5"], "10.0.0.3"),
        ] {
            assert_eq!(
                client("10.0.0.3", "forwarded", values),
                expected,
                "{values:?}"
            );
        }
    }

    #[test]
    fn no_header_is_read_but_the_one() {
        let mut proxies = proxies("x-forwarded-for");
        proxies.header = None;
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("203.0.113.5"));
        headers.insert("forwarded", HeaderValue::from_static("for=203.0.113.5"));
        let peer = "10.0.0.3".parse().expect("an address");
        assert_eq!(proxies.client(peer, &headers), peer);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        for (address, expected) in [
            ("2001:db8:0:1:ffff::2", "2001:db8:0:1::"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(network(address).to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_left_of_the_client_changes_nothing(left in "[ -~]{0,60}", forwarded: bool) {
            let (name, own) = if forwarded {
                ("forwarded", "for=203.0.113.5")
            } else {
                ("x-forwarded-for", "203.0.113.5")
            };
            for values in [vec![format!("{left},{own}")], vec![left, own.to_owned()]] {
                let values: Vec<_> = values.iter().map(String::as_str).collect();
                prop_assert_eq!(client("10.0.0.3", name, &values), "203.0.113.5");
            }
        }
    }
}
