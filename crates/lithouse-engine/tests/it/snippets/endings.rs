// SPDX-License-Identifier: Apache-2.0
//! Every way to end has its name, and what came before the end is kept.

use std::time::Duration;

use lithouse_engine::snippets::{Event, ExecuteError, InputFile, Mode, Request, Status};
use lithouse_testkit::wait_until_blocking;
use serde_json::json;

use super::lab::{Answer, Lab, PATIENCE, open};

/// Runs code that is ended because its time is over, with ever more time, until it has said something before and is told as expected:
/// on a machine with much else to do, it may not come to anything in so little.
fn ended_in_time(lab: &Lab, timeout: u64, code: &str, is_it: impl Fn(&Answer) -> bool) -> (Answer, u64) {
    let mut timeout = timeout;
    wait_until_blocking("it says something before its time is over", PATIENCE, || {
        let given = timeout;
        timeout = (timeout * 2).min(20_000);
        let answer = within(lab, given, code);
        assert_eq!(answer.status, Status::Timeout, "{:#}", answer.json);
        if is_it(&answer) { Ok((answer, given)) } else { Err(answer) }
    })
}

fn within(lab: &Lab, timeout: u64, code: &str) -> Answer {
    lab.execute(Request { timeout: Some(Duration::from_millis(timeout)), ..open(code) }).expect("it can be run")
}

pub(crate) fn code_that_takes_too_long_is_stopped_where_it_is(lab: &Lab) {
    let tells_its_line = |answer: &Answer| matches!(answer.json["error"]["line"].as_u64(), Some(3 | 4));
    let (answer, _) = ended_in_time(lab, 500, "print('before')\nx = 0\nwhile True:\n    x += 1", tells_its_line);
    assert_eq!(answer.stdout(), "before\n");
    let time = answer.json["execution_time"].as_u64().unwrap();
    assert!(time >= 450, "{time}");
}

pub(crate) fn code_that_does_not_want_to_be_stopped_is_ended(lab: &Lab) {
    let code = "import signal, os\n\
                print('before')\n\
                signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n\
                for number in range(1, 64):\n    \
                    try: signal.signal(number, signal.SIG_IGN)\n    \
                    except (OSError, ValueError): pass\n\
                while True: pass";
    let (answer, given) = ended_in_time(lab, 300, code, |answer| answer.stdout() == "before\n");
    let seconds = Duration::from_millis(given).as_secs_f64();
    assert!(answer.error().contains(&format!("longer than {seconds} s")), "{}", answer.error());
}

pub(crate) fn too_much_memory_is_told_whatever_it_is_taken_with(lab: &Lab) {
    for code in [
        "x = bytearray(3 << 30)",
        "import numpy as np\nx = np.ones(400_000_000)",
        "x = []\nwhile True: x.append(bytearray(1 << 20))",
    ] {
        let answer = lab.run(&format!("print('before')\n{code}"));
        assert_eq!((answer.status, answer.stdout()), (Status::MemoryLimit, "before\n"), "{code}: {:#}", answer.json);
        assert!(answer.error().contains("MemoryError: "), "{}", answer.error());
    }
    // Memory that is shared is not to be had where nobody counts it.
    let answer =
        lab.run("import mmap\nx = []\nwhile True:\n    x.append(mmap.mmap(-1, 16 << 20))\n    x[-1].write(b'x' * (16 << 20))");
    let is_refused = answer.status == Status::Error && answer.error().starts_with("PermissionError");
    assert!(answer.status == Status::MemoryLimit || is_refused, "{:#}", answer.json);
    // Half of the limit is for everybody to use.
    assert_eq!(lab.run("x = bytearray(250_000_000)\nprint(len(x))").printed(), "250000000\n");
}

pub(crate) fn too_much_output_ends_the_run(lab: &Lab) {
    let answer = lab.run("import os\nprint('first', flush=True)\nblock = b'x' * 65536\nwhile True: os.write(1, block)");
    assert_eq!(answer.status, Status::OutputLimit, "{:#}", answer.json["error"]);
    assert!(answer.stdout().starts_with("first\nxxx") && answer.stdout().len() == 1 << 20);
    assert_eq!(answer.json["output"]["truncated"], json!(["stdout"]));
}

pub(crate) fn a_crash_is_told_by_its_signal(lab: &Lab) {
    let answer = lab.run("import ctypes\nprint('before', flush=True)\nctypes.string_at(8)");
    assert_eq!((answer.status, answer.stdout()), (Status::Crashed, "before\n"), "{:#}", answer.json);
    assert!(answer.error().contains("SIGSEGV"), "{}", answer.error());
    assert_eq!((answer.json["error"]["line"].as_u64(), answer.stderr()), (Some(3), ""), "{:#}", answer.json);
    let traceback = answer.json["error"]["traceback"].as_str().unwrap();
    assert!(traceback.contains("\"snippet.py\", line 3, in <module>") && !traceback.contains('/'), "{traceback}");
    let (answer, events) = lab.stream("import os, sys\nprint('mine', file=sys.stderr)\nos.abort()");
    assert_eq!((answer.stderr(), answer.json["error"]["line"].as_u64()), ("mine\n", Some(3)), "{:#}", answer.json);
    let is_heard = |event: &Event| matches!(event, Event::Stderr(text) if text.contains("Fatal") || text.contains("File"));
    assert!(!events.iter().any(is_heard), "{events:?}");
    // Where no signal may be sent, not even to itself, it ends by an instruction that nobody may use.
    let answer = lab.run("import os\nos.abort()");
    assert!(["SIGABRT", "SIGSEGV", "SIGILL"].iter().any(|name| answer.error().contains(name)), "{}", answer.error());
}

pub(crate) fn a_run_can_stop_itself_but_not_the_clock(lab: &Lab) {
    let answer = within(lab, 500, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nwhile True: pass");
    assert_eq!(answer.status, Status::Timeout, "{:#}", answer.json);
}

pub(crate) fn the_beginning_of_long_output_is_kept(lab: &Lab) {
    let answer = lab.run("for i in range(400_000): print(i)");
    answer.printed();
    assert!(answer.stdout().starts_with("0\n1\n2\n") && answer.stdout().len() == 1 << 20);
    assert_eq!(answer.json["output"]["truncated"], json!(["stdout"]));
}

pub(crate) fn half_characters_are_replaced(lab: &Lab) {
    let answer = lab.run("import os\nos.write(1, b'\\xff a\\xc3')\nos.write(1, b'\\xa4 \\xe2\\x82')\nNone");
    assert_eq!(answer.printed(), "\u{fffd} aä \u{fffd}");
}

pub(crate) fn an_exit_without_a_result_is_a_crash_and_a_polite_one_is_not(lab: &Lab) {
    let answer = lab.run("import os\nprint('before')\nos._exit(3)");
    assert_eq!((answer.status, answer.stdout()), (Status::Crashed, "before\n"));
    assert!(answer.error().contains("exit code 3"), "{}", answer.error());
    assert_eq!(lab.run("print('before')\nraise SystemExit").printed(), "before\n");
    assert_eq!(lab.run("raise SystemExit('no')").status, Status::Error);
}

pub(crate) fn what_cannot_be_taken_is_refused_before_it_is_run(lab: &Lab) {
    let refused = |request: Request| lab.execute(request).expect_err("it is refused");
    assert!(matches!(refused(Request::of("x".repeat(60_000))), ExecuteError::CodeTooLarge { .. }));
    let timeout = Some(Duration::from_secs(61));
    assert!(matches!(refused(Request { timeout, ..Request::of("") }), ExecuteError::TimeoutOutOfRange { .. }));
    let files = vec![InputFile { name: "../x".to_owned(), data: String::new() }];
    assert!(matches!(refused(Request { files, ..Request::of("") }), ExecuteError::BadFileName { .. }));
    let closed = Request { mode: Mode::Open, ..Request::of("") };
    assert!(lab.execute(closed).is_ok(), "this lab allows it");
}

pub(crate) fn a_run_that_closes_its_channel_goes_on(lab: &Lab) {
    let answer = lab.run("import os, time\nos.closerange(3, 100)\ntime.sleep(0.1)\nprint('still here', flush=True)");
    assert_eq!((answer.status, answer.stdout()), (Status::Crashed, "still here\n"), "{:#}", answer.json);
}
