#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the rpm in a copy of the sources and leaves it in build/packages/. On Debian it proves the spec; to
# install on Fedora or RHEL, build there: library names differ (docs/contributing.md).
set -euo pipefail
version=$(cat VERSION)
SOURCE_DATE_EPOCH=$(packaging/epoch.sh)
export SOURCE_DATE_EPOCH
unset MAKEFLAGS MFLAGS MAKELEVEL CFLAGS CPPFLAGS LDFLAGS
top=$PWD/build/rpm
rm -rf "$top"
mkdir -p "$top"/{SOURCES,SPECS}
packaging/build-copy.sh "$top/belfry-$version"
packaging/pack.sh "$top" "belfry-$version" "$top/SOURCES/belfry-$version.tar.gz"
sed "s/@VERSION@/$version/" packaging/rpm/belfry.spec > "$top/SPECS/belfry.spec"
rpmbuild -bb --define "_topdir $top" "$top/SPECS/belfry.spec" >"$top/build.log" 2>&1 || {
	tail -n 40 "$top/build.log" >&2
	echo "rpm: failed; the whole log is build/rpm/build.log" >&2
	exit 1
}
mkdir -p build/packages
rm -f build/packages/*.rpm
cp "$top"/RPMS/*/*.rpm build/packages/
ls -l build/packages/*.rpm
