// SPDX-License-Identifier: Apache-2.0
//! Every metric: its name, its kind, its labels and its help, all in one place, in the order of the page.

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, and begins anew with the server.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many took how long.
    Histogram,
}

/// One metric.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    /// The lines of its help.
    help: &'static [&'static str],
}

impl Metric {
    /// Its help, as a sentence.
    pub(super) fn help(&self) -> String {
        self.help.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }
}

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $constant:ident: $Kind:ident $name:literal [$($label:literal),*];)+) => {
        $(
            pub(super) const $constant: Metric =
                Metric { name: $name, kind: Kind::$Kind, labels: &[$($label),*], help: &[$($help),+] };
        )+

        /// All of them.
        #[cfg(test)]
        pub(super) const ALL: &[Metric] = &[$($constant),+];
    };
}

metrics! {
    /// Always 1; the label tells the version of the server.
    BUILD_INFO: Gauge "lithouse_build_info" ["version"];
    /// Whether a part of the server is as `/health` calls `degraded` (1) or not (0).
    DEGRADED: Gauge "lithouse_degraded" ["part"];

    /// Requests that were answered, by what answered, the method and the status. A WebSocket is one request, of status 101.
    HTTP_REQUESTS: Counter "lithouse_http_requests_total" ["handler", "method", "status"];
    /// How long requests took to the head of their answer, the waiting for an app included.
    HTTP_DURATION: Histogram "lithouse_http_request_duration_seconds" ["handler"];
    /// Lines of the access log that were given up because the disk did not keep up, or took them not.
    ACCESS_LOG_LOST: Counter "lithouse_access_log_lost_lines_total" [];

    /// Apps by what they are doing.
    APPS: Gauge "lithouse_apps" ["status"];
    /// Requests that were answered for an app, by the class of the status, whoever gave the answer.
    APP_REQUESTS: Counter "lithouse_app_requests_total" ["app", "status"];
    /// WebSockets to an app that are open through this server.
    APP_WEBSOCKETS: Gauge "lithouse_app_websockets" ["app"];
    /// Bytes of bodies and WebSockets that an app's clients have sent.
    APP_RECEIVED: Counter "lithouse_app_received_bytes_total" ["app"];
    /// Bytes of bodies and WebSockets that an app's clients were sent.
    APP_SENT: Counter "lithouse_app_sent_bytes_total" ["app"];
    /// How often an app was started again after a crash.
    APP_RESTARTS: Counter "lithouse_app_restarts_total" ["app"];
    /// Resident memory of an app's processes; absent while there are none.
    APP_MEMORY: Gauge "lithouse_app_memory_bytes" ["app"];
    /// Processor time of an app's processes as a number of cores, since the look before, which may have been the API's.
    APP_CPU: Gauge "lithouse_app_cpu_cores" ["app"];

    /// Builds of environments that have ended, by how. One that is found built already is none.
    BUILDS: Counter "lithouse_builds_total" ["result"];
    /// How long builds took from their turn on, however they ended. Locking the requirements is not a part of it.
    BUILD_DURATION: Histogram "lithouse_build_duration_seconds" [];
    /// Builds that run, those that lock requirements among them.
    BUILDS_RUNNING: Gauge "lithouse_builds_running" [];
    /// Builds that wait for others to end.
    BUILDS_WAITING: Gauge "lithouse_builds_waiting" [];

    /// Runs of snippets that have ended, by how.
    SNIPPET_RUNS: Counter "lithouse_snippet_runs_total" ["status"];
    /// How long the code of snippets took. Waiting for a turn is not a part of it.
    SNIPPET_DURATION: Histogram "lithouse_snippet_run_duration_seconds" [];
    /// Snippets that run.
    SNIPPETS_RUNNING: Gauge "lithouse_snippets_running" [];
    /// Snippets that wait for their turn.
    SNIPPETS_QUEUED: Gauge "lithouse_snippets_queued" [];
    /// Processes that are ready to take a snippet.
    SNIPPETS_PARKED: Gauge "lithouse_snippets_parked" [];
    /// How many snippets may run at a time.
    SNIPPET_WORKERS: Gauge "lithouse_snippet_workers" [];

    /// Whether there is a keeper, without which no app can be started (1) or not (0).
    KEEPER_UP: Gauge "lithouse_keeper_up" [];
    /// How often the keeper was lost, and its apps with it.
    KEEPER_LOSSES: Counter "lithouse_keeper_losses_total" [];
    /// What the server can still use of the disk of the data folder.
    DISK_FREE: Gauge "lithouse_data_disk_free_bytes" [];
    /// The size of the disk of the data folder.
    DISK_SIZE: Gauge "lithouse_data_disk_size_bytes" [];

    /// Processor time of the server, without keeper, apps, builds and snippets.
    PROCESS_CPU: Counter "process_cpu_seconds_total" [];
    /// Descriptors that the server has open.
    PROCESS_OPEN_FDS: Gauge "process_open_fds" [];
    /// Descriptors that the server may have open; absent where there is no limit.
    PROCESS_MAX_FDS: Gauge "process_max_fds" [];
    /// Resident memory of the server.
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" [];
    /// Virtual memory of the server.
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" [];
    /// Threads of the server.
    PROCESS_THREADS: Gauge "process_threads" [];
    /// When the process of the server was started, in seconds since 1970-01-01 UTC.
    PROCESS_START: Gauge "process_start_time_seconds" [];
}
