// SPDX-License-Identifier: Apache-2.0
//! Help pages and what is typed wrong.

use super::binary::{lithouse, run};
use crate::snapshot::assert_frozen;

#[tokio::test]
async fn every_help_page_is_as_it_was_read_over() {
    let root = run(lithouse(["--help"])).await.code(0);
    assert_frozen("help/lithouse.txt", &root.stdout);
    assert_frozen("help/lithouse-short.txt", &run(lithouse(["-h"])).await.code(0).stdout);
    let listed = root.stdout.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let verbs: Vec<&str> =
        listed.lines().filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help").collect();
    assert!(verbs.len() >= 14, "{verbs:?}");
    for verb in verbs {
        let long = run(lithouse(["help", verb])).await.code(0).stdout;
        assert!(long.contains(&format!("Example:\n  lithouse {verb}")), "no example in the help of `{verb}`");
        assert_frozen(&format!("help/{verb}.txt"), &long);
        assert_frozen(&format!("help/{verb}-short.txt"), &run(lithouse([verb, "-h"])).await.code(0).stdout);
    }
    let show = run(lithouse(["help", "config", "show"])).await.code(0).stdout;
    assert!(show.contains("Example:\n  lithouse config show"), "{show}");
    assert_frozen("help/config-show.txt", &show);
    assert_frozen("help/config-check.txt", &run(lithouse(["help", "config", "check"])).await.code(0).stdout);
}

#[tokio::test]
async fn hidden_verbs_are_not_listed() {
    let root = run(lithouse(["--help"])).await.code(0).stdout;
    for hidden in ["keeper", "guard", "app-entry"] {
        assert!(!root.contains(hidden), "{root}");
    }
}

#[tokio::test]
async fn what_is_typed_wrong_is_exit_code_2() {
    for wrong in [
        vec!["aps"],
        vec!["logs"],
        vec!["logs", "../../etc/passwd"],
        vec!["logs", "a", "-n", "many"],
        vec!["apps", "--url", "https://apps.example.com"],
        vec!["apps", "--url", "http://a", "--data", "b"],
        vec!["serve", "--url", "http://a"],
        vec!["serve", "--port-range", "9-8"],
        vec!["deploy", "--key", "Not A Key"],
        vec![],
    ] {
        let run = run(lithouse(&wrong)).await.code(2);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{run:#?}");
    }
}

#[tokio::test]
async fn an_address_or_number_that_is_none_is_told_in_plain_words() {
    for (address, said) in [
        (
            "foo",
            "error: `LITHOUSE_URL` is set to `foo`: an address begins with `http://`\nhint: such as `http://127.0.0.1:8080`\n",
        ),
        (
            "https://x",
            "error: `https://x/` is not an `http://host:port` address; for one behind TLS, forward a port of that machine to this one\n\
             hint: such as `http://127.0.0.1:8080`\n",
        ),
        ("http://me:secret@x", "error: the address of the server holds a password, which no server asks for yet; leave it out\n"),
    ] {
        let mut command = lithouse(["apps"]);
        command.env("LITHOUSE_URL", address);
        assert_eq!(run(command).await.code(2).prints("").stderr, said);
    }
    for (wrong, said) in [
        ("apps --url foo", "invalid value 'foo' for '--url <URL>': an address begins with `http://`"),
        ("logs a -n many", "a whole number is expected, such as `50`"),
        ("rollback a x", "the number of a release is expected, such as `3`"),
    ] {
        run(lithouse(wrong.split(' '))).await.code(2).prints("").says(said);
    }
}

#[tokio::test]
async fn a_variable_that_is_wrong_is_named() {
    let mut command = lithouse(["apps"]);
    command.env("LITHOUSE_URL", "apps example");
    run(command).await.code(2).says("`LITHOUSE_URL` is set to `apps example`");
}
