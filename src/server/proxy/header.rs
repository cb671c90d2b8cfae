//! The bytes of a PROXY protocol header: which of those that a connection begins with are its, and what it says.

use std::net::SocketAddr;

use proxy_header::{ParseConfig, ProxyHeader};

/// How far the header goes in the bytes that are there by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// All of them are of it, and more are to come.
    Begun,
    /// It is the first `length` of them.
    Whole {
        /// Behind it is the client's.
        length: usize,
        /// Whose the connection is; `None`: the proxy speaks for itself, or for nobody that has an address.
        client: Option<SocketAddr>,
    },
}

/// Why it is none, whatever comes after these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// They begin with something else.
    Missing,
    /// They begin as one does, and do not go on so.
    Malformed,
}

/// What a connection begins with, and nothing else of it: it depends on no more than these bytes, and on none
/// that are not the header's.
///
/// # Errors
///
/// They are no header's.
pub fn read(bytes: &[u8]) -> Result<Header, Fault> {
    let length = if begins(bytes, V1) {
        line(bytes)?
    } else if begins(bytes, V2) {
        block(bytes)?
    } else {
        return Err(Fault::Missing);
    };
    let Some(header) = length.and_then(|length| bytes.get(..length)) else {
        return Ok(Header::Begun);
    };
    Ok(Header::Whole {
        length: header.len(),
        client: client(header)?,
    })
}

/// As far as they go.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    let common = bytes.len().min(with.len());
    bytes[..common] == with[..common]
}

/// The length of version 1, if its end is seen.
fn line(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let seen = &bytes[..bytes.len().min(LONGEST_V1)];
    match seen.iter().position(|&byte| byte == b'\n') {
        Some(end) => Ok(Some(end + 1)),
        None if seen.len() == LONGEST_V1 => Err(Fault::Malformed),
        None => Ok(None),
    }
}

/// The length of version 2, if it is seen.
fn block(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let Some(&[command, _family, high, low]) = bytes
        .get(V2.len()..)
        .and_then(|rest| rest.first_chunk::<4>())
    else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_V2 || ![LOCAL, PROXIED].contains(&command) {
        return Err(Fault::Malformed);
    }
    Ok(Some(V2.len() + 4 + length))
}

fn client(header: &[u8]) -> Result<Option<SocketAddr>, Fault> {
    if header.starts_with(V2) && header[V2.len()] == LOCAL {
        // The proxy's own connection, whatever else stands in the header.
        return Ok(None);
    }
    let config = ParseConfig {
        include_tlvs: false,
        allow_v1: true,
        allow_v2: true,
    };
    match ProxyHeader::parse(header, config) {
        Ok((said, length)) if length == header.len() => {
            Ok(said.proxied_address().map(|address| address.source))
        }
        Ok(_) | Err(_) => Err(Fault::Malformed),
    }
}

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of a line, by the specification.
const LONGEST_V1: usize = 107;
/// Bytes of addresses and what is said besides: a client's certificate is named there at most.
const LONGEST_V2: usize = 4096;
const LOCAL: u8 = 0x20;
const PROXIED: u8 = 0x21;
