// SPDX-License-Identifier: Apache-2.0
//! Uploads whose form is wrong.

use super::lab::{SCRIPT, refused};
use super::request::Request;
use crate::form::Form;

fn good() -> Form {
    Form::app("six\n", SCRIPT)
}

/// Uploads of a new app alone: a release has none of these fields.
fn create(form: Form) -> Vec<Request> {
    Request::upload(form)[..1].to_vec()
}

/// A whole form, one part of which is written by hand.
fn with_part(head: &[u8]) -> Vec<Request> {
    let body = [b"--x\r\n".as_slice(), head, b"\r\n\r\nsix\r\n--x--\r\n"].concat();
    Request::upload_raw("multipart/form-data; boundary=x", body)
}

fn cut(end: impl Fn(usize) -> usize) -> Vec<Request> {
    let (kind, body) = good().finish();
    Request::upload_raw(&kind, &body[..end(body.len())])
}

fn sent_as(kind: &str) -> Vec<Request> {
    Request::upload_raw(kind, good().finish().1)
}

fn changed(change: impl Fn(Request) -> Request) -> Vec<Request> {
    Request::upload(good()).into_iter().map(change).collect()
}

refused! { "forms":
    no_field_at_all: Request::upload(Form::default());
    no_requirements: Request::upload(Form::default().file("app", "app.py", SCRIPT));
    no_app: Request::upload(Form::default().file("requirements", "requirements.txt", "six\n"));
    an_empty_app: Request::files("six\n", "");
    an_empty_bundle: Request::bundle("");
    a_file_input_that_was_left_empty: Request::upload(Form::default().file("requirements", "", "").file("app", "", ""));
    the_name_of_a_file_in_place_of_the_file: Request::upload(Form::default().text("requirements", "requirements.txt").text("app", "app.py"));
    the_name_of_a_bundle_in_place_of_the_bundle: Request::upload(Form::default().text("bundle", "dist/app.zip"));
    a_field_twice: Request::upload(good().file("app", "app.py", SCRIPT));
    an_unknown_field: Request::upload(good().text("colour", "red"));
    a_field_that_is_almost_known: Request::upload(good().file("requirement", "r.txt", "six\n"));
    an_unknown_field_with_a_hostile_name: Request::upload(good().text(&format!("\u{1b}[2J{}", "x".repeat(5000)), "red"));
    a_bundle_and_files: Request::upload(good().file("bundle", "app.zip", "x"));
    a_key_of_a_release: Request::upload(good().text("key", "there")).split_off(1);
    a_key_that_is_taken: create(good().text("key", "there"));
    a_key_in_capitals: create(good().text("key", "Sales"));
    an_empty_key: create(good().text("key", ""));
    a_key_like_an_id: create(good().text("key", "0123456789abcdef"));
    a_key_that_leads_upwards: create(good().text("key", "../there"));
    a_key_that_is_too_long: create(good().text("key", &"k".repeat(64)));
    a_key_that_is_no_text: create(good().file("key", "key", b"\xff\xfe"));
    a_key_of_ten_megabytes: create(good().text("key", &"k".repeat(10 << 20)));
    an_empty_name: create(good().text("name", "  "));
    a_name_of_two_lines: create(good().text("name", "a\nb"));
    a_name_that_is_too_long: create(good().text("name", &"n".repeat(201)));
    a_description_that_is_too_long: create(good().text("description", &"d".repeat(10_001)));
    requirements_that_are_too_large: Request::files("#".repeat((1 << 20) + 1), SCRIPT);
    an_app_that_is_too_large: Request::files("six\n", "#".repeat((16 << 20) + 1));
    a_form_without_its_boundary: sent_as("multipart/form-data");
    a_form_with_another_boundary: sent_as("multipart/form-data; boundary=other");
    a_form_with_an_empty_boundary: sent_as("multipart/form-data; boundary=");
    a_form_sent_as_json: sent_as("application/json");
    a_form_sent_as_a_link: sent_as("application/x-www-form-urlencoded");
    a_form_of_another_kind: sent_as("multipart/mixed; boundary=----lithouse-test-boundary-7f3a");
    no_content_type: vec![Request::new("POST", "/api/apps").body("x"), Request::new("POST", "/api/apps/there/releases")];
    a_form_that_ends_in_a_file: cut(|length| length - 60);
    a_form_that_ends_in_a_head: cut(|_| 60);
    a_form_without_its_end: cut(|length| length - 4);
    an_empty_form: cut(|_| 0);
    a_part_without_a_name: with_part(b"Content-Disposition: form-data");
    a_part_without_a_disposition: with_part(b"Content-Type: text/plain");
    a_part_with_a_name_that_is_no_text: with_part(b"Content-Disposition: form-data; name=\"\xff\xfe\"");
    a_part_with_a_broken_head: with_part(b"Content-Disposition form-data\r\n: :");
    a_part_with_a_header_of_a_megabyte: with_part(&[b"X: ".as_slice(), &b"x".repeat(1 << 20)].concat());
    a_part_with_a_thousand_headers: with_part(&b"X: y\r\n".repeat(1000));
    ten_megabytes_before_the_first_part: Request::upload_raw("multipart/form-data; boundary=x", b"x".repeat(10 << 20));
    a_body_that_is_shorter_than_it_says: changed(|request| request.claiming(100_000));
    a_body_that_is_longer_than_it_says: changed(|request| request.claiming(200));
    a_body_in_chunks_that_is_cut: {
        let (kind, body) = good().finish();
        let sent = Request::upload_raw(&kind, &body[..body.len() - 50]);
        sent.into_iter().map(Request::cut_in_chunks).collect::<Vec<_>>()
    };
    an_upload_for_no_app: vec![Request::upload(good()).remove(1).to("/api/apps/nowhere/releases")];
}
