// SPDX-License-Identifier: Apache-2.0
//! What an archive is made of: entries as honest and dishonest tools write them.

use arbitrary::{Arbitrary, Unstructured};

/// Names, and parts of names, that mean something to somebody.
const PARTS: [&str; 24] = [
    "app.py",
    "main.py",
    "requirements.txt",
    "a",
    "b",
    "A",
    "c",
    "pages",
    "..",
    ".",
    "",
    "/",
    "\\",
    "__MACOSX",
    ".git",
    "venv",
    ".DS_Store",
    ".lifting-0",
    ".lifting-1",
    "é",
    "a\nb",
    "C:",
    "\u{1b}[2J",
    "...",
];

/// An archive.
#[derive(Debug, Arbitrary)]
pub(super) struct Recipe {
    pub(super) entries: Vec<Entry>,
    /// What is not as it should be in the whole.
    pub(super) lie: Lie,
    pub(super) is_cut_by: Option<u8>,
}

/// One thing in it.
#[derive(Debug, Arbitrary)]
pub(super) struct Entry {
    name: Name,
    pub(super) kind: Kind,
    pub(super) mode: u16,
    content: Vec<u8>,
    /// How often the content comes, to be compressed well.
    times: u8,
    pub(super) is_compressed: bool,
    pub(super) lie: Lie,
}

#[derive(Debug, Arbitrary)]
enum Name {
    Part(u8),
    Path(Vec<u8>),
    Folder(Vec<u8>),
    Raw(Vec<u8>),
    Long(u8, u16),
}

/// What it claims to be.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Kind {
    File,
    Folder,
    SymbolicLink,
    HardLink,
    Device,
    Pipe,
    Socket,
    Other(u8),
}

/// What is not true.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Lie {
    Nothing,
    NothingEither,
    NorHere,
    Size(u64),
    OtherSize(u32),
    Checksum(u32),
    Place(u32),
    Method(u16),
    Flags(u16),
    Count(u64),
    LongName,
    Extension(u8),
}

impl Recipe {
    pub(super) fn of(input: &[u8]) -> Self {
        let mut input = Unstructured::new(input);
        let mut recipe = Self::arbitrary(&mut input).unwrap_or(Self { entries: Vec::new(), lie: Lie::Nothing, is_cut_by: None });
        recipe.entries.truncate(40);
        recipe
    }
}

impl Entry {
    pub(super) fn name(&self) -> Vec<u8> {
        let part = |index: &u8| PARTS[usize::from(*index) % PARTS.len()];
        let path = |indices: &[u8]| indices.iter().take(40).map(part).collect::<Vec<_>>().join("/").into_bytes();
        match &self.name {
            Name::Part(index) => part(index).into(),
            Name::Path(indices) => path(indices),
            Name::Folder(indices) => [path(indices), b"/".to_vec()].concat(),
            Name::Raw(bytes) => bytes.clone(),
            Name::Long(index, times) => part(index).repeat(usize::from(*times % 5000)).into_bytes(),
        }
    }

    pub(super) fn content(&self) -> Vec<u8> {
        let content = self.content.repeat(usize::from(self.times).max(1));
        content[..content.len().min(80 << 10)].to_vec()
    }
}
