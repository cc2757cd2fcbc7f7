// SPDX-License-Identifier: Apache-2.0
//! Programs that a test writes and that are then run.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Puts a program there that anybody may run, in the place of what was there.
///
/// It is written by another process. A child that a test beside this one forks in this very moment would hold it open for writing
/// until it has become its own program, and as long as anybody does, the kernel runs it for nobody.
#[expect(clippy::expect_used, reason = "a test without its program cannot go on")]
pub fn put_program(path: &Path, content: impl AsRef<[u8]>) {
    let mut writer = Command::new("sh")
        .args(["-c", "cat > \"$1.new\" && chmod 755 \"$1.new\" && mv -f \"$1.new\" \"$1\"", "sh"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut into = writer.stdin.take().expect("its standard input");
    into.write_all(content.as_ref()).expect("the program is written");
    drop(into);
    assert!(writer.wait().expect("its end").success(), "`{}` could not be written", path.display());
}
