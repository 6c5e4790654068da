# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by test scripts: `expect NAME COMMAND...` counts a command that must succeed and shows what one
# that failed said; `finish` prints the counts as the build's runner reads them.
passed=0 failed=0

expect() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAIL %s\n%s\n' "$name" "$output"
	fi
}

finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
}
