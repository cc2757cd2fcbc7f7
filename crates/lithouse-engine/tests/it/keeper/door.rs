// SPDX-License-Identifier: Apache-2.0
//! What comes in at the keeper's socket, wanted and unwanted.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use lithouse_core::ending::Ending;
use lithouse_engine::keeper::{ConnectError, Keeper};
use lithouse_testkit::wait_until;

use super::bench::{Bench, SOON};

fn frame(json: &str) -> Vec<u8> {
    [&u32::try_from(json.len()).unwrap().to_be_bytes(), json.as_bytes()].concat()
}

fn read_frame(stream: &mut UnixStream) -> Option<String> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut json = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut json).ok()?;
    String::from_utf8(json).ok()
}

fn visitor(bench: &Bench) -> UnixStream {
    let stream = UnixStream::connect(bench.home.keeper_socket()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

#[tokio::test]
async fn noise_on_the_socket_disturbs_nobody() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let hello = String::from_utf8(frame(r#"{"lithouse":"server","protocol":2,"pid":1}"#)).unwrap();
    let noises: [Vec<u8>; 8] = [
        b"".to_vec(),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xFF; 100_000],
        frame("not json"),
        frame(r#"{"lithouse":"server"}"#),
        format!("{hello}\0\0\0\x05hello").into_bytes(),
        format!("{hello}\x7F\0\0\0").into_bytes(),
        format!("{hello}\0\x30\0\0half of what was announced").into_bytes(),
    ];
    for _ in 0..3 {
        for noise in &noises {
            // It may be cut off before it has said everything.
            let _ = visitor(&bench).write_all(noise);
        }
    }
    let silent: Vec<_> = (0..5).map(|_| visitor(&bench)).collect();
    assert_eq!(server.run(&bench.shell("exit 4")).await, Ending::Exited { code: 4 });
    drop(silent);
    bench.end(server).await;
}

#[tokio::test]
async fn more_visitors_than_there_are_places_do_not_shut_the_server_out_for_good() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let crowd: Vec<_> = (0..100).map(|_| visitor(&bench)).collect();
    assert_eq!(server.run(&bench.shell("exit 4")).await, Ending::Exited { code: 4 });
    drop(crowd);
    let again = bench.connect().await;
    bench.end(again).await;
}

#[tokio::test]
async fn a_visitor_that_asks_and_never_reads_is_cut_off() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut rude = visitor(&bench);
    rude.set_write_timeout(Some(SOON)).unwrap();
    rude.write_all(&frame(r#"{"lithouse":"server","protocol":2,"pid":1}"#)).unwrap();
    let question = frame(r#"{"id":1,"request":{"do":"list"}}"#);
    let mut asked = 0;
    while rude.write_all(&question).is_ok() {
        asked += 1;
        assert!(asked < 10_000_000, "it was never cut off");
    }
    assert_eq!(server.run(&bench.shell("exit 4")).await, Ending::Exited { code: 4 });
    bench.end(server).await;
}

#[tokio::test]
async fn a_request_that_is_not_known_is_answered_and_the_connection_goes_on() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut stream = visitor(&bench);
    assert!(read_frame(&mut stream).unwrap().contains(r#""lithouse":"keeper""#));
    stream.write_all(&frame(r#"{"lithouse":"server","protocol":2,"pid":1}"#)).unwrap();
    stream.write_all(&frame(r#"{"id":7,"request":{"do":"dance"}}"#)).unwrap();
    let answer = read_frame(&mut stream).unwrap();
    assert!(answer.contains(r#""id":7"#) && answer.contains("not_understood"), "{answer}");
    stream.write_all(&frame(r#"{"id":8,"request":{"do":"list"}}"#)).unwrap();
    assert_eq!(read_frame(&mut stream).unwrap(), r#"{"is":"answer","id":8,"answer":{"instances":[]}}"#);
    bench.end(server).await;
}

#[tokio::test]
async fn another_version_of_the_protocol_is_named_on_both_sides() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let mut newer = visitor(&bench);
    assert!(read_frame(&mut newer).unwrap().contains(r#""protocol":2"#));
    newer.write_all(&frame(r#"{"lithouse":"server","protocol":3,"pid":1}"#)).unwrap();
    newer.write_all(&frame(r#"{"id":1,"request":{"do":"list"}}"#)).unwrap();
    assert_eq!(read_frame(&mut newer), None, "it is let go");
    bench.end(server).await;

    let bench = Bench::new();
    let listener = UnixListener::bind(bench.home.keeper_socket()).unwrap();
    let stranger = std::thread::spawn(move || {
        // Asked to become another program, then seen to be what it was.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&frame(r#"{"lithouse":"keeper","protocol":99,"pid":4711}"#)).unwrap();
            while let Some(said) = read_frame(&mut stream) {
                if said.contains(r#""do":"replace""#) {
                    let refused = r#"{"is":"answer","id":0,"answer":{"refused":{"why":"not_replaced","program":"/p","reason":"it is a test"}}}"#;
                    stream.write_all(&frame(refused)).unwrap();
                }
            }
        }
    });
    let error = Keeper::connect(&bench.home, &bench.program()).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Version { theirs: 99, pid: 4711, why } if why == "it is a test"), "{error:?}");
    stranger.join().unwrap();
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_comes_back_when_it_is_removed() {
    let bench = Bench::new();
    let server = bench.connect().await;
    let socket = bench.home.keeper_socket();
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(&socket).unwrap();
    wait_until("the socket is there again", SOON, async || UnixStream::connect(&socket).is_ok()).await;
    let again = bench.connect().await;
    assert_eq!(again.keeper.pid(), server.keeper.pid());
    bench.end(again).await;
}
