#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs fuzz targets, two at a time, for SECONDS each over a working corpus (kept in build/fuzz/corpus) and the
# committed one. A finding is kept in build/fuzz/findings/. Ends with `N passed, M failed`.
# usage: run_fuzz.sh SECONDS PROGRAM...
set -u
seconds=$1
shift
work=build/fuzz
mkdir -p "$work/findings" "$work/log"

one() { # PROGRAM: 0 when it found nothing
	local name=${1##*/} corpus dirs dict log
	corpus=tests/fuzz/corpus/$name
	dirs=("$work/corpus/$name")
	mkdir -p "${dirs[0]}"
	[ ! -d "$corpus" ] || dirs+=("$corpus")
	dict=()
	[ ! -f "tests/fuzz/$name.dict" ] || dict=("-dict=tests/fuzz/$name.dict")
	log=$work/log/$name
	if "$1" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 "${dict[@]}" \
		-artifact_prefix="$work/findings/$name-" "${dirs[@]}" >"$log" 2>&1; then
		echo "  ok      $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs, $(
			grep -o 'cov: [0-9]* ft: [0-9]* corp: [0-9]*' "$log" | tail -n 1)"
		return 0
	fi
	echo "  FAIL    $name"
	grep -vE '^#[0-9]+|NEW_FUNC' "$log" | tail -n 60 | sed 's/^/    | /'
	return 1
}

passed=0 failed=0
while [ $# -gt 0 ]; do
	pids=()
	for program in "${@:1:2}"; do
		one "$program" &
		pids+=($!)
	done
	shift ${#pids[@]}
	for pid in "${pids[@]}"; do
		if wait "$pid"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
