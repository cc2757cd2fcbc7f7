#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the npm packages of the folder that is named, exactly as its lock file says, unless they are there already.
set -eu
cd "$(dirname "$0")/.."

stamp=$1/node_modules/.installed
[ -f "$stamp" ] && cmp -s "$1/package-lock.json" "$stamp" && exit 0
npm --prefix "$1" ci --no-audit --no-fund
cp "$1/package-lock.json" "$stamp"
