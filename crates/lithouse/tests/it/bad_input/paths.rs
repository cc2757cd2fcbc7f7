// SPDX-License-Identifier: Apache-2.0
//! Ids, paths and parameters that lead nowhere.

use super::lab::refused;
use super::request::Request;

fn file(path: &str) -> Vec<Request> {
    let path = format!("/api/apps/there/files/{path}");
    vec![Request::new("GET", path.clone()), Request::new("PUT", path).body("x")]
}

refused! { "paths":
    an_unknown_key: Request::get("/api/apps/nowhere");
    an_unknown_id: Request::get("/api/apps/0123456789abcdef");
    an_id_in_capitals: Request::get("/api/apps/0123456789ABCDEF");
    a_key_in_capitals: Request::get("/api/apps/There");
    an_id_that_leads_upwards: Request::get("/api/apps/%2e%2e");
    an_id_with_a_slash_in_it: Request::get("/api/apps/there%2freleases");
    an_id_with_a_nul: Request::get("/api/apps/%00");
    an_id_that_steers_a_terminal: Request::get("/api/apps/%1b%5b2J");
    an_id_that_is_no_text: Request::get("/api/apps/%ff%fe");
    an_id_of_eight_thousand_bytes: Request::get(format!("/api/apps/{}", "a".repeat(8000)));
    an_id_with_a_broken_escape: Request::get("/api/apps/%zz");
    a_delete_of_an_unknown_app: vec![Request::new("DELETE", "/api/apps/nowhere")];
    a_start_of_an_unknown_app: Request::post("/api/apps/nowhere/start");
    a_change_of_an_unknown_app: Request::json("PATCH", "/api/apps/nowhere", "{}");
    a_file_of_an_unknown_app: vec![Request::new("PUT", "/api/apps/nowhere/files/app.py").body("x")];
    the_log_of_an_unknown_app: Request::get("/api/apps/nowhere/logs");
    an_unknown_verb: Request::post("/api/apps/there/explode");
    an_unknown_method: vec![Request::new("PUT", "/api/apps/there")];
    an_unknown_path: Request::get("/api/app");
    a_release_that_is_no_number: Request::post("/api/apps/there/releases/latest/activate");
    a_release_below_zero: Request::post("/api/apps/there/releases/-1/activate");
    a_release_that_is_not_there: Request::post("/api/apps/there/releases/7/activate");
    a_release_beyond_all_numbers: Request::post("/api/apps/there/releases/99999999999999999999/activate");
    a_file_that_is_not_there: Request::get("/api/apps/there/files/nope.py");
    a_file_above: file("..%2f..%2fmeta.json");
    a_file_of_the_machine: file("%2fetc%2fpasswd");
    a_file_by_a_detour: file("lib/%2e%2e/app.py");
    a_file_with_a_backslash: file("lib%5capp.py");
    a_file_with_a_nul: file("a%00.py");
    a_file_that_is_no_text: file("%ff.py");
    a_file_with_a_name_of_four_thousand_bytes: file(&"n".repeat(4000));
    a_file_a_thousand_folders_deep: file(&format!("{}app.py", "d/".repeat(1000)));
    a_file_below_a_file: vec![Request::new("PUT", "/api/apps/there/files/app.py/x.py").body("x")];
    a_file_of_65_megabytes: Request::put("data.bin", vec![b'x'; (64 << 20) + 1]);
    a_file_that_is_shorter_than_it_says: Request::put("data.bin", "x").into_iter().map(|request| request.claiming(10)).collect::<Vec<_>>();
    a_tail_below_zero: Request::get("/api/apps/there/logs?tail=-1");
    a_tail_in_words: Request::get("/api/apps/there/logs?tail=abc");
    an_empty_tail: Request::get("/api/apps/there/logs?tail=");
    a_parameter_twice: Request::get("/api/apps/there/logs?tail=1&tail=2");
    an_unknown_parameter: Request::get("/api/apps/there/logs?tial=1");
    an_unknown_parameter_that_is_no_text: Request::get("/api/apps/there/logs?%ff=1");
    a_parameter_where_there_is_none: vec![
        Request::new("GET", "/api/apps/there?full=true"),
        Request::new("DELETE", "/api/apps/there?force=true"),
        Request::new("POST", "/api/apps/there/stop?now"),
        Request::new("GET", "/api/apps/there/files/app.py?raw=%E2%80%AE1"),
        Request::new("POST", "/execute?timeout=3"),
        Request::new("GET", "/metrics?name=%1b%5b2J"),
    ];
    an_unknown_stream: Request::get("/api/apps/there/logs?stream=all");
    a_switch_in_words: Request::get("/api/apps/there/logs?follow=maybe");
    a_limit_in_words: Request::get("/api/apps?limit=many");
    a_cursor_of_no_app: Request::get("/api/apps?after=0123456789abcdef");
    a_cursor_that_is_no_id: Request::get("/api/apps?after=there");
    an_unknown_parameter_of_the_list: Request::get("/api/apps?lmit=1");
}
