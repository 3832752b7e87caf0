//! The header of an `.npy` array, looked at before a parser is let loose on it.

/// Longest header text; numpy itself refuses longer ones.
const LONGEST: usize = 10_000;
/// Most brackets; a plain array has four.
const BRACKETS: usize = 16;

/// Bytes before the data if this is a header that is safe to parse: short, hardly nested, and of a shape whose number of
/// entries fits in 64 bits. `bytes` begins at the magic string and may end anywhere after the header.
pub(crate) fn header_length(bytes: &[u8]) -> Result<usize, &'static str> {
    let (from, length) = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => (10, u32::from_le_bytes([*a, *b, 0, 0])),
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, a, b, c, d, ..] => {
            (12, u32::from_le_bytes([*a, *b, *c, *d]))
        }
        _ => return Err("is not an .npy array"),
    };
    let length = length as usize;
    if length > LONGEST {
        return Err("has too long a header");
    }
    let text = bytes.get(from..from + length).ok_or("is cut short")?;
    check(text)?;
    Ok(from + length)
}

/// Most bytes that a header that passes can take.
pub(crate) const HEADER_LIMIT: u64 = LONGEST as u64 + 12;

fn check(text: &[u8]) -> Result<(), &'static str> {
    let odd = "has a header that is not an array's";
    let (mut entries, mut number, mut quoted, mut brackets) = (1u64, None, None, 0);
    for &byte in text {
        if let Some(quote) = quoted {
            quoted = (byte != quote && byte.is_ascii() && byte != b'\\').then_some(quote);
            if !byte.is_ascii() || byte == b'\\' {
                return Err(odd);
            }
            continue;
        }
        if byte.is_ascii_digit() {
            let digit = u64::from(byte - b'0');
            let next = number.unwrap_or(0u64).checked_mul(10).and_then(|value| value.checked_add(digit));
            number = Some(next.ok_or("claims more entries than 64 bits count")?);
            continue;
        }
        if let Some(value) = number.take() {
            // Other ways to write a number would say something else than was understood here.
            if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.' {
                return Err(odd);
            }
            entries = entries.checked_mul(value.max(1)).ok_or("claims more entries than 64 bits count")?;
        }
        match byte {
            b'\'' | b'"' => quoted = Some(byte),
            b'(' | b'[' | b'{' => brackets += 1,
            b')' | b']' | b'}' | b',' | b':' | b' ' | b'\n' => {}
            b'A'..=b'Z' | b'a'..=b'z' => {}
            _ => return Err(odd),
        }
    }
    if brackets > BRACKETS { Err(odd) } else { Ok(()) }
}
