//! What the readers of text files share.

use crate::error::{Error, Result};

/// Characters of a cell or a name that an error repeats.
const SHOWN: usize = 40;

/// The text, if it is text: UTF-8 without a zero byte.
pub(super) fn decoded<'a>(text: &'a [u8], name: &str) -> Result<&'a str> {
    if let Some(at) = text.iter().position(|&byte| byte == 0) {
        return Err(Error::Input(format!(
            "{name}:{}: binary data, not text; name a CSV, TSV, svmlight, .npy or .npz file with its proper ending",
            line_number(text, at as u64)
        )));
    }
    std::str::from_utf8(text).map_err(|error| {
        let line = line_number(text, error.valid_up_to() as u64);
        Error::Input(format!("{name}:{line}: not UTF-8 text; save it as UTF-8"))
    })
}

/// Line, from 1, of the first byte at or after `start` that belongs neither to a line end nor to a comment.
///
/// The CSV reader's own count stops at the blank lines before a record and knows no lone carriage return.
pub(super) fn line_number(text: &[u8], start: u64) -> usize {
    let mut at = usize::try_from(start).map_or(text.len(), |start| start.min(text.len()));
    let line_starts = |at: usize| at == 0 || matches!(text[at - 1], b'\r' | b'\n');
    while at < text.len() {
        match text[at] {
            b'\r' | b'\n' => at += 1,
            b'#' if line_starts(at) => {
                at += text[at..].iter().take_while(|byte| !matches!(byte, b'\r' | b'\n')).count();
            }
            _ => break,
        }
    }
    let before = &text[..at];
    let ends = |index: &usize| match before[*index] {
        b'\n' => true,
        b'\r' => before.get(index + 1) != Some(&b'\n'),
        _ => false,
    };
    1 + (0..before.len()).filter(ends).count()
}

/// The beginning of a long text, on one line.
pub(super) fn abbreviated(text: &str) -> String {
    let letter = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    let mut shown: String = text.chars().take(SHOWN).map(letter).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// At most the first ten names, so that an error stays one readable line.
pub(super) fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(10).map(|name| abbreviated(name)).collect();
    let shown = shown.join(", ");
    if names.len() > 10 { format!("{shown}, … ({} in all)", names.len()) } else { shown }
}
