// SPDX-License-Identifier: Apache-2.0
//! From the specification to a child that is confined and waits.

use std::path::PathBuf;

use serde_json::json;

use crate::zygote::{Zygote, everywhere, everywhere_if, grounds};

#[test]
fn ordinary_python_runs_at_every_level() {
    let code = r#"
import asyncio, datetime, decimal, json, random, shutil, sqlite3, tempfile, threading, time, zoneinfo
checks = {}
def answers(name, work, expected):
    try:
        value = work()
    except BaseException as error:
        value = repr(error)
    if value != expected:
        checks[name] = value
def thread():
    seen = []
    worker = threading.Thread(target=lambda: seen.append(threading.get_ident()))
    worker.start()
    worker.join()
    return len(seen)
async def soon():
    await asyncio.sleep(0.001)  # it only has to work
    return "slept"
def database():
    connection = sqlite3.connect("some.db")
    connection.execute("create table t (a)")
    connection.execute("insert into t values (1)")
    connection.commit()
    return connection.execute("select count(*) from t").fetchone()[0]
def temporary():
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
        return file.write(b"four")
def moved():
    os.makedirs("a/b")
    with open("a/b/file", "w") as file:
        file.write("text")
    os.rename("a/b/file", "a/file")
    shutil.copyfile("a/file", "copy")
    shutil.rmtree("a")
    return sorted(name for name in os.listdir() if not name.startswith("some.db"))
answers("thread", thread, 1)
answers("asyncio", lambda: asyncio.run(soon()), "slept")
answers("sqlite", database, 1)
answers("temporary files", temporary, 4)
answers("files", moved, ["copy"])
answers("time zones", lambda: datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc).astimezone().tzname(), "UTC")
answers("random", lambda: len(os.urandom(8)), 8)
answers("null device", lambda: open("/dev/null", "w").write("x"), 1)
answers("sleep", lambda: time.sleep(0.001), None)  # it only has to work
answers("processors", lambda: len(os.sched_getaffinity(0)) > 0, True)
found = checks
"#;
    everywhere(|zygote| assert_eq!(zygote.run(code).found(), json!({})));
}

#[test]
fn copying_with_modes_and_times_works_where_nothing_else_can_be_changed() {
    let code = "
import shutil
open('one', 'w').write('x')
found = [shutil.copy('one', 'two'), shutil.copy2('one', 'three'), shutil.copytree('.', '../tmp/all', dirs_exist_ok=True)]
";
    everywhere_if(|ground| ground.level.has_namespaces(), |zygote| assert_eq!(zygote.run(code).found()[1], "three"));
}

#[test]
fn a_child_in_its_namespaces_is_alone_and_has_its_own_home() {
    everywhere_if(
        |ground| ground.level.has_namespaces(),
        |zygote| {
            let found = zygote
                .run("found = [os.path.relpath(os.getcwd(), HOME), os.getpid(), os.uname().nodename, sorted(os.listdir('/'))]")
                .found();
            assert_eq!(found[0], "work");
            assert_eq!(found[1], 1);
            assert_eq!(found[2], "snippet");
            assert!(!found[3].as_array().expect("a list").iter().any(|name| name == "proc" || name == "sys" || name == "root"));
        },
    );
}

#[test]
fn the_launcher_tells_what_it_gave() {
    everywhere(|zygote| {
        assert_eq!(zygote.launched.level, zygote.ground.level);
        assert_eq!(zygote.launched.own_uids, zygote.ground.own_uids);
    });
}

#[test]
fn nothing_of_the_servers_environment_reaches_python() {
    everywhere(|zygote| {
        let mut names: Vec<_> = zygote.environment.as_object().expect("an object").keys().cloned().collect();
        // Python sets it for itself where no locale is.
        names.retain(|name| name != "LC_CTYPE");
        assert_eq!(names, ["CACHE"]);
    });
}

#[test]
fn a_specification_that_cannot_be_met_is_refused_with_the_step_and_the_path() {
    for ground in grounds() {
        let no_python =
            Zygote::launch_with(ground, |spec| spec.python = PathBuf::from("/usr/lib/no-python")).expect_err("refused");
        assert_eq!((no_python.step.as_ref(), no_python.errno), ("run the interpreter", 2), "{ground:?}");
        assert!(no_python.to_string().contains("`/usr/lib/no-python`"), "{no_python}");
        let nothing =
            Zygote::launch_with(ground, |spec| spec.readable.push(PathBuf::from("/no/such/folder"))).expect_err("refused");
        assert_eq!(nothing.errno, 2, "{ground:?}");
        assert!(nothing.to_string().contains("`/no/such/folder`"), "{nothing}");
    }
}

#[test]
fn what_the_tree_would_hide_or_give_away_is_refused() {
    for ground in grounds().into_iter().filter(|ground| ground.level.has_namespaces()) {
        let failure = Zygote::launch_with(ground, |spec| spec.readable.push(PathBuf::from("/"))).expect_err("refused");
        assert!(failure.to_string().contains("holds too much"), "{failure}");
    }
}

#[test]
fn a_child_whose_confinement_fails_says_which_step_and_never_runs() {
    everywhere(|zygote| {
        let refused = zygote.try_fork(0, &json!({"ruleset": -1})).expect_err("refused");
        assert_eq!(refused, json!({"refused": {"step": "restrict with Landlock", "errno": 9, "message": "Bad file descriptor"}}));
    });
}
