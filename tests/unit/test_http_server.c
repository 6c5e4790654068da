/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http server - the server on a loop in a thread of its own, asked over real sockets: well-formed,
 * garbage, slow, pipelined, ambiguous and over the limits.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include "agent/http/server.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "tests/lib/http_ask.h"
#include "tests/lib/suite.h"

static struct loop *loop;
static struct pool *pool;
static struct http_server *server;
static pthread_t thread;
static int port;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: the handler of /wait waits */
static atomic_bool saw_cancel;
static atomic_int waiting; /* calls of h_wait */

static void h_hello(struct http_req *r, void *arg)
{
	(void)arg;
	http_reply(r, 200, "text/plain", STR("hello"));
}

static void h_echo(struct http_req *r, void *arg)
{
	struct buf *b = http_resp_body(r);
	struct str *all;
	size_t n = http_req_params(r, "m", &all);

	(void)arg;
	buf_printf(b, STR_FMT "|" STR_FMT "|%zu|", STR_ARG(http_req_segment(r)),
		STR_ARG(http_req_param(r, "a")), n);
	for (size_t i = 0; i < n; i++)
		buf_printf(b, STR_FMT ",", STR_ARG(all[i]));
	buf_printf(b, "|" STR_FMT, STR_ARG(http_req_body(r)));
	http_finish(r);
}

static void h_big(struct http_req *r, void *arg)
{
	long long n = 0;

	(void)arg;
	ck_assert(str_to_i64(http_req_param(r, "n"), &n));
	for (long long i = 0; i < n; i++)
		buf_ch(http_resp_body(r), (char)('a' + i * i % 26));
	http_finish(r);
}

static void h_wait(struct http_req *r, void *arg)
{
	(void)arg;
	atomic_fetch_add(&waiting, 1);
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	atomic_store(&saw_cancel, atomic_load(http_req_cancelled(r)));
	http_reply(r, 200, "text/plain", STR("waited"));
}

static void h_error(struct http_req *r, void *arg)
{
	(void)arg;
	http_reply_error(r, "bad_data", "no \"%s\" here", "x");
}

static const struct http_route table[] = {
	{"/hello", HTTP_GET, HTTP_ON_LOOP, 0, false, h_hello},
	{"/pool", HTTP_GET, HTTP_ON_QUERY, 0, false, h_hello},
	{"/big", HTTP_GET, HTTP_ON_QUERY, 0, false, h_big},
	{"/bigloop", HTTP_GET, HTTP_ON_LOOP, 0, false, h_big},
	{"/wait", HTTP_GET, HTTP_ON_QUERY, 0, false, h_wait},
	{"/api/v1/echo", HTTP_GET | HTTP_POST, HTTP_ON_LOOP, 1000, false, h_echo},
	{"/api/v1/label/*/values", HTTP_GET, HTTP_ON_LOOP, 0, false, h_echo},
	{"/api/v1/error", HTTP_GET, HTTP_ON_LOOP, 0, false, h_error},
	{"/-/reload", HTTP_POST | HTTP_PUT, HTTP_ON_LOOP, 0, true, h_hello},
	{"/files/special/*", HTTP_GET, HTTP_ON_LOOP, 0, false, h_hello},
	{"/files/*", HTTP_GET, HTTP_ON_LOOP, 0, false, h_echo},
	{"/twice", HTTP_GET, HTTP_ON_LOOP, 0, false, h_hello},
	{"/twice", HTTP_GET | HTTP_PUT, HTTP_ON_LOOP, 0, false, h_error},
};

static bool by_turns; /* the loop has two threads */
static struct turns *turns;

static void *run_loop(void *arg)
{
	if (by_turns)
		turns_run(turns);
	else
		loop_run(arg);
	return NULL;
}

static struct http_limits limits;
static const char *unix_listen;

static void start(void)
{
	struct str listen[2] = {STR("127.0.0.1:0"), str_c(unix_listen)};
	struct http_opts o = {.listen = listen,
		.n_listen = unix_listen != NULL ? 2 : 1,
		.external_url = STR("https://belfry.example/path"),
		.limits = limits};
	struct err e = {0};

	hash_init();
	ck_assert_int_eq(loop_new(&loop, &e), 0);
	ck_assert_int_eq(turns_new(&turns, loop, &e), 0);
	ck_assert_int_eq(pool_new(&pool, ROLE_QUERY, 1, 2, &e), 0);
	o.query_pool = o.ingest_pool = pool;
	o.turns = by_turns ? turns : NULL;
	ck_assert_msg(
		http_server_new(&server, loop, &o, table, sizeof table / sizeof *table, &e) == 0,
		"%s", e.msg);
	port = http_server_port(server);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, loop), 0);
}

static void stop(void)
{
	loop_stop(loop);
	pthread_join(thread, NULL);
	http_server_free(server);
	pool_free(pool);
	turns_free(turns);
	loop_free(loop);
	memset(&limits, 0, sizeof limits);
	unix_listen = NULL;
}

static int dial(void)
{
	return ask_dial(port);
}

#define say  ask_say
#define hear ask_hear

static char *ask_n(const char *text, size_t n)
{
	int fd = dial();

	say(fd, text, n);
	return hear(fd, NULL);
}

static char *ask(const char *text)
{
	return ask_n(text, strlen(text));
}

#define H   "Host: localhost\r\n"
#define END H "Connection: close\r\n\r\n"

static void expect(const char *request, const char *starts, const char *has)
{
	char *got = ask(request);

	ck_assert_msg(strncmp(got, starts, strlen(starts)) == 0, "%s\n-> %s", request, got);
	ck_assert_msg(has == NULL || strstr(got, has) != NULL, "%s\n-> %s", request, got);
	free(got);
}

START_TEST(answers_from_loop_and_worker)
{
	expect("GET /hello HTTP/1.1\r\n" END, "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello");
	expect("GET /pool HTTP/1.1\r\n" END, "HTTP/1.1 200 OK\r\n", "\r\n\r\nhello");
	expect("GET /hello HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n", "Connection: close");
	expect("GET http://localhost/hello?x=1 HTTP/1.1\r\n" END, "HTTP/1.1 200", "hello");
	expect("\r\n\r\nGET /hello HTTP/1.1\r\n" END, "HTTP/1.1 200", "hello");
}
END_TEST

START_TEST(head_has_the_length_and_no_body)
{
	char *got = ask("HEAD /hello HTTP/1.1\r\n" END);

	ck_assert_ptr_nonnull(strstr(got, "Content-Length: 5\r\n"));
	ck_assert_str_eq(strstr(got, "\r\n\r\n"), "\r\n\r\n");
	free(got);
}
END_TEST

START_TEST(parameters_come_from_form_and_query)
{
	expect("POST /api/v1/echo?m=3&a=late HTTP/1.1\r\nContent-Type: "
	       "application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: 18\r\n" END
	       "m=1&a=x%2By+z&m=%7",
		"HTTP/1.1 200", "|x+y z|3|1,%7,3,|m=1&a=x%2By+z&m=%7");
}
END_TEST

START_TEST(a_star_stands_for_a_segment_or_the_rest)
{
	expect("GET /api/v1/label/a%2Fb/values HTTP/1.1\r\n" END, "HTTP/1.1 200", "\r\n\r\na/b|");
	expect("GET /api/v1/label//values HTTP/1.1\r\n" END, "HTTP/1.1 404", NULL);
	expect("GET /api/v1/label/a/b/values HTTP/1.1\r\n" END, "HTTP/1.1 404", NULL);
	expect("GET /files/a/b.js HTTP/1.1\r\n" END, "HTTP/1.1 200", "\r\n\r\na/b.js|");
}
END_TEST

START_TEST(the_longest_rest_and_the_first_row_of_a_method_answer)
{
	expect("GET /files/special/x HTTP/1.1\r\n" END, "HTTP/1.1 200", "\r\n\r\nhello");
	expect("GET /files/specials HTTP/1.1\r\n" END, "HTTP/1.1 200", "\r\n\r\nspecials|");
	expect("GET /twice HTTP/1.1\r\n" END, "HTTP/1.1 200", "\r\n\r\nhello");
	expect("PUT /twice HTTP/1.1\r\nContent-Length: 0\r\n" END, "HTTP/1.1 400", NULL);
}
END_TEST

START_TEST(chunked_bodies_are_put_together)
{
	expect("POST /api/v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END
	       "4\r\nwiki\r\nA;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
		"HTTP/1.1 200", "|wiki0123456789");
	expect("POST /api/v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "zz\r\n",
		"HTTP/1.1 400", "malformed body");
	expect("POST /api/v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END
	       "2\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 400", "malformed body");
	expect("POST /api/v1/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END
	       "FFFFFFFFFFFFFFF\r\n",
		"HTTP/1.1 413", NULL);
}
END_TEST

START_TEST(bodies_over_the_routes_limit_get_413)
{
	expect("POST /api/v1/echo HTTP/1.1\r\nContent-Length: 1001\r\n" END, "HTTP/1.1 413", NULL);
	expect("POST /api/v1/echo HTTP/1.1\r\nContent-Length: 99999999999999999\r\n" END,
		"HTTP/1.1 413", NULL);
	expect("POST /api/v1/echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n" END,
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408", NULL);
}
END_TEST

START_TEST(unknown_paths_and_methods_are_told)
{
	expect("GET /nothing HTTP/1.1\r\n" END, "HTTP/1.1 404 Not Found", "404 page not found\n");
	expect("POST /hello HTTP/1.1\r\nContent-Length: 0\r\n" END, "HTTP/1.1 405",
		"Allow: GET, HEAD, OPTIONS\r\n");
	expect("GET /-/reload HTTP/1.1\r\n" END, "HTTP/1.1 405", "Allow: POST, PUT, OPTIONS\r\n");
	expect("BREW /hello HTTP/1.1\r\n" END, "HTTP/1.1 501", NULL);
	expect("GET /hello HTTP/2.0\r\n" END, "HTTP/1.1 505", NULL);
	expect("GET /api/v1/error HTTP/1.1\r\n" END, "HTTP/1.1 400 Bad Request",
		"{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"no \\\"x\\\" "
		"here\"}");
}
END_TEST

START_TEST(options_and_cors_work_as_prometheus_does)
{
	expect("OPTIONS /api/v1/echo HTTP/1.1\r\nOrigin: https://grafana.example\r\n" END,
		"HTTP/1.1 204", "Access-Control-Allow-Origin: *\r\n");
	expect("GET /api/v1/echo HTTP/1.1\r\nOrigin: https://grafana.example\r\n" END,
		"HTTP/1.1 200", "Access-Control-Allow-Origin: *\r\n");
}
END_TEST

START_TEST(what_can_be_read_in_two_ways_is_refused)
{
	static const char *const bad[] = {
		"GET /hello HTTP/1.1\nHost: localhost\n\n",
		"GET /hello HTTP/1.1\r\nHost : localhost\r\n\r\n",
		"GET /hello HTTP/1.1\r\n" H "X: a\r\n folded\r\n\r\n",
		"GET  /hello HTTP/1.1\r\n" END,
		"GET /hello\r\n\r\n",
		"GET /hello HTTP/1.1\r\n\r\n",
		"GET /hello HTTP/1.1\r\n" H H "\r\n",
		"POST /api/v1/echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n" END "x",
		"POST /api/v1/echo HTTP/1.1\r\nContent-Length: +1\r\n" END "x",
		"POST /api/v1/echo HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: "
		"chunked\r\n" END "0\r\n\r\n",
		"POST /api/v1/echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n",
		"GET /hel%00lo HTTP/1.1\r\n" END,
		"GET /%2e%2e/hello HTTP/1.1\r\n" END,
		"GET /files/%5cx HTTP/1.1\r\n" END,
		"GET /hello%zz HTTP/1.1\r\n" END,
		"GET hello HTTP/1.1\r\n" END,
		"GET /hello HTTP/1.1\r\n" H "X: a\x01\r\n\r\n",
		"\x16\x03\x01\x02\n\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect(bad[i], "HTTP/1.1 400", NULL);
	expect("POST /api/v1/echo HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" END,
		"HTTP/1.1 501", NULL);
	free(ask_n("GET /\0 HTTP/1.1\r\n" END, sizeof "GET /\0 HTTP/1.1\r\n" END - 1));
}
END_TEST

START_TEST(ten_thousand_headers_are_refused)
{
	struct buf b;
	char *got;

	buf_init(&b, 1 << 20);
	buf_c(&b, "GET /hello HTTP/1.1\r\n" H);
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "x%d: y\r\n", i);
	buf_c(&b, "\r\n");
	got = ask_n(b.p, b.n);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 431"));
	free(got);
	buf_reset(&b);
	buf_c(&b, "GET /hello HTTP/1.1\r\n" H);
	for (int i = 0; i < 101; i++)
		buf_c(&b, "x: y\r\n");
	buf_c(&b, "\r\n");
	got = ask_n(b.p, b.n);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 431"));
	free(got);
	buf_fini(&b);
}
END_TEST

static void fill(struct buf *b, const char *head, const char *tail)
{
	buf_reset(b);
	buf_c(b, head);
	for (unsigned i = 0; i < LIMIT_HTTP_HEAD_BYTES; i++)
		buf_ch(b, 'x');
	buf_c(b, tail);
}

START_TEST(a_request_for_the_api_that_is_too_long_is_refused_in_json)
{
	struct buf b;
	char *got;

	buf_init(&b, 1 << 20);
	fill(&b, "GET /api/v1/echo?a=", " HTTP/1.1\r\n" END);
	got = ask_n(b.p, b.n);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 431"));
	ck_assert_ptr_nonnull(strstr(got, "\r\nContent-Type: application/json\r\n"));
	ck_assert_ptr_nonnull(strstr(got,
		"\r\n\r\n{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"the "
		"address is longer than 32 KiB: send its parameters in the body of a POST"));
	free(got);
	fill(&b, "GET /api/v1/echo?a=1 HTTP/1.1\r\n" H "Cookie: ", "\r\n" END);
	got = ask_n(b.p, b.n);
	ck_assert_ptr_nonnull(strstr(got, "\"error\":\"the request's headers are longer"));
	free(got);
	fill(&b, "GET /hello?a=", " HTTP/1.1\r\n" END);
	got = ask_n(b.p, b.n);
	ck_assert_ptr_nonnull(strstr(got, "\r\n\r\nthe address is longer than 32 KiB"));
	free(got);
	/* the rest of what the server itself refuses there */
	expect("GET /api/v1/echo HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", "HTTP/1.1 421",
		"{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"this Host");
	buf_fini(&b);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
	char *got, *at;
	struct buf b;
	int n = 0;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "GET /%s?a=%d HTTP/1.1\r\n" H "\r\n",
			i % 3 != 0 ? "api/v1/echo" : "pool", i);
	buf_c(&b, "GET /api/v1/echo?a=last HTTP/1.1\r\n" END);
	got = ask_n(b.p, b.n);
	for (at = got; (at = strstr(at, "HTTP/1.1 200")) != NULL; at++)
		n++;
	ck_assert_int_eq(n, 101);
	ck_assert_ptr_nonnull(strstr(got, "|98|"));
	ck_assert(strstr(got, "|1|") < strstr(got, "|97|"));
	ck_assert_ptr_nonnull(strstr(got, "|last|0||"));
	free(got);
	buf_fini(&b);
}
END_TEST

START_TEST(slow_senders_are_cut_by_the_total_deadline)
{
	int fd = dial(), body = dial();
	char *got;

	/* one byte each, again and again, does not extend the deadline */
	say(body, "POST /api/v1/echo HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nx", 67);
	for (const char *p = "GET /hello HTTP/1.1"; *p != '\0'; p++) {
		char c;

		say(fd, p, 1);
		say(body, "y", 1);
		if (recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
			break;
		usleep(20000);
	}
	got = hear(fd, NULL);
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 408"));
	free(got);
	close(body);
}
END_TEST

START_TEST(a_half_request_and_hang_up_leaves_the_server_well)
{
	int fd = dial();

	say(fd, "POST /api/v1/echo HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\nhalf", 70);
	shutdown(fd, SHUT_WR);
	free(hear(fd, NULL));
	fd = dial();
	close(fd);
	expect("GET /hello HTTP/1.1\r\n" END, "HTTP/1.1 200", NULL);
}
END_TEST

START_TEST(a_hang_up_cancels_the_running_request)
{
	int fd;

	atomic_store(&waiting, 0);
	atomic_store(&saw_cancel, false);
	pthread_mutex_lock(&gate);
	fd = dial();
	say(fd, "GET /wait HTTP/1.1\r\n" H "\r\n", sizeof "GET /wait HTTP/1.1\r\n" H "\r\n" - 1);
	while (atomic_load(&waiting) == 0)
		usleep(1000);
	close(fd);
	/* the loop has seen the end when it answers something that came later */
	expect("GET /hello HTTP/1.1\r\n" END, "HTTP/1.1 200", NULL);
	pthread_mutex_unlock(&gate);
	expect("GET /pool HTTP/1.1\r\n" END, "HTTP/1.1 200", NULL);
	ck_assert(atomic_load(&saw_cancel));
}
END_TEST

START_TEST(a_full_queue_answers_503)
{
	const int taken = by_turns ? 4 : 3;
	int fds[8];
	int busy = 0;

	atomic_store(&waiting, 0);
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 8; i++) {
		fds[i] = dial();
		say(fds[i], "GET /wait HTTP/1.1\r\n" END, sizeof "GET /wait HTTP/1.1\r\n" END - 1);
		while (i < taken && atomic_load(&waiting) + (int)pool_waiting(pool) <= i)
			usleep(1000);
		while (i == taken - 3 && atomic_load(&waiting) <= i)
			usleep(1000);
	}
	/* one runs (with turns one more, aside), two wait: the others are refused at once */
	for (int i = taken; i < 8; i++) {
		char *got = hear(fds[i], NULL);

		busy += strstr(got, "HTTP/1.1 503") != NULL &&
			strstr(got, "Retry-After: 1\r\n") != NULL;
		free(got);
	}
	pthread_mutex_unlock(&gate);
	ck_assert_int_eq(busy, 8 - taken);
	for (int i = 0; i < taken; i++) {
		char *got = hear(fds[i], NULL);

		ck_assert_ptr_nonnull(strstr(got, "waited"));
		free(got);
	}
}
END_TEST

static void check_gzip(const char *path)
{
	char request[256], *got, *body;
	char *plain = malloc(1 << 20);
	z_stream z = {0};
	size_t n;
	int fd = dial();

	snprintf(request, sizeof request,
		"GET %s?n=300000 HTTP/1.1\r\nAccept-Encoding: br, gzip\r\n" END, path);
	say(fd, request, strlen(request));
	got = hear(fd, &n);
	ck_assert_ptr_nonnull(strstr(got, "Content-Encoding: gzip\r\n"));
	body = strstr(got, "\r\n\r\n") + 4;
	ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)body;
	z.avail_in = (uInt)(n - (size_t)(body - got));
	z.next_out = (Bytef *)plain;
	z.avail_out = 1 << 20;
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	ck_assert_uint_eq(z.total_out, 300000);
	ck_assert_int_eq(plain[1], 'b');
	inflateEnd(&z);
	free(plain);
	free(got);
}

START_TEST(large_answers_are_gzipped_when_asked_for)
{
	char *got;

	check_gzip("/big");
	check_gzip("/bigloop");
	got = ask("GET /big?n=300000 HTTP/1.1\r\nAccept-Encoding: gzip;q=0\r\n" END);
	ck_assert_ptr_null(strstr(got, "Content-Encoding"));
	ck_assert_uint_gt(strlen(got), 300000);
	free(got);
	expect("GET /hello HTTP/1.1\r\nAccept-Encoding: gzip\r\n" END, "HTTP/1.1 200",
		"\r\n\r\nhello");
}
END_TEST

START_TEST(answers_over_the_output_cap_become_503)
{
	char *got;

	expect("GET /big?n=2000000 HTTP/1.1\r\n" END, "HTTP/1.1 503", "Retry-After: 1");
	got = ask("GET /big?n=900000 HTTP/1.1\r\n" END);
	ck_assert_uint_gt(strlen(got), 900000);
	free(got);
}
END_TEST

START_TEST(a_reader_that_takes_nothing_is_cut_off_and_its_bytes_are_freed)
{
	struct metric *stalled =
		metric_counter("belfry_http_dropped_total", "", "reason=\"stalled\"");
	double before = metric_get(stalled);
	int fd = dial(), small = 4096;
	char *got;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	say(fd, "GET /big?n=40000000 HTTP/1.1\r\n" END,
		sizeof "GET /big?n=40000000 HTTP/1.1\r\n" END - 1);
	while (metric_get(stalled) == before)
		usleep(10000);
	got = ask("GET /big?n=30000000 HTTP/1.1\r\n" END); /* fits the cap alone only */
	ck_assert_uint_gt(strlen(got), 30000000);
	free(got);
	close(fd);
}
END_TEST

START_TEST(hosts_of_others_are_misdirected)
{
	expect("GET /hello HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 421", "external_url");
	expect("GET /hello HTTP/1.1\r\nHost: 10.0.0.1:80\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 421", NULL);
	expect("GET http://evil.example/hello HTTP/1.1\r\n" END, "HTTP/1.1 421", NULL);
	expect("GET /hello HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 200", NULL);
	expect("GET /hello HTTP/1.1\r\nHost: [::1]:9\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
		NULL);
	expect("GET /hello HTTP/1.1\r\nHost: BELFRY.example\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 200", NULL);
}
END_TEST

START_TEST(pages_of_others_change_nothing)
{
	expect("POST /-/reload HTTP/1.1\r\nOrigin: http://evil.example\r\n" END, "HTTP/1.1 403",
		NULL);
	expect("POST /-/reload HTTP/1.1\r\nOrigin: null\r\n" END, "HTTP/1.1 403", NULL);
	expect("POST /-/reload HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\n" END, "HTTP/1.1 403",
		NULL);
	expect("POST /-/reload HTTP/1.1\r\nSec-Fetch-Site: same-origin\r\nOrigin: "
	       "http://localhost\r\n" END,
		"HTTP/1.1 200", NULL);
	expect("POST /-/reload HTTP/1.1\r\nOrigin: https://belfry.example\r\n" END, "HTTP/1.1 200",
		NULL);
	expect("POST /-/reload HTTP/1.1\r\n" END, "HTTP/1.1 200", NULL);
}
END_TEST

START_TEST(the_cap_of_connections_spares_those_at_work)
{
	int idle[4];
	char c;

	for (int i = 0; i < 4; i++)
		idle[i] = dial();
	/* the fifth pushes an idle one out and is served */
	expect("GET /hello HTTP/1.1\r\n" END, "HTTP/1.1 200", NULL);
	ck_assert_int_eq(recv(idle[0], &c, 1, 0), 0);
	for (int i = 0; i < 4; i++)
		close(idle[i]);
	/* all at work: the newcomer is refused */
	for (int i = 0; i < 4; i++) {
		idle[i] = dial();
		say(idle[i], "GET /hel", 8);
	}
	expect("GET /hello HTTP/1.1\r\n" END, "HTTP/1.1 503", "too many connections");
	for (int i = 0; i < 4; i++)
		close(idle[i]);
}
END_TEST

START_TEST(a_unix_socket_is_private_and_serves)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;
	char *got;

	strncpy(un.sun_path, unix_listen + 5, sizeof un.sun_path - 1);
	ck_assert_int_eq(stat(un.sun_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
	say(fd, "GET /hello HTTP/1.1\r\n" END, sizeof "GET /hello HTTP/1.1\r\n" END - 1);
	got = hear(fd, NULL);
	ck_assert_ptr_nonnull(strstr(got, "hello"));
	free(got);
}
END_TEST

START_TEST(addresses_beyond_loopback_need_the_insecure_switch)
{
	struct str listen[1] = {STR("0.0.0.0:0")};
	struct http_opts o = {.listen = listen, .n_listen = 1};
	struct http_server *s = NULL;
	struct loop *l;
	struct err e = {0};

	ck_assert_int_eq(loop_new(&l, &e), 0);
	ck_assert_int_eq(http_server_new(&s, l, &o, table, 1, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.msg, "web.insecure"));
	o.insecure = true;
	ck_assert_int_eq(http_server_new(&s, l, &o, table, 1, &e), 0);
	http_server_free(s);
	loop_free(l);
}
END_TEST

static void start_small(void)
{
	limits = (struct http_limits){
		.head_ms = 150, .body_ms = 150, .stall_ms = 500, .conns = 4, .out_bytes = 1000000};
	start();
}

static void start_stall(void)
{
	limits = (struct http_limits){.stall_ms = 100, .out_bytes = 50000000};
	start();
}

static char socket_path[64], socket_url[80];

static void start_unix(void)
{
	snprintf(socket_path, sizeof socket_path, "/tmp/belfry-test-%d.sock", (int)getpid());
	snprintf(socket_url, sizeof socket_url, "unix:%s", socket_path);
	unix_listen = socket_url;
	start();
}

static void start_by_turns(void)
{
	by_turns = true;
	start();
}

/* What holds whoever works at a request. */
static void add_usual(TCase *t)
{
	tcase_set_timeout(t, 30);
	tcase_add_test(t, answers_from_loop_and_worker);
	tcase_add_test(t, head_has_the_length_and_no_body);
	tcase_add_test(t, parameters_come_from_form_and_query);
	tcase_add_test(t, a_star_stands_for_a_segment_or_the_rest);
	tcase_add_test(t, the_longest_rest_and_the_first_row_of_a_method_answer);
	tcase_add_test(t, chunked_bodies_are_put_together);
	tcase_add_test(t, unknown_paths_and_methods_are_told);
	tcase_add_test(t, options_and_cors_work_as_prometheus_does);
	tcase_add_test(t, what_can_be_read_in_two_ways_is_refused);
	tcase_add_test(t, ten_thousand_headers_are_refused);
	tcase_add_test(t, a_request_for_the_api_that_is_too_long_is_refused_in_json);
	tcase_add_test(t, pipelined_requests_are_answered_in_order);
	tcase_add_test(t, a_half_request_and_hang_up_leaves_the_server_well);
	tcase_add_test(t, a_hang_up_cancels_the_running_request);
	tcase_add_test(t, a_full_queue_answers_503);
	tcase_add_test(t, large_answers_are_gzipped_when_asked_for);
	tcase_add_test(t, hosts_of_others_are_misdirected);
	tcase_add_test(t, pages_of_others_change_nothing);
}

int main(void)
{
	Suite *s = suite_create("http_server");
	TCase *t = tcase_create("usual"), *turns_too = tcase_create("by turns");
	TCase *small = tcase_create("small limits");
	TCase *stall = tcase_create("stall");
	TCase *local = tcase_create("unix"), *alone = tcase_create("alone");

	tcase_add_checked_fixture(t, start, stop);
	tcase_add_checked_fixture(turns_too, start_by_turns, stop);
	add_usual(t);
	add_usual(turns_too);
	tcase_set_timeout(small, 30);
	tcase_add_checked_fixture(small, start_small, stop);
	tcase_add_test(small, bodies_over_the_routes_limit_get_413);
	tcase_add_test(small, slow_senders_are_cut_by_the_total_deadline);
	tcase_add_test(small, answers_over_the_output_cap_become_503);
	tcase_add_test(small, the_cap_of_connections_spares_those_at_work);
	tcase_set_timeout(stall, 60);
	tcase_add_checked_fixture(stall, start_stall, stop);
	tcase_add_test(stall, a_reader_that_takes_nothing_is_cut_off_and_its_bytes_are_freed);
	tcase_add_checked_fixture(local, start_unix, stop);
	tcase_add_test(local, a_unix_socket_is_private_and_serves);
	tcase_add_test(alone, addresses_beyond_loopback_need_the_insecure_switch);
	suite_add_tcase(s, t);
	suite_add_tcase(s, turns_too);
	suite_add_tcase(s, small);
	suite_add_tcase(s, stall);
	suite_add_tcase(s, local);
	suite_add_tcase(s, alone);
	return suite_run(s);
}
