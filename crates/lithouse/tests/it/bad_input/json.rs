// SPDX-License-Identifier: Apache-2.0
//! JSON bodies that are none, or say what cannot be.

use super::lab::refused;
use super::request::Request;

fn sent_as(kind: &str) -> Vec<Request> {
    vec![Request::new("PATCH", "/api/apps/there").header("Content-Type", kind).body(r#"{"name": "x"}"#)]
}

fn execute(body: &str) -> Vec<Request> {
    Request::json("POST", "/execute", body)
}

refused! { "json":
    an_empty_body: Request::patch("");
    a_word: Request::patch("name");
    half_an_object: Request::patch(r#"{"name": "#);
    half_a_string: Request::patch(r#"{"name": "x"#);
    more_behind_the_object: Request::patch(r#"{"name": "x"} {"name": "y"}"#);
    a_comma_too_many: Request::patch(r#"{"name": "x",}"#);
    single_quotes: Request::patch("{'name': 'x'}");
    a_list: Request::patch(r#"["x"]"#);
    null: Request::patch("null");
    a_number: Request::patch("3");
    bytes_that_are_no_text: Request::patch(b"{\"name\": \"\xff\xfe\"}");
    utf_16: Request::patch("{\"name\": \"x\"}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    a_lone_surrogate: Request::patch(r#"{"name": "\ud800"}"#);
    a_control_character: Request::patch("{\"name\": \"a\u{1}b\"}");
    not_a_number: Request::patch(r#"{"limits": {"cpu": NaN}}"#);
    brackets_in_brackets: Request::patch("[".repeat(100_000));
    objects_in_objects: Request::patch(r#"{"env":"#.repeat(100_000));
    an_unknown_field: Request::patch(r#"{"nmae": "x"}"#);
    an_unknown_field_of_a_part: Request::patch(r#"{"limits": {"memroy": 1}}"#);
    an_unknown_field_with_a_hostile_name: Request::patch(format!(r#"{{"\u001b[2J{}": 1}}"#, "x".repeat(5000)));
    a_field_that_is_not_to_be_changed: Request::patch(r#"{"key": "other"}"#);
    a_field_twice: Request::patch(r#"{"name": "x", "name": "y"}"#);
    a_number_as_the_name: Request::patch(r#"{"name": 3}"#);
    a_list_as_the_name: Request::patch(r#"{"name": ["x"]}"#);
    a_text_as_a_switch: Request::patch(r#"{"restart_on_crash": "yes"}"#);
    a_text_as_variables: Request::patch(r#"{"env": "A=1"}"#);
    a_list_as_variables: Request::patch(r#"{"env": ["A=1"]}"#);
    a_number_as_a_variable: Request::patch(r#"{"env": {"A": 1}}"#);
    a_variable_without_a_name: Request::patch(r#"{"env": {"": "x"}}"#);
    a_variable_with_a_bad_name: Request::patch(r#"{"env": {"A B": "x"}}"#);
    a_variable_of_ours: Request::patch(r#"{"env": {"LITHOUSE_DATA": "x"}}"#);
    a_variable_that_the_server_sets: Request::patch(r#"{"env": {"PORT": "1"}}"#);
    a_variable_with_a_nul: Request::patch(r#"{"env": {"A": "x\u0000y"}}"#);
    a_limit_below_zero: Request::patch(r#"{"limits": {"memory": -1}}"#);
    a_limit_with_a_fraction: Request::patch(r#"{"limits": {"processes": 4.5}}"#);
    a_limit_as_text: Request::patch(r#"{"limits": {"memory": "1GB"}}"#);
    a_limit_beyond_all_numbers: Request::patch(r#"{"limits": {"memory": 1e400}}"#);
    a_limit_beyond_the_largest_number: Request::patch(r#"{"limits": {"memory": 99999999999999999999999}}"#);
    a_limit_that_no_app_could_run_within: Request::patch(r#"{"limits": {"memory": 1}}"#);
    a_share_of_nothing: Request::patch(r#"{"limits": {"cpu": 0}}"#);
    an_empty_name: Request::patch(r#"{"name": ""}"#);
    a_name_that_turns_the_text_around: Request::patch("{\"name\": \"a\u{202e}b\"}");
    a_description_with_a_nul: Request::patch(r#"{"description": "a\u0000b"}"#);
    a_body_of_25_megabytes: Request::patch(format!(r#"{{"name": "{}"}}"#, "x".repeat(25 << 20)));
    a_form_in_place_of_json: sent_as("application/x-www-form-urlencoded");
    a_text_in_place_of_json: sent_as("text/plain");
    json_of_unknown_kind: sent_as("json");
    no_content_type: vec![Request::new("PATCH", "/api/apps/there").body("{}")];
    a_body_that_is_shorter_than_it_says: Request::patch(r#"{"name": "x"}"#).into_iter().map(|request| request.claiming(100)).collect::<Vec<_>>();
    a_snippet_without_code: execute("{}");
    a_snippet_with_an_unknown_field: execute(r#"{"code": "1", "timout": 3}"#);
    a_snippet_with_a_number_as_code: execute(r#"{"code": 1}"#);
    a_snippet_with_a_timeout_in_words: execute(r#"{"code": "1", "timeout": "30"}"#);
    a_snippet_with_an_unknown_policy: execute(r#"{"code": "1", "policy": "opne"}"#);
    a_snippet_with_a_file_that_is_a_text: execute(r#"{"code": "1", "files": ["a.csv"]}"#);
    a_snippet_with_half_a_file: execute(r#"{"code": "1", "files": [{"name": "a.csv"}]}"#);
}
