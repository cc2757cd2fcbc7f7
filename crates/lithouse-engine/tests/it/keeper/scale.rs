// SPDX-License-Identifier: Apache-2.0
//! Many at once, and many one after another.

use std::fs;
use std::time::{Duration, Instant};

use lithouse_core::ending::Ending;
use lithouse_engine::keeper::InstanceState;
use lithouse_testkit::wait_until;

use super::bench::{Bench, SOON};

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[tokio::test]
async fn fifty_apps_start_and_stop_at_once() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut spawning = Vec::new();
    for number in 0..50 {
        let mut launch = bench.shell(if number % 2 == 0 { "exec sleep 1000" } else { "sleep 1000 & wait" });
        launch.listen = Some("127.0.0.1:0".parse().unwrap());
        let keeper = server.keeper.clone();
        spawning.push(tokio::spawn(async move { (launch.instance.clone(), keeper.spawn(launch).await.unwrap()) }));
    }
    let mut pids = Vec::new();
    let mut instances = Vec::new();
    for spawned in spawning {
        let (instance, spawned) = spawned.await.unwrap();
        pids.push(spawned.pid);
        instances.push(instance);
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 50);
    let reports = server.keeper.list().await.unwrap();
    assert_eq!(reports.iter().filter(|report| report.state == InstanceState::Alive).count(), 50);
    let (began, grace) = (Instant::now(), Duration::from_secs(120));
    for instance in &instances {
        server.keeper.terminate(instance, grace).await.unwrap();
    }
    for instance in &instances {
        assert_eq!(server.ending(instance).await, Ending::Stopped { forced: false });
    }
    assert!(began.elapsed() < grace, "{:?}", began.elapsed());
    bench.end(server).await;
}

#[tokio::test]
async fn a_hundred_launches_leave_no_descriptor_open_and_no_child_unreaped() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let pid = server.keeper.pid();
    server.run(&bench.shell("exit 0")).await;
    let before = descriptors(pid);
    for _ in 0..20 {
        drop(bench.connect().await);
    }
    for number in 0..100 {
        let mut launch = bench.shell("exit 0");
        launch.listen = Some("127.0.0.1:0".parse().unwrap());
        if number % 5 == 0 {
            launch.program = "/no/such/program".into();
            server.refused(&launch).await;
        } else {
            server.run(&launch).await;
            server.keeper.forget(&launch.instance).await.unwrap();
        }
    }
    wait_until("no descriptor is left over", SOON, async || match descriptors(pid) {
        now if now <= before => Ok(()),
        now => Err((before, now)),
    })
    .await;
    let children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let parent: u32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        (parent == pid).then_some(stat)
    });
    assert_eq!(children.collect::<Vec<_>>(), [""; 0]);
    bench.end(server).await;
}
