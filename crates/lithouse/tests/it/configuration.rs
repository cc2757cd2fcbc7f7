// SPDX-License-Identifier: Apache-2.0
//! A server that goes by a configuration file.

use crate::server::Server;

#[test]
fn a_server_goes_by_the_file_of_its_folder_and_by_the_apps_that_lie_there() {
    let server = Server::prepare(&[]);
    let file = "public_base = \"http://apps.localhost:1234\"\n[snippets]\nsandbox = \"none\"\n[log]\nkeep = 2\n";
    std::fs::write(server.folder().join("lithouse.toml"), file).unwrap();
    // What has no key is told, and needs no environment.
    let stray = server.folder().join("apps/Not A Key");
    std::fs::create_dir_all(&stray).unwrap();
    std::fs::write(stray.join("app.py"), "").unwrap();
    let steering = server.folder().join("apps/Up\x1b[2J");
    std::fs::create_dir_all(&steering).unwrap();
    std::fs::write(steering.join("app.py"), "").unwrap();
    let server = server.up();
    server.wait_until_said(&[
        "not served: `apps/Up [2J`: ",
        "not served: `apps/Not A Key`: a key starts with",
        "warning: snippets.sandbox is `none`: a snippet can do all that the user of this server can",
    ]);
    let open = server.get("/health");
    assert_eq!(open.status, 200);
    let hosts = server.get_with("/health", &[("Host", "apps.localhost:1234")]);
    assert_eq!(hosts.status, 200);
}
