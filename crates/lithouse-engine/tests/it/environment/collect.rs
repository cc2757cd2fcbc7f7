// SPDX-License-Identifier: Apache-2.0
//! What nobody wants is removed, and nothing else.

use std::collections::HashSet;

use super::lab::{Lab, entries, eventually, hang, pids_in};

#[tokio::test]
async fn only_what_is_neither_wanted_nor_held_is_removed() {
    let lab = Lab::new();
    let environments = lab.open();
    let mut built = Vec::new();
    for version in ["1.15.0", "1.16.0", "1.17.0"] {
        let source = lab.source(version, &[("requirements.txt", &format!("six=={version}"))]);
        built.push(lab.prepare(&environments, &source).await.expect("an environment"));
    }
    let keys: Vec<_> = built.iter().map(|environment| environment.key.clone()).collect();
    let held = built.remove(1);
    drop(built);
    let wanted = HashSet::from([keys[0].clone()]);
    assert_eq!(environments.collect(&wanted).await.expect("collected"), [keys[2].clone()]);
    assert!(
        environments.find(&keys[0]).is_some() && environments.find(&keys[1]).is_some() && environments.find(&keys[2]).is_none()
    );
    drop(held);
    assert_eq!(environments.collect(&wanted).await.expect("collected"), [keys[1].clone()]);
    assert_eq!(lab.remains(), [keys[0].as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_under_way_is_not_collected() {
    let lab = Lab::new();
    let environments = lab.open();
    let pids = lab.path("pids");
    let source = lab.source_with_package("app", &hang(&pids));
    let (building, log) = (environments.clone(), lab.log("app"));
    let build = tokio::spawn(async move { building.prepare(&source, &log).await });
    pids_in(&pids, 2).await;
    assert!(environments.collect(&HashSet::new()).await.expect("collected").is_empty());
    assert_eq!(entries(&lab.home.envs()).len(), 1);
    build.abort();
    eventually("it is gone", || if lab.remains().is_empty() { Ok(()) } else { Err(lab.remains()) }).await;
}
