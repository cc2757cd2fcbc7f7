// SPDX-License-Identifier: Apache-2.0
//! Which file of an app's folder is the app.

use std::path::Path;

/// The names an app's script has by custom, most telling first.
const USUAL_NAMES: [&str; 6] = ["app.py", "streamlit_app.py", "main.py", "Home.py", "Hello.py", "hello.py"];

/// The entry file of an app's folder: one of the usual names, else the only `*.py` at top level.
pub fn find_entry(folder: &Path) -> Option<String> {
    if let Some(name) = USUAL_NAMES.iter().find(|name| folder.join(name).is_file()) {
        return Some((*name).to_owned());
    }
    let mut scripts = std::fs::read_dir(folder).ok()?.filter_map(|entry| {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?;
        let is_script = path.extension()? == "py" && !name.starts_with('.') && path.is_file();
        is_script.then(|| name.to_owned())
    });
    let only = scripts.next()?;
    scripts.next().is_none().then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_of(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in names {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        folder
    }

    #[test]
    fn a_usual_name_wins_over_other_scripts() {
        assert_eq!(find_entry(folder_of(&["app.py", "main.py", "a.py"]).path()).as_deref(), Some("app.py"));
        assert_eq!(find_entry(folder_of(&["helpers.py", "Home.py"]).path()).as_deref(), Some("Home.py"));
    }

    #[test]
    fn the_only_script_is_the_entry_and_one_of_two_is_not() {
        assert_eq!(find_entry(folder_of(&["sales.py", "requirements.txt"]).path()).as_deref(), Some("sales.py"));
        assert_eq!(find_entry(folder_of(&["sales.py", "stock.py"]).path()), None);
        assert_eq!(find_entry(folder_of(&["notes.txt"]).path()), None);
    }

    #[test]
    fn a_folder_that_is_named_like_a_script_is_none() {
        let folder = folder_of(&["sales.py"]);
        std::fs::create_dir(folder.path().join("app.py")).expect("a folder");
        assert_eq!(find_entry(folder.path()).as_deref(), Some("sales.py"));
    }
}
