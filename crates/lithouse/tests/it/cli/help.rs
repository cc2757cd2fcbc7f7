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
async fn a_variable_that_is_wrong_is_named() {
    let mut command = lithouse(["apps"]);
    command.env("LITHOUSE_URL", "apps example");
    run(command).await.code(2).says("`LITHOUSE_URL` is set to `apps example`");
}
