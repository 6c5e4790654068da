/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_dispatch - the dispatcher with a real state.db and a sender that accepts everything:
 * 10,000 groups of 10 alerts from nothing to the last message; 50,000 alerts in 5,000 groups at
 * rest; what a silence costs among 1,000 of them; one alert from its event to the sender.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "agent/config.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/num.h"
#include "exporters/notify_api.h"
#include "rules/alert_event.h"

#define PER_GROUP 10u
#define PER_BATCH 1000u /* alerts of one evaluation */

#define LATENCY_FIRST  1000000u
#define LATENCY_ROUNDS 20

static const char yaml[] =
	"statsd: {listen: []}\n"
	"web: {external_url: 'http://belfry.example.org'}\n"
	"receivers: [{name: w, webhook_configs: [{url: 'http://127.0.0.1:1/w'}]}, "
	"{name: ops, webhook_configs: [{url: 'http://127.0.0.1:1/ops'}]}]\n"
	"route: {receiver: ops, group_by: [alertname, service], group_wait: 0s, group_interval: "
	"5m, routes: [{matchers: [severity=page], receiver: w}, {matchers: [team=~'db|web'], "
	"receiver: w}]}\n"
	"inhibit_rules: [{source_matchers: [alertname=NodeDown], target_matchers: "
	"['alertname!=NodeDown'], equal: [instance]}]\n";

static atomic_uint sent;
static atomic_bool closed; /* the sender takes nothing */
static _Atomic int64_t last_sent_ns;
static struct state *state;
static struct notify *notify;
static struct config *config;
static char dir[] = "/tmp/belfry-bench-dispatch-XXXXXX";

static bool on_send(void *ctx, struct send_request *req)
{
	(void)ctx;
	if (atomic_load(&closed))
		return false;
	req->status = 200;
	req->transport_ok = true;
	req->on_done(req, req->arg);
	atomic_store(&last_sent_ns, clock_real_ns());
	(void)atomic_fetch_add(&sent, 1);
	return true;
}

static double cpu_seconds(void)
{
	struct rusage r;

	(void)getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static double resident_mb(void)
{
	unsigned long size = 0, rss = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%lu %lu", &size, &rss) != 2) /* NOLINT(cert-err34-c) */
		rss = 0;
	if (f != NULL)
		(void)fclose(f);
	return (double)rss * 4096 / 1048576;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "bench_dispatch: %s\n", what);
	exit(1);
}

static void settle(void)
{
	struct err e;

	must(notify_post_alerts(notify, NULL, 0, &e) == 0, "settle");
}

static void start(void)
{
	struct sender s = {.submit = on_send};
	struct arena a;
	struct diag *d;
	struct err e;

	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	must(mkdtemp(dir) != NULL, "mkdtemp");
	arena_init(&a, LIMIT_CONFIG_BYTES);
	d = diag_new(&a);
	config = config_load_text(STR("bench.yml"), str_c(yaml), NULL, d);
	must(config != NULL, diag_first(d).p);
	arena_fini(&a);
	must(state_open(&state, dir, &e) == 0, "state_open");
	must(notify_new(&notify, state, &config->notify, s, &e) == 0, "notify_new");
	must(state_start(state, &e) == 0, "state_start");
}

/* --- evaluations --- */

static struct labels labels_of(struct arena *a, unsigned i)
{
	struct label *v = ARENA_ARRAY(a, 8, struct label);

	v[0] = (struct label){
		STR("alertname"), arena_printf(a, "LatencyHigh%u", i / PER_GROUP % 50)};
	v[1] = (struct label){STR("cluster"), STR("eu-central-1")};
	v[2] = (struct label){STR("handler"), arena_printf(a, "/api/v1/orders/%u", i % PER_GROUP)};
	v[3] = (struct label){
		STR("instance"), arena_printf(a, "10.0.%u.%u:8080", i / 250 % 250, i % 250)};
	v[4] = (struct label){STR("job"), STR("shop")};
	v[5] = (struct label){STR("service"), arena_printf(a, "service-%u", i / PER_GROUP)};
	v[6] = (struct label){STR("severity"), i % 100 < 10 ? STR("page") : STR("ticket")};
	v[7] = (struct label){STR("team"), arena_printf(a, "team-%u", i / PER_GROUP % 7)};
	return (struct labels){v, 8};
}

static struct labels notes_of(struct arena *a, unsigned i, double value)
{
	struct label *v = ARENA_ARRAY(a, 3, struct label);

	v[0] = (struct label){
		STR("description"), arena_printf(a,
					    "99 %% of the requests to /api/v1/orders/%u took up to "
					    "%.3f s, more than the 0.5 s that were agreed.",
					    i % PER_GROUP, value)};
	v[1] = (struct label){STR("runbook_url"), STR("https://runbooks.example.org/LatencyHigh")};
	v[2] = (struct label){STR("summary"), arena_printf(a, "p99 is %.3f s", value)};
	return (struct labels){v, 3};
}

static struct alert_batch *batch(
	unsigned from, unsigned n, enum alert_state was, enum alert_state to, double value)
{
	struct alert_batch *b = alert_batch_new((size_t)64 << 20);
	struct alert_rule_info *info = ARENA_NEW(&b->arena, struct alert_rule_info);

	*info = (struct alert_rule_info){.file = STR("r.yml"),
		.group = STR("latency"),
		.name = STR("LatencyHigh"),
		.expr = STR(
			"histogram_quantile(0.99, rate(http_request_duration_seconds[5m])) > 0.5"),
		.rule_key = arena_printf(&b->arena, "r.yml;latency;LatencyHigh;%u", from),
		.interval_ms = 15000};
	b->events = ARENA_ARRAY(&b->arena, n, struct alert_event);
	b->n = n;
	b->changed = was != to;
	b->group_key = arena_printf(&b->arena, "r.yml;latency%u", from);
	for (unsigned i = 0; i < n; i++) {
		struct labels ls = labels_of(&b->arena, from + i);

		b->events[i] = (struct alert_event){.from = was,
			.to = to,
			.labels = ls,
			.annotations = notes_of(&b->arena, from + i, value),
			.fingerprint = labels_fingerprint(ls),
			.active_at_ms = 1,
			.fired_at_ms = clock_wall_ms(),
			.resolved_at_ms = to == ALERT_INACTIVE ? clock_wall_ms() : 0,
			.value = value,
			.current = value,
			.worst = value,
			.threshold = 0.5,
			.op = ">",
			.rule = info};
	}
	return b;
}

static struct alert_batch **batches(
	unsigned n_alerts, enum alert_state was, enum alert_state to, double value)
{
	struct alert_batch **v = calloc(n_alerts / PER_BATCH + 1, sizeof(struct alert_batch *));

	must(v != NULL, "memory");
	for (unsigned i = 0; i * PER_BATCH < n_alerts; i++)
		v[i] = batch(i * PER_BATCH, PER_BATCH, was, to, value);
	return v;
}

static void submit(struct alert_batch **v)
{
	struct alert_sink sink = notify_sink(notify);

	for (size_t i = 0; v[i] != NULL; i++)
		must(sink.submit(sink.ctx, v[i]), "submit");
	free(v);
}

static void await_rows(unsigned n)
{
	const struct metric *rows = metric_gauge("belfry_notify_outbox_rows", "", NULL);

	while (metric_get(rows) < n) {
		(void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		must(cpu_seconds() < 600, "messages are missing");
	}
}

static void await_sent(unsigned n)
{
	while (atomic_load(&sent) < n) {
		(void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		must(cpu_seconds() < 600, "messages are missing");
	}
}

/* --- the figures --- */

static void full_dispatch(unsigned groups)
{
	unsigned alerts = groups * PER_GROUP;
	struct alert_batch **v = batches(alerts, ALERT_PENDING, ALERT_FIRING, 0.75);
	double before = resident_mb(), cpu = cpu_seconds();
	int64_t t0 = clock_real_ns();

	atomic_store(&sent, 0);
	atomic_store(&closed, true);
	submit(v);
	await_rows(groups);
	printf("dispatch_%u_groups_into_outbox_seconds %.2f s\n", groups,
		(double)(clock_real_ns() - t0) / 1e9);
	printf("dispatch_%u_groups_into_outbox_cpu_seconds %.2f s\n", groups, cpu_seconds() - cpu);
	atomic_store(&closed, false);
	await_sent(groups);
	printf("dispatch_%u_groups_sent_seconds %.2f s\n", groups,
		(double)(atomic_load(&last_sent_ns) - t0) / 1e9);
	settle();
	printf("dispatch_%u_groups_cpu_seconds %.2f s\n", groups, cpu_seconds() - cpu);
	printf("dispatch_%u_groups_memory_mb %.0f MB\n", groups, resident_mb());
	printf("dispatch_%u_groups_batches_mb %.0f MB\n", groups, before);
	v = batches(alerts, ALERT_FIRING, ALERT_INACTIVE, 0.1);
	cpu = cpu_seconds();
	t0 = clock_real_ns();
	submit(v);
	await_sent(2 * groups);
	printf("dispatch_%u_resolves_seconds %.2f s\n", groups,
		(double)(atomic_load(&last_sent_ns) - t0) / 1e9);
	settle();
	printf("dispatch_%u_resolves_cpu_seconds %.2f s\n", groups, cpu_seconds() - cpu);
}

/* Evaluations that change nothing but the value, which stands in the annotations. */
static void at_rest(unsigned alerts)
{
	const int rounds = 5;
	double cpu = 0;

	atomic_store(&sent, 0);
	submit(batches(alerts, ALERT_PENDING, ALERT_FIRING, 0.75));
	await_sent(alerts / PER_GROUP);
	settle();
	printf("rest_%u_alerts_memory_mb %.0f MB\n", alerts, resident_mb());
	for (int i = 0; i < rounds; i++) {
		struct alert_batch **v = batches(alerts, ALERT_FIRING, ALERT_FIRING, 0.8 + i);
		double c0 = cpu_seconds();

		submit(v);
		settle();
		cpu += cpu_seconds() - c0;
	}
	printf("rest_%u_alerts_cpu_per_evaluation %.1f ms\n", alerts, cpu * 1000 / rounds);
	printf("rest_%u_alerts_cpu_at_15s %.2f %%\n", alerts, cpu / rounds / 15 * 100);
}

static void silences(unsigned n)
{
	char id[37], value[64];
	struct silence_matcher m[] = {{STR("service"), STR(""), false, true},
		{STR("severity"), STR("page|ticket"), true, true}};
	struct silence_view v = {.matchers = m,
		.n_matchers = 2,
		.ends_at_ms = clock_wall_ms() + 3600000,
		.comment = STR("bench")};
	struct err e;
	int64_t t0 = clock_real_ns();
	double cpu = cpu_seconds();

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(value, sizeof value, "service-%u", i);
		m[0].value = str_c(value);
		must(notify_silence_put(notify, &v, id, &e) == 0, "silence");
	}
	printf("silence_put_among_%u %.1f ms\n", n, (double)(clock_real_ns() - t0) / 1e6 / n);
	printf("silence_put_cpu_among_%u %.1f ms\n", n, (cpu_seconds() - cpu) * 1000 / n);
}

/* The answer is copied on the state writer: nothing else happens there meanwhile. */
static void ask_for_all(void)
{
	struct alert_query q = {.active = true, .silenced = true, .inhibited = true, .muted = true};
	struct alert_view *v;
	struct arena a;
	struct err e;
	size_t n;
	int64_t t0 = clock_real_ns();
	double cpu = cpu_seconds();

	arena_init(&a, (size_t)1 << 30);
	must(notify_alerts(notify, &q, &a, &v, &n, &e) == 0, "alerts");
	printf("api_%zu_alerts %.0f ms\n", n, (double)(clock_real_ns() - t0) / 1e6);
	printf("api_%zu_alerts_cpu %.0f ms\n", n, (cpu_seconds() - cpu) * 1000);
	printf("api_%zu_alerts_memory_mb %.0f MB\n", n, (double)a.used / 1048576);
	arena_fini(&a);
}

static void restart(void)
{
	struct sender s = {.submit = on_send};
	struct err e;
	double cpu;
	int64_t t0;

	notify_quiesce(notify);
	state_stop(state);
	t0 = clock_real_ns();
	notify_free(notify);
	printf("free_50000_alerts %.0f ms\n", (double)(clock_real_ns() - t0) / 1e6);
	state_free(state);
	t0 = clock_real_ns();
	cpu = cpu_seconds();
	must(state_open(&state, dir, &e) == 0, "state_open");
	must(notify_new(&notify, state, &config->notify, s, &e) == 0, "notify_new");
	printf("restart_with_50000_alerts_and_silences %.0f ms\n",
		(double)(clock_real_ns() - t0) / 1e6);
	printf("restart_with_50000_alerts_cpu %.0f ms\n", (cpu_seconds() - cpu) * 1000);
	must(state_start(state, &e) == 0, "state_start");
	settle();
}

/* Everything in one group. */
static void one_large_group(unsigned alerts)
{
	struct alert_batch **v;
	struct config *other, *old = config;
	struct arena a;
	struct diag *d;
	double cpu;
	int64_t t0;
	unsigned was;

	arena_init(&a, LIMIT_CONFIG_BYTES);
	d = diag_new(&a);
	other = config_load_text(STR("bench.yml"),
		STR("statsd: {listen: []}\nroute: {receiver: w, group_wait: 0s}\n"
		    "receivers: [{name: w, webhook_configs: [{url: 'http://127.0.0.1:1/w'}]}]\n"),
		NULL, d);
	must(other != NULL, diag_first(d).p);
	arena_fini(&a);
	for (unsigned i = 0; i < LATENCY_ROUNDS; i++) {
		struct alert_sink sink = notify_sink(notify);

		must(sink.submit(sink.ctx, batch(LATENCY_FIRST + i * PER_GROUP, 1, ALERT_FIRING,
						   ALERT_INACTIVE, 1)),
			"submit");
	}
	settle();
	was = atomic_load(&sent);
	submit(batches(alerts, ALERT_FIRING, ALERT_INACTIVE, 0.1));
	await_sent(was + alerts / PER_GROUP);
	settle();
	config = other;
	notify_reload(notify, &other->notify);
	config_free(old);
	settle();
	v = batches(alerts, ALERT_PENDING, ALERT_FIRING, 0.75);
	was = atomic_load(&sent);
	cpu = cpu_seconds();
	t0 = clock_real_ns();
	submit(v);
	await_sent(was + 1);
	printf("one_group_of_%u_alerts_seconds %.2f s\n", alerts,
		(double)(atomic_load(&last_sent_ns) - t0) / 1e9);
	settle();
	printf("one_group_of_%u_alerts_cpu_seconds %.2f s\n", alerts, cpu_seconds() - cpu);
}

static void latency(void)
{
	int64_t best = INT64_MAX, sum = 0;
	const int rounds = LATENCY_ROUNDS;

	for (int i = 0; i < rounds; i++) {
		struct alert_batch *b = batch(
			LATENCY_FIRST + (unsigned)i * PER_GROUP, 1, ALERT_PENDING, ALERT_FIRING, 1);
		struct alert_sink sink = notify_sink(notify);
		unsigned was = atomic_load(&sent);
		int64_t t0 = clock_real_ns(), took;

		must(sink.submit(sink.ctx, b), "submit");
		await_sent(was + 1);
		took = atomic_load(&last_sent_ns) - t0;
		best = MIN_OF(best, took);
		sum += took;
		settle();
	}
	printf("event_to_sender_mean %.1f ms\n", (double)sum / rounds / 1e6);
	printf("event_to_sender_best %.1f ms\n", (double)best / 1e6);
}

int main(int argc, char **argv)
{
	char cmd[128];

	(void)argv;
	start();
	latency();
	full_dispatch(argc > 1 ? 100 : 10000);
	at_rest(50000);
	silences(100);
	ask_for_all();
	restart();
	if (argc > 1)
		one_large_group(50000);
	notify_quiesce(notify);
	state_stop(state);
	notify_free(notify);
	state_free(state);
	config_free(config);
	(void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	return system(cmd) == 0 ? 0 : 1; /* NOLINT(cert-env33-c): a fixed command of a bench */
}
