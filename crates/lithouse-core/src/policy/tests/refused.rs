// SPDX-License-Identifier: Apache-2.0
//! What does not pass, and exactly where. `¦` stands before each place.

use super::*;

const IMPORT: &str = "forbidden_import";
const CALL: &str = "forbidden_call";
const NAME: &str = "forbidden_name";
const ATTRIBUTE: &str = "forbidden_attribute";
const FORMAT: &str = "forbidden_format";

const REFUSED: &[(&str, &[&str])] = &[
    // Imports: each name of its own, wherever it stands.
    ("import ¦os", &[IMPORT]),
    ("import numpy, ¦os", &[IMPORT]),
    ("import ¦os, ¦sys, math, ¦subprocess", &[IMPORT, IMPORT, IMPORT]),
    ("import ¦os.path as p", &[IMPORT]),
    ("import ¦os as numpy", &[IMPORT]),
    ("from ¦os import path, system", &[IMPORT]),
    ("from ¦os.path import join", &[IMPORT]),
    ("from ¦os import *", &[IMPORT]),
    ("¦from . import a", &[IMPORT]),
    ("¦from .a import b", &[IMPORT]),
    ("  \nif a:\n    ¦from ...os import b", &[IMPORT]),
    ("from ¦requests import (\n    get,\n    post,\n)", &[IMPORT]),
    ("def f():\n    import ¦socket", &[IMPORT]),
    ("class A:\n    from ¦sys import argv", &[IMPORT]),
    ("try:\n    import ¦ujson as json\nexcept ImportError:\n    import json", &[IMPORT]),
    ("import \\\n  ¦urllib.request", &[IMPORT]),
    ("x = 1; import ¦http.client", &[IMPORT]),
    ("import ¦sklearn.linear_model", &[IMPORT]),
    ("import ¦numpyx, ¦nump", &[IMPORT, IMPORT]),
    ("import ¦importlib\nimportlib.import_module('os')", &[IMPORT]),
    ("import ¦pickle, ¦marshal, ¦shelve", &[IMPORT, IMPORT, IMPORT]),
    ("import ¦ctypes, ¦multiprocessing, ¦signal, ¦inspect, ¦gc, ¦builtins", &[IMPORT; 6]),
    ("import ¦pathlib, ¦shutil, ¦tempfile, ¦glob", &[IMPORT; 4]),
    ("import ¦__main__", &[IMPORT]),
    ("import ¦_thread", &[IMPORT]),
    ("from ¦_io import open", &[IMPORT]),
    ("lazy import ¦os", &[IMPORT]),
    // Built-ins by name.
    ("¦eval('1')", &[CALL]),
    ("¦exec('x = 1')", &[CALL]),
    ("¦compile('1', 'a', 'eval')", &[CALL]),
    ("¦__import__('os').system('a')", &[CALL]),
    ("¦open('a.csv')", &[CALL]),
    ("¦globals()['a']", &[CALL]),
    ("¦locals()", &[CALL]),
    ("¦breakpoint()", &[CALL]),
    ("with ¦open('a') as f:\n    f.read()", &[CALL]),
    ("x = [¦eval(y) for y in z]", &[CALL]),
    ("f(¦eval('1'), key=¦exec('2'))", &[CALL, CALL]),
    ("(¦eval)('1')", &[CALL]),
    ("¦eval (\n  '1')", &[CALL]),
    ("¦eval(¦eval('1'))", &[CALL, CALL]),
    ("print(f'{¦eval(a)}')", &[CALL]),
    ("f'{a:{¦eval(b)}}'", &[CALL]),
    ("t'{¦eval(a)}'", &[CALL]),
    ("@¦eval\ndef f(): ...", &[NAME]),
    ("def f(a=¦eval('1')): ...", &[CALL]),
    ("def f(a: ¦eval('int')) -> ¦exec: ...", &[CALL, NAME]),
    ("lambda a=¦open: a", &[NAME]),
    ("lambda: ¦eval(a)", &[CALL]),
    ("class A(¦eval('B')): ...", &[CALL]),
    ("async def f():\n    await ¦eval('a')", &[CALL]),
    ("assert ¦eval(a), ¦eval", &[CALL, NAME]),
    ("match ¦eval(a):\n    case _ if ¦eval(b): pass", &[CALL, CALL]),
    ("while ¦eval(a):\n    ¦exec(b)\nelse:\n    ¦exec(c)", &[CALL, CALL, CALL]),
    ("try:\n    a\nexcept ¦eval('E'):\n    ¦exec\nfinally:\n    ¦exec", &[CALL, NAME, NAME]),
    ("type A = ¦eval('int')", &[CALL]),
    ("a if ¦eval(b) else c", &[CALL]),
    // As values.
    ("f = ¦eval", &[NAME]),
    ("f = [¦exec, ¦compile, ¦open]", &[NAME, NAME, NAME]),
    ("map(¦eval, a)", &[NAME]),
    ("¦eval.__call__('1')", &[NAME]),
    ("return_ = ¦__import__", &[NAME]),
    ("functools.partial(¦open, 'a')", &[NAME]),
    // A meaning elsewhere is none here.
    ("def f(open):\n    pass\n¦open('a')", &[CALL]),
    ("[open for open in a]\n¦open", &[NAME]),
    ("class A:\n    open = 1\n    def f(self):\n        return ¦open", &[NAME]),
    ("def f():\n    eval = 1\n¦eval", &[NAME]),
    ("lambda eval: 1\n¦eval", &[NAME]),
    ("def f[eval](a: eval): ...\nclass A[eval]: ...\ntype B[eval] = eval\n¦eval", &[NAME]),
    ("def f(open=¦open):\n    return open", &[NAME]),
    ("[a for a in ¦open for open in a]", &[NAME]),
    ("x.open = 1\n¦open", &[NAME]),
    ("f(open=1)\n¦open", &[NAME]),
    ("import numpy.open\n¦open", &[NAME]),
    ("def f():\n    def g():\n        open = 1\n    return ¦open", &[NAME]),
    // Names of the interpreter.
    ("¦__builtins__", &[NAME]),
    ("¦__builtins__['eval']", &[NAME]),
    ("¦__builtins__ = {}", &[NAME]),
    ("¦__loader__.load_module('os')", &[NAME]),
    ("¦__spec__, ¦__file__, ¦__package__", &[NAME, NAME, NAME]),
    ("class A:\n    def f(self):\n        return ¦__class__", &[NAME]),
    ("¦__build_class__()", &[CALL]),
    // Attributes.
    ("().¦__class__", &[ATTRIBUTE]),
    ("().¦__class__.¦__bases__[0].¦__subclasses__()", &[ATTRIBUTE, ATTRIBUTE, ATTRIBUTE]),
    ("f.¦__globals__", &[ATTRIBUTE]),
    ("f.¦__code__", &[ATTRIBUTE]),
    ("a.¦__dict__", &[ATTRIBUTE]),
    ("a.¦__class__ = B", &[ATTRIBUTE]),
    ("del a.¦__dict__", &[ATTRIBUTE]),
    ("a.¦__mro__", &[ATTRIBUTE]),
    ("a.¦__reduce_ex__(2)", &[ATTRIBUTE]),
    ("a.¦__getattribute__('b')", &[ATTRIBUTE]),
    ("print.¦__self__", &[ATTRIBUTE]),
    ("numpy.¦__builtins__", &[ATTRIBUTE]),
    ("numpy.¦__loader__", &[ATTRIBUTE]),
    ("(\n  a\n  .b\n  .¦__class__\n)", &[ATTRIBUTE]),
    ("a . ¦__class__", &[ATTRIBUTE]),
    ("f'{a.¦__class__}'", &[ATTRIBUTE]),
    ("match a:\n    case B.¦__class__: pass", &[ATTRIBUTE]),
    ("(x for x in a).¦gi_frame.¦f_back.¦f_globals", &[ATTRIBUTE, ATTRIBUTE, ATTRIBUTE]),
    ("error.¦__traceback__.¦tb_frame.¦f_builtins", &[ATTRIBUTE; 3]),
    // Names in strings.
    ("getattr(a, ¦'__class__')", &[ATTRIBUTE]),
    ("getattr(a, ¦'__class__', None)", &[ATTRIBUTE]),
    ("hasattr(a, ¦'__globals__'), setattr(a, ¦'__class__', 1), delattr(a, ¦'__dict__')", &[ATTRIBUTE; 3]),
    ("getattr(a, ¦'__cl' 'ass__')", &[ATTRIBUTE]),
    ("getattr(a, ¦'\\x5f_class__')", &[ATTRIBUTE]),
    ("operator.attrgetter(¦'a.__class__')", &[ATTRIBUTE]),
    ("from operator import attrgetter\nattrgetter('a', ¦'__globals__')(f)", &[ATTRIBUTE]),
    ("operator.methodcaller(¦'__subclasses__')", &[ATTRIBUTE]),
    ("¦'{0.__class__}'.format(a)", &[FORMAT]),
    ("¦'{a.b.__class__.c}'.format(a=1)", &[FORMAT]),
    ("¦'{0[__class__]}'.format(a)", &[FORMAT]),
    ("¦'a {} {x.__globals__!r:>10}'.format_map(a)", &[FORMAT]),
    ("str.format(¦'{0.__class__}', a)", &[FORMAT]),
    ("print((\n  ¦'{0'\n  '.__class__}').format(a))", &[FORMAT]),
    // Members of modules that are allowed otherwise.
    ("import io\nio.¦open('a')", &[CALL]),
    ("import io as x\nx.¦FileIO('a')", &[CALL]),
    ("from io import StringIO, ¦open as o", &[CALL]),
    ("import codecs\ncodecs.¦open('a')", &[CALL]),
    ("import asyncio\nasync def f():\n    await asyncio.¦open_connection('a', 1)", &[CALL]),
    ("from asyncio import ¦create_subprocess_exec", &[CALL]),
    // The same identifiers to Python, written in other characters.
    ("¦ｅｖａｌ('1')", &[CALL]),
    ("¦𝓸𝓹𝓮𝓷('a')", &[CALL]),
    ("import ¦ｏｓ", &[IMPORT]),
    ("a.¦__ｃlass__", &[ATTRIBUTE]),
    ("¦ｇlobals()", &[CALL]),
    // Columns are code points, whatever stands before.
    ("'😀'; ¦eval", &[NAME]),
    ("变量 = '漢字', ¦eval(1)", &[CALL]),
    ("'e\u{301}', ¦open", &[NAME]),
    ("if a:\n\t¦eval", &[NAME]),
    ("'👩‍👩‍👧'.¦__class__; import ¦os", &[ATTRIBUTE, IMPORT]),
    ("'''\n😀\n'''; ¦eval", &[NAME]),
    ("\u{c}¦eval", &[NAME]),
    // Code that reads otherwise than it runs.
    ("x = '¦\u{202e}'", &["bidi_control"]),
    ("# ¦\u{2066}a¦\u{2069}", &["bidi_control", "bidi_control"]),
];

#[test]
fn what_is_refused_is_refused_at_its_place() {
    for (text, codes) in REFUSED {
        assert_issues(&Policy::default(), text, codes);
    }
    assert!(REFUSED.len() >= 100);
}

#[test]
fn columns_are_counted_in_code_points_from_one_without_the_byte_order_mark() {
    let place = |code: &str| restricted(code).iter().map(|issue| (issue.line, issue.column)).collect::<Vec<_>>();
    assert_eq!(place("eval"), [(1, 1)]);
    assert_eq!(place("\u{feff}eval"), [(1, 1)]);
    assert_eq!(place("\u{feff}\neval"), [(2, 1)]);
    assert_eq!(place("'😀漢'; eval"), [(1, 7)]);
    assert_eq!(place("a = 1\r\n\r\nx = eval"), [(3, 5)]);
    assert_eq!(place("a = 1\r\rx = eval"), [(3, 5)]);
    assert_eq!(place("a = 1\n\r\nx = eval\r"), [(3, 5)]);
    assert_eq!(place("'''\r\n\r'''; eval"), [(3, 6)]);
}
