/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write - the receiver behind the real server, writing into a real store: answers, what is
 * kept and what is refused.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/ingest/remote_write.h"
#include "base/hash.h"
#include "base/log.h"
#include "tests/lib/http_ask.h"
#include "tests/lib/rw_body.h"
#include "tests/lib/suite.h"

static struct loop *loop;
static struct pool *pool;
static struct http_server *server;
static struct store *store;
static struct remote_write *rw;
static pthread_t thread;
static char dir[64];

static void handle(struct http_req *r, void *arg)
{
	remote_write_handle(arg, r);
}

static const struct http_route table[] = {
	{"/api/v1/write", HTTP_POST, HTTP_ON_INGEST, (size_t)32 << 20, true, handle},
};

static void *run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void start(void)
{
	struct str listen[1] = {STR("127.0.0.1:0")};
	struct store_opts so = {.dir = dir, .ooo_window_ms = INT64_MAX, .max_series = 1000};
	struct http_opts o = {.listen = listen, .n_listen = 1};
	struct err e = {0};

	hash_init();
	snprintf(dir, sizeof dir, "/tmp/belfry-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_msg(store_open(&store, &so, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(remote_write_new(&rw, store, &e), 0);
	ck_assert_int_eq(loop_new(&loop, &e), 0);
	ck_assert_int_eq(pool_new(&pool, ROLE_INGEST, 2, 16, &e), 0);
	o.query_pool = o.ingest_pool = pool;
	o.arg = rw;
	ck_assert_msg(http_server_new(&server, loop, &o, table, 1, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, loop), 0);
}

static void stop(void)
{
	char command[128];

	loop_stop(loop);
	pthread_join(thread, NULL);
	http_server_free(server);
	pool_free(pool);
	remote_write_free(rw);
	store_close(store);
	loop_free(loop);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

#define V1 "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
#define V2                                                                                         \
	"Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n"            \
	"Content-Encoding: snappy\r\n"

/* The answer, malloc'ed. */
static char *post_raw(const char *headers, struct str body)
{
	int fd = ask_dial(http_server_port(server));
	struct buf b;

	buf_init(&b, (size_t)64 << 20);
	buf_printf(&b,
		"POST /api/v1/write HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
		"Content-Length: %zu\r\n\r\n",
		headers, body.n);
	buf_str(&b, body);
	ask_say(fd, b.p, b.n);
	buf_fini(&b);
	return ask_hear(fd, NULL);
}

/* Compresses and frees body; asserts how the answer begins and what it holds. */
static void post(const char *headers, struct buf *body, const char *starts, const char *has)
{
	struct buf z = snappy_of(buf_view(body));
	char *got = post_raw(headers, buf_view(&z));

	ck_assert_msg(strncmp(got, starts, strlen(starts)) == 0, "%s", got);
	ck_assert_msg(has == NULL || strstr(got, has) != NULL, "%s", got);
	free(got);
	buf_fini(&z);
	buf_fini(body);
}

/* Samples of all series of this name as "t=v " text. */
static void expect_stored(const char *name, const char *text)
{
	struct matcher m;
	struct store_sel *sel;
	struct store_cols cols;
	struct arena a;
	struct buf b;
	struct err e = {0};

	arena_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	ck_assert_int_eq(matcher_init(&m, MATCH_EQ, LABEL_NAME, str_c(name), &e), 0);
	ck_assert_int_eq(store_select(store, &m, 1, INT64_MIN / 2, INT64_MAX / 2, &a, &sel, &e), 0);
	for (size_t i = 0; i < store_sel_count(sel); i++) {
		ck_assert_int_eq(
			store_sel_fetch(sel, i, INT64_MIN / 2, INT64_MAX / 2, &cols, &e), 0);
		for (size_t k = 0; k < cols.n; k++)
			buf_printf(&b, "%lld=%g ", (long long)cols.t[k],
				cols.h != NULL && cols.h[k] != NULL ? cols.h[k]->count : cols.v[k]);
	}
	buf_ch(&b, '\0');
	ck_assert_str_eq(b.p, text);
	store_sel_close(sel);
	matcher_fini(&m);
	buf_fini(&b);
	arena_fini(&a);
}

static struct buf one(const char *name, double v, int64_t t)
{
	struct buf b = fresh(), s = fresh();

	put_label(&s, "__name__", name);
	put_label(&s, "job", "x");
	put_sample(&s, v, t, 0);
	put_msg(&b, 1, &s);
	return b;
}

START_TEST(what_was_acknowledged_is_there)
{
	for (int i = 0; i < 5; i++) { /* new, looked up, then by the cache */
		struct buf b = one("up", i, 1000 + i);

		post(V1, &b, "HTTP/1.1 204 No Content\r\n", NULL);
	}
	expect_stored("up", "1000=0 1001=1 1002=2 1003=3 1004=4 ");
}
END_TEST

START_TEST(unsorted_labels_are_sorted_and_empty_ones_dropped)
{
	struct buf b = fresh(), s = fresh(), again;

	put_label(&s, "z", "1");
	put_label(&s, "empty", "");
	put_label(&s, "__name__", "sorted");
	put_label(&s, "a", "2");
	put_sample(&s, 1, 10, 0);
	put_msg(&b, 1, &s);
	post(V1, &b, "HTTP/1.1 204", NULL);
	s = fresh();
	again = fresh();
	put_label(&s, "__name__", "sorted");
	put_label(&s, "a", "2");
	put_label(&s, "z", "1");
	put_sample(&s, 2, 20, 0);
	put_msg(&again, 1, &s);
	post(V1, &again, "HTTP/1.1 204", NULL);
	expect_stored("sorted", "10=1 20=2 "); /* one series */
}
END_TEST

static struct buf bad_series(int which)
{
	struct buf s = fresh();

	switch (which) {
	case 0: put_label(&s, "job", "nameless"); break;
	case 1:
		put_label(&s, "__name__", "twice");
		put_label(&s, "a", "1");
		put_label(&s, "a", "2");
		break;
	case 2:
		put_label(&s, "__name__", "noname");
		put_label(&s, "", "x");
		break;
	case 3: put_label(&s, "__name__", "bad\xff"); break;
	default:
		put_label(&s, "__name__", "wide");
		for (int i = 0; i < 70; i++) {
			char name[16];

			snprintf(name, sizeof name, "l%02d", i);
			put_label(&s, name, "v");
		}
		break;
	}
	put_sample(&s, 1, 5, 0);
	return s;
}

START_TEST(the_good_series_of_a_bad_request_are_stored)
{
	static const char *const why[] = {"without a metric name", "stands twice",
		"empty label name", "not valid UTF-8", "too many labels"};

	for (int i = 0; i < 5; i++) {
		char name[32], text[32];
		struct buf b, s = bad_series(i), good;

		snprintf(name, sizeof name, "good_%d", i);
		b = fresh();
		put_msg(&b, 1, &s);
		good = one(name, i, 7);
		buf_str(&b, buf_view(&good));
		buf_fini(&good);
		post(V1, &b, "HTTP/1.1 400", why[i]);
		snprintf(text, sizeof text, "7=%d ", i);
		expect_stored(name, text);
	}
}
END_TEST

START_TEST(another_value_at_the_same_time_is_refused_and_named)
{
	struct buf b = one("dup", 1, 5);

	post(V1, &b, "HTTP/1.1 204", NULL);
	b = one("dup", 1, 5); /* the same again is fine */
	post(V1, &b, "HTTP/1.1 204", NULL);
	b = one("dup", 2, 5);
	post(V1, &b, "HTTP/1.1 400", "dup");
	expect_stored("dup", "5=1 ");
}
END_TEST

START_TEST(what_cannot_be_read_stores_nothing)
{
	static const unsigned char bomb[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0x00};
	static const unsigned char large[] = {0x80, 0x80, 0x80, 0x20}; /* 64 MiB */
	struct buf b = one("cut", 1, 5), z, pad;
	char *got;

	buf_str(&b, STR("\x0a\x7f")); /* a series that is not all there */
	post(V1, &b, "HTTP/1.1 400", "malformed protobuf");
	expect_stored("cut", "");
	got = post_raw(V1, STR("this is not snappy"));
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 400"));
	free(got);
	got = post_raw(V1, str_n((const char *)bomb, sizeof bomb));
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 400"));
	free(got);
	/* a ratio that could be, but over the limit of decoded bytes */
	pad = fresh();
	buf_add(&pad, large, sizeof large);
	for (int i = 0; i < 1 << 21; i++)
		buf_ch(&pad, 'x');
	got = post_raw(V1, buf_view(&pad));
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 413"));
	free(got);
	buf_fini(&pad);
	z = fresh();
	got = post_raw(V1, buf_view(&z));
	ck_assert_ptr_nonnull(strstr(got, "HTTP/1.1 400"));
	free(got);
	buf_fini(&z);
}
END_TEST

START_TEST(other_types_and_encodings_get_415)
{
	struct buf b = one("t", 1, 5);

	post("Content-Type: application/json\r\n", &b, "HTTP/1.1 415", NULL);
	b = one("t", 1, 5);
	post("Content-Type: application/x-protobuf;proto=other\r\n", &b, "HTTP/1.1 415", NULL);
	b = one("t", 1, 5);
	post("Content-Encoding: zstd\r\n", &b, "HTTP/1.1 415", NULL);
	b = one("t", 1, 5);
	post("Content-Type: application/x-protobuf; proto=prometheus.WriteRequest\r\n", &b,
		"HTTP/1.1 204", NULL);
	b = one("t", 1, 5); /* both absent: 1.0 in snappy */
	post("", &b, "HTTP/1.1 204", NULL);
}
END_TEST

START_TEST(version_two_brings_starts_metadata_and_says_what_it_wrote)
{
	struct store_metadata *meta;
	struct arena a;
	struct err e = {0};
	size_t n;

	for (int i = 0; i < 3; i++) {
		struct buf b = fresh(), s = fresh(), m = fresh(), h;

		put_len(&b, 4, STR(""));
		put_len(&b, 4, LABEL_NAME);
		put_len(&b, 4, STR("two"));
		put_len(&b, 4, STR("Two things."));
		put_int(&s, 1, 1);
		put_int(&s, 1, 2);
		put_sample(&s, i, 1000 * i + 1, 500);
		h = put_histogram(true, 500);
		put_int(&h, 15, 1000 * i + 2);
		put_msg(&s, 3, &h);
		put_int(&m, 1, 1);
		put_int(&m, 3, 3);
		put_msg(&s, 5, &m);
		put_msg(&b, 5, &s);
		post(V2, &b, "HTTP/1.1 204",
			"X-Prometheus-Remote-Write-Samples-Written: 1\r\n"
			"X-Prometheus-Remote-Write-Histograms-Written: 1\r\n"
			"X-Prometheus-Remote-Write-Exemplars-Written: 0\r\n");
	}
	expect_stored("two", "1=0 2=9 1001=1 1002=9 2001=2 2002=9 ");
	arena_init(&a, 1 << 20);
	ck_assert_int_eq(store_metadata(store, STR("two"), &a, &meta, &n, &e), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert(str_eq(meta[0].type, STR("counter")));
	ck_assert(str_eq(meta[0].help, STR("Two things.")));
	arena_fini(&a);
}
END_TEST

START_TEST(histograms_that_cannot_be_are_refused_alone)
{
	struct buf b = fresh(), s = fresh(), h = fresh();

	put_label(&s, "__name__", "mixed");
	put_f64(&h, 2, 1);
	put_int(&h, 4, 198); /* schema 99 */
	put_int(&h, 15, 10);
	put_msg(&s, 4, &h);
	put_sample(&s, 3, 20, 0);
	put_msg(&b, 1, &s);
	post(V1, &b, "HTTP/1.1 400", "schema 99");
	expect_stored("mixed", "20=3 ");
}
END_TEST

START_TEST(series_over_the_limit_are_refused_the_known_go_on)
{
	struct buf b = one("known", 1, 1);

	post(V1, &b, "HTTP/1.1 204", NULL);
	b = fresh();
	for (int i = 0; i < 1100; i++) {
		struct buf s = fresh();
		char value[16];

		snprintf(value, sizeof value, "%d", i);
		put_label(&s, "__name__", "many");
		put_label(&s, "i", value);
		put_sample(&s, 1, 5, 0);
		put_msg(&b, 1, &s);
	}
	post(V1, &b, "HTTP/1.1 400", "many");
	b = one("known", 2, 2);
	post(V1, &b, "HTTP/1.1 204", NULL);
	expect_stored("known", "1=1 2=2 ");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("remote_write");
	TCase *t = tcase_create("receiver");

	log_init(LOG_ERROR, LOG_LOGFMT);
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, start, stop);
	tcase_add_test(t, what_was_acknowledged_is_there);
	tcase_add_test(t, unsorted_labels_are_sorted_and_empty_ones_dropped);
	tcase_add_test(t, the_good_series_of_a_bad_request_are_stored);
	tcase_add_test(t, another_value_at_the_same_time_is_refused_and_named);
	tcase_add_test(t, what_cannot_be_read_stores_nothing);
	tcase_add_test(t, other_types_and_encodings_get_415);
	tcase_add_test(t, version_two_brings_starts_metadata_and_says_what_it_wrote);
	tcase_add_test(t, histograms_that_cannot_be_are_refused_alone);
	tcase_add_test(t, series_over_the_limit_are_refused_the_known_go_on);
	suite_add_tcase(s, t);
	return suite_run(s);
}
