// SPDX-License-Identifier: Apache-2.0
//! What comes while a run goes on.

use std::time::Duration;

use lithouse_engine::snippets::{Event, Request, Status};
use lithouse_testkit::wait_until;
use tokio::sync::mpsc;

use super::lab::{Lab, PATIENCE, open};
use super::processes::{called, count_called, none_is_called};

fn text_of(events: &[Event]) -> (String, String) {
    let mut texts = (String::new(), String::new());
    for event in events {
        match event {
            Event::Stdout(text) => texts.0.push_str(text),
            Event::Stderr(text) => texts.1.push_str(text),
            Event::Chart(_) => {}
        }
    }
    texts
}

pub(crate) fn output_comes_as_it_is_written(lab: &Lab) {
    lab.runtime.block_on(async {
        let (send, mut events) = mpsc::channel(16);
        let timeout = Some(Duration::from_secs(5));
        let request = Request { timeout, ..open("print('one', flush=True)\nwhile True: pass") };
        let mut run = std::pin::pin!(lab.snippets.execute(request, Some(send)));
        // The code does not end by itself, so what comes has come before its end.
        tokio::select! {
            biased;
            event = events.recv() => assert!(matches!(event, Some(Event::Stdout(text)) if text.starts_with("one"))),
            outcome = &mut run => panic!("it ended first: {outcome:?}"),
        }
        drop(events);
        assert_eq!(run.await.unwrap().status, Status::Timeout);
    });
}

pub(crate) fn charts_come_as_they_are_shown(lab: &Lab) {
    let (answer, events) = lab.stream("import matplotlib.pyplot as plt\nplt.plot([1]); plt.show()\nprint('then')\nplt.plot([2])");
    assert_eq!(answer.printed(), "then\n");
    let shown: Vec<&str> =
        events.iter().filter_map(|event| if let Event::Chart(chart) = event { Some(chart.get()) } else { None }).collect();
    let charts = answer.json["output"]["charts"].as_array().unwrap();
    assert_eq!(charts.len(), 2);
    assert!(
        !shown.is_empty() && shown[0] == serde_json::to_string(&charts[0]).unwrap()
            || serde_json::from_str::<serde_json::Value>(shown[0]).unwrap() == charts[0]
    );
}

pub(crate) fn the_pieces_are_the_whole_even_where_the_end_is_cut(lab: &Lab) {
    let code = "import os, sys\nfor i in range(50_000): print(i)\nprint('é' * 1000, file=sys.stderr)\nos.write(1, b'\\xc3')\nos._exit(0)";
    let (answer, events) = lab.stream(code);
    assert_eq!(answer.status, Status::Crashed);
    let (stdout, stderr) = text_of(&events);
    assert!(answer.stdout().ends_with("49999\n\u{fffd}"), "{}", &answer.stdout()[answer.stdout().len() - 40..]);
    assert!(stdout == answer.stdout() && stderr == answer.stderr());
}

pub(crate) fn a_listener_that_is_slow_or_gone_holds_up_no_clock(lab: &Lab) {
    lab.runtime.block_on(async {
        let code = called("slowly-read") + "import os\nwhile True: os.write(1, b'x' * 1000 + b'\\n')";
        let (send, mut events) = mpsc::channel(1);
        let request = Request { timeout: Some(Duration::from_secs(2)), ..open(&code) };
        let run = tokio::spawn({
            let snippets = lab.snippets.clone();
            async move { snippets.execute(request, Some(send)).await }
        });
        // It writes, and has its name by then. From now on nobody reads, and the run is over all the same: only its answer waits.
        assert!(matches!(events.recv().await, Some(Event::Stdout(_))));
        wait_until("it is over", PATIENCE, async || count_called("slowly-read") == 0).await;
        drop(events);
        let outcome = run.await.unwrap().unwrap();
        assert!(matches!(outcome.status, Status::Timeout | Status::OutputLimit), "{:?}", outcome.status);
    });
}

pub(crate) fn a_run_whose_asker_has_gone_is_ended(lab: &Lab) {
    lab.runtime.block_on(async {
        let (send, mut events) = mpsc::channel(16);
        let snippets = lab.snippets.clone();
        let code = called("nobody-wants-it") + "print('on', flush=True)\nwhile True: pass";
        let run = tokio::spawn(async move { snippets.execute(open(&code), Some(send)).await });
        assert!(matches!(events.recv().await, Some(Event::Stdout(_))));
        assert_eq!(count_called("nobody-wants-it"), 1);
        run.abort();
        // The end of the stream is that of the run's own task.
        while events.recv().await.is_some() {}
    });
    none_is_called("nobody-wants-it");
}
