// SPDX-License-Identifier: Apache-2.0
//! Makes archives byte by byte, honest ones and others: libraries refuse to write most of what has to be refused.

use std::io::Write;

use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compress, Compression, Crc, FlushCompress};

/// One entry of a zip, with everything it says of itself.
#[derive(Clone)]
pub struct ZipEntry {
    /// Its name, as it stands in the archive.
    pub name: Vec<u8>,
    /// Its content, as it stands in the archive.
    pub stored: Vec<u8>,
    /// How that is compressed: 0 is not at all, 8 is deflate.
    pub method: u16,
    /// Bit 0 tells that it is encrypted.
    pub flags: u16,
    /// The kind and the permissions that Unix gives it.
    pub mode: u32,
    /// What it claims as its checksum.
    pub checksum: u32,
    /// What it claims as its size.
    pub size: u32,
}

impl ZipEntry {
    /// A plain file, not compressed.
    pub fn file(name: &str, content: &str) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            stored: content.as_bytes().to_vec(),
            method: 0,
            flags: 0,
            mode: 0o100_644,
            checksum: checksum(content.as_bytes()),
            size: length(content.as_bytes()),
        }
    }

    /// A plain file, compressed.
    pub fn deflated(name: &str, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).expect("compressed");
        let stored = encoder.finish().expect("compressed");
        let [checksum, size] = [checksum(content), length(content)];
        Self { stored, method: 8, checksum, size, ..Self::file(name, "") }
    }

    fn common(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [20, self.flags, self.method, 0, 0x21] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [self.checksum, length(&self.stored), self.size] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(u16::try_from(self.name.len()).expect("a short name").to_le_bytes());
        bytes.extend(0_u16.to_le_bytes());
        bytes
    }

    fn local(&self) -> Vec<u8> {
        [b"PK\x03\x04".as_slice(), &self.common(), &self.name, &self.stored].concat()
    }

    /// Its part of the directory.
    pub fn central(&self, offset: u32) -> Vec<u8> {
        // Made on Unix; no comment, disk 0, no inner attributes.
        let attributes = (self.mode << 16).to_le_bytes();
        [b"PK\x01\x02\x14\x03".as_slice(), &self.common(), &[0; 6], &attributes, &offset.to_le_bytes(), &self.name].concat()
    }
}

/// A zip of these entries, with a directory that agrees with them.
pub fn zip(entries: &[ZipEntry]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        directory.extend(entry.central(length(&archive)));
        archive.extend(entry.local());
    }
    let at = length(&archive);
    archive.extend(&directory);
    archive.extend(zip_end(0, u16::try_from(entries.len()).expect("few entries"), length(&directory), at));
    archive
}

/// A zip of files that overlap: the content of each is the head of the next one, and its content. All of them agree with the
/// directory; together they are a mebibyte of zeros each, which the archive holds once.
pub fn overlapping_zip(count: u32) -> Vec<u8> {
    const HEAD: u32 = 34;
    // A block of deflate that holds its bytes as they are begins with five more.
    const QUOTE: u32 = 5;
    let (mut content, mut stored) = (vec![0; 1 << 20], deflated_zeros(1));
    let mut directory = Vec::new();
    for n in (0..count).rev() {
        let of_content = ZipEntry { method: 8, size: length(&content), checksum: checksum(&content), ..ZipEntry::file("", "") };
        let entry = ZipEntry { name: format!("f{n:03}").into_bytes(), stored, ..of_content };
        directory.push(entry.central(n * (HEAD + QUOTE)));
        let local = entry.local();
        content = [&local[..HEAD as usize], &content].concat();
        let size = u16::try_from(HEAD).expect("a short head");
        stored = [&[0], &size.to_le_bytes()[..], &(!size).to_le_bytes(), &local].concat();
    }
    directory.reverse();
    let (mut archive, directory) = (stored.split_off(QUOTE as usize), directory.concat());
    let at = length(&archive);
    archive.extend(&directory);
    archive.extend(zip_end(0, u16::try_from(count).expect("few entries"), length(&directory), at));
    archive
}

/// The record at the end of a zip.
pub fn zip_end(disk: u16, entries: u16, directory_size: u32, directory_at: u32) -> Vec<u8> {
    let mut bytes = b"PK\x05\x06".to_vec();
    for number in [disk, disk, entries, entries] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(directory_size.to_le_bytes());
    bytes.extend(directory_at.to_le_bytes());
    bytes.extend(0_u16.to_le_bytes());
    bytes
}

/// One entry of a tar: its header block, and its content filled up to whole blocks.
pub fn tar_entry(name: &str, kind: u8, content: &[u8], link: &str) -> Vec<u8> {
    tar_entry_sized(name.as_bytes(), kind, content, link, format!("{:011o}", content.len()).as_bytes())
}

/// A plain file of a tar.
pub fn tar_file(name: &str, content: &str) -> Vec<u8> {
    tar_entry(name, b'0', content.as_bytes(), "")
}

/// The same with the field for the size as it is given.
pub fn tar_entry_sized(name: &[u8], kind: u8, content: &[u8], link: &str, size: &[u8]) -> Vec<u8> {
    let mut block = vec![0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name[..name.len().min(100)]);
    put(100, b"0000644");
    put(124, size);
    put(136, b"00000000000");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block.extend(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

/// A tar of these entries, with its end mark.
pub fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

/// One gzip member.
pub fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("compressed");
    encoder.finish().expect("compressed")
}

/// A deflate stream of so many MiB of zeros, made by repeating one compressed MiB.
pub fn deflated_zeros(mebibytes: usize) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut one = Vec::with_capacity(1 << 16);
    // A full flush ends on a whole byte and forgets what was before, so that pieces can be put one after the other.
    compress.compress_vec(&vec![0; 1 << 20], &mut one, FlushCompress::Full).expect("compressed");
    assert_eq!(compress.total_in(), 1 << 20);
    let mut stream = one.repeat(mebibytes);
    // An empty last block.
    stream.extend([0x03, 0x00]);
    stream
}

/// The checksum that belongs to a content.
pub fn checksum(content: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(content);
    crc.sum()
}

/// The length as archives write it.
pub fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a small archive")
}
