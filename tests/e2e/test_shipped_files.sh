#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the packages ship is right: the configuration and the rules are valid to belfry and to promtool, the unit is
# as closed as promised, and `make install` lays everything in its place and keeps an edited configuration.
set -u
unset MAKEFLAGS MFLAGS
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# shellcheck source=tests/lib/expect.sh
. tests/lib/expect.sh
install_to() { make --no-print-directory install DESTDIR="$1" PREFIX=/usr; }
mode_of() { [ "$(stat -c %a "$1")" = "$2" ] || { stat -c '%a %n' "$1" && false; }; }
is_under() { # SCORE: systemd's measure of the unit's exposure, in tenths
	systemd-analyze security --no-pager --offline=yes --root="$dir" --threshold="$1" belfry.service
}

expect 'belfry accepts the shipped configuration' \
	env -C packaging/etc "$BELFRY_BIN" check config belfry.yml

expect 'make install works' install_to "$dir"
for file in usr/bin/belfry usr/lib/systemd/system/belfry.service usr/lib/sysusers.d/belfry.conf \
	usr/lib/tmpfiles.d/belfry.conf usr/share/man/man1/belfry.1 usr/share/man/man5/belfry.yml.5 \
	usr/share/man/man8/belfry.8 usr/share/belfry/packs/services.yml usr/share/belfry/packs/services.pack \
	usr/share/belfry/runbooks/TargetDown.md; do
	expect "$file is installed" test -s "$dir/$file"
done
expect 'only root and the group may read the configuration' mode_of "$dir/etc/belfry/belfry.yml" 640
echo '# edited' >> "$dir/etc/belfry/belfry.yml"
expect 'make install works again' install_to "$dir"
expect 'and keeps an edited configuration' grep -q '# edited' "$dir/etc/belfry/belfry.yml"
if command -v systemd-analyze >/dev/null; then
	expect 'the unit scores 1.5 or better' is_under 15
fi

finish
