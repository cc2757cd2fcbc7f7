// SPDX-License-Identifier: Apache-2.0
//! The variables and the number by which the keeper knows its own processes again, wherever they went.

use std::fmt::Write;
use std::io;
use std::os::unix::fs::MetadataExt;

use sha2::{Digest, Sha256};

use crate::home::Home;

/// Names the instance that a process belongs to. Apps may read it.
pub(super) const INSTANCE: &str = "LITHOUSE_INSTANCE";

/// Names the home whose keeper started a process, by the home's [`of_home`].
pub(super) const HOME: &str = "LITHOUSE_KEEPER_HOME";

/// A home's mark: a digest of its path and of the folder's identity on its disk.
///
/// The path alone would not do: `/data` of a container and `/data` of its host are two homes, and the host sees both's processes.
/// A number kept in the folder would not do either: it would be copied with the folder.
pub(crate) fn of_home(home: &Home) -> io::Result<String> {
    let metadata = std::fs::metadata(home.root())?;
    let mut digest = Sha256::new();
    digest.update(b"lithouse keeper home\0");
    digest.update(home.root().as_os_str().as_encoded_bytes());
    digest.update(metadata.dev().to_be_bytes());
    digest.update(metadata.ino().to_be_bytes());
    let digest = digest.finalize();
    Ok(digest.iter().take(16).fold(String::new(), |mut mark, byte| {
        // Writing to a string cannot fail.
        let _ = write!(mark, "{byte:02x}");
        mark
    }))
}

/// A number by which the processes of an instance are known that hide everything else; see [`lithouse_sandbox::entry::Limits`].
/// It is below the usual limit, so that no process bears it by chance.
pub(super) fn tag(instance: &str) -> u64 {
    const USUAL: u64 = 819_200;
    let number = instance.bytes().fold(0, |number: u64, byte| number.wrapping_mul(131).wrapping_add(byte.into()));
    1 + number % (USUAL - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_home_has_its_own_lasting_mark() {
        let folder = tempfile::tempdir().unwrap();
        let home = |name: &str| Home::open(&folder.path().join(name)).unwrap();
        let mark = of_home(&home("a")).unwrap();
        assert_eq!(mark.len(), 32);
        assert_eq!(of_home(&home("a")).unwrap(), mark);
        assert_ne!(of_home(&home("b")).unwrap(), mark);
    }
}
