#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The half of test-packages.sh that runs inside the booted root. Has only what a minimal Debian has: no curl.
# usage: inside.sh deb|rpm
set -u
kind=$1
passed=0 failed=0
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

expect() { # NAME COMMAND...
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		passed=$((passed + 1))
		echo "ok   $name"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		printf '%s\n' "$output" | tail -n 15 | sed 's/^/     | /'
	fi
}

http() { # METHOD PATH: the whole answer
	exec 3<>/dev/tcp/127.0.0.1/2355 || return 1
	printf '%s %s HTTP/1.1\r\nHost: 127.0.0.1:2355\r\nConnection: close\r\nContent-Length: 0\r\n\r\n' "$1" "$2" >&3
	timeout 5 cat <&3
	exec 3>&-
}
ready() { http GET /-/ready | head -n 1 | grep ' 200 '; }
within() { # SECONDS COMMAND...: until it succeeds
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}
counter_is() { http GET "/api/v1/query?query=pkgtest_hits_total" | grep -F "\"$1\"]"; }
install_package() {
	case $kind in
	deb) dpkg -i /test/package ;;
	rpm) rpm -U --force --nodeps /test/package ;;
	esac
}
remove_package() {
	case $kind in
	deb) dpkg --remove belfry ;;
	rpm) rpm -e --nodeps belfry ;;
	esac
}
mode_of() { [ "$(stat -c '%a %U:%G' "$1")" = "$2" ] || { stat -c '%a %U:%G %n' "$1" && false; }; }
property() { systemctl show -p "$1" --value belfry; }
is() { [ "$1" = "$2" ] || { echo "$1 instead of $2" && false; }; }

expect 'the package installs' install_package
# A Debian package starts its service, an rpm leaves that to the administrator.
[ "$kind" = deb ] || expect 'the service starts' systemctl start belfry
expect 'the service is active' systemctl is-active belfry
expect 'the service starts at boot' systemctl is-enabled belfry
expect 'it is ready' within 5 ready
expect 'it runs as belfry' is "$(stat -c %U "/proc/$(property MainPID)")" belfry
expect 'the configuration is the group'"'"'s to read' mode_of /etc/belfry/belfry.yml '640 root:belfry'
expect 'the data is its own' mode_of /var/lib/belfry '750 belfry:belfry'
expect 'the program says its version' belfry --version
expect 'the shipped configuration is valid' belfry check config /etc/belfry/belfry.yml
expect 'the sandbox scores 1.5 or better' systemd-analyze security --no-pager --threshold=15 belfry

echo -n 'pkgtest.hits:3|c' > /dev/udp/127.0.0.1/8125
expect 'a StatsD packet answers queries' within 25 counter_is 3
expect 'the page is there' eval 'http GET / | head -n 1 | grep " 200 "'

expect 'a good configuration reloads' systemctl reload belfry
cp -p /etc/belfry/belfry.yml /tmp/kept.yml
echo 'storrage: {}' >> /etc/belfry/belfry.yml
systemctl reload belfry
sleep 0.5
expect 'a wrong configuration does not stop it' ready
expect 'the log names the wrong key' eval 'journalctl -u belfry | grep storrage'
cp -p /tmp/kept.yml /etc/belfry/belfry.yml
expect 'the right one is taken again' systemctl reload belfry

before=$(property MainPID)
restarted() { [ "$(property MainPID)" != "$before" ] && ready; }
kill -KILL "$before"
expect 'it comes back after kill -9' within 10 restarted
expect 'what was acknowledged is still there' within 5 counter_is 3

expect 'the same package again restarts it' install_package
expect 'and it is ready again' within 5 ready
expect 'a counter goes on' within 5 counter_is 3

began=$SECONDS
expect 'it stops' systemctl stop belfry
expect 'within 5 seconds' [ $((SECONDS - began)) -le 5 ]
expect 'and cleanly' is "$(property Result)" success
expect 'it starts again' systemctl start belfry

expect 'the package can be removed' remove_package
expect 'which stops the service' eval '! systemctl is-active belfry'
expect 'and keeps the data' test -d /var/lib/belfry
expect 'and takes its program along' test ! -e /usr/bin/belfry
if [ "$kind" = deb ]; then
	expect 'and keeps the configuration' test -e /etc/belfry/belfry.yml
	expect 'the package can be purged' dpkg --purge belfry
	expect 'which leaves no file behind' eval \
		'! ls -d /var/lib/belfry /etc/belfry /usr/share/belfry /run/belfry /lib/systemd/system/belfry.service'
fi

[ "$failed" -eq 0 ] || journalctl -u belfry --no-pager | tail -n 40
echo "$passed passed, $failed failed"
