// SPDX-License-Identifier: Apache-2.0
//! How deeply a script is nested, told from its tokens, without building anything.
//!
//! A tree is freed, and in parts walked, by recursion, on a stack that is small in a server. So no tree is built that could
//! be deeper than [`DEEPEST`]. The count is an upper bound: what stands beside each other is sometimes counted as if it were nested.

use ruff_python_ast::token::TokenKind;

/// The deepest tree that is accepted. Brackets count, and so do operators, calls and attributes in a row, since each is a
/// level of the tree; a sum of 400 terms passes.
pub(super) const DEEPEST: u32 = 500;
/// As many brackets or blocks within each other are accepted; Python itself gives up at 100 blocks and 200 brackets.
pub(super) const DEEPEST_NESTING: usize = 90;

/// What is open at some place: a bracket, an f-string, or (the first one) the statement.
struct Frame {
    /// Which token closes it.
    closer: TokenKind,
    /// Levels since the last comma.
    levels: u32,
    /// Levels that a comma does not end.
    lasting: u32,
    /// The deepest of what was closed in it since the last comma.
    inner: u32,
    /// `lambda`s whose parameters are not finished; their commas separate parameters.
    lambdas: u32,
}

impl Frame {
    fn new(closer: TokenKind) -> Self {
        Self { closer, levels: 0, lasting: 0, inner: 0, lambdas: 0 }
    }

    fn depth(&self) -> u32 {
        self.levels.saturating_add(self.lasting).saturating_add(self.inner).saturating_add(1)
    }
}

/// Counts token by token.
pub(super) struct Depth {
    frames: Vec<Frame>,
    blocks: usize,
    /// `elif`s in a row, for each open block: for Python's compiler each is within the one before.
    elifs: Vec<u32>,
    is_line_start: bool,
}

impl Depth {
    pub(super) fn new() -> Self {
        Self { frames: vec![Frame::new(TokenKind::EndOfFile)], blocks: 0, elifs: vec![0], is_line_start: true }
    }

    /// Takes the next token, and tells whether it leads too deep.
    pub(super) fn is_too_deep_at(&mut self, kind: TokenKind) -> bool {
        if is_trivia(kind) {
            return false;
        }
        match kind {
            TokenKind::Newline => return self.end_statement(),
            TokenKind::Indent => {
                self.blocks += 1;
                self.elifs.push(0);
            }
            TokenKind::Dedent => {
                self.blocks = self.blocks.saturating_sub(1);
                self.elifs.pop();
            }
            _ => self.take(kind),
        }
        // Only the innermost frame can have grown, so its depth and the number of those around it bound what is known so far;
        // the sum is made when a bracket closes.
        let open: u32 = self.frames.iter().fold(0, |sum, frame| sum.saturating_add(frame.levels + frame.lasting + 1));
        let innermost = self.frames.last().map_or(0, |frame| frame.inner);
        open.saturating_add(innermost) > DEEPEST
            || self.frames.len() + self.blocks > DEEPEST_NESTING
            || self.elifs.last().is_some_and(|count| *count > DEEPEST)
    }

    fn end_statement(&mut self) -> bool {
        // Brackets that were not closed are closed here, by the parser's recovery too.
        let deepest = self.frames.iter().fold(0_u32, |sum, frame| sum.saturating_add(frame.depth()));
        self.frames.clear();
        self.frames.push(Frame::new(TokenKind::EndOfFile));
        self.is_line_start = true;
        deepest > DEEPEST
    }

    fn take(&mut self, kind: TokenKind) {
        if std::mem::take(&mut self.is_line_start) {
            self.begin_statement(kind);
        }
        let is_statement = self.frames.len() == 1;
        let Some(frame) = self.frames.last_mut() else { return };
        match kind {
            TokenKind::Lpar | TokenKind::Lsqb => {
                // It may continue what stands before it: a call, or an index.
                frame.levels += 1;
                self.frames.push(Frame::new(if kind == TokenKind::Lpar { TokenKind::Rpar } else { TokenKind::Rsqb }));
            }
            TokenKind::Lbrace => self.frames.push(Frame::new(TokenKind::Rbrace)),
            TokenKind::FStringStart => self.frames.push(Frame::new(TokenKind::FStringEnd)),
            TokenKind::TStringStart => self.frames.push(Frame::new(TokenKind::TStringEnd)),
            // A bracket that closes nothing is an error that the parser skips: what is open stays open.
            _ if kind == frame.closer => self.close(),
            TokenKind::Comma if frame.lambdas == 0 => (frame.levels, frame.inner) = (0, 0),
            TokenKind::Semi if is_statement => *frame = Frame::new(TokenKind::EndOfFile),
            TokenKind::Colon => frame.lambdas = frame.lambdas.saturating_sub(1),
            TokenKind::Lambda => {
                frame.levels += 1;
                frame.lambdas += 1;
            }
            // The clauses of a comprehension are within each other, and their targets may have commas.
            TokenKind::For if !is_statement => frame.lasting += 1,
            _ if is_level(kind) => frame.levels += 1,
            _ => {}
        }
    }

    fn begin_statement(&mut self, kind: TokenKind) {
        let Some(elifs) = self.elifs.last_mut() else { return };
        match kind {
            TokenKind::Elif => *elifs += 1,
            TokenKind::Else => {}
            _ => *elifs = 0,
        }
    }

    fn close(&mut self) {
        let depth = self.frames.pop().map_or(0, |frame| frame.depth());
        if let Some(outer) = self.frames.last_mut() {
            outer.inner = outer.inner.max(depth);
        }
    }
}

fn is_trivia(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Comment | TokenKind::NonLogicalNewline)
}

/// Whether each of such tokens in a row makes the tree one level deeper. `and`, `or` and comparisons do not.
fn is_level(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Plus
            | TokenKind::Minus
            | TokenKind::Star
            | TokenKind::Slash
            | TokenKind::Percent
            | TokenKind::DoubleSlash
            | TokenKind::DoubleStar
            | TokenKind::At
            | TokenKind::Vbar
            | TokenKind::Amper
            | TokenKind::CircumFlex
            | TokenKind::LeftShift
            | TokenKind::RightShift
            | TokenKind::Tilde
            | TokenKind::Dot
            | TokenKind::ColonEqual
            | TokenKind::If
            | TokenKind::Not
            | TokenKind::Await
            | TokenKind::Yield
    )
}
