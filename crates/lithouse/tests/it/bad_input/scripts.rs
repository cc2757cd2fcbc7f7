// SPDX-License-Identifier: Apache-2.0
//! Scripts that Python cannot read, and requirements that uv could not.

use super::lab::{SCRIPT, refused};
use super::request::Request;
use lithouse_testkit::forge::{self, ZipEntry};

fn script(script: impl AsRef<[u8]>) -> Vec<Request> {
    Request::files("six\n", script)
}

fn requirements(requirements: impl AsRef<[u8]>) -> Vec<Request> {
    Request::files(requirements, SCRIPT)
}

refused! { "scripts":
    a_bracket_that_is_never_closed: script("import streamlit as st\nst.write('hello'\n");
    a_line_that_is_no_python: script("import streamlit as st\nst.write 'hello'\n");
    a_block_without_its_indentation: script("if True:\nprint('x')\n");
    tabs_and_blanks: script("if True:\n    x = 1\n\ty = 2\n");
    a_text_without_its_end: script("x = 'hello\n");
    a_statement_of_python_2: script("print 'hello'\n");
    a_page_of_html: script("<!DOCTYPE html>\n<html></html>\n");
    a_command_of_a_notebook: script("%matplotlib inline\n");
    the_rest_of_a_merge: script("import streamlit as st\n<<<<<<< HEAD\nst.write(1)\n=======\nst.write(2)\n>>>>>>> main\n");
    a_return_outside_of_a_function: script("return 1\n");
    a_nul: script("import streamlit as st\nx = '\0'\n");
    bytes_without_a_coding: script(b"x = 'caf\xe9'\n");
    a_coding_that_is_not_true: script(b"# -*- coding: utf-8 -*-\nx = 'caf\xe9'\n");
    a_program_in_place_of_a_script: script(b"\x7fELF\x02\x01\x01\0\0\0");
    a_broken_script_in_a_bundle: Request::bundle(forge::zip(&[ZipEntry::file("app.py", "def f(:\n"), ZipEntry::file("helper.py", "")]));
    a_broken_script_of_another_name: Request::bundle(forge::zip(&[ZipEntry::file("Home.py", "x = (\n")]));
    an_empty_script_in_a_bundle: Request::bundle(forge::zip(&[ZipEntry::file("app.py", "")]));
    an_edit_that_breaks_the_script: Request::put("app.py", "import streamlit as st\nst.write('hello\n");
    an_edit_that_empties_the_script: Request::put("app.py", "");
    an_edit_that_breaks_the_requirements: Request::put("requirements.txt", b"caf\xe9\n");
    requirements_that_are_no_text: requirements(b"six\ncaf\xe9\n");
    requirements_in_utf_16: requirements([b"\xff\xfe".to_vec(), "six==1.17.0\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect()].concat());
    requirements_with_a_nul: requirements("six\npan\0das\n");
    requirements_of_the_machine: requirements("six\n-r /etc/passwd\n");
    requirements_that_were_not_sent: requirements("six\n-r other.txt\n");
    requirements_above: requirements("--requirement=../../other/requirements.txt\n");
    requirements_by_address: requirements("-r file:///etc/passwd\n");
    constraints_of_the_machine: requirements("six\n-c /etc/hosts\n");
    a_project_above: requirements("-e ../..\n");
    a_project_of_the_machine: requirements("six\n./../../../../srv/project\n");
    requirements_that_include_some_above: Request::bundle(forge::zip(&[
        ZipEntry::file("app.py", SCRIPT),
        ZipEntry::file("requirements.txt", "# all\n-r more/base.txt\n"),
        ZipEntry::file("more/base.txt", "six\n-r ../../../meta.json\n"),
    ]));
    requirements_of_two_megabytes_in_a_bundle: Request::bundle(forge::zip(&[
        ZipEntry::file("app.py", SCRIPT),
        ZipEntry::file("requirements.txt", &"# many\n".repeat(300_000)),
    ]));
}
