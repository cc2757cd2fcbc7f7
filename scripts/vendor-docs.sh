#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches what the pages at /docs and /redoc are made with, and puts it where the binary embeds it. The result is committed, so
# that no build needs a network; a test holds its digests. Run it to take other versions, and take the digests it prints.
set -eu
cd "$(dirname "$0")/.."

swagger_ui=5.35.0
redoc=2.5.4
into=$PWD/crates/lithouse/assets/docs
# Redoc shows its maker's logo from a server of theirs. A page of ours asks nobody else: the picture is empty.
logo=https://cdn.redoc.ly/redoc/logo-mini.svg
empty="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd "$folder" && npm pack --silent "swagger-ui-dist@$swagger_ui" "redoc@$redoc" >/dev/null)
for name in swagger-ui-dist-$swagger_ui redoc-$redoc; do
    mkdir "$folder/${name%-*}"
    tar -xzf "$folder/$name.tgz" -C "$folder/${name%-*}" --strip-components=1
done

mkdir -p "$into"
cd "$folder"
grep -q "$logo" redoc/bundles/redoc.standalone.js
sed -i "s|$logo|$empty|" redoc/bundles/redoc.standalone.js
for file in swagger-ui-dist/swagger-ui-bundle.js swagger-ui-dist/swagger-ui.css redoc/bundles/redoc.standalone.js; do
    # Maps for debuggers are not taken along, so nothing should ask for them.
    sed -i '$ s|^//# sourceMappingURL=.*$||; $ s|^/\*# sourceMappingURL=[^*]*\*/$||' "$file"
    sha256sum "$file"
    gzip -9nc "$file" >"$into/$(basename "$file").gz"
done
{
    printf 'The page at /docs is made with Swagger UI %s, which comes under this licence.\n\n' "$swagger_ui"
    cat swagger-ui-dist/NOTICE swagger-ui-dist/LICENSE
    printf '\nIt contains:\n\n'
    cat swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt
    printf '\nThe page at /redoc is made with Redoc %s, which comes under this licence.\n\n' "$redoc"
    cat redoc/LICENSE
    printf '\nIt contains:\n\n'
    cat redoc/bundles/redoc.standalone.js.LICENSE.txt redoc/bundles/*.worker.js.LICENSE.txt
} >"$into/licences.txt"
