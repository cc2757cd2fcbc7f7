// SPDX-License-Identifier: Apache-2.0
//! What is no request, and heads of requests that are odd.

use super::lab::refused;
use super::request::Request;

fn accepting(accept: impl AsRef<[u8]>) -> Vec<Request> {
    ["/api/apps/nowhere", "/apps/nowhere/", "/nowhere"].map(|path| Request::new("GET", path).header("Accept", &accept)).into()
}

refused! { "heads":
    an_address_of_seventy_thousand_bytes: Request::get(format!("/{}", "a".repeat(70_000)));
    a_head_of_half_a_megabyte: vec![Request::new("GET", "/").header("Cookie", "c".repeat(1 << 19))];
    a_head_of_thirty_megabytes: vec![Request::new("GET", "/").header("Cookie", "c".repeat(30 << 20))];
    a_thousand_headers: vec![(0..1000).fold(Request::new("GET", "/"), |request, number| request.header(&format!("x-{number}"), "y"))];
    a_line_that_is_no_header: vec![Request::new("GET", "/").header("no name\r\nnor value", "x")];
    a_head_with_a_nul: vec![Request::new("GET", "/").header("x-odd", "a\0b")];
    another_version_of_http: Request::raw("GET / HTTP/3.0\r\nHost: a\r\n\r\n");
    the_beginning_of_tls: Request::raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 some client's hello\r\n\r\n");
    another_protocol: Request::raw("EHLO mail.example\r\n");
    two_lengths: vec![Request::new("POST", "/").header("Content-Length", "7")];
    a_length_in_words: Request::raw("POST /api/apps HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n");
    an_accept_header_that_makes_no_sense: accepting(";;q=//, ,text/");
    an_accept_header_that_is_no_text: accepting(b"\xff\xfe/\x80");
    an_accept_header_of_ten_thousand_types: accepting("a/b,".repeat(10_000));
    an_accept_header_that_wants_nothing_of_ours: accepting("image/png");
    an_accept_header_that_wants_a_page_at_all_costs: accepting("text/html;q=9, application/json;q=-1");
}
