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
    if ! said=$("$python" -m venv "$folder/venv" 2>&1); then
        echo "$said" >&2
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "missing: the module \`venv\` of $python, with pip" >&2
        echo "    install it with: sudo apt-get install python$version-venv    (where Python is the system's; else it is part of Python)" >&2
        exit 1
    fi
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
        -r contract/requirements.txt >&2
    cp contract/requirements.txt "$folder/installed.txt"
fi
echo "$(realpath "$folder")/venv/bin/schemathesis"
