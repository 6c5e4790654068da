#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The rule packs: each is valid to belfry and to promtool, as it stands and as rendered with a time scale; every alert
# has a test that it fires in and is quiet in, a runbook, and passes with both tools (PACKS_LONG=1: promtool also runs
# the tests of weeks, which takes it minutes).
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
# shellcheck source=tests/lib/expect.sh
. tests/lib/expect.sh
refused() { # TEXT COMMAND...: fails and says TEXT
	local text=$1 output
	shift
	if output=$("$@" 2>&1); then return 1; fi
	grep -qF "$text" <<< "$output" || { printf '%s\n' "$output" && false; }
}
alerts_of() { sed -n 's/^ *- alert: //p' "$1"; }
is_tested() { # ALERT: quiet at some time and firing at another
	grep -q "exp_alerts" <(grep -h -A1 "alertname: $1\$" rules/packs/tests/*.yml) || return 1
	[ "$1" = Watchdog ] || grep -q "alertname: $1}" rules/packs/tests/*.yml
}
same_rules() { # PACK: rendered at its defaults it has the alerts of the file
	"$BELFRY_BIN" packs show "$1" | sed -n 's/^ *- alert: //p' | diff - <(alerts_of "rules/packs/$1.yml")
}

for file in rules/packs/*.yml; do
	pack=$(basename "$file" .yml)
	expect "belfry accepts $pack" "$BELFRY_BIN" check rules "$file"
	expect "promtool accepts $pack" promtool check rules "$file"
	expect "$pack is built in, whole" same_rules "$pack"
	"$BELFRY_BIN" packs show "$pack" --set time_scale=0.05 --runbooks https://wiki.example/rb > "$dir/$pack.yml"
	expect "belfry accepts $pack on another time scale" "$BELFRY_BIN" check rules "$dir/$pack.yml"
	expect "promtool accepts $pack on another time scale" promtool check rules "$dir/$pack.yml"
	for alert in $(alerts_of "$file"); do
		expect "$alert has a test" is_tested "$alert"
		expect "$alert has a runbook" test -s "docs/runbooks/$alert.md"
		expect "$alert names its runbook" grep -q "runbook_url: \"https://wiki.example/rb/$alert\"" "$dir/$pack.yml"
	done
done
for file in rules/packs/tests/*.yml; do
	expect "belfry: $file" "$BELFRY_BIN" test rules "$file"
	case $file in
	*_long.yml | */services.yml) [ -n "${PACKS_LONG:-}" ] || continue ;;
	esac
	expect "promtool: $file" promtool test rules "$file"
done
for page in docs/runbooks/*.md; do
	expect "$page belongs to an alert" grep -q "alert: $(basename "$page" .md)\$" rules/packs/*.yml
done

expect 'a threshold can be set' grep -q '> 0.8$' <("$BELFRY_BIN" packs show services --set pool_saturation=0.8)
expect 'an unknown parameter is refused' refused 'did you mean "pool_saturation"' \
	"$BELFRY_BIN" packs show services --set pool_saturaton=0.8
expect 'so is a value out of range' refused 'must be a number from 0 to 1' \
	"$BELFRY_BIN" packs show services --set pool_saturation=2
expect 'and an unknown pack' refused 'there is no pack' "$BELFRY_BIN" packs show servces

finish
