//! What a connection begins with, where a PROXY protocol header is to be.

use std::net::{IpAddr, SocketAddr};

use proxy_header::{ProxiedAddress, ProxyHeader};
use temporal_webhook_forwarder::server::proxy::header::{Header, read};

/// Whether there was anything to hold.
pub(crate) fn holds(data: &[u8]) -> bool {
    let whole = read(data);
    // In whatever pieces they come: more is asked for up to one byte, and from it on it is what it is.
    let undecided = |length: &usize| read(&data[..*length]) == Ok(Header::Begun);
    let decided = (0..=data.len()).take_while(undecided).count();
    for length in decided..=data.len() {
        assert_eq!(read(&data[..length]), whole, "of {length} bytes");
    }
    let longest = if data.starts_with(b"PROXY ") {
        107
    } else {
        16 + 4096
    };
    assert!(decided <= longest, "no end is seen after {decided} bytes");
    let Ok(Header::Whole { length, client }) = whole else {
        return false;
    };
    // It has been read to its end and not a byte further, whatever is there.
    assert_eq!(length, decided);
    let (header, rest) = data.split_at(length);
    for other in [b"PROXY \r\n".as_slice(), b"\n", rest] {
        assert_eq!(read(&[header, other].concat()), whole);
    }
    if let Some(client) = client {
        assert!(is_said(header, client), "{client}");
    }
    for header in encoded(client) {
        let length = header.len();
        assert_eq!(read(&header), Ok(Header::Whole { length, client }));
    }
    true
}

/// Whether it stands there, where the specification has it.
fn is_said(header: &[u8], client: SocketAddr) -> bool {
    if let Ok(line) = str::from_utf8(header)
        && line.starts_with("PROXY TCP")
    {
        let words: Vec<_> = line.trim_end_matches("\r\n").split(' ').collect();
        return words.len() == 6
            && words[2].parse() == Ok(client.ip())
            && words[4].parse() == Ok(client.port());
    }
    let (address, port) = match client.ip() {
        IpAddr::V4(address) => (address.octets().to_vec(), 16 + 8),
        IpAddr::V6(address) => (address.octets().to_vec(), 16 + 32),
    };
    header[12] == 0x21
        && header[16..].starts_with(&address)
        && header[port..].starts_with(&client.port().to_be_bytes())
}

/// As another says the same, in both versions.
fn encoded(client: Option<SocketAddr>) -> [Vec<u8>; 2] {
    let header = client.map_or_else(ProxyHeader::with_local, |source| {
        let destination = SocketAddr::new(source.ip(), 443);
        ProxyHeader::with_address(ProxiedAddress::stream(source, destination))
    });
    let (mut first, mut second) = ([0; 200], [0; 200]);
    let lengths = [
        header.encode_to_slice_v1(&mut first),
        header.encode_to_slice_v2(&mut second),
    ];
    let [first_length, second_length] = lengths.map(|length| length.expect("it fits"));
    [
        first[..first_length].to_vec(),
        second[..second_length].to_vec(),
    ]
}
