#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what building, testing or packaging belfry needs and this machine lacks, by apt-get or dnf, as
# root or through sudo. Without the right to, it prints the exact command and exits 1. What is installed
# here is not started: test daemons are started by the tests, on ports of their own.
#
# usage: deps.sh [-n] [GROUP...]     groups: build (default) test lint fuzz cover demo package
#        -n: only print the missing packages
set -eu

dry=
[ "${1:-}" != -n ] || { dry=1 && shift; }
groups=${*:-build}

# ---- What is needed ------------------------------------------------------------------------------

# A line is a package, or `COMMANDS=PACKAGES`: wanted only when none of the commands (a,b) is there, since
# what gives them may come from elsewhere or must not be replaced (a mail server).
debian_packages() {
	case $1 in
	build) echo gcc g++ make pkgconf gzip ca-certificates libc6-dev libcurl4-openssl-dev libevent-dev \
		libsqlite3-dev libyaml-dev libprotobuf-c-dev protobuf-c-compiler libjansson-dev zlib1g-dev \
		libre2-dev libxxhash-dev libsnappy-dev libssl-dev libcairo2-dev node=nodejs npm=npm ;;
	test) echo check libsubunit-dev python3 python3-snappy python3-aiosmtpd python3-yaml sqlite3 \
		prometheus prometheus-alertmanager prometheus-node-exporter chromium curl procps \
		openssl=openssl postfix,sendmail=postfix dovecot=dovecot-core ;;
	lint) echo clang-format clang-tidy clang shellcheck python3 check mandoc ;;
	fuzz) echo clang check "libclang-rt-$(clang_version)-dev" ;;
	cover) echo gcovr ;;
	demo) echo python3 python3-aiosmtpd ;;
	package) echo dpkg-dev debhelper rpm lintian mmdebstrap systemd systemd-container git xz-utils ;;
	esac
}

fedora_packages() {
	case $1 in
	build) echo gcc gcc-c++ make pkgconf-pkg-config gzip ca-certificates libcurl-devel libevent-devel \
		sqlite-devel libyaml-devel protobuf-c-devel protobuf-c-compiler jansson-devel zlib-devel \
		re2-devel xxhash-devel snappy-devel openssl-devel cairo-devel node=nodejs npm=npm ;;
	test) echo check-devel subunit-devel libasan libubsan libtsan python3 python3-snappy python3-aiosmtpd \
		python3-pyyaml sqlite prometheus=golang-github-prometheus \
		alertmanager=golang-github-prometheus-alertmanager node_exporter=node-exporter \
		chromium,chromium-browser=chromium curl procps-ng openssl=openssl \
		postfix,sendmail=postfix dovecot ;;
	lint) echo clang-tools-extra clang ShellCheck python3 check-devel mandoc ;;
	fuzz) echo clang check-devel compiler-rt ;;
	cover) echo gcovr ;;
	demo) echo python3 python3-aiosmtpd ;;
	package) echo rpm-build git xz ;;
	esac
}

# The version that Debian's `clang` stands for, since libFuzzer's package carries it in its name.
clang_version() {
	v=$(dpkg-query -W -f '${Depends}' clang 2>/dev/null || apt-cache depends clang 2>/dev/null || echo clang-14)
	printf '%s\n' "$v" | sed -n 's/.*clang-\([0-9][0-9]*\).*/\1/p' | head -n 1
}

# ---- What is missing -----------------------------------------------------------------------------

PATH=$PATH:/usr/sbin:/sbin
if command -v apt-get >/dev/null 2>&1; then
	family=debian
elif command -v dnf >/dev/null 2>&1; then
	family=fedora
else
	for g in $groups; do echo "$g: $(debian_packages "$g" 2>/dev/null)"; done >&2
	echo "deps: neither apt-get nor dnf is here; install by hand what Debian calls by these names" >&2
	exit 1
fi

plain='' missing=''
for g in $groups; do
	list=$("${family}_packages" "$g")
	[ -n "$list" ] || { echo "deps: unknown group $g" >&2 && exit 2; }
	for p in $list; do
		case $p in
		*=*)
			found=
			for c in $(echo "${p%%=*}" | tr , ' '); do
				! command -v "$c" >/dev/null 2>&1 || found=1
			done
			[ -n "$found" ] || missing="$missing ${p#*=}"
			;;
		*) plain="$plain $p" ;;
		esac
	done
done

# One question for all packages; a name without a line "ok NAME" in the answer is missing.
if [ $family = debian ]; then
	# shellcheck disable=SC2086
	have=$(dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' $plain 2>/dev/null |
		sed -n 's/^installed //p') || true
else
	# shellcheck disable=SC2086
	have=$(rpm -q --qf '%{NAME} %{VERSION}\n' $plain 2>/dev/null | grep -v 'not installed') || true
fi
have=" $(printf '%s' "$have" | tr '\n' ' ')"
for p in $plain; do
	case $have in *" $p "*) ;; *) missing="$missing $p" ;; esac
done

# libevent before this version has eight known holes, the DNS and HTTP ones among them.
libevent_min=2.1.12-stable-8+deb12u1
libevent_is_old() {
	v=$(dpkg-query -W -f '${Version}' libevent-core-2.1-7 2>/dev/null ||
		dpkg-query -W -f '${Version}' libevent-core-2.1-7t64 2>/dev/null) || return 1
	dpkg --compare-versions "$v" lt "$libevent_min"
}
[ $family = fedora ] || ! libevent_is_old || case $missing in
*libevent-dev*) ;;
*) missing="$missing libevent-dev" ;;
esac

missing=${missing# }
if [ -n "$dry" ]; then
	[ -z "$missing" ] || echo "$missing"
	exit 0
fi
[ -n "$missing" ] || exit 0

# ---- Installing ----------------------------------------------------------------------------------

# --no-remove: nothing that is here gives way to what tests want.
if [ $family = debian ]; then
	command="apt-get install -y -o DPkg::Lock::Timeout=120 --no-install-recommends --no-remove $missing"
	full="apt-get update && $command"
else
	command="dnf install -y --setopt=install_weak_deps=False $missing"
	full=$command
fi

if [ "$(id -u)" = 0 ]; then
	:
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
	echo "deps: installing through sudo: $missing"
	exec sudo sh "$0" "$@"
else
	echo "deps: missing: $missing" >&2
	echo "deps: as root, run: $full" >&2
	exit 1
fi

echo "deps: installing: $missing"
log=$(mktemp)
guard=/usr/sbin/policy-rc.d
kept=
restore() {
	if [ -n "$kept" ]; then
		mv -f "$guard.belfry-kept" "$guard"
	elif [ -f "$guard" ] && grep -qs 'belfry deps.sh' "$guard"; then
		rm -f "$guard"
	fi
	rm -f "$log"
}
trap restore EXIT
trap 'exit 1' INT TERM HUP

# Debian starts a daemon when it is installed, unless this script forbids it.
guard_daemons() {
	# A run that was killed may have left its own guard; anybody else's is put back afterwards.
	if [ -e "$guard.belfry-kept" ]; then
		kept=1
	elif [ -e "$guard" ] && ! grep -qs 'belfry deps.sh' "$guard"; then
		mv "$guard" "$guard.belfry-kept"
		kept=1
	fi
	printf '#!/bin/sh\n# put here by belfry deps.sh for the time of one apt-get; safe to remove\nexit 101\n' > "$guard"
	chmod 755 "$guard"
}

# Nor are they to start at the next boot: the tests start their own.
disable_daemons() {
	command -v systemctl >/dev/null 2>&1 || return 0
	for p in $missing; do
		case $p in
		prometheus | prometheus-node-exporter | postfix | dovecot-core)
			systemctl disable --quiet "${p%-core}.service" >/dev/null 2>&1 || true
			;;
		esac
	done
}

lists_are_old() {
	[ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 2>/dev/null | head -n 1)" ]
}

run() { # runs a command quietly; its output is shown when it fails
	# shellcheck disable=SC2086
	$1 >>"$log" 2>&1 </dev/null
}

if [ $family = debian ]; then
	export DEBIAN_FRONTEND=noninteractive
	guard_daemons
	updated=
	if lists_are_old; then
		run "apt-get update" || { tail -n 20 "$log" >&2 && exit 1; }
		updated=1
	fi
	if ! run "$command"; then
		# Lists may be older than the mirror: once more with new ones.
		{ [ -z "$updated" ] && run "apt-get update" && run "$command"; } || {
			tail -n 30 "$log" >&2
			echo "deps: failed: $full" >&2
			exit 1
		}
	fi
	disable_daemons
	if libevent_is_old; then
		run "apt-get install -y --only-upgrade --no-remove libevent-core-2.1-7 libevent-dev" || true
		! libevent_is_old || {
			echo "deps: libevent older than $libevent_min has known holes; no newer one is offered here" >&2
			! grep -qs '^ID=debian' /etc/os-release || exit 1
		}
	fi
else
	run "$command" || { tail -n 30 "$log" >&2 && echo "deps: failed: $full" >&2 && exit 1; }
fi
