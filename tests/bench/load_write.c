/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_write - posts a fleet of hosts by remote write 1.0 to a port of 127.0.0.1, flat out.
 *
 * usage: load_write PORT HOSTS STEPS END_UNIX_SECONDS
 *
 * A host has 1,000 series of six to eight labels, sampled every 15 s. Their values are mixed as a
 * page of node_exporter's is: 45 in 100 never change, 25 count integers, 15 are integer gauges, 10
 * decimals, 5 counted seconds. A body holds one sample of each of 2,000 series. Two connections
 * share the hosts. All bodies are encoded and compressed before the clock starts: about 20 MiB for
 * a million samples. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

#define HOST_SERIES 1000u
#define BODY_HOSTS  2u
#define CONNS       2u
#define STEP_MS     15000
#define HOSTS_MAX   2000u
#define STEPS_MAX   2000u

struct series {
	char *labels; /* encoded label fields */
	size_t n;
	double value, rate;
	unsigned kind; /* 0..99 */
};

struct body {
	char *p;
	size_t n;
};

struct conn {
	pthread_t thread;
	struct body *bodies;
	size_t n, cap;
	float *ms; /* latency of each */
	size_t failed;
};

static struct series *all;
static struct conn conns[CONNS];
static unsigned seed = 5, port;

static unsigned rnd(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static double now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- making --- */

static void put_bytes(struct buf *b, char tag, struct str s)
{
	buf_ch(b, tag);
	buf_varint(b, s.n);
	buf_str(b, s);
}

static void put_label(struct buf *b, const char *name, const char *value)
{
	struct buf l;

	buf_init(&l, 300);
	put_bytes(&l, 0x0a, str_c(name));
	put_bytes(&l, 0x12, str_c(value));
	put_bytes(b, 0x0a, buf_view(&l));
	buf_fini(&l);
}

static const char *const parts[] = {
	"cpu", "disk", "filesystem", "memory", "network", "http", "pool", "queue", "cache", "gc"};
static const char *const nouns[] = {"requests", "bytes", "seconds", "errors", "used", "free",
	"waits", "hits", "misses", "opened"};

static void make_series(struct series *s, unsigned host, unsigned i)
{
	char name[80], instance[40], device[20], mode[20], mount[40];
	struct buf b;

	s->kind = i * 37 % 100;
	(void)snprintf(name, sizeof name, "node_%s_%s_%s", parts[i / 10 % 10], nouns[i % 10],
		s->kind >= 45 && s->kind < 70 ? "total" : "current");
	(void)snprintf(
		instance, sizeof instance, "host-%04u.dc%u.example.net:9100", host, host % 3);
	(void)snprintf(device, sizeof device, "dev%u", i / 100);
	(void)snprintf(mode, sizeof mode, "m%u", i / 50 % 2);
	(void)snprintf(mount, sizeof mount, "/srv/data/%u", i / 100);
	buf_init(&b, 1000);
	put_label(&b, "__name__", name);
	put_label(&b, "device", device);
	if (i % 2 == 0)
		put_label(&b, "environment", "production");
	put_label(&b, "instance", instance);
	put_label(&b, "job", "node");
	put_label(&b, "mode", mode);
	if (i % 3 == 0)
		put_label(&b, "mountpoint", mount);
	put_label(&b, "region", host % 2 ? "eu-west-1" : "us-east-1");
	s->labels = b.p; /* kept till the end */
	s->n = b.n;
	s->value = s->kind < 45 ? rnd(3) * 512 : rnd(1000000);
	s->rate = 1 + rnd(200);
}

static double advance(struct series *s)
{
	if (s->kind < 45)
		return s->value;
	if (s->kind < 70)
		return s->value += rnd((unsigned)s->rate * 2);
	if (s->kind < 85)
		return (double)(4096u * (unsigned)(s->rate + rnd(64)));
	if (s->kind < 95)
		return (double)(1000 + rnd(9000)) / 100;
	return s->value = (double)(long)(s->value * 100 + rnd(1500)) / 100;
}

static void put_sample(struct buf *series, struct buf *sample, struct series *s, int64_t t_ms)
{
	double v = advance(s);

	buf_reset(sample);
	buf_ch(sample, 0x09);
	buf_add(sample, &v, sizeof v);
	buf_ch(sample, 0x10);
	buf_varint(sample, (uint64_t)t_ms);
	buf_reset(series);
	buf_add(series, s->labels, s->n);
	put_bytes(series, 0x12, buf_view(sample));
}

static void keep_body(struct conn *c, struct buf *raw)
{
	size_t n = snappy_max_compressed_length(raw->n);
	char *p = malloc(n);

	if (c->n == c->cap) {
		c->cap = c->cap * 2 + 64;
		c->bodies = realloc(c->bodies, c->cap * sizeof *c->bodies);
	}
	if (p == NULL || c->bodies == NULL || raw->failed ||
		snappy_compress(raw->p, raw->n, p, &n) != SNAPPY_OK)
		abort();
	c->bodies[c->n++] = (struct body){realloc(p, n), n};
}

static void make_bodies(unsigned hosts, unsigned steps, int64_t end_ms)
{
	struct buf raw, series, sample;

	buf_init(&raw, (size_t)64 << 20);
	buf_init(&series, 2000);
	buf_init(&sample, 100);
	for (unsigned k = 0; k < steps; k++) {
		int64_t t = end_ms - (int64_t)(steps - 1 - k) * STEP_MS;

		for (unsigned h = 0; h < hosts; h += BODY_HOSTS) {
			buf_reset(&raw);
			for (unsigned i = h * HOST_SERIES;
				i < (h + BODY_HOSTS) * HOST_SERIES && i < hosts * HOST_SERIES;
				i++) {
				put_sample(&series, &sample, &all[i], t);
				put_bytes(&raw, 0x0a, buf_view(&series));
			}
			keep_body(&conns[h / BODY_HOSTS % CONNS], &raw);
		}
	}
	buf_fini(&raw);
	buf_fini(&series);
	buf_fini(&sample);
}

/* --- posting --- */

static int dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((unsigned short)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static void send_all(int fd, struct iovec *v)
{
	size_t left = v[0].iov_len + v[1].iov_len;

	for (int i = 0; left > 0;) {
		ssize_t n = writev(fd, v + i, 2 - i);

		if (n <= 0) {
			perror("write");
			exit(1);
		}
		left -= (size_t)n;
		for (; i < 2 && (size_t)n >= v[i].iov_len; i++)
			n -= (ssize_t)v[i].iov_len;
		if (i < 2) {
			v[i].iov_base = (char *)v[i].iov_base + n;
			v[i].iov_len -= (size_t)n;
		}
	}
}

/* The status of an answer; its body is read over. */
static int read_answer(int fd)
{
	char text[16384];
	size_t n = 0, want = 0;

	for (;;) {
		ssize_t got = read(fd, text + n, sizeof text - 1 - n);
		const char *end, *len;

		if (got <= 0 || n + (size_t)got >= sizeof text - 1)
			return 0;
		n += (size_t)got;
		text[n] = 0;
		end = strstr(text, "\r\n\r\n");
		if (end == NULL)
			continue;
		len = strcasestr(text, "\r\nContent-Length:");
		if (len != NULL && len < end)
			want = strtoul(len + 17, NULL, 10);
		if (n >= (size_t)(end - text) + 4 + want)
			return (int)strtoul(text + 9, NULL, 10);
	}
}

static void *post(void *arg)
{
	struct conn *c = arg;
	int fd = dial();

	for (size_t i = 0; i < c->n; i++) {
		double start = now_s();
		char head[300];
		int status;
		struct iovec v[2] = {{head, 0}, {c->bodies[i].p, c->bodies[i].n}};

		v[0].iov_len = (size_t)snprintf(head, sizeof head,
			"POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
			"Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n"
			"X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: %zu\r\n\r\n",
			port, c->bodies[i].n);
		send_all(fd, v);
		status = read_answer(fd);
		if (status / 100 != 2 && c->failed++ == 0)
			(void)fprintf(stderr, "load_write: status %d\n", status);
		c->ms[i] = (float)((now_s() - start) * 1e3);
	}
	(void)close(fd);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void post_all(size_t samples)
{
	size_t bodies = 0, failed = 0, bytes = 0;
	double start, took;
	float *ms;

	for (unsigned i = 0; i < CONNS; i++)
		bodies += conns[i].n;
	ms = calloc(bodies, sizeof *ms);
	if (ms == NULL)
		abort();
	for (unsigned i = 0, at = 0; i < CONNS; at += (unsigned)conns[i++].n)
		conns[i].ms = ms + at;
	start = now_s();
	for (unsigned i = 0; i < CONNS; i++) {
		if (pthread_create(&conns[i].thread, NULL, post, &conns[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < CONNS; i++)
		(void)pthread_join(conns[i].thread, NULL);
	took = now_s() - start;
	for (unsigned i = 0; i < CONNS; i++) {
		failed += conns[i].failed;
		for (size_t k = 0; k < conns[i].n; k++)
			bytes += conns[i].bodies[k].n;
	}
	qsort(ms, bodies, sizeof *ms, by_value);
	printf("{\"samples\": %zu, \"bodies\": %zu, \"failed\": %zu, \"seconds\": %.3f, "
	       "\"p50_ms\": %.2f, \"p99_ms\": %.2f, \"wire_bytes\": %zu}\n",
		samples, bodies, failed, took, (double)ms[bodies / 2],
		(double)ms[bodies * 99 / 100], bytes);
}

int main(int argc, char **argv)
{
	unsigned hosts, steps;
	long end;

	if (argc != 5) {
		(void)fprintf(stderr, "usage: load_write PORT HOSTS STEPS END_UNIX_SECONDS\n");
		return 2;
	}
	port = (unsigned)strtoul(argv[1], NULL, 10);
	hosts = (unsigned)strtoul(argv[2], NULL, 10);
	steps = (unsigned)strtoul(argv[3], NULL, 10);
	end = strtol(argv[4], NULL, 10);
	if (port == 0 || port > 65535 || hosts == 0 || hosts > HOSTS_MAX || steps == 0 ||
		steps > STEPS_MAX)
		return 2;
	all = calloc((size_t)hosts * HOST_SERIES, sizeof *all);
	if (all == NULL)
		abort();
	for (unsigned i = 0; i < hosts * HOST_SERIES; i++)
		make_series(&all[i], i / HOST_SERIES, i % HOST_SERIES);
	make_bodies(hosts, steps, end * 1000);
	post_all((size_t)hosts * HOST_SERIES * steps);
	return 0;
}
