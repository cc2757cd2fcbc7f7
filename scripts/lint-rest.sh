#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lints what is not Rust. Tools that not every machine has are used where they are, and their absence is told.
set -eu
cd "$(dirname "$0")/.."

if [ -f console/package.json ]; then
    scripts/check-tools.sh node
    scripts/install-npm.sh console
    npm --prefix console run --if-present check
fi
if command -v shellcheck >/dev/null; then
    shellcheck scripts/*.sh .ci/run
else
    echo "skipped: shellcheck is not installed" >&2
fi
if command -v ruff >/dev/null; then
    (cd python && ruff check snippets tests launch.py && ruff format --check snippets tests launch.py)
else
    echo "skipped: ruff is not installed" >&2
fi
if command -v cargo-deny >/dev/null; then
    # Advisories need a database from the network; they are asked for by hand.
    cargo deny --locked check --hide-inclusion-graph licenses bans sources
else
    echo "skipped: cargo-deny is not installed" >&2
fi
