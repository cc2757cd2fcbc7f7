// SPDX-License-Identifier: Apache-2.0
//! `lithouse run` and `lithouse check` against a real server.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use lithouse_testkit::wait_until_blocking;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server;
use crate::server::{PATIENCE, Server};

/// A folder to run the command in, with files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn call(server: &Server, folder: &TempDir, arguments: &[&str], stdin: &str) -> Output {
    let mut command = server.command();
    command.args(arguments).current_dir(folder.path());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever does not read it may be gone already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// Exit code, standard output, standard error.
fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn names(folder: &TempDir) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                names.push(entry.path().strip_prefix(folder.path()).unwrap().display().to_string());
            }
        }
    }
    names.sort();
    names
}

const WHOLE: &str = r#"
import sys
import pandas as pd, matplotlib.pyplot as plt, plotly.express as px
print("out")
print("err", file=sys.stderr)
sales = pd.read_csv("data/sales.csv")
plt.plot(sales.sold)
fig = px.line(y=[1, 2])
sales.to_csv("doubled.csv", index=False)
"#;

#[test]
fn a_run_prints_its_output_and_tables_and_saves_its_charts_and_files() {
    let folder = folder(&[("work/plot.py", WHOLE), ("data/sales.csv", "month,sold\nJanuary,12\nFebruary,9.5\n")]);
    let run = call(&server(), &folder, &["run", "work/plot.py", "--policy", "open", "--file", "data/sales.csv"], "");
    let table = "sales (2 rows, 2 columns)\n   month     sold\n0  January   12.0\n1  February  9.5\n";
    let saved = "saved `work/plot-1.png`\nsaved `work/plot-2.json`\nsaved `work/plot-files/doubled.csv`\n";
    assert_eq!(told(&run), (0, format!("out\n{table}"), format!("err\n{saved}")));
    let expected = ["data/sales.csv", "work/plot-1.png", "work/plot-2.json", "work/plot-files/doubled.csv", "work/plot.py"];
    assert_eq!(names(&folder), expected);
    assert!(fs::read(folder.path().join("work/plot-1.png")).unwrap().starts_with(b"\x89PNG"));
    let figure: Value = serde_json::from_slice(&fs::read(folder.path().join("work/plot-2.json")).unwrap()).unwrap();
    assert_eq!(figure["data"][0]["y"], json!([1, 2]));
    assert_eq!(
        fs::read_to_string(folder.path().join("work/plot-files/doubled.csv")).unwrap(),
        "month,sold\nJanuary,12.0\nFebruary,9.5\n"
    );
}

#[test]
fn everything_goes_into_the_folder_that_is_named() {
    let code = "import matplotlib.pyplot as plt\n_ = plt.plot([1])\n_ = open('a.txt', 'w').write('a')\n_ = open('.hidden', 'w').write('b')\n";
    let folder = folder(&[]);
    let run = call(&server(), &folder, &["run", "-", "--policy", "open", "--out", "left/here"], code);
    let (code, stdout, stderr) = told(&run);
    assert_eq!((code, stdout.as_str()), (0, ""), "{stderr}");
    assert!(stderr.contains("not saved, because of its name: `.hidden`"), "{stderr}");
    assert_eq!(names(&folder), ["left/here/a.txt", "left/here/snippet-1.png"]);
}

#[test]
fn a_run_that_fails_is_told_on_standard_error_and_exit_code_1() {
    let folder = folder(&[
        ("raises.py", "print('before')\n{}['a']\n"),
        ("spins.py", "while True:\n    pass\n"),
        ("system.py", "import os\nimport socket\n"),
    ]);
    let server = server();
    let (code, stdout, stderr) = told(&call(&server, &folder, &["run", "raises.py"], ""));
    assert_eq!((code, stdout.as_str()), (1, "before\n"));
    assert!(stderr.starts_with("Traceback (most recent call last):\n") && stderr.contains("KeyError: 'a'\n"), "{stderr}");
    assert!(stderr.ends_with("\nerror: `raises.py` failed in line 2: KeyError: 'a'\n"), "{stderr}");

    let mut timeout = 0.5;
    // On a machine with much else to do, it may not come to tell its line in so little time.
    wait_until_blocking("it is ended in its line", PATIENCE, || {
        let given = f64::to_string(&timeout);
        timeout = f64::min(timeout * 2.0, 20.0);
        let (code, _, stderr) = told(&call(&server, &folder, &["run", "spins.py", "--timeout", &given], ""));
        assert_eq!(code, 1);
        assert!(stderr.ends_with(&format!("{given} s\nhint: `--timeout` gives it up to 60 s\n")), "{stderr}");
        if stderr.contains("error: `spins.py` was ended in line ") { Ok(()) } else { Err(stderr) }
    });

    let (code, _, stderr) = told(&call(&server, &folder, &["run", "system.py"], ""));
    assert_eq!(code, 1);
    assert!(stderr.starts_with("error: `system.py` was not run in line 1: "), "{stderr}");
    assert!(stderr.ends_with("\nhint: `lithouse check system.py` lists every issue\n"), "{stderr}");
}

#[test]
fn the_answer_of_the_api_is_printed_for_programs_and_nothing_saved() {
    let folder = folder(&[]);
    let code = "import matplotlib.pyplot as plt\nplt.plot([1])\nprint('x')\nopen('a', 'w').write('a')\n1 / 0\n";
    let run = call(&server(), &folder, &["run", "-", "--policy", "open", "--json"], code);
    let (code, stdout, stderr) = told(&run);
    let problem: Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((code, &problem["exit_code"]), (1, &json!(1)));
    assert_eq!(problem["detail"], "`-` failed in line 5: ZeroDivisionError: division by zero");
    let answer: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&answer["status"], &answer["output"]["stdout"]), (&json!("error"), &json!("x\n")));
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn events_are_printed_a_line_each_for_programs() {
    let run = call(&server(), &folder(&[]), &["run", "-", "--json", "--stream"], "print('x')\n");
    let (code, stdout, _) = told(&run);
    let events: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (result, written) = events.split_last().unwrap();
    // In how many pieces it comes depends on when somebody looked.
    let text: String = written.iter().map(|event| event["data"].as_str().unwrap()).collect();
    assert_eq!((code, text.as_str()), (0, "x\n"));
    assert!(written.iter().all(|event| event["event"] == "stdout"));
    assert_eq!((&result["event"], &result["data"]["status"]), (&json!("result"), &json!("success")));
}

#[test]
fn code_can_read_what_is_piped_in() {
    let folder = folder(&[("ask.py", "\u{feff}print(input()[::-1])\n")]);
    let run = call(&server(), &folder, &["run", "ask.py", "--policy", "open", "--stdin", "-"], "abc\n");
    assert_eq!(told(&run), (0, "cba\n".to_owned(), String::new()));
}

#[test]
fn issues_are_listed_as_compilers_do() {
    let folder = folder(&[("bad.py", "import os\nx = eval('1')\n"), ("good.py", "x = 1\n")]);
    let server = server();
    let (code, stdout, stderr) = told(&call(&server, &folder, &["check", "bad.py"], ""));
    assert_eq!((code, stderr.as_str()), (1, "error: `bad.py` has 2 issues\n"));
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(
        lines[0].starts_with("bad.py:1:8: forbidden_import: ") && lines[1].starts_with("bad.py:2:5: forbidden_call: "),
        "{stdout}"
    );
    assert_eq!(told(&call(&server, &folder, &["check", "good.py"], "")), (0, String::new(), String::new()));
    assert_eq!(
        told(&call(&server, &folder, &["check", "-", "--json"], "x = 1")).1,
        "{\n  \"valid\": true,\n  \"issues\": []\n}\n"
    );
}

#[test]
fn what_cannot_be_read_or_taken_has_its_own_exit_code() {
    let folder = folder(&[("ok.py", "1"), ("data", "x")]);
    fs::write(folder.path().join("binary.py"), b"\xff\xfe").unwrap();
    let server = server();
    for (arguments, code, said) in [
        (&["run", "missing.py"][..], 2, "error: could not read `missing.py`: No such file or directory"),
        (&["run", "binary.py"], 2, "error: `binary.py` is not UTF-8 text"),
        (&["run", "-", "--stdin", "-"], 2, "error: the code and its input cannot both come from standard input"),
        (&["run", "ok.py", "--timeout", "soon"], 2, "a number of seconds is expected"),
        (&["run", "ok.py", "--timeout", "90"], 4, "error: a timeout of 90 s is not offered: it must be from 0.001 s to 60 s"),
        (
            &["run", "ok.py", "--file", "data", "--file", "./data"],
            4,
            "error: the files \"data\" and \"data\" cannot lie in one folder",
        ),
        (&["check", "missing.py"], 2, "error: could not read `missing.py`"),
    ] {
        let (found, stdout, stderr) = told(&call(&server, &folder, arguments, ""));
        assert_eq!((found, stdout.as_str()), (code, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}
