// SPDX-License-Identifier: Apache-2.0
//! Many who want the same, or more than may build at a time.

use super::lab::{Lab, count, counted_uv};

#[tokio::test(flavor = "multi_thread")]
async fn five_that_race_build_once_and_all_get_the_environment() {
    let lab = Lab::new();
    let (uv, calls) = counted_uv(&lab);
    let environments = lab.open_with(|settings| {
        settings.uv = Some(uv);
        settings.parallel_builds = 5;
    });
    let sources: Vec<_> =
        (0..5).map(|number| lab.source(&format!("app{number}"), &[("requirements.txt", "six==1.16.0\n")])).collect();
    let all = sources.iter().map(|source| lab.prepare(&environments, source));
    let built = futures_util::future::join_all(all).await;
    let keys: Vec<_> = built.into_iter().map(|built| built.expect("an environment").key).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!((count(&calls, "venv"), count(&calls, "pip install")), (1, 1));
    assert_eq!(lab.remains(), [keys[0].as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_for_a_build_share_its_failure_and_its_log() {
    let lab = Lab::new();
    let environments = lab.open_with(|settings| settings.parallel_builds = 3);
    let gate = lab.path("gate");
    let begun = lab.path("begun");
    let body = format!(
        "open({begun:?}, 'a').write('x')\nwhile not os.path.exists({gate:?}): time.sleep(0.01)\nraise RuntimeError('no such compiler')",
        begun = begun.display().to_string(),
        gate = gate.display().to_string()
    );
    let source = lab.source_with_package("app", &body);
    let logs = ["one", "two", "three"];
    let opened: Vec<_> = logs.iter().map(|name| lab.log(name)).collect();
    let all = futures_util::future::join_all(opened.iter().map(|log| environments.prepare(&source, log)));
    let waiting = || logs.iter().filter(|name| lab.log_text(name).contains("waiting for it")).count();
    let open_gate = async {
        super::lab::eventually("two of them wait", || if waiting() == 2 { Ok(()) } else { Err(waiting()) }).await;
        super::lab::eventually("the build has begun", || {
            std::fs::metadata(&begun).map(|_| ()).map_err(|error| error.to_string())
        })
        .await;
        std::fs::write(&gate, "").expect("a file");
    };
    let (failures, ()) = tokio::join!(all, open_gate);
    for failure in failures {
        assert!(failure.expect_err("a failure").to_string().contains("no such compiler"));
    }
    assert_eq!(std::fs::read_to_string(&begun).expect("a file"), "x");
    for name in logs {
        assert!(lab.log_text(name).contains("RuntimeError: no such compiler"), "{name}");
    }
    assert!(lab.remains().is_empty(), "{:?}", lab.remains());
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_are_built_in_the_order_in_which_they_were_asked_for() {
    let lab = Lab::new();
    let environments = lab.open_with(|settings| settings.parallel_builds = 1);
    let (gate, built) = (lab.path("gate").display().to_string(), lab.path("built").display().to_string());
    let names = ["first", "second", "third", "fourth"];
    let mut tasks = Vec::new();
    for name in names {
        let body = format!("while not os.path.exists({gate:?}): time.sleep(0.01)\nopen({built:?}, 'a').write('{name} ')");
        let (source, log, environments) = (lab.source_with_package(name, &body), lab.log(name), environments.clone());
        tasks.push(tokio::spawn(async move { environments.prepare(&source, &log).await.map(|_| ()) }));
        let words = if name == "first" { "preparing" } else { "waiting for other builds" };
        super::lab::eventually("it has its place", || {
            let text = lab.log_text(name);
            let has_it = text.contains(words) || (name == "first" && text.contains("locking"));
            if has_it { Ok(()) } else { Err(text) }
        })
        .await;
    }
    std::fs::write(&gate, "").expect("a file");
    for task in tasks {
        task.await.expect("a task").expect("an environment");
    }
    assert_eq!(std::fs::read_to_string(&built).expect("a file"), "first second third fourth ");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_builds_run_at_a_time_than_are_allowed() {
    let lab = Lab::new();
    let environments = lab.open_with(|settings| settings.parallel_builds = 1);
    let busy = lab.path("busy").display().to_string();
    // Fails if another build is under way.
    let body = format!("os.mkdir({busy:?})\ntime.sleep(0.3)\nos.rmdir({busy:?})");
    let sources: Vec<_> = ["one", "two", "three"].iter().map(|name| lab.source_with_package(name, &body)).collect();
    let built = futures_util::future::join_all(sources.iter().map(|source| lab.prepare(&environments, source))).await;
    for one in built {
        one.expect("an environment");
    }
}
