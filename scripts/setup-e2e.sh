#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prepares the end-to-end tests: their packages, and a browser.
set -eu
cd "$(dirname "$0")/.."

scripts/install-npm.sh e2e
scripts/setup-chromium.sh >/dev/null
