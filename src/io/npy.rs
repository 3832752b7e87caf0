//! The header of an `.npy` array, read before a parser is let loose on it: what numpy refuses is refused, and a few spellings
//! more that no program writes.

/// Longest header text; numpy itself refuses longer ones.
const LONGEST: usize = 10_000;
/// Most dimensions of an array.
const DIMENSIONS: usize = 32;

/// Most bytes that a header that passes can take.
pub(crate) const HEADER_LIMIT: u64 = LONGEST as u64 + 12;

/// Types of numbers, without the order of their bytes.
const NUMBERS: [&str; 12] = ["b1", "i1", "u1", "i2", "u2", "f2", "i4", "u4", "f4", "i8", "u8", "f8"];

type Checked<T> = Result<T, &'static str>;

const ODD: &str = "has a header that is not an array's";

/// Bytes before the data if this is the header of an array of numbers whose number of entries fits in 64 bits. `bytes` begins
/// at the magic string and may end anywhere after the header.
pub(crate) fn header_length(bytes: &[u8]) -> Checked<usize> {
    let (from, length) = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, 0, a, b, ..] => (10, u32::from_le_bytes([*a, *b, 0, 0])),
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, 0, a, b, c, d, ..] => {
            (12, u32::from_le_bytes([*a, *b, *c, *d]))
        }
        _ => return Err("is not an .npy array"),
    };
    let length = length as usize;
    if length > LONGEST {
        return Err("has too long a header");
    }
    let text = bytes.get(from..from + length).ok_or("is cut short")?;
    Header(text).check()?;
    Ok(from + length)
}

/// The rest of a header: a Python dictionary with the keys descr, fortran_order and shape, each once.
struct Header<'a>(&'a [u8]);

impl<'a> Header<'a> {
    fn check(mut self) -> Checked<()> {
        self.expect(b'{')?;
        let mut found = [false; 3];
        while !self.takes(b'}') {
            let key = match self.text()? {
                b"descr" => 0,
                b"fortran_order" => 1,
                b"shape" => 2,
                _ => return Err(ODD),
            };
            if std::mem::replace(&mut found[key], true) {
                return Err("has a header that says something twice");
            }
            self.expect(b':')?;
            match key {
                0 => self.number_type()?,
                1 => self.truth()?,
                _ => self.shape()?,
            }
            if !self.takes(b',') {
                self.expect(b'}')?;
                break;
            }
        }
        let padded = self.0.iter().all(|byte| matches!(byte, b' ' | b'\n'));
        if padded && found == [true; 3] { Ok(()) } else { Err(ODD) }
    }

    fn skip_spaces(&mut self) {
        while let [b' ', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    /// Whether this character comes next; then it is passed.
    fn takes(&mut self, wanted: u8) -> bool {
        self.skip_spaces();
        let found = self.0.first() == Some(&wanted);
        self.0 = &self.0[usize::from(found)..];
        found
    }

    fn expect(&mut self, wanted: u8) -> Checked<()> {
        if self.takes(wanted) { Ok(()) } else { Err(ODD) }
    }

    /// Passes characters of one kind.
    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !belongs(*byte)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    /// What is in quotes, without escapes.
    fn text(&mut self) -> Checked<&'a [u8]> {
        let quote = if self.takes(b'\'') { b'\'' } else { b'"' };
        if quote == b'"' {
            self.expect(b'"')?;
        }
        let text = self.run(|byte| byte != quote && byte != b'\\' && (b' '..=b'~').contains(&byte));
        if self.0.first() != Some(&quote) {
            return Err(ODD);
        }
        self.0 = &self.0[1..];
        Ok(text)
    }

    fn number_type(&mut self) -> Checked<()> {
        let wrong = "has a type that is not a real number (convert it with astype(float))";
        if self.takes(b'[') || self.takes(b'(') {
            return Err(wrong);
        }
        let [order, name @ ..] = self.text()? else { return Err(wrong) };
        // Only single bytes have no order.
        let ordered = matches!(order, b'<' | b'>') || *order == b'|' && name.ends_with(b"1");
        if ordered && NUMBERS.iter().any(|number| number.as_bytes() == name) { Ok(()) } else { Err(wrong) }
    }

    fn truth(&mut self) -> Checked<()> {
        self.skip_spaces();
        match self.run(|byte| byte.is_ascii_alphanumeric()) {
            b"True" | b"False" => Ok(()),
            _ => Err(ODD),
        }
    }

    /// A tuple: one number needs a comma after it.
    fn shape(&mut self) -> Checked<()> {
        let many = "claims more entries than 64 bits count";
        self.expect(b'(')?;
        let (mut entries, mut dimensions, mut comma) = (1u64, 0, true);
        while !self.takes(b')') {
            if !comma {
                return Err(ODD);
            }
            let digits = self.run(|byte| byte.is_ascii_digit());
            if digits.is_empty() || digits.len() > 1 && digits[0] == b'0' {
                return Err(ODD);
            }
            let append = |value: u64, digit: &u8| value.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
            let size = digits.iter().try_fold(0u64, append).ok_or(many)?;
            entries = entries.checked_mul(size.max(1)).ok_or(many)?;
            dimensions += 1;
            comma = self.takes(b',');
        }
        if dimensions > DIMENSIONS {
            return Err("has more than 32 dimensions");
        }
        if dimensions == 1 && !comma { Err(ODD) } else { Ok(()) }
    }
}
