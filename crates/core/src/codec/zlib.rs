//! zlib over bytes in memory, bounded: what inflates may be a bomb.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::CodecError;

/// Compresses.
pub(super) fn deflate(data: &[u8]) -> Vec<u8> {
    let mut deflater = Compress::new(Compression::default(), true);
    let mut out = Vec::with_capacity(data.len() / 4 + CHUNK);
    loop {
        let rest = &data[position(deflater.total_in())..];
        let status = deflater.compress_vec(rest, &mut out, FlushCompress::Finish);
        match status.expect("compressing fails only if its parameters change on the way") {
            Status::StreamEnd => return out,
            _ => out.reserve(CHUNK.max(out.len())),
        }
    }
}

/// Inflates to at most `limit` bytes.
///
/// # Errors
/// [`CodecError::TooLarge`]; [`CodecError::NotZlib`] for anything that is not one whole stream.
pub(super) fn inflate(data: &[u8], limit: usize) -> Result<Vec<u8>, CodecError> {
    let mut inflater = Decompress::new(true);
    let mut out = Vec::new();
    loop {
        if out.len() == out.capacity() {
            // One more byte than allowed, to tell a full output from one that is too long.
            let most = limit.saturating_add(1) - out.len();
            out.reserve_exact(out.len().max(CHUNK).min(most));
        }
        let before = (inflater.total_in(), inflater.total_out());
        let rest = &data[position(before.0)..];
        let status = inflater
            .decompress_vec(rest, &mut out, FlushDecompress::None)
            .map_err(|_| CodecError::NotZlib)?;
        let now = (inflater.total_in(), inflater.total_out());
        if out.len() > limit {
            return Err(CodecError::TooLarge);
        }
        match status {
            Status::StreamEnd if position(now.0) == data.len() => return Ok(out),
            // Bytes after the end, or an end that never comes.
            Status::StreamEnd => return Err(CodecError::NotZlib),
            _ if now == before => return Err(CodecError::NotZlib),
            _ => {}
        }
    }
}

fn position(total: u64) -> usize {
    usize::try_from(total).expect("no more is taken than there is in memory")
}

const CHUNK: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_comes_back_and_the_limit_is_exact() {
        for length in [0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 100_000, 3_000_000] {
            let data: Vec<u8> = (0..length).map(|n| (n * n / 7 % 251) as u8).collect();
            let deflated = deflate(&data);
            assert_eq!(inflate(&deflated, length), Ok(data), "{length}");
            if length > 0 {
                let over = inflate(&deflated, length - 1);
                assert_eq!(over, Err(CodecError::TooLarge), "{length}");
            }
        }
    }

    #[test]
    fn what_is_not_one_whole_stream_is_refused() {
        let deflated = deflate(b"hello, hello, hello");
        for cut in 0..deflated.len() {
            let found = inflate(&deflated[..cut], 100);
            assert_eq!(found, Err(CodecError::NotZlib), "{cut}");
        }
        let more = [deflated.as_slice(), b"x"].concat();
        assert_eq!(inflate(&more, 100), Err(CodecError::NotZlib));
        let mut sum = deflated;
        *sum.last_mut().expect("not empty") ^= 1;
        assert_eq!(inflate(&sum, 100), Err(CodecError::NotZlib));
        assert_eq!(inflate(b"no zlib", 100), Err(CodecError::NotZlib));
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let bomb = deflate(&vec![0; 8 << 20]);
        assert!(bomb.len() < 16 << 10);
        assert_eq!(inflate(&bomb, 1 << 20), Err(CodecError::TooLarge));
    }
}
