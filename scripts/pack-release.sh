#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Packs the release build into dist/, with its licence, its readme and a checksum.
set -eu
cd "$(dirname "$0")/.."

binary=${CARGO_TARGET_DIR:-target}/dist/lithouse
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=lithouse-$version-linux-$(uname -m)

rm -rf "dist/$name"
mkdir -p "dist/$name"
cp "$binary" LICENSE "dist/$name/"
"$binary" man "dist/$name/man/man1"
for document in README.md CHANGELOG.md SECURITY.md; do
    [ ! -f "$document" ] || cp "$document" "dist/$name/"
done
# Without times and owners, the same build gives the same archive.
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C dist -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
rm -rf "dist/$name"
(cd dist && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "dist/$name.tar.gz"
