// SPDX-License-Identifier: Apache-2.0
//! Follows a log as it grows and is rotated: every line once, in order, and from where another follower ended.

use std::io;
use std::path::PathBuf;

use futures_util::Stream;
use futures_util::stream;

use super::bookmark::Bookmark;
use super::files::{FileId, LogFile, LogFiles};
use super::last::{BLOCK_BYTES, Place, beginning_of_last_lines, read_block};
use super::watch::Watch;

/// A line that grows beyond this is given in pieces.
const LINE_BYTES: usize = 1 << 20;

/// What a follower gives first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// So many of the last lines.
    Last(usize),
    /// All that came after what was given with that bookmark. If that place was rotated away, all that is still there.
    After(Bookmark),
}

/// Whole lines that were added to a log, and where they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The lines, each with its end.
    pub lines: String,
    /// With it another follower begins after them.
    pub bookmark: Bookmark,
}

/// What is wanted of a log that is there, and then what is added to it, in batches of whole lines. The first batch may be empty: its
/// bookmark says where the follower has begun.
///
/// The log may be missing, be rotated, be truncated, be removed and made anew meanwhile. Lines are lost only when they are
/// rotated away faster than they are taken. Dropping the stream ends everything it holds; an error ends it too.
pub fn follow(path: PathBuf, begin: Begin) -> impl Stream<Item = io::Result<Batch>> + Send + 'static {
    stream::unfold(Some(Stage::Beginning { path, begin }), |stage| async move {
        match next(stage?).await {
            Ok((batch, stage)) => Some((Ok(batch), Some(stage))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

enum Stage {
    Beginning { path: PathBuf, begin: Begin },
    Following(Box<(Follower, Watch)>),
}

async fn next(stage: Stage) -> io::Result<(Batch, Stage)> {
    let (mut follower, mut watch) = match stage {
        Stage::Following(both) => *both,
        Stage::Beginning { path, begin } => {
            // The watch comes first, for nothing to happen between the look and it.
            let mut watch = Watch::new(&path);
            let (follower, bookmark) = blocking(move || {
                let follower = Follower::begin(path, begin)?;
                let bookmark = follower.bookmark()?;
                Ok((follower, bookmark))
            })
            .await?;
            watch.watch_file(follower.current());
            let nothing = Batch { lines: String::new(), bookmark };
            return Ok((nothing, Stage::Following(Box::new((follower, watch)))));
        }
    };
    loop {
        let (back, batch) = blocking(move || {
            let lines = follower.step()?;
            let batch = lines.map(|lines| io::Result::Ok(Batch { lines, bookmark: follower.bookmark()? })).transpose()?;
            Ok((follower, batch))
        })
        .await?;
        follower = back;
        let is_news = watch.watch_file(follower.current());
        if let Some(batch) = batch {
            return Ok((batch, Stage::Following(Box::new((follower, watch)))));
        }
        if !is_news {
            watch.wait().await?;
        }
    }
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await.map_err(io::Error::other)?
}

/// Where in which file we are.
struct Follower {
    path: PathBuf,
    current: Option<(LogFile, u64)>,
    /// Files that come after the current one, youngest first. Held open, they cannot be rotated away any more.
    newer: Vec<LogFile>,
    /// Files that are done with. They are held open as long as they have a name, for a look to know them again.
    done: Vec<LogFile>,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
}

impl Follower {
    /// Begins where it is wanted.
    fn begin(path: PathBuf, begin: Begin) -> io::Result<Self> {
        let files = LogFiles::look(&path, |_| false)?;
        let beginning = match begin {
            Begin::Last(lines) => Self::before_last(&files, lines)?,
            Begin::After(bookmark) => Self::after(&files, &bookmark)?,
        };
        let mut newer: Vec<_> = files.newest.into_iter().chain(files.rotated).collect();
        let done = newer.split_off(newer.len().min(beginning.file + 1));
        let current = newer.pop().map(|file| (file, beginning.at));
        Ok(Self { path, current, newer, done, partial: Vec::new() })
    }

    /// So many lines before the end of the last whole line.
    fn before_last(files: &LogFiles, lines: usize) -> io::Result<Place> {
        let mut ends = Vec::new();
        if let Some(newest) = &files.newest {
            ends.push((&newest.file, end_of_last_line(newest)?));
        }
        for file in &files.rotated {
            ends.push((&file.file, file.file.metadata()?.len()));
        }
        beginning_of_last_lines(&ends, lines, u64::MAX)
    }

    /// Where the bookmark is; the very beginning if that is not there any more.
    fn after(files: &LogFiles, bookmark: &Bookmark) -> io::Result<Place> {
        let mut oldest = 0;
        for (number, file) in files.newest.iter().chain(&files.rotated).enumerate() {
            if let Some(at) = bookmark.find_in(file)? {
                return Ok(Place { file: number, at });
            }
            oldest = number;
        }
        Ok(Place { file: oldest, at: 0 })
    }

    /// Behind the last line that was given.
    fn bookmark(&self) -> io::Result<Bookmark> {
        match &self.current {
            Some((file, position)) => Bookmark::of(file, position.saturating_sub(self.partial.len() as u64)),
            None => Ok(Bookmark::of_nothing()),
        }
    }

    fn current(&self) -> Option<&LogFile> {
        self.current.as_ref().map(|(file, _)| file)
    }

    /// The next batch of whole lines, if there is one by now.
    fn step(&mut self) -> io::Result<Option<String>> {
        loop {
            // The look comes before the reading: once a newer file is there, the older one gets no more lines, so that its end
            // as it is read then is its end for good.
            if self.newer.is_empty() {
                self.newer = self.look_for_newer()?;
            }
            while let Some(read) = self.read()? {
                if let Some(lines) = self.whole_lines(read) {
                    return Ok(Some(lines));
                }
            }
            let Some(next) = self.newer.pop() else { return Ok(None) };
            if let Some((file, _)) = self.current.replace((next, 0)) {
                self.done.push(file);
            }
            self.done.retain(LogFile::has_name);
            if !self.partial.is_empty() {
                // Its writer died within the line, or it was rotated by somebody careless.
                self.partial.push(b'\n');
                return Ok(Some(self.take_partial(self.partial.len())));
            }
        }
    }

    /// The files that are newer than the current one, youngest first.
    fn look_for_newer(&self) -> io::Result<Vec<LogFile>> {
        let current = self.current().map(|current| current.id);
        let newest = FileId::at(&self.path)?;
        if newest.is_none() || newest == current {
            return Ok(Vec::new());
        }
        let is_known = |id| Some(id) == current || self.done.iter().any(|done| done.id == id);
        let files = LogFiles::look(&self.path, is_known)?;
        match files.newest {
            Some(newest) if files.is_certain => Ok(std::iter::once(newest).chain(files.rotated).collect()),
            // In the middle of a rotation; the next look will be certain.
            _ => Ok(Vec::new()),
        }
    }

    /// Reads on in the current file; nothing at its end.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some((file, position)) = &mut self.current else { return Ok(None) };
        if file.file.metadata()?.len() < *position {
            // It was truncated, and what stands there now is new.
            *position = 0;
            self.partial.clear();
        }
        let mut block = Vec::new();
        read_block(&file.file, &mut block, *position, *position + BLOCK_BYTES)?;
        *position += block.len() as u64;
        Ok((!block.is_empty()).then_some(block))
    }

    fn whole_lines(&mut self, read: Vec<u8>) -> Option<String> {
        let before = self.partial.len();
        self.partial.extend(read);
        match self.partial[before..].iter().rposition(|byte| *byte == b'\n') {
            Some(at) => Some(self.take_partial(before + at + 1)),
            None if self.partial.len() > LINE_BYTES => Some(self.take_partial(self.partial.len())),
            None => None,
        }
    }

    fn take_partial(&mut self, length: usize) -> String {
        let rest = self.partial.split_off(length);
        let lines = std::mem::replace(&mut self.partial, rest);
        String::from_utf8_lossy(&lines).into_owned()
    }
}

/// The position behind the last line break, looked for as far back as a line may reach.
fn end_of_last_line(file: &LogFile) -> io::Result<u64> {
    let end = file.file.metadata()?.len();
    let (mut position, mut block) = (end, Vec::new());
    while position > 0 && end - position < LINE_BYTES as u64 {
        let start = position.saturating_sub(BLOCK_BYTES);
        read_block(&file.file, &mut block, start, position)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        position = start;
    }
    Ok(if position == 0 { 0 } else { end })
}
