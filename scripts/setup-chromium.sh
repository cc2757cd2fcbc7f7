#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the path of a Chromium or Chrome, and installs one where it is missing and that is possible without asking.
set -eu

find_chromium() {
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
        [ -n "$name" ] || continue
        # Some distributions have a command that only tells how to get the browser.
        if path=$(command -v "$name") && "$path" --version >/dev/null 2>&1; then
            echo "$path"
            return 0
        fi
    done
    return 1
}

find_chromium && exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root=no; fi
fi
if command -v apt-get >/dev/null && [ "$as_root" != no ]; then
    echo "Installing Chromium for the end-to-end tests." >&2
    # Without a path in front of it, an empty $as_root has to vanish.
    # shellcheck disable=SC2086
    { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-dejavu-core; } >&2 </dev/null || true
    find_chromium && exit 0
fi

cat >&2 <<END
missing: Chromium or Chrome, for the end-to-end tests
    install it with: sudo apt-get install chromium fonts-dejavu-core    (Debian)
                     sudo dnf install chromium                          (Fedora)
                     sudo pacman -S chromium                            (Arch)
                     sudo snap install chromium                         (Ubuntu)
    or name one that is there: make CHROMIUM=/path/to/chrome test
END
exit 1
