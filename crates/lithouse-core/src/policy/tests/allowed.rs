// SPDX-License-Identifier: Apache-2.0
//! What people write every day passes.

use super::*;

const ALLOWED: &[&str] = &[
    "",
    "\n\n",
    "# nothing but a comment",
    "print('Hello World')",
    // Libraries and their parts.
    "import numpy as np",
    "import pandas as pd\npd.DataFrame({'a': [1, 2]}).eval('b = a + 1')",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "import plotly.express as px, plotly.graph_objects as go",
    "from pandas import io",
    "from pandas.api.types import is_numeric_dtype",
    "from mpl_toolkits.mplot3d import Axes3D",
    "from dateutil.relativedelta import relativedelta",
    "from numpy.linalg import svd as singular",
    "import numpy, pandas, matplotlib, plotly",
    "from numpy import *",
    "try:\n    import numpy\nexcept ImportError as error:\n    raise error",
    // The standard library.
    "from __future__ import annotations\nimport math, cmath, decimal, fractions, random, statistics",
    "import datetime, calendar, time, zoneinfo, collections.abc, itertools, functools, operator",
    "import string, re, json, csv, io, textwrap, dataclasses, enum, typing, abc, copy, heapq, bisect, array, struct",
    "import hashlib, hmac, base64, binascii, uuid, unicodedata, difflib, pprint, numbers, contextlib, types, warnings, traceback",
    "import queue, secrets, graphlib, colorsys, locale, zlib, gzip, bz2, lzma, html, xml.etree.ElementTree, sqlite3, threading",
    "import asyncio, concurrent.futures, ast, logging, unittest.mock, email.message, html.parser",
    "import asyncio\nasync def main():\n    await asyncio.sleep(0)\nasyncio.run(main())",
    "import io\nbuffer = io.StringIO('a,b')\nio.BytesIO(b'')",
    "import gzip\ngzip.compress(b'a')",
    "def f():\n    import math\n    return math.pi",
    // Methods that are named like refused built-ins.
    "import re\nre.compile('a')",
    "df.eval('a + b')\ndf.query('a > 1')",
    "self.open()\nbox.exec()\nx.compile\nx.globals\nx.locals()",
    "x.open = 1\ndel x.eval",
    "model.eval().compile(open=1, eval=2)",
    "f(exec=1, compile=2)",
    "{'eval': 1, 'open': open_price}",
    "from re import compile\ncompile('a')",
    "from gzip import open\nopen",
    "import asyncio as exec\nexec",
    // Names of the script's own.
    "def compile(a):\n    return a\ncompile(1)",
    "open = 1\nprint(open)",
    "high, low, open = 1, 2, 3\nopen + 1",
    "def f(open, high):\n    return open - high",
    "def f(*eval, **exec):\n    return eval, exec",
    "def f(a, /, open, *, compile=1):\n    return open, compile",
    "lambda open: open + 1",
    "lambda *eval: eval",
    "[open for open in prices]",
    "{open: close for open, close in prices}",
    "sum(open for _, open in prices if open > 1)",
    "for open in prices:\n    print(open)",
    "for i, (open, close) in prices:\n    open\nelse:\n    open",
    "with a as open:\n    open.b",
    "try:\n    1\nexcept E as compile:\n    print(compile)",
    "class eval:\n    pass\neval()",
    "class A:\n    open = 1\n    close = open + 1",
    "if (open := f()) > 1:\n    print(open)",
    "[y for x in z if (eval := x)]\neval",
    "match a:\n    case [open, *compile]:\n        open, compile\n    case {'a': 1, **exec}:\n        exec\n    case A() as eval:\n        eval",
    "def f():\n    global open\n    open = 1\ndef g():\n    return open",
    "def f():\n    exec = 1\n    def g():\n        return exec\n    return g",
    "def f():\n    open = 1\n    def g():\n        nonlocal open\n        open = 2",
    "def f():\n    return open(1)\ndef open(a):\n    return a",
    "def f[eval](a: eval) -> None:\n    eval",
    "open: int = 3\nopen",
    "open = 0\nopen += 1",
    // Names with underscores.
    "if __name__ == '__main__':\n    main()",
    "print(__doc__, __debug__)",
    "__version__ = '1'\n__all__ = ['a']\nprint(__version__)",
    "class A:\n    __slots__ = ('a',)\n    __match_args__ = ('a',)\n    __hash__ = None\n    __private = 1",
    "class A:\n    def __init__(self):\n        super().__init__()\n    def __getattr__(self, name): ...\n    def __getstate__(self): ...",
    "class A:\n    def __class_getitem__(cls, a): ...\n    def __init_subclass__(cls): ...\n    def __reduce__(self): ...\n    __del__ = 1",
    "object.__new__(A)\nobject.__setattr__(self, 'a', 1)",
    "f.__name__, f.__doc__, f.__qualname__, a.__len__(), np.__version__, error.__cause__, f.__wrapped__",
    "a.__eq__(b), a.__lt__(b), a.__add__(b), a.__iter__().__next__(), a.__getitem__(0), a.__enter__()",
    "Color.__members__, a.__array__(), error.__notes__, A.__annotations__, a.__call__()",
    "a._private, a.__private, a.__, a.____, a.__a, a.a__",
    "type(a).__name__",
    "_ = __ = ___ = 1\n__",
    // Strings.
    "'import os; eval(1).__class__'",
    "\"\"\"\nimport os\n\"\"\"",
    "# eval(open().__class__)",
    "'{} {0} {name} {0.real} {0[key]:>{width}}'.format(a)",
    "'{0.__name__} {0.__doc__}'.format(f)",
    "'{{0.__class__}}'",
    "'.__class__'.format(a)",
    "f'{a!r:>10} {b:{c}} {d=}'",
    "f'{open}' if (open := 1) else ''",
    "getattr(a, 'b'), getattr(a, name), hasattr(a, '__len__'), setattr(a, 'b', 1), delattr(a, 'b')",
    "getattr(a, 'eval')",
    "getattr = f\ngetattr(a, '__class__')",
    "from operator import attrgetter, itemgetter\nattrgetter('a.b')",
    // Built-ins that stay.
    "input(), vars(a), dir(a), id(a), type(a), help, exit, super, memoryview(b''), isinstance(a, int)",
    // Syntax, new and old.
    "match command:\n    case ['go', x] if x: pass\n    case _: pass",
    "type A[T] = list[T]\ndef f[T: int = bool](a: T) -> T: return a\nclass B[*Ts, **P]: ...",
    "try:\n    f()\nexcept* ValueError:\n    pass",
    "f'{'nested'} {f'{1}'}'",
    "t'{a}'",
    "with (open_it() as a, open_it() as b): pass",
    "def f(a, /, b, *, c): ...",
    "match = case = type = 1\nprint(match, case, type)",
    "x = 0x_ff + 0b1 + 1_000 + 1e10 + 1j\nx @= y\nx //= 2",
    "async def f():\n    async with a as b, c:\n        async for d in e:\n            yield [g async for g in h]",
    "def f():\n    x = yield\n    yield from x",
    "while True:\n    if a: break\n    continue\nelse:\n    pass",
    "@a.b(c)\n@d\ndef f(): ...",
    "print(*a, **b, sep='')",
    "é = 'é'\n变量 = 1\nprint(变量)",
    "a = 1; b = 2;",
    "if a:\n\tb\n\tc",
    "a = 1 \\\n    + 2",
    "x[1:2, ..., ::3, None]",
    "del a, b[0], c.d",
    "assert a, 'b'\nraise A from b\nglobal_ = 1",
    "lambda: (yield)",
    "return_ = 1\ndef f():\n    return\n    return 1",
    "def f():\n    for i in j:\n        def g():\n            return i\n        if i: break",
];

#[test]
fn what_people_write_every_day_passes() {
    let checked = ALLOWED.iter().map(|code| (code, restricted(code)));
    let failures: Vec<_> = checked.filter(|(_, issues)| !issues.is_empty()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(ALLOWED.len() >= 90);
}

#[test]
fn every_allowed_module_passes_in_every_form() {
    let because = modules::HARMLESS_BECAUSE.iter().map(|(name, _)| name);
    for module in modules::HARMLESS.iter().chain(because).chain(&modules::LIBRARIES) {
        let future = *module == "__future__";
        let code = if future {
            "from __future__ import annotations".to_owned()
        } else {
            format!("import {module}\nimport {module}.a as b\nfrom {module} import c as d\nfrom {module}.e import *")
        };
        assert_eq!(restricted(&code), [], "{module}");
    }
}

#[test]
fn line_ends_of_every_kind_and_a_byte_order_mark_pass() {
    for end in ["\n", "\r\n", "\r"] {
        let code = ["\u{feff}if a:", "    b = 1", "\u{c}", "c = '''x", "y'''", ""].join(end);
        assert_eq!(restricted(&code), [], "{code:?}");
    }
}
