#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the peers' own drivers (a harness kept outside this repository, BENCH_HARNESS, default
# ../shared/bench) against belfry, so that its figures stand beside those measured of Prometheus,
# VictoriaMetrics and others in that harness's RESULTS.md. Works in a copy, build/bench.
#
# usage: peers.sh [statsd] [statsd1] [dog] [write] [long] [startup] [scrape]     (all but long by default)
#   write: 100,000 series, 12 million samples, three runs; long: two hours of data, 48 million;
#   startup follows the last of these.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
from=${BENCH_HARNESS:-$root/../shared/bench}
work=$root/build/bench
belfry=${BELFRY_BIN:-$root/build/belfry}
python=${PYTHON:-/usr/bin/python3}
port=${BENCH_PORT:-22355}

[ -d "$from/bench" ] || {
	echo "peers.sh: no harness in $from (BENCH_HARNESS names it)" >&2
	exit 1
}
[ -d "$work" ] || { mkdir -p "$root/build" && cp -r "$from" "$work" && chmod -R u+w "$work"; }
make -C "$work" >/dev/null
cd "$work"
mkdir -p run/conf

cat >run/conf/statsd.yml <<YML
storage: {path: $work/run/data/belfry-statsd}
web: {listen: 127.0.0.1:$port}
host: {enabled: false}
self: {enabled: false}
YML
cat >run/conf/write.yml <<YML
storage: {out_of_order_window: unlimited}
statsd: {listen: []}
host: {enabled: false}
self: {enabled: false}
YML
{
	cat run/conf/write.yml
	printf 'global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n'
} >run/conf/scrape.yml
cp run/conf/scrape.yml run/conf/scrape-node20.yml
for t in $(seq 0 19); do
	printf -- "- {job_name: n%s, metrics_path: /node, params: {t: ['%s']}, static_configs: [{targets: ['127.0.0.1:39300']}]}\n" \
		"$t" "$t" >>run/conf/scrape-node20.yml
done

# What belfry is started as. $1: its configuration.
command_of() {
	echo "$belfry run --config $work/run/conf/$1.yml --storage.path {data} --web.listen 127.0.0.1:$port --log.level warn"
}
tsdb="--name belfry --port $port --write /api/v1/write --ready /-/ready"

statsd() {
	rm -rf run/data/belfry-statsd
	sed "/^statsd:/d" run/conf/statsd.yml >run/conf/statsd-run.yml
	echo "statsd: {listen: ['udp://127.0.0.1:18125']}" >>run/conf/statsd-run.yml
	"$python" bench/statsd.py --step 2 --runs 3 --name belfry \
		--cmd "$belfry run --config $work/run/conf/statsd-run.yml --log.level warn" "$@"
}

[ $# -gt 0 ] || set -- statsd statsd1 dog write startup scrape
for what in "$@"; do
	# shellcheck disable=SC2086 # $tsdb is a list of words
	case $what in
	statsd) statsd ;;
	statsd1) statsd --per-packet 1 --cost-rate 50000 ;;
	dog) statsd --mix dog ;;
	write) "$python" bench/remote_write.py --hosts 100 --steps 120 --runs 3 --keep --cmd "$(command_of write)" $tsdb ;;
	long) "$python" bench/remote_write.py --hosts 100 --steps 480 --runs 1 --keep --cmd "$(command_of write)" $tsdb ;;
	startup) "$python" bench/startup.py --cmd "$(command_of write)" $tsdb ;;
	scrape)
		for page in node20 10k 100k; do
			conf=scrape-$page
			[ "$page" = node20 ] || {
				cp run/conf/scrape.yml "run/conf/$conf.yml"
				echo "- {job_name: big, metrics_path: /$page, static_configs: [{targets: ['127.0.0.1:39300']}]}" \
					>>"run/conf/$conf.yml"
			}
			"$python" bench/scrape.py --window 35 --pages "$page" --cmd "$(command_of "$conf")" $tsdb
		done
		;;
	*)
		echo "peers.sh: unknown bench $what" >&2
		exit 2
		;;
	esac
done
