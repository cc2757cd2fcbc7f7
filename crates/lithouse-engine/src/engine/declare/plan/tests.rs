// SPDX-License-Identifier: Apache-2.0
//! Each row is a case of what is known and what is wanted.

use std::path::PathBuf;

use super::super::Declared;
use super::*;
use crate::engine::create::new_record;

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

/// An app that is wanted: `key`, or `key=url`.
fn wanted(text: &str) -> Looked {
    let (name, url) = text.split_once('=').map_or((text, None), |(name, url)| (name, Some(key(url))));
    let declared = Declared {
        key: key(name),
        name: name.to_owned(),
        url,
        description: String::new(),
        folder: PathBuf::from("/srv").join(name),
        origin: Origin::Configured,
        recipe: Recipe::default(),
        limits: Limits::default(),
        restart_on_crash: true,
    };
    Looked { declared, entry: "app.py".to_owned(), fingerprint: "1".to_owned() }
}

/// An app that is there: `key`, `key=url`, with `!` behind it a deployed one, with `-` one that is going.
fn known(text: &str) -> Known {
    let app = wanted(text.trim_end_matches(['!', '-'])).declared;
    Known {
        id: AppId::from_bytes([u8::try_from(text.len()).unwrap(), text.as_bytes()[0], 0, 0, 0, 0, 0, 0]),
        url: app.url,
        key: Some(app.key),
        origin: if text.ends_with('!') { Origin::Deployed } else { Origin::Folder },
        is_going: text.ends_with('-'),
    }
}

/// The plan in words: `+` is created, `=` kept, `-` forgotten, `?` passed over.
fn planned(there: &str, list: &str, untouched: &str) -> String {
    let known: Vec<Known> = there.split_whitespace().map(known).collect();
    let untouched = untouched.split_whitespace().map(key).collect();
    let plan = plan(&known, list.split_whitespace().map(wanted).collect(), &untouched);
    let name_of = |id: &AppId| known.iter().find(|app| app.id == *id).and_then(|app| app.key.clone()).unwrap().to_string();
    let mut words: Vec<String> = plan.create.iter().map(|app| format!("+{}", app.declared.key)).collect();
    words.extend(plan.keep.iter().map(|(id, app)| {
        assert_eq!(name_of(id), app.declared.key.to_string());
        format!("={}", app.declared.key)
    }));
    words.extend(plan.forget.iter().map(|id| format!("-{}", name_of(id))));
    words.extend(plan.passed_over.iter().map(|app| format!("?{}", app.name)));
    words.join(" ")
}

#[test]
fn the_known_apps_are_brought_to_the_list() {
    for (there, list, untouched, planned_as) in [
        ("", "", "", ""),
        ("", "a b", "", "+a +b"),
        ("a b", "a b", "", "=a =b"),
        ("a b", "b c", "", "+c =b -a"),
        ("a b", "", "", "-a -b"),
        // What was deployed is nobody's business here.
        ("a!", "", "", ""),
        ("a! b", "a b", "", "=b ?a"),
        // What cannot be looked at now goes on.
        ("a b", "", "a", "-b"),
        // One that is going already is not sent off again, and makes no room yet.
        ("a-", "", "", ""),
        ("a-", "a", "", "?a"),
        // Names in addresses are given once: to what was deployed, to what goes on, to the first.
        ("a!", "b=a", "", "?b"),
        ("a!", "b=c", "", "+b"),
        ("c=a", "b=a", "c", "?b"),
        ("", "b=a a", "", "+b ?a"),
        ("a b", "b=a a", "", "=b -a ?a"),
        ("", "a=x b=x", "", "+a ?b"),
        ("", "a=a", "", "+a"),
        ("", "a=b b=a", "", "+a ?b"),
        // Two may swap their paths, and a path may move on.
        ("aa=x b=y", "aa=y b=x", "", "=aa =b"),
        ("aa=x", "b=x", "", "+b -aa"),
    ] {
        assert_eq!(planned(there, list, untouched), planned_as, "{there:?} to {list:?} but {untouched:?}");
    }
}

#[test]
fn what_is_passed_over_says_why() {
    let reason = |there: &[Known], list: Vec<Looked>| plan(there, list, &BTreeSet::new()).passed_over.remove(0).reason;
    let deployed = reason(&[known("a!")], vec![wanted("a")]);
    assert_eq!(deployed, "an app that was deployed has that key; `lithouse rm a` makes room for it");
    let named = reason(&[], vec![wanted("a"), wanted("b=a")]);
    assert_eq!(named, "the app `a` answers at `/apps/a/` already");
}

fn record(app: &Looked, origin: Origin) -> AppRecord {
    let new = new_record(Some(app.declared.key.clone()), None, String::new(), Some(app.declared.folder.clone()));
    let record = declared_as(&AppRecord { origin: Origin::Deployed, ..new }, app);
    AppRecord { origin, ..record }
}

#[test]
fn only_what_a_process_is_made_of_makes_another_one() {
    type Case = (&'static str, fn(&mut Looked), Difference);
    let cases: [Case; 12] = [
        ("nothing", |_| {}, Difference::None),
        ("its name", |app| app.declared.name = "x".to_owned(), Difference::Told),
        ("its description", |app| app.declared.description = "x".to_owned(), Difference::Told),
        ("restarts", |app| app.declared.restart_on_crash = false, Difference::Told),
        ("its url", |app| app.declared.url = Some(key("x")), Difference::Runs),
        ("its url said again", |app| app.declared.url = Some(app.declared.key.clone()), Difference::None),
        ("its folder", |app| app.declared.folder = PathBuf::from("/x"), Difference::Runs),
        ("its files", |app| app.fingerprint = "2".to_owned(), Difference::Runs),
        ("its venv", |app| app.declared.recipe.venv = Some(PathBuf::from("/x")), Difference::Runs),
        ("its command", |app| app.declared.recipe.command = Some("x".to_owned()), Difference::Runs),
        ("its port", |app| app.declared.recipe.port = Some(1), Difference::Runs),
        ("its limits", |app| app.declared.limits.memory = Some(1), Difference::Runs),
    ];
    for (what, change, difference) in cases {
        let before = wanted("a");
        let record = record(&before, Origin::Configured);
        let mut after = before;
        change(&mut after);
        assert_eq!(compare(&record, record.fingerprint.as_deref(), &after), difference, "{what}");
        let taken = declared_as(&record, &after);
        assert_eq!(compare(&taken, Some(&after.fingerprint), &after), Difference::None, "{what}: what was taken differs no more");
    }
}

#[test]
fn what_people_set_of_an_app_of_a_folder_stays() {
    let mut app = wanted("a");
    app.declared.origin = Origin::Folder;
    let mut record = record(&app, Origin::Folder);
    record.name = "By hand".to_owned();
    record.limits.memory = Some(1);
    record.restart_on_crash = false;
    assert_eq!(compare(&record, Some("1"), &app), Difference::None);
    let taken = declared_as(&record, &app);
    assert_eq!((taken.name.as_str(), taken.limits.memory, taken.restart_on_crash), ("By hand", Some(1), false));
    app.declared.origin = Origin::Configured;
    let taken = declared_as(&record, &app);
    assert_eq!((taken.name.as_str(), taken.limits.memory, taken.restart_on_crash), ("a", None, true));
}

#[test]
fn a_process_that_is_to_be_replaced_differs_until_it_is() {
    let app = wanted("a");
    let marked = to_be_replaced(record(&app, Origin::Configured));
    assert_eq!(compare(&marked, marked.fingerprint.as_deref(), &app), Difference::Runs);
    let of_before = AppRecord { fingerprint: None, ..marked };
    assert_eq!(compare(&of_before, None, &app), Difference::Told, "one of before fingerprints were kept goes on");
    assert_eq!(declared_as(&of_before, &app).fingerprint.as_deref(), Some("1"));
}
