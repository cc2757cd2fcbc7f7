#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the web console, which the binary embeds, where its sources are newer than what was built from them.
set -eu
cd "$(dirname "$0")/.."

[ -f console/package.json ] || exit 0
built=console/dist/index.html
if [ -f "$built" ]; then
    changed=$(find console -path console/node_modules -prune -o -path console/dist -prune -o -type f -newer "$built" -print | head -n 1)
    [ -n "$changed" ] || exit 0
fi
scripts/check-tools.sh node
scripts/install-npm.sh console
npm --prefix console run build
# A build that had nothing to write anew must not look older than its sources.
touch "$built"
