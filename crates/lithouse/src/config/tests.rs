// SPDX-License-Identifier: Apache-2.0
//! All layers together.

use std::path::PathBuf;

use super::*;

/// A working folder with files in it.
struct Place(tempfile::TempDir);

impl Place {
    fn with(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = place.0.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        place
    }

    fn around(&self) -> Around {
        Around { folder: self.0.path().to_owned(), cores: 3, ..Around::this_process() }
    }

    /// What holds here, or what is wrong, with the folder as `.`.
    fn resolved(&self, flags: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Config, String> {
        let flags = SettingFlags::of_pairs(flags);
        let config = Config::resolve(None, &flags, &Environment::of_pairs(variables), &self.around());
        config.map_err(|problems| problems.to_string().replace(&format!("{}/", self.0.path().display()), ""))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// What is wrong with a `lithouse.toml`.
fn wrong(text: &str) -> String {
    let problems = Place::with(&[("lithouse.toml", text)]).resolved(&[], &[]);
    problems.expect_err("nothing is wrong").replace(FOUND, "")
}

/// Said of every malformed file that nobody named.
const FOUND: &str =
    "\nhint: mend that line; the file is read because it lies in the working folder, and `--config FILE` names another";

#[test]
fn nothing_said_gives_the_documented_defaults() {
    let place = Place::with(&[]);
    let config = place.resolved(&[], &[]).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.server.data, place.path("data"));
    assert_eq!((config.hosting.port_range.first(), config.hosting.port_range.last()), (8501, 8999));
    assert_eq!((config.hosting.start_timeout.as_secs(), config.hosting.stop_grace.as_secs()), (120, 10));
    assert_eq!((config.hosting.folder, config.server.public_base), (None, None));
    assert_eq!((config.hosting.python, config.hosting.uv), (None, None));
    assert_eq!((config.auth.mode, config.log.level.as_str(), config.log.keep), (AuthMode::Auto, "info", 5));
    let snippets = config.snippets;
    assert_eq!((snippets.workers, snippets.timeout.as_secs(), snippets.memory), (3, 30, 512_000_000));
    assert_eq!((snippets.enabled, snippets.allow_open, snippets.sandbox), (true, false, Sandbox::Auto));
    assert_eq!((snippets.packages, snippets.libraries, snippets.templates), (vec![], vec![], vec![]));
    assert!(config.origins.values().all(|origin| *origin == Origin::Default));
}

#[test]
fn every_default_that_is_written_is_one_that_could_be_said() {
    // A default that does not read would be a problem with every start.
    Place::with(&[]).resolved(&[], &[]).unwrap();
    for app in ["[apps.a]", "[[snippets.templates]]\nname = \"a\"\ncode = \"1\""] {
        Place::with(&[("lithouse.toml", app)]).resolved(&[], &[]).unwrap();
    }
}

#[test]
fn flags_go_before_variables_and_those_before_the_file() {
    let place = Place::with(&[("lithouse.toml", "listen = \"127.0.0.1:1\"\n[log]\nlevel = \"debug\"\nkeep = 7\n")]);
    let variables = [("LITHOUSE_LISTEN", "127.0.0.1:2"), ("LOG_LEVEL", "WARNING"), ("MAX_WORKERS", "")];
    let config = place.resolved(&[("listen", "127.0.0.1:3")], &variables).unwrap();
    assert_eq!((config.server.listen.port(), config.log.level.as_str(), config.log.keep), (3, "warn", 7));
    let origin = |key: &str| config.origin(key).to_string().replace(&format!("{}/", place.0.path().display()), "");
    assert_eq!(origin("listen"), "flag --listen");
    assert_eq!(origin("log.level"), "env LOG_LEVEL");
    assert_eq!(origin("log.keep"), "lithouse.toml:4");
    assert_eq!(origin("snippets.workers"), "default");
}

#[test]
fn every_setting_with_a_variable_can_be_set_by_it() {
    let said = [
        ("LITHOUSE_LISTEN", "[::1]:9000", "listen", "[::1]:9000"),
        ("PORT", "5000", "listen", "0.0.0.0:5000"),
        ("LITHOUSE_PUBLIC_BASE", "https://a/b/", "public_base", "https://a/b/"),
        ("STREAMLIT_HOST_PUBLIC_BASE", "https://a/", "public_base", "https://a/"),
        ("LITHOUSE_DATA", "/d", "data", "/d"),
        ("STREAMLIT_HOST_DATA", "/e", "data", "/e"),
        ("LITHOUSE_APPS", "/srv/apps", "hosting.folder", "/srv/apps"),
        ("LITHOUSE_WATCH", "yes", "hosting.watch", "true"),
        ("LITHOUSE_PORT_RANGE", "9000-9010", "hosting.port_range", "9000-9010"),
        ("LITHOUSE_TRANSPORT", "TCP", "hosting.transport", "tcp"),
        ("LITHOUSE_PYTHON", "/py", "hosting.python", "/py"),
        ("LITHOUSE_UV", "/uv", "hosting.uv", "/uv"),
        ("LITHOUSE_BUILD_TIMEOUT", "10m", "hosting.build_timeout", "600s"),
        ("LITHOUSE_KEEP_RELEASES", "3", "hosting.keep_releases", "3"),
        ("LITHOUSE_APP_MEMORY", "1GiB", "hosting.memory", "1GiB"),
        ("LITHOUSE_APP_CPU", "0.5", "hosting.cpu", "0.5"),
        ("LITHOUSE_APP_PROCESSES", "64", "hosting.processes", "64"),
        ("LITHOUSE_APP_OPEN_FILES", "1024", "hosting.open_files", "1024"),
        ("LITHOUSE_SNIPPETS", "no", "snippets.enabled", "false"),
        ("MAX_WORKERS", "8", "snippets.workers", "8"),
        ("TIMEOUT_SECONDS", "45", "snippets.timeout", "45s"),
        ("LITHOUSE_SNIPPETS_MEMORY", "1GiB", "snippets.memory", "1GiB"),
        ("LITHOUSE_SNIPPETS_ALLOW_OPEN", "1", "snippets.allow_open", "true"),
        ("LITHOUSE_SNIPPETS_SANDBOX", "standard", "snippets.sandbox", "standard"),
        ("LITHOUSE_AUTH", "none", "auth.mode", "none"),
        ("LOG_LEVEL", "trace", "log.level", "trace"),
        ("LOG_LEVEL", "warning,hyper=Debug", "log.level", "warn,hyper=debug"),
        ("LOG_FORMAT", "JSON", "log.format", "json"),
    ];
    for (name, text, key, shown) in said {
        let config = Place::with(&[]).resolved(&[], &[(name, text)]).unwrap();
        let row = config.rows().into_iter().find(|row| row.key == key).unwrap();
        let value = row.value.as_str().map_or(row.value.to_string(), str::to_owned);
        assert_eq!((value.as_str(), row.origin), (shown, format!("env {name}")));
    }
    let tested: Vec<&str> = said.iter().map(|(name, ..)| *name).collect();
    for name in settings().flat_map(|setting| setting.env).filter(|name| **name != "LITHOUSE_HTPASSWD") {
        assert!(tested.contains(name), "`{name}` is not tried");
    }
}

#[test]
fn every_setting_can_be_set_in_the_file() {
    let text = r#"
listen = "localhost:9000"
public_base = "https://apps.example.com"
data = "/var/lib/lithouse"

[hosting]
folder = "teams/apps"
watch = true
port_range = "9000"
transport = "tcp"
python = "python3.12"
uv = "bin/uv"
build_timeout = "1h"
start_timeout = "2m"
stop_grace = 5
keep_releases = 3
memory = "1GB"
cpu = 1.5
processes = 200
open_files = 2048

[snippets]
enabled = true
workers = 2
timeout = 45
memory = 1_000_000_000
allow_open = true
sandbox = "none"
packages = ["scipy>=1.14", "seaborn"]
libraries = ["scipy", "sklearn.linear_model"]
templates = [{ name = "hello", title = "Hello", description = "Says so.", code = "print(1)" }]

[auth]
mode = "none"

[log]
level = "error"
format = "json"
size = "5MB"
keep = 2
"#;
    let place = Place::with(&[("lithouse.toml", text)]);
    let config = place.resolved(&[], &[]).unwrap();
    for row in config.rows().iter().filter(|row| !row.key.starts_with("snippets.templates.") && row.key != "auth.htpasswd") {
        assert!(row.origin.starts_with(&format!("{}:", place.path("lithouse.toml").display())), "{row:?}");
    }
    assert_eq!(config.server.listen, "127.0.0.1:9000".parse().unwrap());
    assert_eq!(config.hosting.folder, Some(place.path("teams/apps")));
    assert_eq!(config.hosting.python, Some("python3.12".into()));
    assert_eq!(config.hosting.uv, Some(place.path("bin/uv")));
    assert_eq!((config.hosting.start_timeout.as_secs(), config.hosting.stop_grace.as_secs()), (120, 5));
    assert_eq!((config.hosting.port_range.first(), config.hosting.port_range.last()), (9000, 9000));
    let cpu = lithouse_core::limits::Cores::try_from(1.5).ok();
    let limits = lithouse_core::limits::Limits { memory: Some(1_000_000_000), cpu, processes: Some(200), open_files: Some(2048) };
    assert_eq!(config.hosting.limits(), limits);
    let snippets = config.snippets;
    assert_eq!((snippets.workers, snippets.timeout.as_secs(), snippets.memory), (2, 45, 1_000_000_000));
    assert_eq!((snippets.allow_open, snippets.sandbox), (true, Sandbox::None));
    assert_eq!((snippets.packages.len(), snippets.libraries.len()), (2, 2));
    assert_eq!((snippets.templates[0].title.as_str(), snippets.templates[0].code.as_str()), ("Hello", "print(1)"));
}

#[test]
fn a_wrong_value_is_told_with_its_place_and_what_would_be_right() {
    let size =
        "a size of at least 64MB is expected, as a whole number of bytes or with a unit: `MB` is 1,000,000, `MiB` 1,048,576";
    let time = "a time from 1 to 60 seconds is expected, as a whole number with or without the unit `s`, `m` or `h`";
    let address = "an address to listen on is `ADDR:PORT`, an IP address or `localhost` with a port from 0 to 65535";
    let cases = [
        ("listen = 8080", "1: `listen` is set to `8080`", address, "such as `\"127.0.0.1:8080\"`, for this machine alone"),
        ("\nlisten = \":80\"", "2: `listen` is set to `:80`", address, "such as `127.0.0.1:8080`"),
        ("data = \"~/d\"", "1: `data` is set to `~/d`", "only a shell knows what `~` stands for", "write the whole path"),
        ("data = \"\"", "1: `data` is set to ``", "a path is expected", "such as `/srv/apps`"),
        (
            "hosting.port_range = \"9-8\"",
            "1: `hosting.port_range` is set to `9-8`",
            "a range of ports is `FIRST-LAST`, from 1 to 65535",
            "such as `8501-8999`",
        ),
        (
            "[hosting]\ntransport = \"unix\"",
            "2: `hosting.transport` is set to `unix`",
            "that is not available yet",
            "leave it out; for now `tcp` is expected",
        ),
        (
            "[auth]\nmode = \"password\"",
            "2: `auth.mode` is set to `password`",
            "that is not available yet",
            "leave it out; for now `auto` or `none` is expected",
        ),
        ("[auth]\nhtpasswd = \"f\"", "2: `auth.htpasswd` is set to `f`", "that is not available yet", "leave it out"),
        ("[snippets]\nmemory = \"lots\"", "2: `snippets.memory` is set to `lots`", size, "such as `512MB`"),
        ("[snippets]\nmemory = 1.5", "2: `snippets.memory` is set to `1.5`", size, "such as `512MB`"),
        ("[snippets]\ntimeout = \"61s\"", "2: `snippets.timeout` is set to `61s`", time, "such as `30s`"),
        (
            "[snippets]\nworkers = 65",
            "2: `snippets.workers` is set to `65`",
            "a whole number from 1 to 64 is expected",
            "such as `4`",
        ),
        (
            "[snippets]\nworkers = \"4\"",
            "2: `snippets.workers` is set to `4`",
            "a whole number from 1 to 64 is expected",
            "such as `4`",
        ),
        (
            "[snippets]\nallow_open = \"yes\"",
            "2: `snippets.allow_open` is set to `yes`",
            "`true` or `false` is expected",
            "write it without quotes",
        ),
        (
            "[snippets]\npackages = \"scipy\"",
            "2: `snippets.packages` is set to `scipy`",
            "a list of requirements is expected",
            "such as `[\"scipy>=1.14\", \"seaborn\"]`",
        ),
        (
            "[snippets]\npackages = [\"-r x\"]",
            "2: `snippets.packages` is set to `a list`",
            "`-r x` is not what it can hold",
            "each item is a text in quotes, without options",
        ),
        (
            "[snippets]\nlibraries = [\"os; x\"]",
            "2: `snippets.libraries` is set to `a list`",
            "`os; x` is not what it can hold",
            "each item is a text in quotes, without options",
        ),
        (
            "[log]\nlevel = \"inof\"",
            "2: `log.level` is set to `inof`",
            "`error`, `warn`, `info`, `debug` or `trace` is expected",
            "did you mean `info`?",
        ),
        (
            "[log]\nlevel = \"info,lithouse_proxy=debgu\"",
            "2: `log.level` is set to `info,lithouse_proxy=debgu`",
            "`error`, `warn`, `info`, `debug` or `trace` is expected",
            "did you mean `debug`?",
        ),
        ("[log]\nformat = \"jsn\"", "2: `log.format` is set to `jsn`", "`text` or `json` is expected", "did you mean `json`?"),
        (
            "log = 3",
            "1: `log` is set to `3`",
            "a table is expected",
            "write `[log]` on a line of its own, and its settings below",
        ),
    ];
    for (text, place, problem, hint) in cases {
        assert_eq!(wrong(text), format!("lithouse.toml:{place}: {problem}\nhint: {hint}"), "{text}");
    }
}

#[test]
fn an_app_is_called_what_the_api_would_take_too() {
    for name in ["a\\u0000b", "a\\nb", "a\\u202Eb", "a\\u2066b", &"a".repeat(201)] {
        let said = wrong(&format!("[apps.sales]\nname = \"{name}\"\n"));
        assert!(said.contains("lithouse.toml:2: `apps.sales.name` is set to"), "{said}");
        assert!(said.contains("a name is one line of 1 to 200 characters"), "{said}");
    }
    for description in ["a\\u0000b", "a\\u001bb", "a\\u202Eb"] {
        let said = wrong(&format!("[apps.sales]\ndescription = \"{description}\"\n"));
        assert!(said.contains("a description has 10000 characters at most"), "{said}");
        let older = format!("{{\"apps\": {{\"sales\": {{\"description\": \"{description}\"}}}}}}");
        let place = Place::with(&[("config.json", &older)]);
        assert!(place.resolved(&[], &[]).unwrap_err().contains("a description has 10000"));
    }
    let place = Place::with(&[("lithouse.toml", "[apps.sales]\ndescription = \"one\\ntwo\"\n")]);
    assert!(place.resolved(&[], &[]).is_ok());
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let place = Place::with(&[]);
    for (name, text, problem) in [
        ("PORT", "http", "a port is a number from 0 to 65535\nhint: such as `8080`; `LITHOUSE_LISTEN` goes before it"),
        ("LITHOUSE_AUTH", "off", "`auto` or `none` is expected\nhint: such as `auto`"),
        ("LITHOUSE_HTPASSWD", "f", "that is not available yet\nhint: leave it out"),
        ("MAX_WORKERS", "0", "a whole number from 1 to 64 is expected\nhint: such as `4`"),
    ] {
        assert_eq!(place.resolved(&[], &[(name, text)]).unwrap_err(), format!("`{name}` is set to `{text}`: {problem}"));
    }
    let error = place.resolved(&[("snippets.workers", "many")], &[]).unwrap_err();
    assert_eq!(error, "`--max-workers` is set to `many`: a whole number from 1 to 64 is expected\nhint: such as `4`");
}

#[test]
fn an_unknown_key_is_told_with_what_may_be_meant() {
    for (text, message) in [
        ("lisen = 1", "1: unknown key `lisen`\nhint: did you mean `listen`?"),
        ("[hosting]\n\nprot_range = 1", "3: unknown key `hosting.prot_range`\nhint: did you mean `hosting.port_range`?"),
        ("port_range = 1", "1: unknown key `port_range`\nhint: did you mean `hosting.port_range`?"),
        ("[snipets]\nworkers = 1", "1: unknown key `snipets`\nhint: did you mean `snippets`?"),
        ("[log]\ncolour = 1", "2: unknown key `log.colour`\nhint: known here: `level`, `format`, `size`, `keep`"),
        ("[apps.a]\ndri = \"x\"", "2: unknown key `apps.a.dri`\nhint: did you mean `apps.a.dir`?"),
        (
            "[[snippets.templates]]\nname = \"a\"\ncode = \"1\"\ntitel = \"A\"",
            "4: unknown key `snippets.templates.0.titel`\nhint: did you mean `snippets.templates.0.title`?",
        ),
    ] {
        assert_eq!(wrong(text), format!("lithouse.toml:{message}"), "{text}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let all = wrong("a = 1\nlisten = 1\n[log]\nkeep = 0\n");
    assert_eq!(all.lines().filter(|line| line.starts_with("error: ")).count(), 2, "{all}");
    assert!(all.contains("toml:1: ") && all.contains("toml:2: ") && all.contains("toml:4: "), "{all}");
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_place_and_why_it_is_read() {
    let error = Place::with(&[("lithouse.toml", "listen = \n")]).resolved(&[], &[]).unwrap_err();
    assert!(error.starts_with("lithouse.toml:1:10: this is not TOML: "), "{error}");
    assert!(error.ends_with(FOUND), "{error}");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let place = Place::with(&[("lithouse.toml", "listen = 1")]);
    let named = place.path("absent.toml");
    let resolved = Config::resolve(Some(&named), &SettingFlags::default(), &Environment::of_pairs(&[]), &place.around());
    let error = resolved.unwrap_err().to_string();
    assert!(error.starts_with(&format!("could not read the configuration `{}`: No such file", named.display())), "{error}");
}

#[test]
fn apps_that_lie_here_are_served_unless_something_else_is_said() {
    let place = Place::with(&[("apps/a/app.py", "")]);
    assert_eq!(place.resolved(&[], &[]).unwrap().hosting.folder, Some(place.path("apps")));
    assert_eq!(place.resolved(&[], &[("LITHOUSE_APPS", "/b")]).unwrap().hosting.folder, Some("/b".into()));
}

#[test]
fn what_lies_in_the_data_folder_is_not_taken_for_a_folder_of_apps() {
    let place = Place::with(&[("apps/a7c1e0f2b9f84a62/app.py", "")]);
    let here = place.0.path().display().to_string();
    assert_eq!(place.resolved(&[("data", &here)], &[]).unwrap().hosting.folder, None);
    assert_eq!(place.resolved(&[("data", "/elsewhere")], &[]).unwrap().hosting.folder, Some(place.path("apps")));
}

#[test]
fn the_older_shape_is_read_where_there_is_no_newer_one() {
    let json = r#"{"website_port": 5000, "apps": {
        "sales": {"name": "Sales", "url": "/sales-report/", "dir": "/home/user/sales", "venv": "/home/user/venv",
                  "port": 8501, "description": "Monthly", "restart_on_crash": false},
        "ops": {}
    }}"#;
    let config = Place::with(&[("config.json", json)]).resolved(&[], &[]).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:5000".parse().unwrap());
    let app = |key: &str| config.apps[&key.parse::<Key>().unwrap()].clone();
    let sales = app("sales");
    assert_eq!((sales.name.as_str(), sales.url.unwrap().as_str(), sales.port), ("Sales", "sales-report", Some(8501)));
    assert_eq!((sales.dir, sales.venv), ("/home/user/sales".into(), Some("/home/user/venv".into())));
    assert_eq!((sales.description.as_str(), sales.restart_on_crash), ("Monthly", false));
    let ops = app("ops");
    assert_eq!((ops.name.as_str(), ops.url.unwrap().as_str(), ops.port, ops.venv), ("ops", "ops", None, None));
    assert_eq!((ops.dir, ops.description.as_str(), ops.restart_on_crash), ("apps/ops".into(), "", true));
    let both = Place::with(&[("config.json", json), ("lithouse.toml", "")]).resolved(&[], &[]).unwrap();
    assert!(both.apps.is_empty());
    let variable = Place::with(&[("config.json", json)]).resolved(&[], &[("LITHOUSE_LISTEN", "127.0.0.1:1")]).unwrap();
    assert_eq!(variable.server.listen.port(), 1);
}

#[test]
fn what_is_wrong_with_the_older_shape_is_told_in_its_words() {
    for (json, message) in [
        (
            "{\n\"website_port\": \"x\"}",
            "config.json:2: `website_port` is set to `x`: a port is a number from 0 to 65535\nhint: such as `5000`",
        ),
        ("{\"website_prot\": 1}", "config.json:1: unknown key `website_prot`\nhint: did you mean `website_port`?"),
        ("{\"hosting\": {}}", "config.json:1: unknown key `hosting`\nhint: known here: `website_port`, `apps`"),
        (
            "{\"apps\": []}",
            "config.json:1: `apps` is set to `a list`: an object is expected\nhint: write its settings between `{` and `}`",
        ),
        (
            "{\"apps\": {\n\"My App\": {}}}",
            "config.json:2: a key starts with a letter or digit and holds only `a-z`, `0-9` and `-` (63 at most), not `My App`\nhint: such as `my-app`",
        ),
        (
            "{\"apps\": {\"a\": {\"port\": 0}}}",
            "config.json:1: `apps.a.port` is set to `0`: a port is a number from 1 to 65535\nhint: such as `8501`",
        ),
        (
            "{\"apps\": {\"a\": {\"url\": \"b\"},\n\"b\": {}}}",
            "config.json:2: the apps `a` and `b` have the same name `b` in addresses\nhint: change that of one of them",
        ),
        (
            "{\"apps\": {\"a\": {\"port\": 1},\n\"b\": {\"port\": 1}}}",
            "config.json:2: the apps `a` and `b` have the same port 1\nhint: change that of one of them",
        ),
    ] {
        assert_eq!(Place::with(&[("config.json", json)]).resolved(&[], &[]).unwrap_err(), message, "{json}");
    }
}

#[test]
fn an_app_may_have_limits_in_either_shape() {
    let toml = "[apps.a.limits]\nmemory = \"1GB\"\ncpu = 2\nprocesses = 64\n";
    let json = r#"{"apps": {"a": {"limits": {"memory": "1GB", "cpu": 2.0, "processes": 64}}}}"#;
    for (name, text) in [("lithouse.toml", toml), ("config.json", json)] {
        let config = Place::with(&[(name, text)]).resolved(&[], &[]).unwrap();
        let limits = config.apps.first_key_value().unwrap().1.limits;
        let cores = limits.cpu.map(lithouse_core::limits::Cores::thousandths);
        assert_eq!(
            (limits.memory, cores, limits.processes, limits.open_files),
            (Some(1_000_000_000), Some(2000), Some(64), None)
        );
        let row = config.rows().into_iter().find(|row| row.key == "apps.a.limits").unwrap();
        assert_eq!(row.value, serde_json::json!({"memory": "1GB", "cpu": 2.0, "processes": 64}));
    }
    for (text, message) in [
        ("[apps.a.limits]\nmemry = 1", "2: unknown key `apps.a.limits.memry`\nhint: did you mean `apps.a.limits.memory`?"),
        (
            "[apps.a.limits]\ncpu = 0",
            "2: `apps.a.limits.cpu` is set to `0`: a number of cores from 0.01 to 1024 is expected\nhint: such as `0.5`",
        ),
        (
            "[apps.a.limits]\nprocesses = \"many\"",
            "2: `apps.a.limits.processes` is set to `many`: a whole number from 4 to 4194304 is expected\nhint: such as `1024`",
        ),
    ] {
        assert_eq!(wrong(text), format!("lithouse.toml:{message}"), "{text}");
    }
    let message = wrong("[apps.a.limits]\nmemory = \"2\"");
    assert!(message.contains("2: `apps.a.limits.memory` is set to `2`: a size of at least 16MB is expected"), "{message}");
    let message = wrong("[apps.a]\nlimits = 5");
    assert!(message.contains("2: `apps.a.limits` is set to `5`: a table is expected"), "{message}");
}

#[test]
fn an_app_may_have_a_command_and_then_a_prefix() {
    let text = "[apps.api]\ndir = \"services/api\"\ncommand = \"uvicorn main:app --port $PORT\"\nprefix = \"keep\"\n";
    let place = Place::with(&[("lithouse.toml", text)]);
    let app = place.resolved(&[], &[]).unwrap().apps.pop_first().unwrap().1;
    assert_eq!((app.dir, app.prefix), (place.path("services/api"), super::app::Prefix::Keep));
    assert!(app.command.is_some());
    let alone = wrong("[apps.a]\nprefix = \"keep\"\n");
    let hint = "a Streamlit app always sees its whole path; leave `prefix` out";
    assert_eq!(alone, format!("lithouse.toml:2: `apps.a.prefix` is for apps with a `command`\nhint: {hint}"));
}

#[test]
fn a_name_and_a_command_are_not_blank() {
    for blank in ["", " ", "\t"] {
        let text = format!("[apps.a]\nname = {blank:?}\ncommand = {blank:?}\n");
        let told = format!(
            "lithouse.toml:2: `apps.a.name` is set to `{blank}`: a name has letters\nhint: leave it out for the key\n\
             error: lithouse.toml:3: `apps.a.command` is set to `{blank}`: a command runs something\n\
             hint: leave it out for a Streamlit app"
        );
        assert_eq!(wrong(&text), told);
    }
    let place = Place::with(&[("lithouse.toml", "[apps.a]\ndescription = \"\"\n")]);
    assert_eq!(place.resolved(&[], &[]).unwrap().apps.pop_first().unwrap().1.description, "");
}

#[test]
fn no_two_have_a_port_the_server_included() {
    let apps = "[apps.a]\nname = \"A\"\nport = 8501\n";
    let told = "lithouse.toml:6: the apps `a` and `b` have the same port 8501\nhint: change that of one of them";
    assert_eq!(wrong(&format!("{apps}[apps.b]\nname = \"B\"\nport = 8501\n")), told);
    let hint = "choose another, or leave it out for one of `hosting.port_range`";
    let place = Place::with(&[("lithouse.toml", apps)]);
    for listen in ["127.0.0.1:8501", "0.0.0.0:8501", "[::]:8501"] {
        let told =
            format!("lithouse.toml:3: `apps.a.port` is set to `8501`: the server itself listens on `{listen}`\nhint: {hint}");
        assert_eq!(place.resolved(&[("listen", listen)], &[]).unwrap_err(), told);
    }
    for listen in ["127.0.0.1:0", "127.0.0.1:8502", "192.0.2.1:8501"] {
        place.resolved(&[("listen", listen)], &[]).unwrap();
    }
    let json = "{\"website_port\": 8501, \"apps\": {\"a\": {\n\"port\": 8501}}}";
    let told = Place::with(&[("config.json", json)]).resolved(&[], &[]).unwrap_err();
    assert!(told.starts_with("config.json:2: `apps.a.port` is set to `8501`: the server itself listens on "), "{told}");
}

#[test]
fn a_template_has_its_code_beside_it_or_in_a_file() {
    let text = "[[snippets.templates]]\nname = \"a\"\nfile = \"t/a.py\"\n";
    let place = Place::with(&[("lithouse.toml", text), ("t/a.py", "print(1)\n")]);
    let template = place.resolved(&[], &[]).unwrap().snippets.templates.remove(0);
    assert_eq!((template.title.as_str(), template.code.as_str()), ("a", "print(1)\n"));
    let absent = wrong(text);
    assert!(absent.starts_with("lithouse.toml:1: could not read the template `a` from `"), "{absent}");
    let needs = "the template `a` needs either `code` or `file`\nhint: say one of the two";
    assert_eq!(wrong("[[snippets.templates]]\nname = \"a\"\n"), format!("lithouse.toml:1: {needs}"));
    assert_eq!(wrong("[[snippets.templates]]\nname = \"a\"\ncode = \"1\"\nfile = \"x\"\n"), format!("lithouse.toml:1: {needs}"));
    let unnamed = wrong("[[snippets.templates]]\ncode = \"1\"\n");
    assert!(unnamed.starts_with("lithouse.toml:1: `snippets.templates.0.name` must be given"), "{unnamed}");
    let twice = wrong("[[snippets.templates]]\nname = \"a\"\ncode = \"1\"\n[[snippets.templates]]\nname = \"a\"\ncode = \"1\"\n");
    assert_eq!(twice, "lithouse.toml:4: two templates have the name `a`\nhint: rename one of them");
}

#[test]
fn a_template_is_read_of_a_file_and_of_nothing_that_would_hold_up_or_has_no_end() {
    let text = "[[snippets.templates]]\nname = \"a\"\nfile = \"t/a.py\"\n";
    let place = Place::with(&[("lithouse.toml", text), ("t/b.py", "print(1)\n")]);
    let file = place.path("t/a.py");
    let told = |why: &str| {
        let told = place.resolved(&[], &[]).unwrap_err();
        assert!(
            told.starts_with(&format!("lithouse.toml:1: could not read the template `a` from `t/a.py`: {why}\nhint: ")),
            "{told}"
        );
        std::fs::remove_file(&file).unwrap();
    };
    rustix::fs::mkfifoat(rustix::fs::CWD, &file, rustix::fs::Mode::RUSR).unwrap();
    told("it is not a regular file");
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    told("it is not a regular file");
    std::fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
    told("it is larger than 16777216 bytes");
    std::fs::write(&file, b"\xff").unwrap();
    told("invalid utf-8 sequence of 1 bytes from index 0");
    std::os::unix::fs::symlink("b.py", &file).unwrap();
    assert_eq!(place.resolved(&[], &[]).unwrap().snippets.templates[0].code, "print(1)\n");
}

#[test]
fn a_configuration_that_is_a_pipe_is_refused_and_not_waited_for() {
    let place = Place::with(&[]);
    let file = place.path("pipe.toml");
    rustix::fs::mkfifoat(rustix::fs::CWD, &file, rustix::fs::Mode::RUSR).unwrap();
    let told = File::find(Some(&file), &place.around()).unwrap_err().to_string();
    assert!(
        told.contains("could not read the configuration")
            && told.ends_with("it is a pipe, and no file\nhint: write it to a file first"),
        "{told}"
    );
}

#[test]
fn of_a_hundred_thousand_unknown_keys_as_many_are_told_as_anybody_reads() {
    let lines: Vec<String> = (0..100_000).map(|number| format!("listne{number} = 1")).collect();
    let text = lines.join("\n");
    let told = Place::with(&[("lithouse.toml", &text)]).resolved(&[], &[]).unwrap_err();
    assert!(told.starts_with("lithouse.toml:1: unknown key `listne0`"), "{told}");
    assert!(told.ends_with("and 981 more"), "{told}");
}

#[test]
fn the_data_folder_alone_is_read_without_the_rest() {
    let place = Place::with(&[("lithouse.toml", "listen = 1\ndata = \"d\"\n"), ("config.json", "[]")]);
    let data = |flag: Option<&str>, variables: &[(&str, &str)]| {
        data_folder(flag.map(PathBuf::from), &Environment::of_pairs(variables), &place.around()).unwrap().path
    };
    assert_eq!(data(None, &[]), place.path("d"));
    assert_eq!(data(None, &[("LITHOUSE_DATA", "/e")]), PathBuf::from("/e"));
    assert_eq!(data(Some("/f"), &[("LITHOUSE_DATA", "/e")]), PathBuf::from("/f"));
    let other = Place::with(&[("config.json", "[]")]);
    let data = data_folder(None, &Environment::of_pairs(&[]), &other.around()).unwrap();
    assert_eq!(data, DataFolder { path: other.path("data"), unread: None });
}

#[test]
fn every_setting_has_a_description_and_keys_and_flags_are_unique() {
    let mut keys: Vec<String> = settings().map(Declaration::key).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
    for setting in settings() {
        assert!(setting.paragraphs()[0].ends_with('.'), "{setting:?}");
        assert!(!(setting.expected)().ends_with('.') && !setting.default.is_empty(), "{setting:?}");
    }
}
