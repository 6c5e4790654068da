#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves the packages on a real boot: a minimal Debian 12 root with only the deb's dependencies is booted by
# systemd-nspawn without network, and a package is installed, used, reloaded, killed, upgraded and removed in it.
# The rpm is tried in the same root, since no rpm distribution is at hand: that proves its scripts and
# files, not its library names. Needs root. The root's archive is kept in build/cache/ and made again when the
# dependencies change. Ends with `N passed, M failed`.
# usage: test-packages.sh [deb|rpm]...
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "test-packages: needs root (systemd-nspawn)" >&2 && exit 1; }
[ $# -gt 0 ] || set -- deb rpm
cache=build/cache
root=build/nspawn
mkdir -p "$cache"
trap 'rm -rf "$root"' EXIT

make_base() { # sets base
	local deb depends
	deb=$(ls build/packages/belfry_*.deb)
	# The first alternative of each dependency, without its version.
	depends=$(dpkg-deb -f "$deb" Pre-Depends Depends | sed 's/^[A-Za-z-]*: //' | tr , '\n' |
		sed 's/|.*//; s/(.*//; s/ //g' | grep -v '^$' | sort -u | paste -sd ,)
	base=$cache/base-$(printf '%s' "$depends" | sha256sum | cut -c1-12).tar
	[ ! -e "$base" ] || return 0
	rm -rf "$cache"/base-*.tar
	echo "test-packages: making $base"
	mmdebstrap --quiet --format=tar --variant=minbase \
		--include="systemd,systemd-sysv,dbus,procps,rpm,$depends" bookworm "$base.part"
	mv "$base.part" "$base"
}

boot() { # KIND PACKAGE: one line of counts last
	rm -rf "$root"
	mkdir -p "$root"
	tar -C "$root" -xf "$base"
	echo '127.0.0.1 localhost' > "$root/etc/hosts"
	rm -f "$root/usr/sbin/policy-rc.d"
	mkdir "$root/test"
	cp "$2" "$root/test/package"
	cp packaging/test-packages-inside.sh "$root/test/inside.sh"
	cat > "$root/etc/systemd/system/belfry-test.service" <<-UNIT
		[Unit]
		After=multi-user.target
		[Service]
		Type=oneshot
		ExecStart=/bin/bash -c "/bin/bash /test/inside.sh $1 >/test/out 2>&1"
		ExecStopPost=systemctl poweroff --no-block
	UNIT
	mkdir -p "$root/etc/systemd/system/default.target.wants"
	ln -s ../belfry-test.service "$root/etc/systemd/system/default.target.wants/"
	timeout -k 5 240 systemd-nspawn --quiet -b -D "$root" --register=no --keep-unit --private-network \
		>"$cache/nspawn.log" 2>&1 </dev/null || echo "test-packages: systemd-nspawn ended with $?"
	if ! tail -n 1 "$root/test/out" 2>/dev/null | grep -q ' passed, '; then
		tail -n 30 "$cache/nspawn.log" || true
		cat "$root/test/out" 2>/dev/null || true
		echo '0 passed, 1 failed'
		return
	fi
	cat "$root/test/out"
}

passed=0 failed=0
make_base
for kind; do
	case $kind in
	deb) package=$(ls build/packages/belfry_*.deb) ;;
	rpm) package=$(ls build/packages/belfry-*.rpm) ;;
	*) echo "test-packages: unknown kind $kind" >&2 && exit 2 ;;
	esac
	echo "== $package"
	boot "$kind" "$package" | tee "$cache/$kind.out"
	read -r p _ f _ < <(tail -n 1 "$cache/$kind.out")
	passed=$((passed + p)) failed=$((failed + f))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
