// SPDX-License-Identifier: Apache-2.0
//! Saves the charts and files of a run. Their content, and the names of files, come from code that need not be trusted: a name leads
//! nowhere but below the folder that was chosen, and never to a hidden file, where programs keep what they are told to do.

use std::fs;
use std::path::{Component, Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::RunArgs;
use super::answer::{Chart, Output};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::snippet::{self, SnippetError};

/// Saves everything, and says where.
pub(super) fn all(left: &Output, args: &RunArgs) -> Result<(), Failure> {
    let stem = snippet::stem(&args.file);
    let beside = args.file.parent().filter(|_| !snippet::is_stdin(&args.file)).unwrap_or(Path::new(""));
    let charts = args.out.as_deref().unwrap_or(beside);
    for (index, chart) in left.charts.iter().enumerate() {
        let Some((ending, content)) = content(chart) else {
            output::note(&format!("chart {} is in a format that this version does not know", index + 1));
            continue;
        };
        save(&charts.join(format!("{stem}-{}.{ending}", index + 1)), &content)?;
    }
    let files = args.out.clone().unwrap_or_else(|| beside.join(format!("{stem}-files")));
    for file in &left.files {
        match (inside(&file.name), STANDARD.decode(&file.data)) {
            (Some(name), Ok(content)) => save(&files.join(name), &content)?,
            _ => output::note(&format!("not saved, because of its name: `{}`", output::plain(&file.name))),
        }
    }
    Ok(())
}

/// The ending of a chart's file, and what goes into it.
fn content(chart: &Chart) -> Option<(&'static str, Vec<u8>)> {
    match chart.format.as_str() {
        "png" => {
            let data: &str = serde_json::from_str(chart.data.get()).ok()?;
            Some(("png", STANDARD.decode(data).ok()?))
        }
        "json" => Some(("json", format!("{}\n", chart.data.get()).into_bytes())),
        _ => None,
    }
}

/// The name as a path that stays below a folder, if it is one.
fn inside(name: &str) -> Option<PathBuf> {
    let is_sound = |part: Component<'_>| match part {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => false,
    };
    let path = Path::new(name);
    (!name.is_empty() && !name.contains('\0') && path.components().all(is_sound)).then(|| path.to_owned())
}

fn save(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let failed = |source| SnippetError::Save { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, content).map_err(failed)?;
    output::note(&format!("saved `{}`", output::plain(&path.display().to_string())));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else_and_to_nothing_hidden() {
        for name in ["", "/etc/passwd", "../a", "a/../b", ".bashrc", "a/.git/config", "./a", "a\0"] {
            assert_eq!(inside(name), None, "{name}");
        }
        assert_eq!(inside("a/b.csv"), Some(PathBuf::from("a/b.csv")));
    }
}
