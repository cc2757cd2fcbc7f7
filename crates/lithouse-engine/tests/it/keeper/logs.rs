// SPDX-License-Identifier: Apache-2.0
//! An app's output on its way into its log: complete, in pieces, in floods, and onto disks that are full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lithouse_engine::keeper::{InstanceState, Launch, LogLimits};
use lithouse_testkit::wait_until;

use super::app::python;
use super::bench::{Bench, SOON, log_with, texts};

/// All of a log, the oldest file first.
fn everything(log: &Path) -> String {
    let numbered = |number: u32| PathBuf::from(format!("{}.{number}", log.display()));
    let aside = (1..1000).map(numbered).take_while(|path| path.exists()).collect::<Vec<_>>();
    aside.iter().rev().map(PathBuf::as_path).chain([log]).map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn size_on_disk(log: &Path) -> u64 {
    let name = log.file_name().unwrap().to_str().unwrap();
    let files = fs::read_dir(log.parent().unwrap()).unwrap().map(Result::unwrap);
    files
        .filter(|file| file.file_name().to_str().unwrap().starts_with(name))
        .map(|file| file.metadata().map_or(0, |metadata| metadata.len()))
        .sum()
}

#[tokio::test]
async fn lines_bear_their_moment_and_their_stream() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("echo one; echo two >&2; printf 'gr\\303\\274\\303\\237e\\r\\n\\377\\n'; printf 'no end'");
    server.run(&launch).await;
    let log = fs::read_to_string(&launch.log).unwrap();
    let mut found = texts(&log);
    found.sort_unstable();
    let mut expected = ["out | one", "err | two", "out | grüße", "out | \u{FFFD}", "out | no end"].map(str::to_owned).to_vec();
    expected.push(texts(&log)[0].to_owned());
    expected.push("sys | the app's process ended with exit code 0".to_owned());
    expected.sort_unstable();
    assert_eq!(found, expected);
    for line in log.lines() {
        let stamp = line.split_once(' ').unwrap().0;
        let shape: String = stamp.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    }
    bench.end(server).await;
}

#[tokio::test]
async fn a_prompt_shows_though_its_line_has_no_end() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("printf 'name? '; sleep 1000");
    server.start(&launch, "out | name? \n").await;
    bench.end(server).await;
}

#[tokio::test]
async fn an_endless_line_is_cut_and_loses_nothing() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.launch(python(), &["-c", "import sys; sys.stdout.write('0123456789' * 300_000)"]);
    server.run(&launch).await;
    let log = everything(&launch.log);
    let pieces: Vec<&str> = texts(&log).into_iter().filter_map(|text| text.strip_prefix("out | ")).collect();
    assert!(pieces.iter().all(|piece| piece.len() <= 64 << 10) && pieces.len() > 40);
    assert_eq!(pieces.concat(), "0123456789".repeat(300_000));
    bench.end(server).await;
}

#[tokio::test]
async fn logs_put_aside_by_size_lose_no_line() {
    let bench = Bench::new();
    let server = bench.connect().await;
    // A line in one piece: half of one would be shown by itself if the other half let wait.
    let script = "import os\nfor i in range(20_000): os.write(1, f'line {i} {\"x\" * (i % 97)}\\n'.encode())";
    let mut launch = bench.launch(python(), &["-c", script]);
    launch.log_limits = LogLimits { bytes: 50_000, files: 100 };
    server.run(&launch).await;
    let log = everything(&launch.log);
    let lines: Vec<_> = texts(&log).into_iter().filter(|text| text.starts_with("out")).map(str::to_owned).collect();
    let expected: Vec<_> = (0..20_000).map(|i| format!("out | line {i} {}", "x".repeat(i % 97))).collect();
    assert_eq!(lines.len(), expected.len());
    assert_eq!(lines, expected);
    assert!(PathBuf::from(format!("{}.9", launch.log.display())).exists());
    bench.end(server).await;
}

#[tokio::test]
async fn a_flood_is_bounded_on_disk_and_others_still_flow() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut flood = bench.shell("while :; do cat /dev/zero | tr '\\0' 'x' | fold -w 200 | head -c 1000000000; done");
    flood.log_limits = LogLimits { bytes: 1_000_000, files: 3 };
    let mut floods = vec![flood.clone()];
    floods.push(Launch { log: bench.home.run_log("other-flood"), ..bench.shell(&flood.args[1]) });
    floods[1].log_limits = flood.log_limits;
    for flood in &floods {
        server.keeper.spawn(flood.clone()).await.unwrap();
    }
    let calm = bench.shell("for i in 1 2 3 4 5 6 7 8 9 10; do echo calm $i; sleep 0.1; done; echo settled; sleep 1000");
    server.keeper.spawn(calm.clone()).await.unwrap();
    log_with(&calm.log, "calm 10").await;
    for flood in &floods {
        wait_until("the flood was put aside", SOON, async || PathBuf::from(format!("{}.2", flood.log.display())).exists()).await;
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let asked = Instant::now();
        server.keeper.list().await.unwrap();
        slowest = slowest.max(asked.elapsed());
        for flood in &floods {
            assert!(size_on_disk(&flood.log) <= 3 * 1_000_000, "{}", size_on_disk(&flood.log));
        }
    }
    assert!(slowest < SOON, "questions are answered during a flood: {slowest:?}");
    for flood in &floods {
        server.keeper.terminate(&flood.instance, Duration::from_millis(100)).await.unwrap();
        server.ending(&flood.instance).await;
    }
    bench.end(server).await;
}

#[tokio::test]
async fn a_line_without_end_neither_fills_the_keeper_nor_holds_up_another_apps_lines() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut endless = bench.shell("while :; do printf '%4096s' x; done");
    endless.log_limits = LogLimits { bytes: 1_000_000, files: 2 };
    server.keeper.spawn(endless.clone()).await.unwrap();
    let mut gigabyte = bench.shell("head -c 1000000000 /dev/zero | tr '\\0' '\\n'");
    gigabyte.log_limits = endless.log_limits;
    server.keeper.spawn(gigabyte.clone()).await.unwrap();
    let calm = bench.shell("i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo calm $i; done");
    server.run(&calm).await;
    let log = fs::read_to_string(&calm.log).unwrap();
    let lines = texts(&log).into_iter().filter(|text| text.starts_with("out | calm ")).count();
    assert_eq!(lines, 500);
    for flood in [&endless, &gigabyte] {
        wait_until("the flood was put aside", SOON, async || PathBuf::from(format!("{}.1", flood.log.display())).exists()).await;
    }
    let status = fs::read_to_string(format!("/proc/{}/status", server.keeper.pid())).unwrap();
    let most =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap();
    assert!(most < 100_000, "the keeper held {most} kB");
    for flood in [&endless, &gigabyte] {
        server.keeper.terminate(&flood.instance, Duration::ZERO).await.unwrap();
        server.ending(&flood.instance).await;
    }
    bench.end(server).await;
}

#[tokio::test]
async fn a_log_that_was_removed_with_its_folder_is_made_again() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let launch = bench.shell("echo first; while [ ! -e go ]; do sleep 0.05; done; echo second; sleep 1000");
    server.start(&launch, "out | first").await;
    fs::remove_dir_all(bench.home.logs()).unwrap();
    fs::write(bench.scratch().join("go"), "").unwrap();
    log_with(&launch.log, "out | second").await;
    bench.end(server).await;
}

#[tokio::test]
async fn two_instances_of_one_app_share_its_log() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let script = "i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo $0 $i; done";
    let log = bench.home.run_log("shared");
    let mut launches = Vec::new();
    for name in ["old", "new"] {
        let mut launch = bench.launch("/bin/sh", &["-c", script, name]);
        (launch.log, launch.log_limits) = (log.clone(), LogLimits { bytes: 5_000, files: 100 });
        server.keeper.spawn(launch.clone()).await.unwrap();
        launches.push(launch);
    }
    for launch in &launches {
        server.ending(&launch.instance).await;
    }
    let log = everything(&log);
    for name in ["old", "new"] {
        let prefix = format!("out | {name} ");
        let numbers: Vec<u32> = texts(&log).iter().filter_map(|text| text.strip_prefix(&prefix)?.parse().ok()).collect();
        assert_eq!(numbers, (1..=500).collect::<Vec<_>>());
    }
    bench.end(server).await;
}

#[tokio::test]
async fn a_full_disk_stops_nobody_and_is_told_when_there_is_room_again() {
    let bench = Bench::new();
    let Some(disk) = SmallDisk::mount(&bench.scratch().join("small")) else {
        println!("skipped: no small disk can be mounted here");
        return;
    };
    let server = bench.connect().await;
    let ballast = disk.path.join("ballast");
    let script = "i=0; while [ ! -e go ]; do i=$((i+1)); echo full $i; echo $i > said; sleep 0.001; done; echo free; sleep 1000";
    let mut launch = bench.shell(script);
    launch.log = disk.path.join("app.log");
    server.start(&launch, "full 1").await;
    // As much as there is room for.
    let _ = fs::write(&ballast, vec![0; 2 << 20]);
    let said = || fs::read_to_string(bench.scratch().join("said")).ok()?.trim().parse::<usize>().ok();
    wait_until("the log stays behind", SOON, async || {
        let before = fs::metadata(&launch.log).unwrap().len();
        // More lines than there can be room for in a page that the log has already.
        let enough = wait_until("it says something", SOON, async || said()).await + 300;
        wait_until("it says more", SOON, async || said().filter(|said| *said >= enough)).await;
        // The keeper goes on: by its second answer it has taken note of what was there before the first.
        for _ in 0..3 {
            assert_eq!(server.report(&launch.instance).await.unwrap().state, InstanceState::Alive);
        }
        let size = fs::metadata(&launch.log).unwrap().len();
        if size == before { Ok(()) } else { Err((before, size)) }
    })
    .await;
    fs::remove_file(&ballast).unwrap();
    fs::write(bench.scratch().join("go"), "").unwrap();
    let log = log_with(&launch.log, "out | free").await;
    let told = texts(&log).into_iter().find(|text| text.contains("could not be written")).unwrap().to_owned();
    assert!(told.starts_with("sys | ") && told.ends_with("lines could not be written: No space left on device"), "{told}");
    // What is there is whole: counted and written lines make up all that were said.
    let lost: usize = told.split(' ').nth(2).unwrap().parse().unwrap();
    let numbers: Vec<usize> = texts(&log).iter().filter_map(|text| text.strip_prefix("out | full ")?.parse().ok()).collect();
    assert_eq!(numbers.len() + lost, *numbers.last().unwrap().max(&(numbers.len() + lost)));
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    server.keeper.terminate(&launch.instance, Duration::ZERO).await.unwrap();
    server.ending(&launch.instance).await;
    drop(disk);
    bench.end(server).await;
}

/// A file system of one megabyte.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        fs::create_dir(path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(path).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self { path: path.to_owned() })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).output();
    }
}
