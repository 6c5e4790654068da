#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian package in a copy of the sources and leaves it in build/packages/.
set -euo pipefail
version=$(cat VERSION)
SOURCE_DATE_EPOCH=$(packaging/epoch.sh)
export SOURCE_DATE_EPOCH
export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-nocheck parallel=2}
grep -q "^belfry ($version-" packaging/debian/changelog || {
	echo "deb: packaging/debian/changelog does not begin with version $version" >&2
	exit 1
}
unset MAKEFLAGS MFLAGS MAKELEVEL CFLAGS CPPFLAGS LDFLAGS
dir=build/deb/belfry-$version
packaging/build-copy.sh "$dir"
cp -r "$dir/packaging/debian" "$dir/debian"
(cd "$dir" && dpkg-buildpackage -us -uc -b -d >../build.log 2>&1) || {
	tail -n 40 build/deb/build.log >&2
	echo "deb: failed; the whole log is build/deb/build.log" >&2
	exit 1
}
mkdir -p build/packages
rm -f build/packages/*.deb
cp build/deb/*.deb build/packages/
ls -l build/packages/*.deb
