// SPDX-License-Identifier: Apache-2.0
//! What comes of code that runs to its end.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{execute, output, run, server};

#[test]
fn hello_world_is_answered_with_exactly_this() {
    let server = server();
    for path in ["/execute", "/api/execute"] {
        let answer = server.post_json(path, &json!({ "code": "print(\"Hello World\")", "timeout": 30 })).expect(200);
        assert_eq!(
            (&answer.headers["content-type"], &answer.headers["cache-control"]),
            (&"application/json".parse().unwrap(), &"no-store".parse().unwrap())
        );
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
        let took = answer.json()["execution_time"].as_u64().unwrap();
        assert!(took < 30_000, "{took}");
        let text = answer.text().replace(&format!("\"execution_time\":{took}"), "\"execution_time\":0");
        assert_eq!(
            text,
            r#"{"status":"success","execution_time":0,"output":{"stdout":"Hello World\n","stderr":"","charts":[],"dataframes":[],"variables":{},"files":[],"truncated":[]},"error":null}"#
        );
    }
}

#[test]
fn a_figure_of_matplotlib_is_a_picture_in_its_own_size_with_or_without_show() {
    for show in ["", "plt.show()\n"] {
        let code =
            format!("import matplotlib.pyplot as plt\nfig = plt.figure(figsize=(5, 3), dpi=80)\nplt.plot([1, 2, 4])\n{show}");
        let output = output(&code);
        let charts = output["charts"].as_array().unwrap();
        assert_eq!(charts.len(), 1, "{show:?}");
        let chart = &charts[0];
        assert_eq!(
            [&chart["type"], &chart["format"], &chart["width"], &chart["height"]],
            [&json!("matplotlib"), &json!("png"), &json!(400), &json!(240)]
        );
        let png = STANDARD.decode(chart["data"].as_str().unwrap()).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png[16..24] == [0, 0, 1, 144, 0, 0, 0, 240], "{:?}", &png[..24]);
        assert_eq!(output["variables"], json!({}));
    }
}

#[test]
fn a_figure_of_plotly_is_its_json_with_plain_lists() {
    let output = output("import plotly.express as px\nfig = px.line(x=[1, 2, 3], y=[3.5, None, 2])\nfig.show()\n");
    let charts = output["charts"].as_array().unwrap();
    assert_eq!(charts.len(), 1, "shown and left in a global is once: {charts:#?}");
    assert_eq!([&charts[0]["type"], &charts[0]["format"]], [&json!("plotly"), &json!("json")]);
    let trace = &charts[0]["data"]["data"][0];
    assert_eq!((&trace["x"], &trace["y"], &trace["type"]), (&json!([1, 2, 3]), &json!([3.5, null, 2.0]), &json!("scatter")));
    assert_eq!((&charts[0]["width"], &charts[0]["height"]), (&json!(700), &json!(450)));
}

#[test]
fn data_frames_are_tables_of_plain_json() {
    let code = r#"
import pandas as pd
sales = pd.DataFrame({"day": pd.to_datetime(["2026-01-02", None]), "sold": [1.5, float("nan")], "big": [2**60, 1], "who": ["<b>", None]})
one = pd.Series([1, 2], index=["a", "b"], name="n")
sales.head(1)
"#;
    let output = output(code);
    let frames = output["dataframes"].as_array().unwrap();
    let names: Vec<&Value> = frames.iter().map(|frame| &frame["name"]).collect();
    assert_eq!(names, [&json!("sales"), &json!("one"), &json!("_")]);
    let sales = &frames[0];
    assert_eq!(sales["columns"], json!(["day", "sold", "big", "who"]));
    assert_eq!(sales["data"], json!([["2026-01-02T00:00:00", 1.5, "1152921504606846976", "<b>"], [null, null, 1, null]]));
    assert_eq!((&sales["index"], &sales["shape"], &sales["truncated"]), (&json!([0, 1]), &json!([2, 4]), &json!(false)));
    let html = sales["html"].as_str().unwrap();
    assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
    assert_eq!((&frames[1]["index"], &frames[1]["data"]), (&json!(["a", "b"]), &json!([[1], [2]])));
    assert_eq!(frames[2]["shape"], json!([1, 4]));
}

#[test]
fn a_long_data_frame_is_cut_and_that_is_told() {
    let output = output("import pandas as pd\ndf = pd.DataFrame({'a': range(5000)})\n");
    let frame = &output["dataframes"][0];
    assert_eq!((frame["data"].as_array().unwrap().len(), &frame["shape"]), (1000, &json!([5000, 1])));
    assert_eq!(frame["truncated"], true);
}

#[test]
fn variables_are_told_with_their_types_and_what_is_no_value_is_not() {
    let output = output(
        "import math\nn = 3\nwords = ['a', 'b']\npoint = {'x': 1.5, 'y': None}\n_hidden = 1\nz = 1 + 2j\ndef f(): pass\nclass C: pass\n",
    );
    let variables = json!({
        "n": {"type": "int", "value": 3},
        "words": {"type": "list", "value": ["a", "b"]},
        "point": {"type": "dict", "value": {"x": 1.5, "y": null}},
        "z": {"type": "complex", "value": "(1+2j)"},
    });
    assert_eq!(output["variables"], variables);
}

#[test]
fn the_value_of_a_last_expression_is_printed_as_in_a_notebook() {
    assert_eq!(output("x = 'a'\nx * 2\n")["stdout"], "'aa'\n");
    for silent in ["x = 1\nNone\n", "x = 1\nx;\n", "1\nx = 2\n"] {
        assert_eq!(output(silent)["stdout"], "", "{silent}");
    }
}

#[test]
fn files_go_in_and_what_is_new_comes_out() {
    let code = "import pandas as pd\ndf = pd.read_csv('in/a.csv')\ndf['b'] = df.a * 2\nopen('out.csv', 'w').write(df.to_csv(index=False))\n";
    let files = json!([{ "name": "in/a.csv", "data": STANDARD.encode("a\n1\n2\n") }]);
    let answer = execute(&server(), &json!({ "code": code, "policy": "open", "files": files }));
    assert_eq!(answer["status"], "success", "{answer:#}");
    let content = "a,b\n1,2\n2,4\n";
    assert_eq!(
        answer["output"]["files"],
        json!([{ "name": "out.csv", "size": content.len(), "data": STANDARD.encode(content) }])
    );
}

#[test]
fn standard_input_is_what_was_sent_or_nothing() {
    let ask = |stdin: Value| {
        execute(&server(), &json!({ "code": "import sys\nprint(repr(sys.stdin.read()))", "policy": "open", "stdin": stdin }))
    };
    assert_eq!(ask(json!("a\nä"))["output"]["stdout"], "'a\\nä'\n");
    assert_eq!(ask(Value::Null)["output"]["stdout"], "''\n");
}

#[test]
fn both_streams_are_kept_apart() {
    let output = output("import sys\nprint('out')\nprint('err', file=sys.stderr)\n");
    assert_eq!((&output["stdout"], &output["stderr"]), (&json!("out\n"), &json!("err\n")));
}

#[test]
fn much_output_is_kept_to_a_mebibyte_and_that_is_told() {
    let output = output("print('x' * (3 << 20))\n");
    assert_eq!((output["stdout"].as_str().unwrap().len(), &output["truncated"]), (1 << 20, &json!(["stdout"])));
}

#[test]
fn runs_know_nothing_of_each_other() {
    let first = run("open('left', 'w').write('x')\nimport builtins\nbuiltins.left = 1\n");
    assert_eq!(first["status"], "success", "{first}");
    assert_eq!(output("import builtins, os\nprint(os.listdir(), hasattr(builtins, 'left'))\n")["stdout"], "[] False\n");
}

#[test]
fn many_at_a_time_each_get_their_own_answer() {
    let server = server();
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|n| {
                (
                    n,
                    scope.spawn({
                        let server = &server;
                        move || execute(server, &json!({ "code": format!("print({n} ** 2)") }))
                    }),
                )
            })
            .collect();
        for (n, asking) in asking {
            let answer = asking.join().unwrap();
            assert_eq!(answer["output"]["stdout"], format!("{}\n", n * n), "{answer}");
        }
    });
}

#[test]
fn every_template_runs_under_the_strict_policy_and_shows_something() {
    let server = server();
    let list = server.get("/templates").expect(200).json();
    let templates = list["templates"].as_array().unwrap();
    assert!(templates.len() >= 3, "{list}");
    for template in templates {
        let answer = execute(&server, &json!({ "code": template["code"] }));
        assert_eq!(answer["status"], "success", "{}: {answer:#}", template["name"]);
        let output = &answer["output"];
        let shows = ["charts", "dataframes"].iter().any(|kind| !output[kind].as_array().unwrap().is_empty());
        assert!(shows || output["stdout"] != "", "{}: {answer:#}", template["name"]);
    }
}

#[test]
fn all_issues_are_told_at_once_and_nothing_is_run() {
    let server = server();
    let verdict =
        server.post_json("/validate", &json!({ "code": "import os\nx = eval('1')\nprint(open('a'))\n" })).expect(200).json();
    assert_eq!(verdict["valid"], false);
    let places: Vec<_> = verdict["issues"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| (issue["line"].clone(), issue["column"].clone(), issue["code"].clone()))
        .collect();
    let expected = [(1, 8, "forbidden_import"), (2, 5, "forbidden_call"), (3, 7, "forbidden_call")];
    assert_eq!(places, expected.map(|(line, column, code)| (json!(line), json!(column), json!(code))), "{verdict:#}");
    for fine in [json!({ "code": "import re\nre.compile('a')" }), json!({ "code": "import os", "policy": "open" })] {
        let verdict = server.post_json("/api/validate", &fine).expect(200).json();
        assert_eq!(verdict, json!({ "valid": true, "issues": [] }));
    }
}
