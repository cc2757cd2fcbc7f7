#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the fuzz targets, each for FUZZ_SECONDS: all of them one after the other, or the one that TARGET names. What a target finds lies
# in fuzz/artifacts; its growing corpus, which is not kept in the repository, in fuzz/corpus.
set -eu
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-600}
# A target is a file of that name. Its own build folder: nothing else is built by this compiler.
targets=${TARGET:-$(for file in fuzz/targets/*.rs; do basename "$file" .rs; done)}
CARGO_TARGET_DIR=$PWD/fuzz/target
export CARGO_TARGET_DIR

largest_input() {
    case $1 in
        archive_*) echo 16384 ;;
        multipart) echo 8192 ;;
        *) echo 4096 ;;
    esac
}

for target in $targets; do
    if [ ! -f "fuzz/targets/$target.rs" ]; then
        echo "there is no fuzz target \`$target\`: see fuzz/targets" >&2
        exit 2
    fi
done
# Built before the clock runs.
if [ -n "${TARGET:-}" ]; then cargo +nightly fuzz build --fuzz-dir fuzz "$TARGET"; else cargo +nightly fuzz build --fuzz-dir fuzz; fi

failed=
for target in $targets; do
    echo "fuzzing $target for $seconds s"
    mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target" "fuzz/found/$target"
    largest=$(largest_input "$target")
    # One that is found does not keep the others from their turn.
    cargo +nightly fuzz run --fuzz-dir fuzz "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" "fuzz/found/$target" -- \
        -dict="fuzz/dictionaries/$target.dict" -max_total_time="$seconds" -max_len="$largest" -timeout=10 \
        -rss_limit_mb=2048 -malloc_limit_mb=256 -print_final_stats=1 || failed="$failed $target"
    rmdir "fuzz/found/$target" 2>/dev/null || true
done
if [ -n "$failed" ]; then
    echo "found something:$failed; CONTRIBUTING.md says what to do with it" >&2
    exit 1
fi
