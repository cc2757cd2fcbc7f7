// SPDX-License-Identifier: Apache-2.0
//! The ways in which a run ends, but well; and that what it wrote before is there.

use lithouse_testkit::wait_until_blocking;
use serde_json::{Value, json};

use super::{execute, ready, run, server};
use crate::server::PATIENCE;

#[test]
fn an_exception_is_told_with_its_place_and_a_traceback_of_the_code_alone() {
    let answer = run("print('before')\ndef f(x):\n    return 1 / x\nf(0)\n");
    assert_eq!((&answer["status"], &answer["output"]["stdout"]), (&json!("error"), &json!("before\n")), "{answer:#}");
    let error = &answer["error"];
    assert_eq!(
        (&error["type"], &error["message"], &error["line"]),
        (&json!("ZeroDivisionError"), &json!("division by zero"), &json!(3))
    );
    let traceback = error["traceback"].as_str().unwrap();
    assert!(
        traceback.starts_with("Traceback (most recent call last):\n  File \"snippet.py\", line 4, in <module>\n"),
        "{traceback}"
    );
    assert!(traceback.ends_with("ZeroDivisionError: division by zero\n"), "{traceback}");
    let frames: Vec<&str> = traceback.lines().filter(|line| line.starts_with("  File ")).collect();
    assert!(frames.len() == 2 && frames.iter().all(|frame| frame.contains("\"snippet.py\"")), "{traceback}");
}

#[test]
fn code_that_is_no_python_is_told_by_python() {
    let answer = execute(&server(), &json!({ "code": "x = 1\nprint('a'\n" }));
    let error = &answer["error"];
    assert_eq!(
        (&answer["status"], &error["type"], &error["line"], &error["column"]),
        (&json!("error"), &json!("SyntaxError"), &json!(2), &json!(6))
    );
    assert!(error["traceback"].as_str().unwrap().contains("print('a'\n"), "{error}");
}

#[test]
fn an_exit_is_what_it_is_for_a_script() {
    assert_eq!(run("import sys\nsys.exit()\n")["status"], "success");
    let answer = run("import sys\nsys.exit('no luck')\n");
    assert_eq!((&answer["status"], &answer["error"]["type"]), (&json!("error"), &json!("SystemExit")), "{answer:#}");
    assert_eq!(answer["output"]["stderr"], "no luck\n");
}

#[test]
fn a_run_that_takes_too_long_is_ended_and_its_output_is_there() {
    let server = server();
    let mut timeout = 0.5;
    // On a machine with much else to do, it may not come to its line, or to tell it, in so little time.
    let answer = wait_until_blocking("it is ended in its line", PATIENCE, || {
        let answer = execute(&server, &json!({ "code": "print('before')\nwhile True:\n    pass\n", "timeout": timeout }));
        assert_eq!((&answer["status"], &answer["error"]["type"]), (&json!("timeout"), &json!("TimeoutError")), "{answer:#}");
        timeout = f64::min(timeout * 2.0, 20.0);
        if matches!(answer["error"]["line"].as_u64(), Some(2 | 3)) { Ok(answer) } else { Err(answer) }
    });
    assert_eq!(answer["output"]["stdout"], "before\n");
    let took = answer["execution_time"].as_u64().unwrap();
    assert!((400..60_000).contains(&took), "{took}");
    // Nor does it help to catch everything.
    let stubborn = "while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass\n";
    assert_eq!(execute(&server, &json!({ "code": stubborn, "timeout": 0.5 }))["status"], "timeout");
}

#[test]
fn a_run_that_wants_too_much_memory_is_told_so() {
    let answer = run("print('before', flush=True)\nx = bytearray(4 << 30)\n");
    assert_eq!((&answer["status"], &answer["output"]["stdout"]), (&json!("memory_limit"), &json!("before\n")), "{answer:#}");
    assert_eq!(answer["error"]["type"], "MemoryError");
    let answer = run("x = []\nwhile True:\n    x.append(bytearray(1 << 20))\n");
    assert_eq!(answer["status"], "memory_limit", "{answer:#}");
}

#[test]
fn a_run_that_writes_too_much_is_ended_with_what_is_kept() {
    let answer = run("while True:\n    print('x' * 100000)\n");
    assert_eq!(answer["status"], "output_limit", "{}", answer["error"]);
    assert_eq!(answer["output"]["stdout"].as_str().unwrap().len(), 1 << 20);
    assert_eq!(answer["output"]["truncated"], json!(["stdout"]));
}

#[test]
fn a_process_that_is_gone_is_a_crash_with_what_it_wrote() {
    for code in [
        "import os\nprint('before', flush=True)\nos._exit(3)\n",
        "import ctypes\nprint('before', flush=True)\nctypes.string_at(0)\n",
    ] {
        let answer = run(code);
        assert_eq!((&answer["status"], &answer["output"]["stdout"]), (&json!("crashed"), &json!("before\n")), "{answer:#}");
        assert!(answer["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer:#}");
    }
}

#[test]
fn what_the_policy_refuses_is_rejected_with_the_first_place_and_not_run() {
    let answer = execute(&server(), &json!({ "code": "print('ran')\nimport os, socket\n" }));
    assert_eq!(
        (&answer["status"], &answer["execution_time"], &answer["output"]["stdout"]),
        (&json!("rejected"), &json!(0), &json!(""))
    );
    let error = &answer["error"];
    assert_eq!(
        (&error["type"], &error["line"], &error["column"], &error["traceback"]),
        (&json!("PolicyError"), &json!(2), &json!(8), &Value::Null)
    );
    assert!(error["message"].as_str().unwrap().ends_with("(and 1 more issue)"), "{error}");
}

#[test]
fn every_end_is_counted_in_the_health() {
    let server = ready(&["--snippets-allow-open"]);
    for code in ["1", "1/0", "import os"] {
        execute(&server, &json!({ "code": code }));
    }
    let health = server.get("/api/health").json();
    let runs = &health["snippets"]["runs"];
    assert_eq!(
        [&runs["success"], &runs["error"], &runs["rejected"], &runs["crashed"]],
        [1, 1, 1, 0].map(|count| json!(count)).each_ref(),
        "{health:#}"
    );
    assert_eq!(health["status"], "up");
    let zygote = &health["snippets"]["zygote"];
    for library in ["numpy", "pandas", "matplotlib", "plotly"] {
        assert!(zygote["libraries"][library].is_string(), "{health:#}");
    }
}
