// SPDX-License-Identifier: Apache-2.0
//! Real words of uv, and what is read out of them.

use super::*;

fn read(words: &str) -> PrepareError {
    explain(words, 1, Context { python: "3.11.2", folder: Path::new("/app") })
}

#[test]
fn a_package_that_no_index_has_is_named() {
    let error = read(
        "error: No solution found when resolving dependencies\n  cause: Because nosuchthing was not found in the package registry and you \
         require nosuchthing, we can conclude that your requirements are unsatisfiable.\n",
    );
    assert_eq!(error.to_string(), "requirement `nosuchthing` was not found in the package registry");
}

#[test]
fn versions_that_do_not_exist_are_told_from_conflicts() {
    let error = read(
        "error: No solution found when resolving dependencies\n  cause: Because there is no version of six==99.0 and you require six==99.0, we \
         can conclude that your requirements are unsatisfiable.\n",
    );
    assert_eq!(error.to_string(), "there is no version of requirement `six==99.0`");
    let error = read(
        "error: No solution found when resolving dependencies\n  cause: Because only six<=1.17.0 is available and you require six>=2,<3, we \
         can conclude that your requirements are unsatisfiable.\n",
    );
    assert_eq!(error.to_string(), "there is no version of requirement `six>=2,<3`");
}

#[test]
fn a_conflict_is_told_on_one_line() {
    let error = read(
        "error: No solution found when resolving dependencies\n  cause: Because streamlit==1.30.0 depends on pandas>=1.3.0,<3 and you require \
         streamlit==1.30, we can conclude that you require pandas>=1.3.0,<3.\n         And because you require pandas==3.0.0, we can conclude \
         that your requirements are unsatisfiable.\n",
    );
    assert!(matches!(error, PrepareError::Conflict { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.starts_with("the requirements conflict: streamlit==1.30.0 depends on pandas>=1.3.0,<3")
            && text.contains("pandas==3.0.0"),
        "{text}"
    );
    assert!(!text.contains('\n'));
}

#[test]
fn older_layouts_of_a_complaint_are_read_too() {
    let error = read(
        "  × No solution found when resolving dependencies:\n  ╰─▶ Because nosuchthing was not found in the package registry and you require\n      \
         nosuchthing, we can conclude that your requirements are unsatisfiable.\n",
    );
    assert!(matches!(&error, PrepareError::NotFound { requirement, .. } if requirement == "nosuchthing"), "{error:?}");
}

#[test]
fn a_package_for_another_python_or_platform_is_told_with_what_there_is() {
    let error = read(
        "error: No solution found when resolving dependencies\n  cause: Because the current Python version (3.11.2) does not satisfy \
         Python>=3.12 and numpy==2.5.5 depends on Python>=3.12, we can conclude that numpy==2.5.5 cannot be used.\n",
    );
    assert_eq!(error.to_string(), "`numpy==2.5.5` needs Python >=3.12, but this is Python 3.11.2");
    let error = read(
        "error: No solution found when resolving dependencies\n  cause: Because tensorflow==2.3.0 has no wheels with a matching Python ABI tag \
         (e.g., `cp312`) and you require tensorflow==2.3.0, we can conclude that your requirements are unsatisfiable.\n\nhint: You require \
         CPython 3.12 (`cp312`), but we only found wheels for `tensorflow` (v2.3.0) with the following Python ABI tags: `cp38`\n",
    );
    assert!(
        matches!(&error, PrepareError::NoWheel { package, explanation } if package == "tensorflow==2.3.0" && explanation.contains("cp38")),
        "{error:?}"
    );
}

#[test]
fn an_index_that_does_not_answer_is_named_without_credentials() {
    let error = read(
        "error: Failed to resolve requirements from `setup.py` build\n  cause: No solution found when resolving: `setuptools>=40.8.0`\n  cause: \
         Request failed after 3 retries in 9.3s\n  cause: Failed to fetch: https://me:pass@127.0.0.1:9/simple/setuptools/\n  cause: error \
         sending request\n  cause: tcp connect error\n  cause: Connection refused (os error 111)\n",
    );
    assert_eq!(error.to_string(), "`https://***@127.0.0.1:9/simple/setuptools/` could not be reached: connection refused");
}

#[test]
fn a_refusal_is_told_with_its_status() {
    let error = read(
        "error: Failed to fetch: `https://host/simple/six/`\n  cause: HTTP status client error (403 Forbidden) for url (https://host/simple/six/)\n",
    );
    assert_eq!(error.to_string(), "`https://host/simple/six/` answered 403 Forbidden");
}

#[test]
fn a_refusal_that_is_only_hinted_at_is_told_too() {
    let found = "error: No solution found when resolving dependencies\n  cause: Because six was not found in the package registry and you require \
                 six, we can conclude that your requirements are unsatisfiable.\n\n";
    let error = read(&format!(
        "{found}hint: An index (http://host/simple) returned a 403 Forbidden error. Check that the index URL is correct.\n"
    ));
    assert_eq!(error.to_string(), "`http://host/simple` answered 403 Forbidden");
    let error = read(&format!(
        "{found}hint: An index URL (http://host/simple) could not be queried due to a lack of valid authentication credentials (401 Unauthorized)\n"
    ));
    assert_eq!(error.to_string(), "`http://host/simple` answered 401 Unauthorized");
}

#[test]
fn a_failed_build_script_gives_its_package_and_its_last_words() {
    let error = read(
        "   Building bad @ file:///app/bad\nerror: Failed to build `bad @ file:///app/bad`\n  cause: The build backend returned an error\n  \
         cause: Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)\n\n         [stderr]\n         Traceback (most \
         recent call last):\n           File \"<string>\", line 4, in <module>\n         error: Failed to fetch: nonsense of the script\n         \
         RuntimeError: compiler exploded\n\nhint: Build failures usually indicate a problem with the package or the build environment\n",
    );
    assert_eq!(error.to_string(), "building `bad` failed: RuntimeError: compiler exploded");
}

#[test]
fn a_full_disk_is_told_with_its_place() {
    let error = read(
        "error: Failed to install: numpy-2.5.5-cp312.whl (numpy==2.5.5)\n  cause: failed to copy file from /c/a to /data/envs/x/b.so: No space \
         left on device (os error 28)\n",
    );
    assert!(matches!(error, PrepareError::DiskFull { .. }), "{error:?}");
}

#[test]
fn a_line_that_cannot_be_read_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("requirements.txt"), "six\n# note\nsix=1.0\n").expect("a file");
    let words = "error: Couldn't parse requirement in `requirements.txt` at position 11\n  cause: no such comparison operator \"=\", must be one of \
                 ~= == != <= >= < > ===\n         six=1.0\n            ^^^^\n";
    let error = explain(words, 2, Context { python: "3.11.2", folder: folder.path() });
    assert!(
        error.to_string().starts_with("`requirements.txt`, line 3 cannot be read as requirements: `six=1.0`: no such comparison"),
        "{error}"
    );
    for separator in [":", " at"] {
        let words =
            format!("error: Unexpected '!', expected '-r' or the start of a requirement{separator} requirements.txt:2:1\n");
        let expected = "`requirements.txt`, line 2 cannot be read as requirements: Unexpected '!', expected '-r' or the start of a requirement";
        assert_eq!(read(&words).to_string(), expected);
    }
    let error = read(
        "error: Error parsing included file in `requirements.txt` at position 0\n  cause: failed to read from file `/app/missing.txt`: No such file \
         or directory (os error 2)\n",
    );
    assert_eq!(error.to_string(), "`missing.txt` cannot be read as requirements: the file is not there");
}

#[test]
fn other_ends_have_their_own_names() {
    let error = read(
        "error: Failed to download `six==1.17.0`\n  cause: Hash mismatch for `six==1.17.0`\n\n         Expected:\n           sha256:47\n",
    );
    assert!(matches!(&error, PrepareError::HashMismatch { package } if package == "six==1.17.0"), "{error:?}");
    let error = read("error: Distribution not found at: file:///app/nofolder\n");
    assert!(matches!(&error, PrepareError::NotFound { requirement, .. } if requirement == "nofolder"), "{error:?}");
    let error = read(
        "error: Git operation failed\n  cause: failed to clone into: /c\n  cause: process didn't exit successfully\n         --- stderr\n         \
         fatal: unable to access 'https://127.0.0.1:9/x.git/': Failed to connect\n",
    );
    assert!(matches!(&error, PrepareError::Git { explanation } if explanation.contains("Failed to connect")), "{error:?}");
    let error = read("error: something new\n  cause: that nobody knows\n");
    assert_eq!(error.to_string(), "uv failed with exit code 1: something new that nobody knows");
}
