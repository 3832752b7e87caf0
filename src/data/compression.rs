//! Files that are compressed, told by their first bytes.

use crate::error::{Error, Result};
use crate::system::memory;
use std::io::Read;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Of bzip2, xz and lz4, which are not read.
const OTHERS: [(&[u8], &str); 3] =
    [(b"BZh", "bzip2"), (&[0xfd, b'7', b'z', b'X', b'Z'], "xz"), (&[0x04, 0x22, 0x4d, 0x18], "lz4")];
/// The part of the free memory that may be unpacked into.
const SHARE: u64 = 3;

/// What a gzip or zstd file holds; none where it is neither.
pub(super) fn unpacked(bytes: &[u8], name: &str) -> Result<Option<Vec<u8>>> {
    if let Some((_, format)) = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Err(Error::Input(format!("{name}: {format} is not read; unpack it, or use gzip or zstd")));
    }
    if bytes.starts_with(GZIP) {
        return read(&mut flate2::read::MultiGzDecoder::new(bytes), name, "gzip").map(Some);
    }
    if !bytes.starts_with(ZSTD) {
        return Ok(None);
    }
    let mut rest = bytes;
    let mut whole = Vec::new();
    // Frame by frame, as `zstd -d` does.
    while !rest.is_empty() {
        let mut frame = ruzstd::decoding::StreamingDecoder::new(&mut rest).map_err(|error| {
            Error::Input(format!("{name}: not readable as zstd ({error}); write it again"))
        })?;
        whole.append(&mut read(&mut frame, name, "zstd")?);
    }
    Ok(Some(whole))
}

fn read(reader: &mut dyn Read, name: &str, format: &str) -> Result<Vec<u8>> {
    let most = memory::available() / SHARE;
    let mut content = Vec::new();
    reader
        .take(most)
        .read_to_end(&mut content)
        .map_err(|error| Error::Input(format!("{name}: damaged {format} data ({error}); write it again")))?;
    if content.len() as u64 == most {
        return Err(Error::Input(format!("{name}: unpacked it is larger than the memory allows")));
    }
    Ok(content)
}
