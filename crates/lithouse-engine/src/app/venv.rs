// SPDX-License-Identifier: Apache-2.0
//! Virtual environments that people made: used as they are, looked at only.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::plain_file;

/// Why a virtual environment cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum VenvError {
    /// There is no interpreter in it.
    #[error(
        "there is no Python in the virtual environment `{venv}`: `bin/python` is missing, or leads nowhere; \
         make one with `python3 -m venv {venv}`", venv = .0.display()
    )]
    NoPython(PathBuf),
    /// Its interpreter would not find Streamlit.
    #[error(
        "streamlit is not installed in the virtual environment `{venv}`; \
         install it with `{venv}/bin/python -m pip install streamlit`", venv = .0.display()
    )]
    NoStreamlit(PathBuf),
    /// Its settings cannot be read.
    #[error("`{}` could not be read: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why, such as `it is not a regular file`.
        reason: String,
    },
}

/// Whether a virtual environment can run an app; a Streamlit app needs Streamlit in it.
///
/// It is not asked itself: that would run whatever its owner put there, with our rights. It blocks.
pub(super) fn check(venv: &Path, needs_streamlit: bool) -> Result<(), VenvError> {
    if !venv.join("bin/python").exists() {
        return Err(VenvError::NoPython(venv.to_owned()));
    }
    if needs_streamlit && !sees_system_packages(venv)? && !has_streamlit(venv) {
        return Err(VenvError::NoStreamlit(venv.to_owned()));
    }
    Ok(())
}

/// Whether its interpreter may find Streamlit: in it, or in a folder that it is told to look in as well.
fn has_streamlit(venv: &Path) -> bool {
    let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let pythons = ["lib", "lib64"].into_iter().flat_map(|lib| entries(venv.join(lib)));
    pythons.flat_map(|python| entries(python.path().join("site-packages"))).any(|entry| {
        let name = entry.file_name();
        // The package, or what tells of one that lies elsewhere.
        name == "streamlit"
            || name.to_str().is_some_and(|name| name.starts_with("streamlit-"))
            || (Path::new(&name).extension().is_some_and(|end| end == "pth") && leads_elsewhere(&entry.path()))
    })
}

/// Whether a `.pth` file adds a folder to those that are looked in. Its other lines are code or comments.
fn leads_elsewhere(file: &Path) -> bool {
    let Ok(text) = plain_file::read_text(file) else { return false };
    let is_code = |line: &str| line.starts_with("import ") || line.starts_with("import\t");
    text.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#') && !is_code(line))
}

/// Whether packages outside of it count too; which those are only its interpreter knows.
fn sees_system_packages(venv: &Path) -> Result<bool, VenvError> {
    let path = venv.join("pyvenv.cfg");
    let settings = match plain_file::read_text(&path) {
        Ok(settings) => settings,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(VenvError::Unreadable { path, reason: error.to_string() }),
    };
    let is_it = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some(name.trim() == "include-system-site-packages" && value.trim() == "true")
    };
    Ok(settings.lines().any(|line| is_it(line).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_environment_is_taken_as_it_is_if_python_and_streamlit_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let venv = folder.path().join("venv");
        let missing = check(&venv, true).unwrap_err();
        assert!(missing.to_string().contains(&format!("python3 -m venv {}", venv.display())), "{missing}");
        let packages = venv.join("lib/python3.12/site-packages");
        std::fs::create_dir_all(venv.join("bin")).unwrap();
        std::fs::create_dir_all(&packages).unwrap();
        std::fs::write(venv.join("bin/python"), "").unwrap();
        assert_eq!(check(&venv, false), Ok(()));
        let without = check(&venv, true).unwrap_err();
        assert!(without.to_string().ends_with("/venv/bin/python -m pip install streamlit`"), "{without}");
        std::fs::write(venv.join("pyvenv.cfg"), "home = /usr/bin\ninclude-system-site-packages = true\n").unwrap();
        assert_eq!(check(&venv, true), Ok(()));
        std::fs::remove_file(venv.join("pyvenv.cfg")).unwrap();
        let elsewhere = packages.join("elsewhere.pth");
        for (lines, may_see) in [
            ("", false),
            ("# /srv\n\n  \nimport site\nimport\tos\n", false),
            ("import site\n/srv/packages\n", true),
            ("../x", true),
        ] {
            std::fs::write(&elsewhere, lines).unwrap();
            assert_eq!(check(&venv, true).is_ok(), may_see, "{lines:?}");
        }
        std::fs::remove_file(elsewhere).unwrap();
        std::fs::create_dir(packages.join("streamlit")).unwrap();
        assert_eq!(check(&venv, true), Ok(()));
        std::os::unix::fs::symlink("/dev/zero", venv.join("pyvenv.cfg")).unwrap();
        let endless = check(&venv, true).unwrap_err();
        assert!(endless.to_string().ends_with("/venv/pyvenv.cfg` could not be read: it is not a regular file"), "{endless}");
    }
}
