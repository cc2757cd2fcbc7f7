#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Boots a Debian with systemd and cgroup v2, and tries in it what no test should do to a developer's own machine: install units, kill the
# server under its service manager, reboot. Ends with `test-machine: passed`, or with what failed and where its output is.
#
# Needs debootstrap, qemu-system-x86, openssh-client and e2fsprogs, and root the first time, to make the disk. All of it is in
# `target/test-machine`; what is removed there is made again.
#
#   ACCEL=tcg      without KVM; otherwise KVM is tried first
#   RELEASE=trixie another Debian, with a systemd that is newer than bookworm's 252; it was not seen to boot without KVM
set -eu

cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/sbin"
here="$(pwd)"
target="$(realpath "${CARGO_TARGET_DIR:-target}")"
release="${RELEASE:-bookworm}"
place="$target/test-machine/$release"
packages=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,linux-image-cloud-amd64,udev,openssh-server
packages=$packages,python3,python3-venv,python3-pip,ca-certificates,curl,procps,util-linux,iproute2,gcc,libc6-dev

say() { echo "test-machine: $*"; }
fail() { say "$*" >&2; exit 1; }

for tool in debootstrap qemu-system-x86_64 ssh ssh-keygen mkfs.ext4 python3; do
    command -v "$tool" >/dev/null ||
        fail "\`$tool\` is missing: sudo apt-get install debootstrap qemu-system-x86 openssh-client e2fsprogs python3"
done

# A disk with root, an ordinary user named `someone`, and our key for both.
make_disk() {
    [ "$(id -u)" = 0 ] || fail "the disk is made by root, once: sudo $0"
    say "making a disk of $release; its log is $place/debootstrap.log"
    rm -rf --one-file-system "$place/root"
    debootstrap --variant=minbase --include=$packages "$release" "$place/root" >"$place/debootstrap.log" 2>&1
    [ -f "$place/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$place/key"
    root="$place/root"
    echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
    echo '127.0.0.1 localhost test-machine' >"$root/etc/hosts"
    printf '[Match]\nName=e*\n[Network]\nDHCP=ipv4\n' >"$root/etc/systemd/network/wired.network"
    rm -f "$root/etc/resolv.conf"
    echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
    # Whoever builds behind a mirror does so in there too.
    for file in /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
        [ ! -f "$file" ] || cp "$file" "$root$file"
    done
    chroot "$root" useradd --create-home --shell /bin/bash --uid 1000 someone
    for home in root home/someone; do
        install -d -m 700 "$root/$home/.ssh"
        install -m 600 "$place/key.pub" "$root/$home/.ssh/authorized_keys"
    done
    chroot "$root" chown -R someone: /home/someone
    chroot "$root" systemctl enable -q systemd-networkd ssh 2>/dev/null
    cp "$root"/boot/vmlinuz-* "$place/kernel"
    cp "$root"/boot/initrd.img-* "$place/initrd"
    truncate -s 12G "$place/disk.new"
    mkfs.ext4 -q -d "$root" "$place/disk.new"
    rm -rf --one-file-system "$root"
    mv "$place/disk.new" "$place/disk"
}

# The program, and the unit tests of the sandbox, at the paths that are compiled into them.
pack() {
    cargo build -p lithouse --locked
    tests="$(cargo test -p lithouse-sandbox --lib --no-run --locked --message-format=json |
        python3 -c 'import json, sys
print(*filter(None, (json.loads(line).get("executable") for line in sys.stdin)), sep="\n")')"
    tar -cPf "$place/work.tar" "$target/debug/lithouse" "$tests" "$here/python" "$here/crates/lithouse-sandbox/tests"
}

# By KVM if it works here, and otherwise slowly by TCG. What is written to the disk is gone with the machine.
boot() {
    port="$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')"
    for accel in ${ACCEL:-kvm tcg}; do
        case "$accel" in
            kvm) cpu=host patience=90 ;;
            *) cpu=max patience=900 ;;
        esac
        TMPDIR="$place" qemu-system-x86_64 -accel "$accel" -cpu $cpu -smp 2 -m 3G -display none -monitor none -snapshot \
            -kernel "$place/kernel" -initrd "$place/initrd" -append 'root=/dev/vda rw console=ttyS0' \
            -drive "file=$place/disk,format=raw,if=virtio" -drive "file=$place/work.tar,format=raw,if=virtio" \
            -netdev "user,id=net,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net,netdev=net \
            -serial "file:$place/console.log" </dev/null >"$place/qemu.log" 2>&1 &
        machine=$!
        trap 'kill $machine 2>/dev/null || true' EXIT
        trap 'exit 1' INT TERM
        wait_for_it && return
        say "no machine by $accel: $(tail -n 1 "$place/qemu.log")"
        kill "$machine" 2>/dev/null || true
    done
    fail "no machine came up: see $place/qemu.log and $place/console.log"
}

# In the machine, as a user.
as() {
    whom="$1"
    shift
    ssh -q -i "$place/key" -p "$port" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes \
        -o ConnectTimeout=10 "$whom@127.0.0.1" "$@"
}

# Waits until it has booted, and not only has not yet gone down.
booted=""
wait_for_it() {
    end=$(($(date +%s) + patience))
    while kill -0 "$machine" 2>/dev/null && [ "$(date +%s)" -lt "$end" ]; do
        now="$(as root cat /proc/sys/kernel/random/boot_id 2>/dev/null || true)"
        if [ -n "$now" ] && [ "$now" != "$booted" ]; then
            booted="$now"
            as root systemctl is-system-running --wait >/dev/null || true
            return 0
        fi
        sleep 1
    done
    return 1
}

# A step: its name, the user, and what is run. Its output is kept in a file.
failed=""
step() {
    log="$place/$(echo "$1" | tr -c 'a-z0-9\n' '-').log"
    if as "$2" "$3" </dev/null >"$log" 2>&1; then say "ok      $1"; else say "FAILED  $1: see $log"; failed=yes; fi
}

mkdir -p "$place"
[ -f "$place/disk" ] || make_disk
pack
boot
as root "tar -xPf /dev/vdb && ln -sf '$target/debug/lithouse' /usr/local/bin/lithouse && loginctl enable-linger someone"
as root "mkdir -p /usr/local/lib/test && cat >/usr/local/lib/test/service.sh" <scripts/test-machine-service.sh
delegated='systemd-run --user -q --wait --pipe -p Delegate=yes'

say "$(as root 'systemctl --version | head -1'), kernel $(as root 'uname -r'), by $accel"
step "root finds the level full" root "cd /tmp && lithouse doctor | grep 'sandbox .*level .full'"
step "a delegated user finds the level full" someone "$delegated lithouse doctor | grep 'sandbox .*level .full'"
step "a plain user finds the level standard" someone "lithouse doctor | grep 'sandbox .*level .standard'"
for user in root someone; do
    step "the unit tests of the sandbox by $user" $user "cd '$here/crates/lithouse-sandbox' && '$tests' --test-threads=2"
done
step "the service of root" root "sh /usr/local/lib/test/service.sh try"
step "the service of a user" someone "sh /usr/local/lib/test/service.sh try --user"
as root systemctl reboot || true
wait_for_it || fail "it does not come up again: see $place/console.log"
step "the service of root after a reboot" root "sh /usr/local/lib/test/service.sh answers"
step "the service of a user after a reboot" someone "sh /usr/local/lib/test/service.sh answers --user"
step "the service of root ends with all apps" root "sh /usr/local/lib/test/service.sh ends"
step "the service of a user ends with all apps" someone "sh /usr/local/lib/test/service.sh ends --user"
[ -z "$failed" ] || fail "something failed"
say "passed"
