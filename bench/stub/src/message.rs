//! As much of gRPC and protobuf as the stub needs.

use std::io::Read;

use flate2::read::GzDecoder;

/// The workflow id in a frame that starts one.
pub fn workflow_id(method: &str, frame: &[u8]) -> Option<Vec<u8>> {
    let starts = ["StartWorkflowExecution", "SignalWithStartWorkflowExecution"];
    if !starts.contains(&method) {
        return None;
    }
    let (head, message) = frame.split_at_checked(5)?;
    if head[0] == 0 {
        return field(message, 2).map(<[u8]>::to_vec);
    }
    // Compressed: the id is near the beginning, the rest is not looked at.
    let mut beginning = Vec::new();
    let mut inflated = GzDecoder::new(message).take(BEGINNING);
    inflated.read_to_end(&mut beginning).ok()?;
    field(&beginning, 2).map(<[u8]>::to_vec)
}

/// The gRPC frame that answers this method.
pub fn answer(method: &str) -> Option<&'static [u8]> {
    Some(match method.as_bytes() {
        // run_id, started
        b"StartWorkflowExecution" | b"SignalWithStartWorkflowExecution" => {
            b"\0\0\0\0\x28\x0a\x240199c1de-6a7e-7d3b-8f5c-2f1d3c4b5a69\x18\x01"
        }
        b"SignalWorkflowExecution" | b"GetSystemInfo" => b"\0\0\0\0\0",
        // namespace_info { name, state: registered }
        b"DescribeNamespace" => b"\0\0\0\0\x0d\x0a\x0b\x0a\x07default\x10\x01",
        // serving
        b"Check" => b"\0\0\0\0\x02\x08\x01",
        _ => return None,
    })
}

/// The first field of this number, if it is one with a length.
fn field(mut message: &[u8], number: u64) -> Option<&[u8]> {
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let skipped = match tag & 7 {
            0 => {
                varint(&mut message)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (value, rest) = message.split_at_checked(skipped)?;
        if tag >> 3 == number {
            return Some(value);
        }
        message = rest;
    }
    None
}

fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Bytes of a message that has its workflow id in them.
const BEGINNING: u64 = 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn the_id_is_found_behind_the_namespace() {
        let message = b"\x0a\x07default\x12\x03abc\x1a\x00";
        let plain = [b"\0\0\0\0\x10", &message[..]].concat();
        let mut gzip = GzEncoder::new(b"\x01\0\0\0\x10".to_vec(), Compression::fast());
        gzip.write_all(message).expect("into memory");
        for frame in [plain, gzip.finish().expect("into memory")] {
            let id = |method| workflow_id(method, &frame);
            assert_eq!(id("StartWorkflowExecution"), Some(b"abc".to_vec()));
            assert_eq!(id("GetSystemInfo"), None);
        }
        assert_eq!(field(b"\x0a\x07def", 2), None);
    }

    #[test]
    fn frames_say_their_length() {
        for method in [
            "StartWorkflowExecution",
            "GetSystemInfo",
            "DescribeNamespace",
            "Check",
        ] {
            let frame = answer(method).expect("an answer");
            assert_eq!(usize::from(frame[4]), frame.len() - 5, "{method}");
        }
    }
}
