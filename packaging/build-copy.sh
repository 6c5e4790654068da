#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Puts a copy of the sources into DIR, as a release archive holds them: what git tracks, the revision, and
# the npm packages that the page embeds (so that building from it needs no network).
# usage: build-copy.sh DIR
set -euo pipefail
dir=$1
rm -rf "$dir"
mkdir -p "$dir"
if [ -e .git ]; then
	git ls-files -z | tar --null -T - -cf - | tar -C "$dir" -xf -
	git rev-parse --short=12 HEAD > "$dir/REVISION"
else
	tar --exclude=./build -cf - . | tar -C "$dir" -xf -
fi
if [ -d build/gen/npm/node_modules ]; then
	mkdir -p "$dir/build/gen"
	cp -r build/gen/npm "$dir/build/gen/"
fi
# One time for every file: the release's, or the last commit's.
epoch=${SOURCE_DATE_EPOCH:-$(packaging/epoch.sh)}
find "$dir" -exec touch -hd "@$epoch" {} +
[ ! -e "$dir/build/gen/npm/.stamp" ] || touch -d "@$((epoch + 1))" "$dir/build/gen/npm/.stamp"
