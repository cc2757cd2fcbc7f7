// SPDX-License-Identifier: Apache-2.0
//! Which modules a restricted snippet may import, and what to use instead of the others.
//!
//! These tables help people; they confine nobody. From every module here there are ways to all others.

/// What may be imported unless the configuration says otherwise.
pub(super) const LIBRARIES: [&str; 4] = ["numpy", "pandas", "matplotlib", "plotly"];

/// Packages that come with a library and are used as parts of it.
pub(super) const COMPANIONS: &[(&str, &[&str])] =
    &[("matplotlib", &["mpl_toolkits", "pylab"]), ("pandas", &["dateutil", "pytz"])];

/// Modules of the standard library that compute, and need no explanation.
pub(super) const HARMLESS: &[&str] = &[
    "__future__",
    "abc",
    "argparse",
    "array",
    "base64",
    "binascii",
    "bisect",
    "calendar",
    "cmath",
    "collections",
    "colorsys",
    "contextlib",
    "contextvars",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "errno",
    "fnmatch",
    "fractions",
    "functools",
    "getopt",
    "graphlib",
    "hashlib",
    "heapq",
    "hmac",
    "html",
    "ipaddress",
    "itertools",
    "json",
    "keyword",
    "locale",
    "math",
    "numbers",
    "operator",
    "optparse",
    "plistlib",
    "pprint",
    "quopri",
    "random",
    "re",
    "reprlib",
    "secrets",
    "shlex",
    "statistics",
    "string",
    "stringprep",
    "struct",
    "textwrap",
    "time",
    "token",
    "tokenize",
    "tomllib",
    "traceback",
    "types",
    "typing",
    "typing_extensions",
    "unicodedata",
    "uuid",
    "warnings",
    "weakref",
    "zoneinfo",
];

/// Modules of the standard library whose place here is not obvious, with the reason why they may be imported.
pub(super) const HARMLESS_BECAUSE: &[(&str, &str)] = &[
    ("ast", "for `ast.literal_eval`; it reads code and runs none"),
    ("asyncio", "coroutines and timers need no network"),
    ("bz2", "for `compress` and `decompress` of bytes"),
    ("codecs", "for encodings; its `open` is refused"),
    ("concurrent", "for pools of threads"),
    ("configparser", "for `read_string`"),
    ("email", "it takes messages apart and sends none"),
    ("encodings", "tables of characters"),
    ("gzip", "for `compress` and `decompress` of bytes"),
    ("io", "for `StringIO` and `BytesIO`; its ways to open files are refused"),
    ("logging", "it writes to standard error"),
    ("lzma", "for `compress` and `decompress` of bytes"),
    ("ntpath", "rules for paths as text"),
    ("posixpath", "rules for paths as text"),
    ("queue", "together with `threading`"),
    ("sched", "it only waits"),
    ("sqlite3", "for databases in memory, and for those sent with `files`"),
    ("threading", "threads end with the snippet"),
    ("tracemalloc", "it measures the snippet itself"),
    ("unittest", "for its assertions and mocks"),
    ("xml", "it reads text"),
    ("zlib", "for `compress` and `decompress` of bytes"),
];

/// Modules that are refused for one reason.
pub(super) struct Refused {
    /// What they would do, after "importing … is not allowed:".
    pub(super) why: &'static str,
    pub(super) modules: &'static [&'static str],
}

pub(super) const REFUSED: &[Refused] = &[
    Refused {
        why: "there is no network: send data with `files`",
        modules: &[
            "aiohttp",
            "asynchat",
            "asyncore",
            "boto3",
            "botocore",
            "ftplib",
            "grpc",
            "http",
            "httplib2",
            "httpx",
            "imaplib",
            "nntplib",
            "paramiko",
            "poplib",
            "pycurl",
            "requests",
            "select",
            "selectors",
            "smtpd",
            "smtplib",
            "socket",
            "socketserver",
            "ssl",
            "telnetlib",
            "urllib",
            "urllib3",
            "webbrowser",
            "websocket",
            "websockets",
            "wsgiref",
            "xmlrpc",
        ],
    },
    Refused {
        why: "there is no database server to reach: send data with `files`, or use `sqlite3` in memory",
        modules: &["asyncpg", "dbm", "mysql", "psycopg", "psycopg2", "pymongo", "pymysql", "redis", "sqlalchemy"],
    },
    Refused {
        why: "snippets cannot reach the system: use `posixpath` for paths as text, and `files` for data",
        modules: &["nt", "os", "posix"],
    },
    Refused {
        why: "snippets cannot reach the interpreter: write with `print`, read with `input`, and end with `raise SystemExit`",
        modules: &["atexit", "builtins", "gc", "inspect", "site", "sys", "sysconfig", "__main__"],
    },
    Refused {
        why: "snippets start no other programs: do the work in Python",
        modules: &["_posixsubprocess", "pexpect", "pipes", "popen2", "pty", "sh", "subprocess"],
    },
    Refused {
        why: "snippets start no other processes: use `concurrent.futures.ThreadPoolExecutor`",
        modules: &["_multiprocessing", "joblib", "multiprocessing"],
    },
    Refused {
        why: "snippets cannot reach the system: what a snippet may know is in `files` and in its code",
        modules: &[
            "_thread",
            "faulthandler",
            "fcntl",
            "getpass",
            "grp",
            "mmap",
            "msvcrt",
            "nis",
            "platform",
            "psutil",
            "pwd",
            "resource",
            "signal",
            "spwd",
            "syslog",
            "termios",
            "tty",
            "winreg",
            "winsound",
        ],
    },
    Refused {
        why: "snippets load no native code: use `numpy` for arrays of numbers and `struct` for bytes",
        modules: &["_ctypes", "cffi", "ctypes", "numba"],
    },
    Refused {
        why: "`files` of the request are in the working folder: read them with `pandas.read_csv`, and use `io.StringIO` for text in memory",
        modules: &[
            "filecmp",
            "fileinput",
            "gettext",
            "glob",
            "linecache",
            "mailbox",
            "mimetypes",
            "pathlib",
            "shutil",
            "tempfile",
        ],
    },
    Refused { why: "archives are not unpacked here: send the files in them with `files`", modules: &["tarfile", "zipfile"] },
    Refused {
        why: "what it reads can run code: use `json`",
        modules: &["_pickle", "cloudpickle", "copyreg", "dill", "marshal", "pickle", "pickletools", "shelve"],
    },
    Refused {
        why: "it loads or runs code by name: write the code into the snippet",
        modules: &[
            "code",
            "codeop",
            "compileall",
            "imp",
            "importlib",
            "lib2to3",
            "modulefinder",
            "pkg_resources",
            "pkgutil",
            "py_compile",
            "pyclbr",
            "runpy",
            "setuptools",
            "zipapp",
            "zipimport",
        ],
    },
    Refused {
        why: "the packages of a snippet are the operator's: the operator can add a library to `[snippets] libraries`",
        modules: &["distutils", "ensurepip", "pip", "venv"],
    },
    Refused {
        why: "it looks into running code: print values, and measure time with `time.perf_counter()`",
        modules: &[
            "bdb", "cProfile", "dis", "doctest", "opcode", "pdb", "profile", "pstats", "pydoc", "symtable", "test", "timeit",
            "trace",
        ],
    },
    Refused { why: "`display` is there without it: leave the import out", modules: &["IPython"] },
    Refused {
        why: "there is no screen and no terminal: draw with `matplotlib` or `plotly`, whose figures are collected",
        modules: &["cmd", "curses", "idlelib", "readline", "rlcompleter", "tkinter", "turtle", "turtledemo"],
    },
    Refused {
        why: "a snippet is not an app: deploy it as one with `lithouse deploy`",
        modules: &["cgi", "cgitb", "dash", "django", "fastapi", "flask", "gradio", "panel", "streamlit", "uvicorn"],
    },
];

/// Members of modules that may be imported otherwise.
pub(super) const REFUSED_MEMBERS: &[(&str, &str)] = &[
    ("codecs", "open"),
    ("io", "FileIO"),
    ("io", "open"),
    ("io", "open_code"),
    ("asyncio", "create_subprocess_exec"),
    ("asyncio", "create_subprocess_shell"),
    ("asyncio", "open_connection"),
    ("asyncio", "start_server"),
];

/// Whether a module of the standard library may be imported, judged by its first part.
pub(super) fn is_harmless(top: &str) -> bool {
    HARMLESS.contains(&top) || HARMLESS_BECAUSE.iter().any(|(name, _)| *name == top)
}

/// Whether a package comes with one of these libraries.
pub(super) fn is_companion(top: &str, libraries: &[String]) -> bool {
    let comes_with = |library: &str| libraries.iter().any(|allowed| allowed == library);
    COMPANIONS.iter().any(|(library, parts)| parts.contains(&top) && comes_with(library))
}

/// Why a module is refused, if it is one that we know.
pub(super) fn refusal(top: &str) -> Option<&'static str> {
    REFUSED.iter().find(|group| group.modules.contains(&top)).map(|group| group.why)
}

/// Why a member of a module is refused.
pub(super) fn member_refusal(module: &str, name: &str) -> Option<&'static str> {
    if !REFUSED_MEMBERS.contains(&(module, name)) {
        return None;
    }
    Some(match module {
        "asyncio" if name.starts_with("create_subprocess") => "snippets start no other programs: do the work in Python",
        "asyncio" => "there is no network: send data with `files`",
        _ => super::names::FILES,
    })
}
