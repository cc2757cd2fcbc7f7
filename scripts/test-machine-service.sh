#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is done to an installed service, inside of the machine that `test-machine.sh` boots: never elsewhere, for it installs units.
#
#   try [--user]       install, start, reload, kill the server twice: once with an app, once without any
#   answers [--user]   the app answers, as after a reboot
#   ends [--user]      the service stops, and nothing of it is left
set -eux

user="${2:-}"
port=8080
[ -z "$user" ] || port=8090
folder="$HOME/served"
data="$folder/data"
manager="systemctl $user"

# What the app answers: its process and its group.
answer() {
    for _ in $(seq 100); do
        curl -sf -m 60 "http://127.0.0.1:$port/apps/web/" && return
        sleep 2
    done
    echo "the app gives no answer" >&2
    return 1
}

main() { $manager show -P MainPID lithouse.service; }

# Kills the server, and waits until systemd has another one.
kill_server() {
    killed="$(main)"
    [ "$killed" -gt 1 ]
    kill -9 "$killed"
    for _ in $(seq 100); do
        now="$(main)"
        [ "$now" -le 1 ] || [ "$now" = "$killed" ] || [ "$($manager is-active lithouse.service)" != active ] || return 0
        sleep 2
    done
    $manager status --no-pager lithouse.service
    return 1
}

is_held() { case "$1" in *lithouse-keeper-*) ;; *) echo "no group of its own: $1" >&2; return 1 ;; esac; }

try() {
    mkdir -p "$folder/web"
    cat >"$folder/web/app.py" <<'PYTHON'
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.getpid()} {open('/proc/self/cgroup').read()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
PYTHON
    cat >"$folder/lithouse.toml" <<'TOML'
[apps.web]
dir = "web"
command = "exec python3 app.py"
limits = { memory = "200MB", processes = 20, cpu = 0.5 }
[snippets]
enabled = false
TOML
    cd "$folder"
    lithouse service install --force ${user:+"$user"} --data "$data" --listen "127.0.0.1:$port"
    $manager daemon-reload
    $manager enable --now lithouse.service
    first="$(answer)"
    is_held "$first"
    kill_server
    [ "$(answer)" = "$first" ]
    before="$(main)"
    $manager reload lithouse.service
    [ "$(main)" != "$before" ]
    [ "$(answer)" = "$first" ]
    # systemd clears empty groups away when a server ends.
    lithouse stop web --data "$data"
    kill_server
    lithouse start web --data "$data"
    is_held "$(answer)"
}

answers() { is_held "$(answer)"; }

ends() {
    $manager stop lithouse.service
    ! pgrep -U "$(id -u)" -fa 'bin/lithouse|app\.py' || return 1
    [ -z "$(find /sys/fs/cgroup -name 'lithouse-keeper-*' -user "$(id -un)")" ]
}

"$1"
