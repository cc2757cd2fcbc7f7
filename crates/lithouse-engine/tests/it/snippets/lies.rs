// SPDX-License-Identifier: Apache-2.0
//! A child that says what no child of ours would: foreign code may write every byte of the channel.

use std::time::Duration;

use lithouse_engine::snippets::{Request, Status};
use lithouse_testkit::{wait_until, wait_until_blocking};

use super::lab::{Answer, Lab, PATIENCE, open};
use super::processes::{called, count_called};

/// Runs code that writes to the channel by itself.
fn lie(lab: &Lab, body: &str) -> Answer {
    lab.run(&format!(
        "import os, struct, json\n\
         def frame(text):\n    \
             data = text if isinstance(text, bytes) else text.encode()\n    \
             return struct.pack('<I', len(data)) + data\n\
         def send(data):\n    \
             while data: data = data[os.write(3, data):]\n\
         print('before', flush=True)\n{body}\n\
         import threading\nthreading.Event().wait(20)"
    ))
}

pub(crate) fn a_result_that_is_none_is_a_crash_and_harms_nobody(lab: &Lab) {
    for body in [
        "send(frame('[]'))",
        "send(frame(b'\\xff\\xfe'))",
        "send(frame('{\"result\": {}}'))",
        "send(frame('{\"parked\": {}}'))",
        "send(frame('{\"result\": ' + '[' * 1_000_000))",
        "send(struct.pack('<I', 0xffffffff))",
        "send(frame('{\"chart\": {\"type\": \"matplotlib\", \"format\": \"png\", \"data\": \"PHN2Zz4=\", \"width\": 1, \"height\": 1}}'))",
    ] {
        let answer = lie(lab, body);
        assert_eq!((answer.status, answer.stdout()), (Status::Crashed, "before\n"), "{body}: {:#}", answer.json);
        assert!(answer.error().contains("cannot be read") && answer.error().len() < 1000, "{body}: {}", answer.error());
    }
    assert_eq!(lab.run("print(1)").printed(), "1\n");
}

pub(crate) fn a_false_result_ends_the_run_and_says_what_it_says(lab: &Lab) {
    let result = "{'result': {'status': 'success', 'execution_time': 1e8, 'error': None, 'charts': [], 'dataframes': [], 'variables': \
                  {'x': {'type': 'int', 'value': 1}}, 'files': [], 'truncated': []}}";
    let answer = lie(lab, &format!("send(frame(json.dumps({result})))"));
    assert_eq!(answer.printed(), "before\n");
    // The clock is ours.
    assert!(answer.json["execution_time"].as_u64().unwrap() < 15_000, "{:#}", answer.json);
}

pub(crate) fn an_endless_frame_is_ended(lab: &Lab) {
    let answer = lie(lab, "send(struct.pack('<I', 40 << 20) + b'\"')\nwhile True: send(b'x' * 65536)");
    assert_eq!((answer.status, answer.stdout()), (Status::Crashed, "before\n"), "{:#}", answer.json);
}

pub(crate) fn a_picture_that_is_a_bomb_is_not_passed_on(lab: &Lab) {
    let body = "import base64\n\
                png = b'\\x89PNG\\r\\n\\x1a\\n\\0\\0\\0\\rIHDR' + struct.pack('>II', 100_000, 100_000) + b'\\0\\0\\0\\0IEND\\xaeB`\\x82'\n\
                chart = {'type': 'matplotlib', 'format': 'png', 'data': base64.b64encode(png).decode(), 'width': 1, 'height': 1}\n\
                send(frame(json.dumps({'chart': chart})))";
    let answer = lie(lab, body);
    assert_eq!(answer.status, Status::Crashed);
    assert!(answer.error().contains("100000 × 100000"), "{}", answer.error());
}

pub(crate) fn a_table_with_a_script_is_not_passed_on(lab: &Lab) {
    let body = "frame_of = {'name': 'df', 'columns': ['a'], 'dtypes': ['int64'], 'index': [0], 'data': [[1]], 'shape': [1, 1], \
                'truncated': False, 'html': '<img src=x onerror=alert(1)>'}\n\
                result = {'status': 'success', 'execution_time': 1, 'error': None, 'charts': [], 'dataframes': [frame_of], \
                'variables': {}, 'files': [], 'truncated': []}\n\
                send(frame(json.dumps({'result': result})))";
    let answer = lie(lab, body);
    assert_eq!(answer.status, Status::Crashed, "{:#}", answer.json);
    assert!(answer.error().contains("HTML"), "{}", answer.error());
}

pub(crate) fn a_flood_of_charts_is_bounded(lab: &Lab) {
    let body = "chart = {'type': 'plotly', 'format': 'json', 'data': {}, 'width': 1, 'height': 1}\n\
                while True: send(frame(json.dumps({'chart': chart})))";
    assert_eq!(lie(lab, body).status, Status::Crashed);
}

pub(crate) fn charts_without_end_are_bounded_in_bytes(lab: &Lab) {
    let body = "chart = {'type': 'plotly', 'format': 'json', 'data': {'x': 'y' * (6 << 20)}, 'width': 1, 'height': 1}\n\
                for _ in range(4): send(frame(json.dumps({'chart': chart})))";
    let answer = lie(lab, body);
    assert_eq!(answer.status, Status::Crashed, "{:#}", answer.json["error"]);
    assert!(answer.error().contains("larger charts"), "{}", answer.error());
    assert_eq!(answer.json["output"]["charts"].as_array().unwrap().len(), 3);
}

/// A frame that takes long to read arrives just before the time is over.
pub(crate) fn a_frame_that_takes_long_to_read_holds_up_no_clock(lab: &Lab) {
    let name = "sends-at-last";
    let code = called(name)
        + "import os, signal, struct, time\n\
           began = time.monotonic()\n\
           signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n\
           text = b'{\"chart\":{\"data\":[' + b'[],' * (13 << 20) + b'0]}}'\n\
           data = memoryview(struct.pack('<I', len(text)) + text)\n\
           while len(data) > 1: data = data[os.write(3, data[:-1]):]\n\
           while time.monotonic() < began + 0.9: pass\n\
           os.write(3, data)\n\
           while True: pass";
    let outlives_its_process = || async {
        let request = Request { timeout: Some(Duration::from_millis(700)), ..open(&code) };
        let snippets = lab.snippets.clone();
        let run = tokio::spawn(async move { snippets.execute(request, None).await });
        wait_until("it runs, or has ended", PATIENCE, async || count_called(name) == 1 || run.is_finished()).await;
        wait_until("its process is ended", PATIENCE, async || count_called(name) == 0).await;
        // The frame is being read still: the end did not wait for it.
        let is_reading = !run.is_finished();
        let status = run.await.unwrap().unwrap().status;
        assert!(matches!(status, Status::Crashed | Status::Timeout), "{status:?}");
        is_reading && status == Status::Crashed
    };
    // Where much else goes on, the frame may come too late to be read at all.
    wait_until_blocking("a process ends before its frame is read", PATIENCE, || lab.runtime.block_on(outlives_its_process()));
}
