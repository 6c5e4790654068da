#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves the Debian package on a real boot: a minimal Debian 12 root with only the package's dependencies is
# booted by systemd-nspawn without network, the package is installed, used, reloaded, killed, upgraded, removed
# and purged in it. Needs root. The root's archive is kept in build/cache/ and made again when the
# dependencies change. Ends with `N passed, M failed`.
# usage: test-deb.sh [DEB]
set -euo pipefail
deb=${1:-$(ls build/packages/belfry_*.deb)}
[ "$(id -u)" = 0 ] || { echo "test-deb: needs root (systemd-nspawn)" >&2 && exit 1; }

# The first alternative of each dependency, without its version.
depends=$(dpkg-deb -f "$deb" Pre-Depends Depends | sed 's/^[A-Za-z-]*: //' | tr , '\n' |
	sed 's/|.*//; s/(.*//; s/ //g' | grep -v '^$' | sort -u | paste -sd ,)
cache=build/cache
base=$cache/deb-base-$(printf '%s' "$depends" | sha256sum | cut -c1-12).tar
if [ ! -e "$base" ]; then
	mkdir -p "$cache"
	rm -f "$cache"/deb-base-*.tar
	echo "test-deb: making $base"
	mmdebstrap --quiet --format=tar --variant=minbase --include="systemd,systemd-sysv,dbus,procps,$depends" \
		bookworm "$base.part"
	mv "$base.part" "$base"
fi

root=build/nspawn
rm -rf "$root"
mkdir -p "$root"
trap 'rm -rf "$root"' EXIT
tar -C "$root" -xf "$base"
echo '127.0.0.1 localhost' > "$root/etc/hosts"
rm -f "$root/usr/sbin/policy-rc.d"
mkdir "$root/test"
cp "$deb" "$root/test/belfry.deb"
cp packaging/test-deb-inside.sh "$root/test/"
cat > "$root/etc/systemd/system/belfry-test.service" <<'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash -c "/bin/bash /test/test-deb-inside.sh >/test/out 2>&1"
ExecStopPost=systemctl poweroff --no-block
UNIT
mkdir -p "$root/etc/systemd/system/default.target.wants"
ln -s ../belfry-test.service "$root/etc/systemd/system/default.target.wants/"

timeout -k 5 240 systemd-nspawn --quiet -b -D "$root" --register=no --keep-unit --private-network \
	>"$cache/nspawn.log" 2>&1 </dev/null || echo "test-deb: systemd-nspawn ended with $?"
if ! tail -n 1 "$root/test/out" 2>/dev/null | grep -q ' passed, '; then
	tail -n 30 "$cache/nspawn.log" || true
	cat "$root/test/out" 2>/dev/null || true
	echo '0 passed, 1 failed'
	exit 1
fi
cat "$root/test/out"
tail -n 1 "$root/test/out" | grep -q ' 0 failed$'
