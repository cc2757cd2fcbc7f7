// SPDX-License-Identifier: Apache-2.0
//! Builds that are called off, hang, or lose their server.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use lithouse_engine::environment::{BuildLog, Environments, PrepareError, Source};
use lithouse_engine::home::Home;

use super::lab::{Lab, all_dead, entry, entry_arguments, eventually, hang, is_alive, pids_in, pids_now, settings};

async fn nothing_remains(lab: &Lab) {
    eventually("nothing is left", || if lab.remains().is_empty() { Ok(()) } else { Err(lab.remains()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_future_ends_the_build_and_its_whole_family() {
    let lab = Lab::new();
    let environments = lab.open();
    let pids = lab.path("pids");
    let source = lab.source_with_package("app", &hang(&pids));
    let log = lab.log("app");
    let build = tokio::spawn(async move { environments.prepare(&source, &log).await });
    let family = pids_in(&pids, 2).await;
    assert!(family.iter().all(|pid| is_alive(*pid)));
    build.abort();
    all_dead(&family).await;
    nothing_remains(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn if_the_one_that_builds_is_called_off_another_takes_over() {
    let lab = Lab::new();
    let environments = lab.open();
    let (pids, hangs) = (lab.path("pids"), lab.path("hangs"));
    std::fs::write(&hangs, "").expect("a file");
    let hang = hang(&pids).replace('\n', "\n    ");
    let source = lab.source_with_package("app", &format!("if os.path.exists({:?}):\n    {hang}", hangs.display().to_string()));
    let prepare = |name: &str| {
        let (environments, source, log) = (environments.clone(), source.clone(), lab.log(name));
        tokio::spawn(async move { environments.prepare(&source, &log).await })
    };
    let first = prepare("first");
    let family = pids_in(&pids, 2).await;
    let second = prepare("second");
    eventually("the second waits", || {
        if lab.log_text("second").contains("waiting for it") { Ok(()) } else { Err(lab.log_text("second")) }
    })
    .await;
    std::fs::remove_file(&hangs).expect("the file");
    first.abort();
    let built = second.await.expect("no panic").expect("an environment");
    all_dead(&family).await;
    eventually(
        "only the environment is left",
        || if lab.remains() == [built.key.as_str()] { Ok(()) } else { Err(lab.remains()) },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_hangs_is_ended_with_a_reason() {
    // On a machine with much else to do, it may not come to where it hangs in so little time.
    for seconds in [5, 20, 80, 240] {
        let lab = Lab::new();
        let environments = lab.open_with(|settings| settings.build_timeout = Duration::from_secs(seconds));
        let pids = lab.path("pids");
        let source = lab.source_with_package("app", &hang(&pids));
        let error = lab.prepare(&environments, &source).await.expect_err("a time-out");
        assert!(matches!(error, PrepareError::TimedOut { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("longer than {seconds} s")), "{error}");
        assert!(lab.remains().is_empty(), "{:?}", lab.remains());
        assert!(lab.log_text("app").contains("failed: the build took longer"));
        let family = pids_now(&pids);
        if family.len() == 2 {
            return all_dead(&family).await;
        }
    }
    panic!("the build never came to where it hangs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_a_build_leaves_dies_with_the_build() {
    let lab = Lab::new();
    let pids = lab.path("pids");
    let body = format!(
        r"if os.fork() == 0:
    os.setsid()
    null = os.open('/dev/null', os.O_RDWR)
    for fd in (0, 1, 2): os.dup2(null, fd)
    if os.fork() == 0:
        with open({0:?}, 'a') as file: file.write(str(os.getpid()) + '\n')
        time.sleep(1000)  # It lives until it is killed.
    os._exit(0)
os.wait()
while not os.path.exists({0:?}):
    time.sleep(0.01)  # A pause between two looks.
",
        pids.display().to_string()
    );
    let source = lab.source_with_package("app", &body);
    lab.prepare(&lab.open(), &source).await.expect("an environment");
    let daemon = pids_in(&pids, 1).await;
    assert!(!is_alive(daemon[0]), "dead at the latest when the build is done");
}

/// Not a test: a server that prepares a source and is killed meanwhile.
#[tokio::test]
#[ignore = "started by `a_killed_server_takes_its_builds_with_it`"]
async fn server_entry() {
    let arguments = entry_arguments();
    let [data, folder] = arguments.as_slice() else { return };
    let environments = Environments::open(Home::open(Path::new(data)).expect("a data folder"), settings()).expect("environments");
    let log = BuildLog::create(&Path::new(data).join("logs/app.build.log")).expect("a log");
    let source = Source { folder: folder.into(), private_to: "app".to_owned(), extra: Vec::new() };
    let _ = environments.prepare(&source, &log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_takes_its_builds_with_it() {
    let lab = Lab::new();
    let pids = lab.path("pids");
    let source = lab.source_with_package("app", &hang(&pids));
    let words = entry("environment::cancel::server_entry");
    let mut server = Command::new(&words[0]);
    server.args(&words[1..]).args([lab.home.root(), &source.folder]).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    let mut server = server.spawn().expect("a server");
    let family = pids_in(&pids, 2).await;
    server.kill().expect("a kill");
    server.wait().expect("its end");
    // The next server comes up at once, while the dead one's build may still be dying.
    let environments = lab.open();
    std::fs::write(source.folder.join("requirements.txt"), "six\n").expect("a file");
    let built = lab.prepare(&environments, &source).await.expect("an environment");
    all_dead(&family).await;
    environments.collect(&[built.key.clone()].into()).await.expect("collected");
    assert_eq!(super::lab::entries(&lab.home.envs()), [built.key.as_str()]);
}
