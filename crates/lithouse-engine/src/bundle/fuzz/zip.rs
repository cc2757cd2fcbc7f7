// SPDX-License-Identifier: Apache-2.0
//! Zips that are made by what an input says.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use super::recipe::{Entry, Kind, Lie, Recipe};

/// A zip of these entries.
pub(super) fn made(input: &[u8]) -> Vec<u8> {
    let recipe = Recipe::of(input);
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for entry in &recipe.entries {
        write(entry, &mut archive, &mut directory);
    }
    let mut place = number(archive.len());
    let mut count = number(recipe.entries.len());
    let mut length = number(directory.len());
    let mut disk = 0;
    match recipe.lie {
        Lie::Size(claimed) => length = truncated(claimed),
        Lie::OtherSize(claimed) => length = claimed,
        Lie::Place(claimed) => place = claimed,
        Lie::Count(claimed) => count = truncated(claimed),
        Lie::Flags(claimed) => disk = claimed,
        Lie::Nothing
        | Lie::NothingEither
        | Lie::NorHere
        | Lie::Checksum(_)
        | Lie::Method(_)
        | Lie::LongName
        | Lie::Extension(_) => {}
    }
    archive.extend(directory);
    if let Lie::Extension(_) = recipe.lie {
        large_end(&mut archive, place, count, length);
    }
    archive.extend(b"PK\x05\x06");
    archive.extend(disk.to_le_bytes());
    archive.extend(disk.to_le_bytes());
    for _ in 0..2 {
        archive.extend(u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    }
    archive.extend(length.to_le_bytes());
    archive.extend(place.to_le_bytes());
    let comment: &[u8] = if let Lie::LongName = recipe.lie { b"PK\x05\x06 in a comment of the archive" } else { b"" };
    archive.extend(u16::try_from(comment.len()).unwrap_or_default().to_le_bytes());
    archive.extend(comment);
    if let Some(cut) = recipe.is_cut_by {
        archive.truncate(archive.len().saturating_sub(cut.into()));
    }
    archive
}

/// The end of an archive with large numbers.
fn large_end(archive: &mut Vec<u8>, place: u32, count: u32, length: u32) {
    let at = archive.len() as u64;
    archive.extend(b"PK\x06\x06");
    archive.extend(44_u64.to_le_bytes());
    archive.extend([45, 3, 45, 0]);
    archive.extend([0; 8]);
    for value in [count, count, length, place] {
        archive.extend(u64::from(value).to_le_bytes());
    }
    archive.extend(b"PK\x06\x07");
    archive.extend([0; 4]);
    archive.extend(at.to_le_bytes());
    archive.extend(1_u32.to_le_bytes());
}

fn write(entry: &Entry, archive: &mut Vec<u8>, directory: &mut Vec<u8>) {
    let (mut name, plain) = (entry.name(), entry.content());
    name.truncate(usize::from(u16::MAX));
    let packed = if entry.is_compressed { deflated(&plain) } else { plain.clone() };
    let mut checksum = Crc::new();
    checksum.update(&plain);
    let mut checksum = checksum.sum();
    let mut method: u16 = if entry.is_compressed { 8 } else { 0 };
    let (mut flags, mut place): (u16, u32) = (0x800, number(archive.len()));
    let (mut packed_size, mut size) = (number(packed.len()), number(plain.len()));
    let mut extra: Vec<u8> = Vec::new();
    match entry.lie {
        Lie::Size(claimed) => packed_size = truncated(claimed),
        Lie::OtherSize(claimed) => size = claimed,
        Lie::Checksum(claimed) => checksum = claimed,
        Lie::Place(claimed) => place = claimed,
        Lie::Method(claimed) => method = claimed,
        Lie::Flags(claimed) => flags = claimed,
        Lie::Count(claimed) => {
            // The numbers of large entries stand in an extra field.
            (packed_size, size) = (u32::MAX, u32::MAX);
            extra = [&1_u16.to_le_bytes()[..], &16_u16.to_le_bytes(), &claimed.to_le_bytes(), &claimed.to_le_bytes()].concat();
        }
        Lie::Extension(kind) => extra = [&[kind, 0, 4, 0][..], &[kind; 4]].concat(),
        Lie::Nothing | Lie::NothingEither | Lie::NorHere | Lie::LongName => {}
    }
    let kind: u32 = match entry.kind {
        Kind::File => 0o100_000,
        Kind::Folder => 0o040_000,
        Kind::SymbolicLink => 0o120_000,
        Kind::HardLink => 0,
        Kind::Device => 0o060_000,
        Kind::Pipe => 0o010_000,
        Kind::Socket => 0o140_000,
        Kind::Other(kind) => u32::from(kind & 0xf) << 12,
    };
    let mode = kind | u32::from(entry.mode & 0o7777);
    let mut head = Vec::new();
    head.extend(flags.to_le_bytes());
    head.extend(method.to_le_bytes());
    head.extend([0, 0, 0x21, 0x58]);
    for value in [checksum, packed_size, size] {
        head.extend(value.to_le_bytes());
    }
    for length in [name.len(), extra.len()] {
        head.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    }

    archive.extend(b"PK\x03\x04\x14\0");
    archive.extend(&head);
    archive.extend(&name);
    archive.extend(&extra);
    archive.extend(packed);

    // Made by Unix, so that the mode counts.
    directory.extend(b"PK\x01\x02\x14\x03\x14\0");
    directory.extend(&head);
    directory.extend([0; 6]);
    directory.extend((mode << 16).to_le_bytes());
    directory.extend(place.to_le_bytes());
    directory.extend(&name);
    directory.extend(&extra);
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn number(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn truncated(claimed: u64) -> u32 {
    u32::try_from(claimed & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}
