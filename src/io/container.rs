//! The zip archive around arrays, looked at before a library opens it: there must be one way to read it.
//!
//! Programs differ in where they look for the list of members, in how many they read, and in which of two members of one name
//! they take. Whatever numpy and this crate might understand in two ways is refused.

use std::collections::HashSet;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

/// Longest list of members: some ten thousand of them.
const LONGEST_LIST: u64 = 1 << 20;
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const MEMBER: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
/// A number that is somewhere else, because 32 bits do not hold it.
const ELSEWHERE: u64 = 0xffff_ffff;

const TORN: &str = "is not an .npz file as numpy.savez writes it (damaged, or with a comment or something before or after it)";

/// Names of the arrays in an archive, each the name of a member without `.npy`.
///
/// Errors say what is wrong with the file, or are those of the reader.
pub(crate) fn array_names(reader: &mut (impl Read + Seek)) -> io::Result<Vec<String>> {
    let list = directory(reader)?;
    let (mut rest, mut names, mut seen) = (list.bytes.as_slice(), Vec::new(), HashSet::new());
    while !rest.is_empty() {
        let member = Member::first(&mut rest)?;
        let name = std::str::from_utf8(member.name).ok().filter(|name| name.is_ascii());
        let shown = String::from_utf8_lossy(member.name).escape_default().take(40).collect::<String>();
        let Some(array) = name.and_then(|name| name.strip_suffix(".npy")).filter(|name| !name.contains('\0'))
        else {
            return Err(wrong(&format!(
                "has a member {shown} that is not an array (NAME.npy); leave it out"
            )));
        };
        if !seen.insert(member.name) {
            return Err(wrong(&format!("has the array {shown} twice; leave one of them out")));
        }
        if local_name(reader, member.place, member.name.len())? != member.name {
            return Err(wrong(&format!("calls the array {shown} something else where it begins")));
        }
        names.push(array.to_owned());
    }
    if names.len() as u64 != list.members {
        return Err(wrong(TORN));
    }
    Ok(names)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// The list of members, which ends where the end of the archive begins.
struct Directory {
    bytes: Vec<u8>,
    members: u64,
}

fn directory(reader: &mut (impl Read + Seek)) -> io::Result<Directory> {
    let size = reader.seek(SeekFrom::End(0))?;
    let mut end_at = size.checked_sub(22).ok_or_else(|| wrong(TORN))?;
    let end = read(reader, end_at, 22)?;
    // No comment, one disk.
    if !end.starts_with(END) || number(&end, 20, 2) != 0 || number(&end, 4, 4) != 0 {
        return Err(wrong(TORN));
    }
    let mut said = [number(&end, 8, 2), number(&end, 10, 2), number(&end, 12, 4), number(&end, 16, 4)];
    let locator = match end_at.checked_sub(20) {
        Some(at) => Some(read(reader, at, 20)?).filter(|locator| locator.starts_with(LOCATOR_64)),
        None => None,
    };
    if locator.is_some() {
        // The end record of the 64-bit format, directly before the locator.
        end_at = end_at.checked_sub(20 + 56).ok_or_else(|| wrong(TORN))?;
        let large = read(reader, end_at, 56)?;
        let wide = [24, 32, 40, 48].map(|at| number(&large, at, 8));
        let agrees = said.iter().zip(&wide).zip([0xffff, 0xffff, ELSEWHERE, ELSEWHERE]);
        if !large.starts_with(END_64)
            || number(&large, 4, 8) != 44
            || number(&large, 16, 8) != 0
            || locator.is_some_and(|locator| number(&locator, 8, 8) != end_at || number(&locator, 4, 4) != 0)
            || agrees.into_iter().any(|((said, wide), elsewhere)| said != wide && *said != elsewhere)
        {
            return Err(wrong(TORN));
        }
        said = wide;
    }
    let [members, all_members, length, start] = said;
    if members != all_members || length > LONGEST_LIST || start.checked_add(length) != Some(end_at) {
        return Err(wrong(TORN));
    }
    Ok(Directory { bytes: read(reader, start, length as usize)?, members })
}

/// One entry of the list.
struct Member<'a> {
    name: &'a [u8],
    /// Where its own header begins.
    place: u64,
}

impl<'a> Member<'a> {
    /// Takes the first entry of the rest of a list.
    fn first(rest: &mut &'a [u8]) -> io::Result<Self> {
        let header = rest.get(..46).filter(|header| header.starts_with(MEMBER)).ok_or_else(|| wrong(TORN))?;
        let [name, extra, comment] = [28, 30, 32].map(|at| number(header, at, 2) as usize);
        let entry = rest.get(46..46 + name + extra + comment).ok_or_else(|| wrong(TORN))?;
        *rest = &rest[46 + entry.len()..];
        let (place, mut before) = (number(header, 42, 4), 0);
        // Of the sizes and the place those stand in the extra field, in this order, that 32 bits do not hold.
        [24, 20].iter().for_each(|at| before += 8 * usize::from(number(header, *at, 4) == ELSEWHERE));
        let place = match place == ELSEWHERE {
            true => wide_place(&entry[name..name + extra], before).ok_or_else(|| wrong(TORN))?,
            false => place,
        };
        Ok(Self { name: &entry[..name], place })
    }
}

fn wide_place(mut extra: &[u8], before: usize) -> Option<u64> {
    while extra.len() >= 4 {
        let (kind, length) = (number(extra, 0, 2), number(extra, 2, 2) as usize);
        let field = extra.get(4..4 + length)?;
        if kind == 1 {
            return field.get(before..before + 8).map(|bytes| number(bytes, 0, 8));
        }
        extra = &extra[4 + length..];
    }
    None
}

/// What a member is called where it begins, if that has so many bytes.
fn local_name(reader: &mut (impl Read + Seek), place: u64, length: usize) -> io::Result<Vec<u8>> {
    let header = read(reader, place, 30)?;
    if !header.starts_with(LOCAL) || number(&header, 26, 2) as usize != length {
        return Ok(Vec::new());
    }
    read(reader, place.saturating_add(30), length)
}

fn read(reader: &mut (impl Read + Seek), at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.seek(SeekFrom::Start(at))?;
    reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => wrong(TORN),
        _ => error,
    })?;
    Ok(bytes)
}

/// A number of at most eight bytes, the lowest first.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
