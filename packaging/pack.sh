#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Packs DIR/NAME into ARCHIVE (.tar.gz) such that the same files always give the same bytes.
# usage: pack.sh DIR NAME ARCHIVE
set -eu
tar -C "$1" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --format=posix \
	--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime -cf - "$2" | gzip -9n > "$3"
