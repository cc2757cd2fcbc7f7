#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what holds the server against its document, exactly as `contract/requirements.txt` says, into a virtual environment in the
# build folder, and prints the path of the program.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
folder=${CARGO_TARGET_DIR:-target}/contract
if ! cmp -s contract/requirements.txt "$folder/installed.txt" || ! "$folder/venv/bin/schemathesis" --version >/dev/null 2>&1; then
    mkdir -p "$folder"
    rm -rf "$folder/venv" "$folder/installed.txt"
    # Debian has the pip that goes into a new environment in a package of its own: the system's does as well.
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$folder/venv" >&2
        set -- "$folder/venv/bin/python" -m pip
    else
        "$python" -m venv --without-pip "$folder/venv" >&2
        set -- "$python" -m pip --python "$folder/venv/bin/python"
    fi
    "$@" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r contract/requirements.txt >&2
    cp contract/requirements.txt "$folder/installed.txt"
fi
echo "$(realpath "$folder")/venv/bin/schemathesis"
