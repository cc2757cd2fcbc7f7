// SPDX-License-Identifier: Apache-2.0
//! What is set by files, variables and flags, as `config show` and `serve` tell it.

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
    for verb in ["serve", "config show"] {
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
