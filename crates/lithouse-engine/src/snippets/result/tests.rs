// SPDX-License-Identifier: Apache-2.0
//! What passes, and what a child with evil intentions tries to pass.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;

const HTML: &str = "<table class=\"dataframe\"><thead><tr><th></th><th>a</th><th>b</th></tr></thead><tbody></tbody></table>";

fn good() -> Value {
    json!({
        "status": "success", "execution_time": 12.4, "error": null,
        "charts": [picture(640, 480), {"type": "plotly", "format": "json", "data": {"data": []}, "width": 700, "height": 450}],
        "dataframes": [{"name": "df", "columns": ["a", "b"], "dtypes": {"a": "int64", "b": "float64"}, "index": [0, 1],
            "data": [[1, 2.5], [3, null]], "shape": [2, 2], "truncated": false, "html": HTML}],
        "variables": {"z": {"type": "int", "value": 1}, "a": {"type": "str", "value": "x"}},
        "files": [{"name": "out/a.csv", "size": 2, "data": "aGk="}],
        "truncated": []
    })
}

fn figure(bytes: usize) -> Value {
    json!({"type": "plotly", "format": "json", "data": {"x": "y".repeat(bytes)}, "width": 700, "height": 450})
}

fn picture(width: u32, height: u32) -> Value {
    json!({"type": "matplotlib", "format": "png", "data": STANDARD.encode(png(width, height)), "width": 1, "height": 1})
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(b"\x08\x06\0\0\0\0\0\0\0\0\0\0\0IEND\xae\x42\x60\x82");
    bytes
}

fn read_result(result: &Value) -> Result<Box<ChildResult>, Malformed> {
    match read(json!({ "result": result }).to_string().as_bytes())? {
        Said::Result(result) => Ok(result),
        other => panic!("{other:?}"),
    }
}

/// The good result with a change.
fn changed(pointer: &str, value: Value) -> Value {
    let mut result = good();
    *result.pointer_mut(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")) = value;
    result
}

#[test]
fn a_good_result_passes_as_it_is() {
    let result = read_result(&good()).unwrap();
    assert_eq!((result.status, result.execution_time), (Status::Success, 12));
    assert_eq!(result.charts[0].get().matches("\"width\":640,\"height\":480").count(), 1, "the picture's own size is told");
    assert_eq!(serde_json::from_str::<Value>(result.charts[1].get()).unwrap(), good()["charts"][1]);
    assert_eq!(serde_json::from_str::<Value>(result.dataframes[0].get()).unwrap(), good()["dataframes"][0]);
    assert_eq!(result.files[0].get(), good()["files"][0].to_string());
}

#[test]
fn variables_keep_their_order() {
    let text = good().to_string();
    let text = text.replace(
        r#"{"a":{"type":"str","value":"x"},"z":{"type":"int","value":1}}"#,
        r#"{"z":{"type":"int","value":1},"a":{"type":"str","value":"x"}}"#,
    );
    let Said::Result(result) = read(format!("{{\"result\":{text}}}").as_bytes()).unwrap() else { panic!() };
    let names: Vec<&str> = result.variables.0.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["z", "a"]);
}

#[test]
fn what_no_child_of_ours_would_say_is_refused_as_a_whole() {
    let many = |count: usize, value: &Value| Value::Array(vec![value.clone(); count]);
    let frame = |change: &dyn Fn(&mut Value)| {
        let mut frame = good()["dataframes"][0].clone();
        change(&mut frame);
        frame
    };
    let cases = [
        ("a status of ours", changed("/status", json!("crashed"))),
        ("an unknown status", changed("/status", json!("fine"))),
        ("a negative time", changed("/execution_time", json!(-1))),
        ("an endless time", changed("/execution_time", json!(1e300))),
        (
            "an error in a success",
            changed("/error", json!({"type": "E", "message": "", "line": null, "column": null, "traceback": null})),
        ),
        ("a failure without an error", changed("/status", json!("error"))),
        ("too many charts", changed("/charts", many(33, &picture(1, 1)))),
        ("too many pixels", changed("/charts/0", picture(5001, 5000))),
        ("pixels beyond 32 bits", changed("/charts/0", picture(u32::MAX, u32::MAX))),
        ("no pixel", changed("/charts/0", picture(0, 5))),
        ("no PNG", changed("/charts/0/data", json!(STANDARD.encode("<svg onload=alert(1)>")))),
        ("half a PNG", changed("/charts/0/data", json!(STANDARD.encode(&png(5, 5)[..30])))),
        ("no base64", changed("/charts/0/data", json!("a b"))),
        ("a picture that is no text", changed("/charts/0/data", json!([1]))),
        ("another format", changed("/charts/0/format", json!("svg"))),
        ("another type", changed("/charts/0/type", json!("html"))),
        ("a figure that is no object", changed("/charts/1/data", json!("<script>"))),
        ("a figure without end", changed("/charts/1/width", json!(1e9))),
        ("a figure beyond all bounds", changed("/charts/1/data", json!({"x": "y".repeat(21 << 20)}))),
        ("figures beyond all bounds together", changed("/charts", many(3, &figure(7 << 20)))),
        ("too many frames", changed("/dataframes", many(33, &good()["dataframes"][0]))),
        ("too many rows", changed("/dataframes/0/data", many(1001, &json!([1, 2])))),
        ("an index of another length", changed("/dataframes/0/index", json!([1]))),
        ("a ragged row", changed("/dataframes/0/data/1", json!([1, 2, 3]))),
        ("a wrong shape", changed("/dataframes/0/shape", json!([1, 2]))),
        ("a shape that hides a cut", changed("/dataframes/0/shape", json!([9, 2]))),
        (
            "too many columns",
            changed(
                "/dataframes/0",
                frame(&|frame| {
                    frame["columns"] = many(201, &json!("a"));
                    frame["data"] = json!([]);
                    frame["truncated"] = json!(true);
                    frame["html"] = json!("");
                }),
            ),
        ),
        (
            "a script in HTML",
            changed("/dataframes/0/html", json!(HTML.replace("<th>a</th>", "<th><script>alert(1)</script></th>"))),
        ),
        ("an attribute in HTML", changed("/dataframes/0/html", json!(HTML.replace("<thead>", "<thead onclick=x>")))),
        ("HTML of other columns", changed("/dataframes/0/html", json!(HTML.replace("<th>b</th>", "")))),
        ("too much HTML", changed("/dataframes/0/html", json!("x".repeat((512 << 10) + 1)))),
        (
            "too many variables",
            changed("/variables", (0..201).map(|index| (index.to_string(), json!({"type": "int", "value": 1}))).collect()),
        ),
        ("a huge variable", changed("/variables/a/value", json!("x".repeat(300_000)))),
        ("a variable with more", changed("/variables/a", json!({"type": "int", "value": 1, "more": 2}))),
        ("an absolute name", changed("/files/0/name", json!("/etc/cron.d/x"))),
        ("a name that climbs", changed("/files/0/name", json!("a/../../x"))),
        ("a name that clears the screen", changed("/files/0/name", json!("a\u{1b}[2J.csv"))),
        ("a name of two lines", changed("/files/0/name", json!("a\nb"))),
        ("a name that climbs elsewhere", changed("/files/0/name", json!("..\\..\\a.bat"))),
        ("a wrong size", changed("/files/0/size", json!(3))),
        ("too many files", changed("/files", many(33, &good()["files"][0]))),
        (
            "too many bytes in files",
            changed("/files", many(2, &json!({"name": "x", "size": 6 << 20, "data": STANDARD.encode(vec![0; 6 << 20])}))),
        ),
        ("too many words", changed("/truncated", many(17, &json!("x")))),
        ("a long word", changed("/truncated", json!(["x".repeat(301)]))),
    ];
    for (what, result) in cases {
        assert!(read_result(&result).is_err(), "{what}");
    }
}

#[test]
fn as_many_bytes_of_charts_as_python_sends_pass() {
    let figures = Value::Array(vec![figure(20 << 15); 32]);
    assert_eq!(read_result(&changed("/charts", figures)).unwrap().charts.len(), 32);
}

#[test]
fn frames_of_other_kinds_are_refused() {
    for frame in [
        &b""[..],
        b"{}",
        b"[]",
        b"null",
        b"{\"parked\":{\"x\":1}}",
        b"{\"parked\":{},\"chart\":{}}",
        b"{\"run\":{}}",
        b"\xff",
        b"{\"parked\":{}} x",
    ] {
        assert!(read(frame).is_err(), "{:?}", String::from_utf8_lossy(frame));
    }
    assert!(matches!(read(b"{\"parked\":{}}"), Ok(Said::Parked)));
    let refused = read(br#"{"refused":{"step":"mount tmpfs","errno":1,"message":"no"}}"#);
    assert!(matches!(refused, Ok(Said::Refused { errno: 1, .. })));
}

#[test]
fn a_frame_of_brackets_without_end_overflows_nothing() {
    let deep = "[".repeat(10 << 20);
    assert!(read(format!("{{\"chart\":{deep}").as_bytes()).is_err());
    assert!(read(format!("{{\"result\":{{\"variables\":{deep}").as_bytes()).is_err());
}

#[test]
fn endless_words_of_an_exception_are_cut_between_characters() {
    let mut result = changed("/status", json!("error"));
    result["error"] =
        json!({"type": "E", "message": "ä".repeat(100_000), "line": 3, "column": null, "traceback": "x".repeat(1_000_000)});
    let error = read_result(&result).unwrap().error.unwrap();
    assert!(error.message.len() <= MESSAGE_BYTES + 3 && error.message.ends_with("ä…"));
    assert!(error.traceback.unwrap().len() <= TRACEBACK_BYTES + 3);
    assert_eq!((error.line, error.column), (Some(3), None));
}
