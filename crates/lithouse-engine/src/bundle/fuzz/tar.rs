// SPDX-License-Identifier: Apache-2.0
//! Tars that are made by what an input says.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::recipe::{Entry, Kind, Lie, Recipe};

const BLOCK: usize = 512;
/// More blocks of an input are no headers that are put right.
const MOST_HEADERS: usize = 200;

/// A tar of these entries.
pub(super) fn made(input: &[u8]) -> Vec<u8> {
    let recipe = Recipe::of(input);
    let mut archive = Vec::new();
    for entry in &recipe.entries {
        write(entry, &mut archive);
    }
    archive.extend([0; 2 * BLOCK]);
    if let Some(cut) = recipe.is_cut_by {
        archive.truncate(archive.len().saturating_sub(usize::from(cut) * 16));
    }
    archive
}

fn write(entry: &Entry, archive: &mut Vec<u8>) {
    let (name, content) = (entry.name(), entry.content());
    let mut size = content.len() as u64;
    let mut kind = match entry.kind {
        Kind::File => b'0',
        Kind::Folder => b'5',
        Kind::SymbolicLink => b'2',
        Kind::HardLink => b'1',
        Kind::Device => b'3',
        Kind::Pipe => b'6',
        Kind::Socket => b'S',
        Kind::Other(kind) => kind,
    };
    match entry.lie {
        Lie::LongName => put(archive, b"././@LongLink", b'L', name.len() as u64, 0, &name, 0),
        Lie::Extension(which) => {
            let (key, value): (&str, &[u8]) = match which % 5 {
                0 => ("path", &name),
                1 => ("size", b"7"),
                2 => ("GNU.sparse.major", b"1"),
                3 => ("linkpath", b"/etc/passwd"),
                _ => ("size", b"x"),
            };
            let record = pax(key.as_bytes(), value);
            put(archive, b"pax", b'x', record.len() as u64, 0, &record, 0);
        }
        Lie::Size(claimed) => size = claimed,
        Lie::OtherSize(claimed) => size = claimed.into(),
        Lie::Flags(flags) => kind = flags.to_le_bytes()[0],
        Lie::Nothing | Lie::NothingEither | Lie::NorHere | Lie::Checksum(_) | Lie::Place(_) | Lie::Method(_) | Lie::Count(_) => {}
    }
    let wrong = if let Lie::Checksum(wrong) = entry.lie { wrong } else { 0 };
    put(archive, &name, kind, size, entry.mode, &content, wrong);
}

/// A record of an extended header: its own length, in digits, comes first and counts itself.
fn pax(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

fn put(archive: &mut Vec<u8>, name: &[u8], kind: u8, size: u64, mode: u16, content: &[u8], wrong: u32) {
    let mut block = [0; BLOCK];
    // Of a longer name, what comes before its last part stands elsewhere.
    let (prefix, short) = match name.len() {
        0..=100 => (&b""[..], name),
        length => (&name[..(length - 100).min(155)], &name[length - 100..]),
    };
    block[..short.len()].copy_from_slice(short);
    block[100..108].copy_from_slice(format!("{:07o}\0", mode & 0o7777).as_bytes());
    if size < 1 << 33 {
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    } else {
        block[124] = 0x80;
        block[128..136].copy_from_slice(&size.to_be_bytes());
    }
    block[136..148].copy_from_slice(b"00000000000\0");
    block[156] = kind;
    block[157..168].copy_from_slice(b"/etc/passwd");
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[345..345 + prefix.len()].copy_from_slice(prefix);
    put_right(&mut block, wrong);
    archive.extend(block);
    archive.extend(content);
    archive.extend(vec![0; content.len().next_multiple_of(BLOCK) - content.len()]);
}

fn put_right(block: &mut [u8; BLOCK], wrong: u32) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{:06o}\0 ", sum.wrapping_add(wrong) & 0o777_777).as_bytes());
}

/// The same with the checksums of its headers put right, since chance finds none.
pub(super) fn with_checksums(input: &[u8]) -> Vec<u8> {
    let mut archive = input.to_vec();
    let mut at = 0;
    for _ in 0..MOST_HEADERS {
        let Some(block) = archive.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<BLOCK>()) else { break };
        if *block == [0; BLOCK] {
            break;
        }
        put_right(block, 0);
        let size = ::tar::Header::from_byte_slice(block).entry_size().unwrap_or_default();
        let blocks = usize::try_from(size.div_ceil(BLOCK as u64)).unwrap_or(usize::MAX);
        at = at.saturating_add(BLOCK).saturating_add(blocks.saturating_mul(BLOCK));
    }
    archive
}

/// The same compressed.
pub(super) fn compressed(archive: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(archive).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
