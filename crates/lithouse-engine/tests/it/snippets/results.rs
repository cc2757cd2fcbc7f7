// SPDX-License-Identifier: Apache-2.0
//! What a run answers with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lithouse_engine::snippets::{InputFile, Mode, Request, Status};
use serde_json::json;

use super::lab::{Lab, open};

pub(crate) fn what_is_printed_is_answered(lab: &Lab) {
    let answer = lab.run("import sys\nprint('Hello World')\nprint('oh', file=sys.stderr)");
    assert_eq!((answer.printed(), answer.stderr()), ("Hello World\n", "oh\n"));
    assert_eq!(answer.json["error"], json!(null));
    assert_eq!(answer.json["output"]["truncated"], json!([]));
}

pub(crate) fn charts_of_both_libraries_are_answered(lab: &Lab) {
    let answer = lab.run(
        "import matplotlib.pyplot as plt, plotly.express as px\n\
         plt.plot([1, 2]); plt.show()\n\
         px.line(x=[1, 2], y=[3, 4]).show()",
    );
    answer.printed();
    let charts = answer.json["output"]["charts"].as_array().unwrap();
    let kinds: Vec<_> = charts.iter().map(|chart| (&chart["type"], &chart["format"])).collect();
    assert_eq!(kinds, [(&json!("matplotlib"), &json!("png")), (&json!("plotly"), &json!("json"))]);
    assert_eq!((&charts[0]["width"], &charts[0]["height"]), (&json!(640), &json!(480)));
    assert!(STANDARD.decode(charts[0]["data"].as_str().unwrap()).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(charts[1]["data"]["data"][0]["y"], json!([3, 4]));
}

pub(crate) fn frames_and_variables_are_answered(lab: &Lab) {
    let answer = lab.run("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': ['x', None]})\nn = 3\nname = 'z'");
    answer.printed();
    let frame = &answer.json["output"]["dataframes"][0];
    assert_eq!((&frame["name"], &frame["data"], &frame["shape"]), (&json!("df"), &json!([[1, "x"], [2, null]]), &json!([2, 2])));
    assert!(frame["html"].as_str().unwrap().contains("<table"));
    assert_eq!(
        answer.json["output"]["variables"],
        json!({"n": {"type": "int", "value": 3}, "name": {"type": "str", "value": "z"}})
    );
}

pub(crate) fn an_exception_is_an_error_with_its_line(lab: &Lab) {
    let answer = lab.run("print('before')\nx = {}\n\nx['key']");
    assert_eq!((answer.status, answer.stdout()), (Status::Error, "before\n"));
    let error = &answer.json["error"];
    assert_eq!((&error["type"], &error["message"], &error["line"]), (&json!("KeyError"), &json!("'key'"), &json!(4)));
    assert!(error["traceback"].as_str().unwrap().contains("File \"snippet.py\", line 4"), "{error:#}");
}

pub(crate) fn code_that_is_no_python_is_told_by_python(lab: &Lab) {
    let answer = lab.execute(Request::of("x = 1\nif x\n    print(x)")).unwrap();
    assert_eq!(answer.status, Status::Error);
    let error = &answer.json["error"];
    assert_eq!((&error["type"], &error["line"]), (&json!("SyntaxError"), &json!(2)), "{error:#}");
    assert!(error["traceback"].as_str().unwrap().contains('^'), "{error:#}");
}

pub(crate) fn refused_code_is_not_run(lab: &Lab) {
    let answer = lab.execute(Request::of("print('run')\nimport os\nimport socket\nopen('x')")).unwrap();
    assert_eq!((answer.status, answer.stdout()), (Status::Rejected, ""));
    let error = &answer.json["error"];
    assert_eq!((&error["type"], &error["line"], &error["traceback"]), (&json!("PolicyError"), &json!(2), &json!(null)));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("`os`") && message.ends_with("(and 2 more issues)"), "{message}");
    assert_eq!(lab.snippets.check("import os", Mode::Restricted).len(), 1);
    assert!(lab.snippets.check("import os", Mode::Open).is_empty());
}

pub(crate) fn a_last_value_is_shown_as_in_a_notebook(lab: &Lab) {
    assert_eq!(lab.run("1 + 1").printed(), "2\n");
    assert_eq!(lab.run("x = 1").printed(), "");
    let answer = lab.run("import pandas as pd\npd.Series([1, 2], name='s')");
    assert_eq!((answer.printed(), &answer.json["output"]["dataframes"][0]["name"]), ("", &json!("_")));
}

pub(crate) fn files_and_standard_input_reach_the_code(lab: &Lab) {
    let files = vec![
        InputFile { name: "in/a.csv".to_owned(), data: STANDARD.encode("x,y\n1,2\n") },
        InputFile { name: "bytes".to_owned(), data: STANDARD.encode([0, 255]) },
    ];
    let code = "import pandas as pd\nprint(pd.read_csv('in/a.csv').y[0], open('bytes', 'rb').read(), input(), input())\n\
                open('out.txt', 'w').write('left')";
    let answer = lab.execute(Request { files, stdin: Some("one\ntwo\n".to_owned()), ..open(code) }).unwrap();
    assert!(answer.printed().starts_with("2 b'\\x00\\xff' one two\n"), "{:#}", answer.json);
    assert_eq!(answer.json["output"]["files"], json!([{"name": "out.txt", "size": 4, "data": STANDARD.encode("left")}]));
    let answer = lab.run("input()");
    assert_eq!(answer.json["error"]["type"], "EOFError");
}

pub(crate) fn every_run_draws_its_own_random_numbers(lab: &Lab) {
    let code = "import numpy as np, random, uuid, secrets\n\
                print(np.random.rand(), random.random(), uuid.uuid4(), secrets.token_hex(8))";
    let draws: Vec<Vec<String>> =
        (0..4).map(|_| lab.run(code).printed().split_whitespace().map(str::to_owned).collect()).collect();
    for (index, draw) in draws.iter().enumerate() {
        assert_eq!(draw.len(), 4);
        for other in &draws[index + 1..] {
            assert!(draw.iter().zip(other).all(|(one, other)| one != other), "{draws:?}");
        }
    }
}

pub(crate) fn numbers_arrive_exactly(lab: &Lab) {
    let answer = lab.run("x = 0.1 + 0.2\ny = 2**70\nz = float('nan')\ntiny = 5e-324");
    answer.printed();
    let text = answer.json["output"]["variables"].to_string();
    for exact in ["0.30000000000000004", "1180591620717411303424", "nan", "5e-324"] {
        assert!(text.contains(exact), "{text}");
    }
}

pub(crate) fn warnings_and_threads_and_the_everyday_standard_library_work(lab: &Lab) {
    let answer = lab.run(
        "import asyncio, concurrent.futures as futures, datetime, decimal, json, re, sqlite3, tempfile, threading, warnings, zoneinfo\n\
         warnings.warn('careful')\n\
         with futures.ThreadPoolExecutor(4) as pool: print(sum(pool.map(lambda x: x * x, range(10))))\n\
         asyncio.run(asyncio.to_thread(print, 'in a thread'))\n\
         db = sqlite3.connect(':memory:'); print(db.execute('select 6 * 7').fetchone())\n\
         print(datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin')).utcoffset())\n\
         with tempfile.NamedTemporaryFile() as file: file.write(b'x')",
    );
    assert_eq!(answer.printed(), "285\nin a thread\n(42,)\n2:00:00\n");
    assert!(answer.stderr().contains("careful"), "{}", answer.stderr());
}
