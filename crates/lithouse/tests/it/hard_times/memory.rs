// SPDX-License-Identifier: Apache-2.0
//! Memory that runs out.

use super::row::Plan;

/// Answers, and takes memory without end once there is a file `eat`.
const GREEDY: &str = "\
import os, socket, threading, time
door = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
def eat():
    while not os.path.exists('eat'): time.sleep(0.02)  # Between two looks.
    taken = []
    while True: taken.append(bytearray(b'x' * (1 << 20)))
threading.Thread(target=eat, daemon=True).start()
while True:
    visitor = door.accept()[0]
    visitor.recv(65536)
    visitor.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n')
    visitor.close()
";

#[test]
fn an_app_that_takes_all_its_memory_is_ended_and_nobody_else() {
    let lines = "restart_on_crash = false\n[apps.greedy.limits]\nmemory = \"100MB\"";
    let mut row = Plan::of("out-of-memory", "").app("greedy", GREEDY, lines).begin();
    row.server.wait_for_status("greedy", "running");
    std::fs::write(row.folder("greedy").join("eat"), "").unwrap();
    row.app("greedy", "crashed");
    let asked = row.server.get("/apps/greedy/");
    row.answer("GET /apps/greedy/", &asked);
    std::fs::remove_file(row.folder("greedy").join("eat")).unwrap();
    row.lithouse(&["start", "greedy"]);
    row.end();
}
