// SPDX-License-Identifier: Apache-2.0
//! What is set by files, variables and flags, as `config show` and `serve` tell it.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::binary::{lithouse, run};
use super::server::{Server, answer};
use crate::snapshot::assert_frozen;

/// A working folder with files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn lithouse_in(folder: &Path, arguments: &str) -> Command {
    let mut command = lithouse(arguments.split_whitespace());
    command.current_dir(folder);
    command
}

const WHOLE: &str = r#"# What a team could write.
public_base = "http://apps.localhost"
data = "var"

[hosting]
port_range = "9000-9100"
start_timeout = "3m"

[snippets]
memory = "1GiB"
packages = ["scipy>=1.14"]

[[snippets.templates]]
name = "hello"
code = """
print("hello")
"""

[apps.sales]
url = "/sales-report/"
dir = "/srv/sales"
port = 9001

[apps.api]
command = "uvicorn main:app --port $PORT"
prefix = "keep"
"#;

#[tokio::test]
async fn config_show_tells_every_setting_its_value_and_where_that_comes_from() {
    let folder = folder(&[("lithouse.toml", WHOLE)]);
    let flags = "config show served --listen localhost:0 --snippets-allow-open --log-level warn --stop-grace 1m";
    let mut command = lithouse_in(folder.path(), flags);
    command.env("MAX_WORKERS", "7").env("LITHOUSE_PORT_RANGE", "").env("LOG_LEVEL", "trace").env("LITHOUSE_DATA", "elsewhere");
    let shown = run(command).await.code(0);
    assert_eq!(shown.stderr, "");
    assert_frozen("config/show.txt", &shown.stdout);
}

#[tokio::test]
async fn config_show_is_the_same_for_programs() {
    let folder = folder(&[("here.toml", "[snippets]\nworkers = 2\nlibraries = [\"scipy\"]\n")]);
    let shown = run(lithouse_in(folder.path(), "config show --json --config here.toml")).await.code(0);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["file"], "here.toml");
    let settings = shown["settings"].as_array().unwrap();
    let setting = |key: &str| settings.iter().find(|setting| setting["key"] == key).unwrap();
    assert_eq!(*setting("snippets.workers"), json!({"key": "snippets.workers", "value": 2, "origin": "here.toml:2"}));
    assert_eq!(setting("snippets.libraries")["value"], json!(["scipy"]));
    assert_eq!(*setting("public_base"), json!({"key": "public_base", "value": null, "origin": "default"}));
    assert_eq!(setting("snippets.allow_open")["value"], false);
}

#[tokio::test]
async fn config_check_says_that_a_configuration_is_sound_and_changes_nothing() {
    let folder = folder(&[("lithouse.toml", WHOLE)]);
    let checked = run(lithouse_in(folder.path(), "config check")).await.code(0);
    assert_eq!(
        (checked.stdout.as_str(), checked.stderr.as_str()),
        ("sound: `lithouse.toml`, 14 settings set, 2 apps named\n", "")
    );
    let shown = run(lithouse_in(folder.path(), "config check --json")).await.code(0).stdout;
    let expected = json!({"file": "lithouse.toml", "sound": true, "apps": 2, "settings": 14});
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), expected);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let empty = tempfile::tempdir().unwrap();
    run(lithouse_in(empty.path(), "config check")).await.code(0).prints("sound: no file, 0 settings set, 0 apps named\n");
}

#[tokio::test]
async fn what_is_wrong_is_told_in_full_with_exit_code_2_before_anything_is_done() {
    let file =
        "lsiten = \"127.0.0.1:1\"\n\n[hosting]\nport_range = \"9-8\"\ntransport = \"unix\"\n\n[snippets]\nsandbox = \"fulll\"\n";
    let folder = folder(&[("lithouse.toml", file)]);
    let told = "\
error: lithouse.toml:1: unknown key `lsiten`
hint: did you mean `listen`?
error: `LITHOUSE_AUTH` is set to `open`: `auto` or `none` is expected
hint: such as `auto`
";
    let message = "\
error: lithouse.toml:1: unknown key `lsiten`
hint: did you mean `listen`?
error: lithouse.toml:4: `hosting.port_range` is set to `9-8`: a range of ports is `FIRST-LAST`, from 1 to 65535
hint: such as `8501-8999`
error: lithouse.toml:5: `hosting.transport` is set to `unix`: that is not available yet
hint: leave it out; for now `tcp` is expected
error: lithouse.toml:8: `snippets.sandbox` is set to `fulll`: `auto`, `full`, `standard`, `basic` or `none` is expected
hint: did you mean `full`?
error: `LITHOUSE_AUTH` is set to `open`: `auto` or `none` is expected
hint: such as `auto`
";
    for verb in ["serve", "config show", "config check"] {
        let mut command = lithouse_in(folder.path(), verb);
        command.env("LITHOUSE_AUTH", "open");
        let wrong = run(command).await.code(2).prints("");
        assert_eq!(wrong.stderr, message, "{verb}");
        let mut command = lithouse_in(folder.path(), verb);
        // What is said in a higher layer is not looked at in a lower one.
        command.args(["--port-range", "9000", "--snippets-sandbox", "basic"]);
        command.env("LITHOUSE_AUTH", "open").env("LITHOUSE_TRANSPORT", "tcp");
        assert_eq!(run(command).await.code(2).stderr, told, "{verb}");
    }
    assert!(!folder.path().join("data").exists());
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told() {
    let folder = folder(&[("lithouse.toml", "[hosting\n"), ("config.json", "{\"website_port\": 1,}\n")]);
    let broken = run(lithouse_in(folder.path(), "config show")).await.code(2).prints("");
    assert!(broken.stderr.starts_with("error: lithouse.toml:1:9: this is not TOML: "), "{broken:#?}");
    let hint =
        "\nhint: mend that line; the file is read because it lies in the working folder, and `--config FILE` names another\n";
    assert!(broken.stderr.ends_with(hint), "{broken:#?}");
    let broken = run(lithouse_in(folder.path(), "config show --config config.json")).await.code(2);
    assert_eq!(broken.stderr, "error: config.json:1:20: this is not JSON: trailing comma\nhint: mend that line\n");
    let absent = run(lithouse_in(folder.path(), "serve --config absent.toml")).await.code(2);
    let message = "error: could not read the configuration `absent.toml`: No such file or directory (os error 2)\n\
                   hint: name another with `--config`, or leave that out for `./lithouse.toml`\n";
    assert_eq!(absent.stderr, message);
    run(lithouse_in(folder.path(), "config show --config /dev/null")).await.code(0);
}

#[tokio::test]
async fn a_file_of_any_kind_is_read_or_told_and_never_read_for_ever() {
    let folder = folder(&[
        ("marked.toml", "\u{feff}listen = \"127.0.0.1:9\"\r\n\r\n[log]\r\nkeep = 3\r\n"),
        ("marked.json", "\u{feff}{\r\n\"website_port\": 9}\r\n"),
    ]);
    for (name, origin) in [("marked.toml", "marked.toml:1"), ("marked.json", "marked.json:2")] {
        let shown = run(lithouse_in(folder.path(), &format!("config show --json --config {name}"))).await.code(0).stdout;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let listen = shown["settings"].as_array().unwrap().iter().find(|setting| setting["key"] == "listen").unwrap();
        assert_eq!(*listen, json!({"key": "listen", "value": "127.0.0.1:9", "origin": origin}));
    }
    std::fs::File::create(folder.path().join("huge.toml")).unwrap().set_len(1 << 30).unwrap();
    std::fs::create_dir(folder.path().join("folder.toml")).unwrap();
    std::fs::write(folder.path().join("latin.toml"), b"listen = \"127.0.0.1:9\"\npublic_base = \"http://\xfcber\"\n").unwrap();
    std::fs::write(folder.path().join("wide.json"), b"\xff\xfe{\0}\0").unwrap();
    std::fs::write(folder.path().join("twice.toml"), "[log]\nkeep = 1\nkeep = 2\n").unwrap();
    std::fs::write(folder.path().join("twice.json"), "{\"apps\": {\"a\": {},\n \"a\": {}}}").unwrap();
    std::fs::write(folder.path().join("deep.toml"), "[hosting.limits]\nmemory = 1\n[log]\nkeep.most = 2\n").unwrap();
    for (name, problem) in [
        (
            "huge.toml",
            "could not read the configuration `huge.toml`: it is larger than 16 MB, as no configuration is\nhint: name another",
        ),
        ("folder.toml", "could not read the configuration `folder.toml`: Is a directory (os error 21)\nhint: name another"),
        ("latin.toml", "latin.toml:2: this is not UTF-8 text\nhint: save it in that encoding\n"),
        ("wide.json", "wide.json:1: this is not UTF-8 text\nhint: save it in that encoding\n"),
        ("twice.toml", "twice.toml:3:1: this is not TOML: duplicate key\nhint: mend that line\n"),
        ("twice.json", "twice.json:2:"),
        ("deep.toml", "deep.toml:1: unknown key `hosting.limits`\nhint: "),
        (
            "deep.toml",
            "error: deep.toml:4: `log.keep` is set to `a table`: a whole number from 1 to 1000 is expected\nhint: such as `",
        ),
    ] {
        let told = run(lithouse_in(folder.path(), &format!("config check --config {name}"))).await.code(2).prints("");
        assert!(told.stderr.contains(problem), "{name}: {told:#?}");
    }
}

/// Each setting of the design: its key, its default, and for file, variable and flag what is said there and what is shown then.
type Row = (&'static str, Value, Said, Option<Said>, Option<Said>);
type Said = (&'static str, &'static str, Value);

fn rows() -> Vec<Row> {
    vec![
        (
            "listen",
            json!("127.0.0.1:8080"),
            ("", "\"127.0.0.1:9001\"", json!("127.0.0.1:9001")),
            Some(("LITHOUSE_LISTEN", "127.0.0.1:9002", json!("127.0.0.1:9002"))),
            Some(("--listen", "127.0.0.1:9003", json!("127.0.0.1:9003"))),
        ),
        (
            "public_base",
            Value::Null,
            ("", "\"http://a\"", json!("http://a/")),
            Some(("LITHOUSE_PUBLIC_BASE", "http://b/", json!("http://b/"))),
            Some(("--public-base", "http://c/", json!("http://c/"))),
        ),
        (
            "data",
            json!("data"),
            ("", "\"/a\"", json!("/a")),
            Some(("LITHOUSE_DATA", "/b", json!("/b"))),
            Some(("--data", "/c", json!("/c"))),
        ),
        ("hosting.folder", Value::Null, ("folder", "\"/a\"", json!("/a")), Some(("LITHOUSE_APPS", "/b", json!("/b"))), None),
        (
            "hosting.port_range",
            json!("8501-8999"),
            ("port_range", "\"9100-9199\"", json!("9100-9199")),
            Some(("LITHOUSE_PORT_RANGE", "9200-9299", json!("9200-9299"))),
            Some(("--port-range", "9300-9399", json!("9300-9399"))),
        ),
        (
            "hosting.transport",
            json!("tcp"),
            ("transport", "\"tcp\"", json!("tcp")),
            Some(("LITHOUSE_TRANSPORT", "tcp", json!("tcp"))),
            None,
        ),
        (
            "hosting.python",
            Value::Null,
            ("python", "\"/a\"", json!("/a")),
            Some(("LITHOUSE_PYTHON", "/b", json!("/b"))),
            Some(("--python", "/c", json!("/c"))),
        ),
        (
            "hosting.start_timeout",
            json!("120s"),
            ("start_timeout", "\"3m\"", json!("180s")),
            None,
            Some(("--start-timeout", "90", json!("90s"))),
        ),
        ("hosting.stop_grace", json!("10s"), ("stop_grace", "5", json!("5s")), None, Some(("--stop-grace", "6s", json!("6s")))),
        (
            "snippets.workers",
            Value::Null,
            ("workers", "2", json!(2)),
            Some(("MAX_WORKERS", "3", json!(3))),
            Some(("--max-workers", "4", json!(4))),
        ),
        ("snippets.timeout", json!("30s"), ("timeout", "20", json!("20s")), Some(("TIMEOUT_SECONDS", "25", json!("25s"))), None),
        (
            "snippets.memory",
            json!("512MB"),
            ("memory", "\"1GB\"", json!("1GB")),
            Some(("LITHOUSE_SNIPPETS_MEMORY", "2GiB", json!("2GiB"))),
            None,
        ),
        (
            "snippets.allow_open",
            json!(false),
            ("allow_open", "true", json!(true)),
            Some(("LITHOUSE_SNIPPETS_ALLOW_OPEN", "no", json!(false))),
            Some(("--snippets-allow-open", "true", json!(true))),
        ),
        (
            "auth.mode",
            json!("auto"),
            ("mode", "\"none\"", json!("none")),
            Some(("LITHOUSE_AUTH", "auto", json!("auto"))),
            Some(("--auth", "none", json!("none"))),
        ),
        (
            "log.level",
            json!("info"),
            ("level", "\"warn\"", json!("warn")),
            Some(("LOG_LEVEL", "debug", json!("debug"))),
            Some(("--log-level", "error", json!("error"))),
        ),
        ("log.keep", json!(5), ("keep", "7", json!(7)), None, None),
    ]
}

/// What is shown of a setting.
async fn shown(command: Command) -> impl Fn(&str) -> (Value, String) {
    let shown: Value = serde_json::from_str(&run(command).await.code(0).stdout).unwrap();
    move |key: &str| {
        let settings = shown["settings"].as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key}"));
        (setting["value"].clone(), setting["origin"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn every_setting_is_taken_from_flag_variable_file_or_default_in_this_order() {
    let rows = rows();
    let empty = tempfile::tempdir().unwrap();
    let of_default = shown(lithouse_in(empty.path(), "config show --json")).await;
    let mut text = String::new();
    let mut section = "";
    for (key, _, (name, written, _), ..) in &rows {
        let table = key.split_once('.').map_or("", |(table, _)| table);
        if table != section {
            section = table;
            writeln!(text, "[{table}]").unwrap();
        }
        writeln!(text, "{} = {written}", if name.is_empty() { key } else { name }).unwrap();
    }
    let folder = folder(&[("lithouse.toml", &text)]);
    let of_file = shown(lithouse_in(folder.path(), "config show --json")).await;
    let variables: Vec<&Said> = rows.iter().filter_map(|row| row.3.as_ref()).collect();
    let mut command = lithouse_in(folder.path(), "config show --json");
    command.envs(variables.iter().map(|(name, value, _)| (*name, *value)));
    let of_variable = shown(command).await;
    // An empty variable says nothing.
    let mut command = lithouse_in(folder.path(), "config show --json");
    command.envs(variables.iter().map(|(name, ..)| (*name, "")));
    let of_empty = shown(command).await;
    let mut command = lithouse_in(folder.path(), "config show --json /d");
    command.envs(variables.iter().map(|(name, value, _)| (*name, *value)));
    command.args(rows.iter().filter_map(|row| row.4.as_ref()).map(|(name, value, _)| format!("{name}={value}")));
    let of_flag = shown(command).await;
    for (number, (key, default, (_, _, written), variable, flag)) in rows.into_iter().enumerate() {
        let (value, origin) = of_default(key);
        assert_eq!(origin, "default", "{key}");
        if key == "snippets.workers" {
            assert!(value.as_u64().is_some_and(|cores| cores >= 1), "{value}");
        } else {
            assert_eq!(value, default, "{key}");
        }
        // The lines of the tables' heads stand between.
        let (value, origin) = of_file(key);
        assert_eq!(value, written, "{key}");
        let line: usize = origin.strip_prefix("lithouse.toml:").unwrap_or_else(|| panic!("{key}: {origin}")).parse().unwrap();
        assert!(
            line > number && text.lines().nth(line - 1).unwrap().contains(key.rsplit('.').next().unwrap()),
            "{key}: {origin}"
        );
        assert_eq!(of_empty(key), (value, origin), "{key}");
        if let Some((name, _, value)) = variable {
            assert_eq!(of_variable(key), (value, format!("env {name}")), "{key}");
        }
        if let Some((name, _, value)) = flag {
            assert_eq!(of_flag(key), (value, format!("flag {name}")), "{key}");
        }
    }
    assert_eq!(of_flag("hosting.folder"), (json!("/d"), "argument APPS_DIR".to_owned()));
}

#[tokio::test]
async fn the_other_names_of_a_variable_count_where_its_own_is_not_there() {
    let empty = tempfile::tempdir().unwrap();
    let others = [("PORT", "5000"), ("STREAMLIT_HOST_PUBLIC_BASE", "http://o/"), ("STREAMLIT_HOST_DATA", "/o")];
    let own = [("LITHOUSE_LISTEN", "127.0.0.1:1"), ("LITHOUSE_PUBLIC_BASE", "http://a/"), ("LITHOUSE_DATA", "/a")];
    let mut command = lithouse_in(empty.path(), "config show --json");
    command.envs(others).envs(own.map(|(name, _)| (name, "")));
    let of_others = shown(command).await;
    assert_eq!(of_others("listen"), (json!("0.0.0.0:5000"), "env PORT".to_owned()));
    assert_eq!(of_others("public_base"), (json!("http://o/"), "env STREAMLIT_HOST_PUBLIC_BASE".to_owned()));
    assert_eq!(of_others("data"), (json!("/o"), "env STREAMLIT_HOST_DATA".to_owned()));
    let mut command = lithouse_in(empty.path(), "config show --json");
    command.envs(others).envs(own);
    let of_own = shown(command).await;
    for (key, (name, value)) in ["listen", "public_base", "data"].into_iter().zip(own) {
        assert_eq!(of_own(key), (json!(value), format!("env {name}")));
    }
}

#[tokio::test]
async fn the_older_shape_is_taken_where_it_lies() {
    let older = r#"{"website_port": 5000, "apps": {"sales": {"name": "Sales", "url": "sales", "dir": "/srv/sales",
        "venv": "/srv/sales/venv", "port": 8501, "description": "", "restart_on_crash": true}}}"#;
    let folder = folder(&[("config.json", older)]);
    let shown = run(lithouse_in(folder.path(), "config show")).await.code(0);
    let words: Vec<Vec<&str>> = shown.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(words.contains(&vec!["listen", "127.0.0.1:5000", "config.json:1"]), "{shown:#?}");
    assert!(words.contains(&vec!["apps.sales.port", "8501", "config.json:2"]), "{shown:#?}");
}

#[tokio::test]
async fn a_verb_finds_the_server_of_the_folder_by_its_configuration() {
    let server = Server::new(|_| answer(200, &json!({"apps": [], "next": null})));
    let folder = folder(&[("lithouse.toml", &format!("data = {:?}\nlisten = 1\n", server.data()))]);
    run(lithouse_in(folder.path(), "apps")).await.code(0).says("no apps yet");
    std::fs::write(folder.path().join("lithouse.toml"), "data = 1\n").unwrap();
    let wrong = run(lithouse_in(folder.path(), "apps")).await.code(2);
    assert_eq!(wrong.stderr, "error: lithouse.toml:1: `data` is set to `1`: a path is expected\nhint: such as `/srv/apps`\n");
    let mut command = lithouse_in(folder.path(), "apps");
    command.env("LITHOUSE_DATA", server.data());
    run(command).await.code(0);
}

#[tokio::test]
async fn a_folder_to_deploy_from_may_hold_a_config_json_of_its_own() {
    let server = Server::new(|_| answer(200, &json!({"apps": [], "next": null})));
    let folder = folder(&[("config.json", "[\"of the app\"]")]);
    let mut command = lithouse_in(folder.path(), "apps");
    command.arg("--data").arg(server.data());
    run(command).await.code(0);
    run(lithouse_in(folder.path(), "apps")).await.code(5);
}
