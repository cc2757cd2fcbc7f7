// SPDX-License-Identifier: Apache-2.0
//! The page `docs/reference/configuration.md`, made of the declarations. `UPDATE_SNAPSHOTS=1` writes it anew.

use std::fmt::Write;

use super::declare::{Declaration, Flag};
use super::layers::typed;
use super::limits::LimitsTable;
use super::template::Template;
use super::{App, Auth, Hosting, Log, Server, Snippets};
use crate::reference::assert_generated;

const ABOUT: &str = "\
# Configuration

This page is generated: `UPDATE_SNAPSHOTS=1 cargo test -p lithouse reference` writes it anew.

A setting is taken from the first of these that has it: a flag of `lithouse serve`, a variable, the configuration file, the default.
An empty variable counts as unset. `lithouse config show`, with the flags of `lithouse serve`, prints every setting with its value
and where that comes from.

The file is the one that `--config FILE` names (a file, and no pipe: it is read again with each refresh), else `./lithouse.toml` if
it is there, else `./config.json`. What is not known in it, and what cannot be used, is an error that names the line; the server does
not start then. A relative path in the file begins at the folder of the file, one in a variable or flag at the working folder. Verbs
that ask a server take `data` from `./lithouse.toml` too.

```toml
listen = \"127.0.0.1:9000\"
data = \"/var/lib/lithouse\"

[hosting]
folder = \"apps\"
start_timeout = \"2m\"

[snippets]
workers = 4
packages = [\"scipy>=1.14\"]
libraries = [\"scipy\"]
```
";

const FORMS: &str = "
## How values are written

- Times: a whole number of seconds, or a text with a unit: `90`, `\"90s\"`, `\"2m\"`, `\"1h\"`.
- Sizes: a whole number of bytes, or a text with a unit. `kB`, `MB`, `GB`, `TB` count in thousands: `\"512MB\"` is 512,000,000 bytes.
  `KiB`, `MiB`, `GiB`, `TiB` count in 1,024: `\"512MiB\"` is 536,870,912.
- Yes and no: `true` and `false` in the file; in variables and flags also `1`, `0`, `yes`, `no`.
- Words: as listed, in capitals or not.
";

const APPS: &str = "
## Apps: `[apps.<key>]`

Each app that lies elsewhere, or of which more is to be said than its folder says, has a table with its key. The key starts with a
letter or digit and holds only `a-z`, `0-9` and `-`, 63 at most. No two apps may have the same name in addresses, or the same port, and none that of the server.
`lithouse refresh` takes what changed here while the server runs; see [Many apps](../guides/many-apps.md).
";

const LIMITS: &str = "
### What an app may take: `[apps.<key>.limits]`

How each limit is held, and what it means, is told in [limits.md](../guides/limits.md).
";

const OLDER: &str = "
## The older `config.json`

A file whose name ends with `.json` has the older shape, and nothing else may stand in it:

```json
{
  \"website_port\": 5000,
  \"apps\": {
    \"sales\": {\"name\": \"Sales\", \"url\": \"sales\", \"dir\": \"/home/user/sales\", \"venv\": \"/home/user/sales/venv\",
              \"port\": 8501, \"description\": \"\", \"restart_on_crash\": true}
  }
}
```

`website_port` is the port to listen on, on 127.0.0.1. `apps` has the tables of `[apps.<key>]`. Everything else is set by variables
and flags, or in a `lithouse.toml`.
";

const TEMPLATES: &str = "
### Templates: `[[snippets.templates]]`
";

fn page() -> String {
    let mut page = ABOUT.to_owned();
    for (title, settings) in [
        ("The top of the file", Server::SETTINGS),
        ("Apps and their environments: `[hosting]`", Hosting::SETTINGS),
        ("Snippets: `[snippets]`", Snippets::SETTINGS),
    ] {
        table(&mut page, &format!("\n## {title}\n"), settings);
    }
    table(&mut page, TEMPLATES, Template::SETTINGS);
    table(&mut page, "\n## Who may do what: `[auth]`\n", Auth::SETTINGS);
    table(&mut page, "\n## Logs: `[log]`\n", Log::SETTINGS);
    page.push_str(FORMS);
    table(&mut page, APPS, App::SETTINGS);
    table(&mut page, LIMITS, LimitsTable::SETTINGS);
    page.push_str(OLDER);
    page
}

fn table(page: &mut String, title: &str, settings: &[Declaration]) {
    page.push_str(title);
    let is_settable = settings.iter().any(|setting| !setting.env.is_empty() || setting.flag.is_some());
    let (heads, rule) = if is_settable { (" variable | flag |", "---|---|") } else { ("", "") };
    write!(page, "\n| setting |{heads} default | what |\n|---|{rule}---|---|\n").unwrap();
    for setting in settings {
        write!(page, "| `{}` |", setting.name).unwrap();
        if is_settable {
            let flag = setting.flag.map(flag).unwrap_or_default();
            write!(page, " {} | {flag} |", setting.env.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
                .unwrap();
        }
        let what = setting.paragraphs().join(" ");
        writeln!(page, " {} | {what} *{}* |", default(setting), form(setting)).unwrap();
    }
}

fn flag(flag: Flag) -> String {
    match flag {
        Flag::Named(name, value) => format!("`--{name} {value}`"),
        other => format!("`{}`", typed(other)),
    }
}

fn default(setting: &Declaration) -> String {
    match setting.default {
        "" => String::new(),
        words if words == "none" || words.contains(' ') => words.to_owned(),
        word => format!("`{word}`"),
    }
}

/// What is expected, as a sentence.
fn form(setting: &Declaration) -> String {
    let text = (setting.expected)();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str()).replace('|', "\\|")
}

#[test]
fn the_reference_page_is_made_of_the_declarations() {
    assert_generated("configuration.md", &page());
}
