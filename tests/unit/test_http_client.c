/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of agent/http_client.c and exporters/sender.c against servers that behave badly. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "agent/http_client.h"
#include "agent/smtp_log.h"
#include "base/queue.h"
#include "tests/lib/stub_server.h"
#include "tests/lib/suite.h"

#define WAIT_MS 20000

static struct queue *answers;
static struct http_client *client;
static struct sender sender;

static void setup(void)
{
	struct err e = {0};

	answers = queue_new(64, 0);
	ck_assert_int_eq(http_client_new(&client, "test", 4, &e), 0);
	sender = http_client_sender(client);
}

static void teardown(void)
{
	http_client_free(client);
	queue_free(answers);
}

static void on_done(struct send_request *req, void *arg)
{
	ck_assert(queue_push(arg, req, 1));
}

static struct send_request *make(const char *method, int port, const char *path)
{
	struct send_request *req = send_request_new(SEND_HTTP);
	char url[200];

	(void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
	req->url = strdup(url);
	req->method = strdup(method);
	req->on_done = on_done;
	req->arg = answers;
	return req;
}

static struct send_request *run(struct send_request *req)
{
	struct send_request *back;

	ck_assert(sender.submit(sender.ctx, req));
	back = queue_pop(answers, WAIT_MS);
	ck_assert_ptr_eq(back, req);
	return req;
}

/* ---- HTTP ---- */

struct script {
	const char *answer;
	char head[4096]; /* of the last request */
	bool hang;
};

static void play(struct stub_server *s, int fd, void *arg)
{
	struct script *sc = arg;

	if (!stub_read_head(fd, sc->head, sizeof sc->head))
		return;
	stub_puts(fd, sc->answer);
	if (sc->hang)
		stub_hang(s, fd);
}

START_TEST(an_answer_comes_back_whole)
{
	struct script sc = {.answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
				      "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
				      "Content-Length: 5\r\n\r\nhello"};
	struct stub_server *s = stub_start(play, &sc);
	struct send_request *req = make("POST", stub_port(s), "/hook");

	req->body = strdup("{}");
	req->body_len = 2;
	ck_assert(send_request_header(req, STR("Content-Type"), STR("application/json")));
	ck_assert(!send_request_header(req, STR("X"), STR("a\r\nb")));
	run(req);
	ck_assert(req->transport_ok);
	ck_assert_int_eq(req->status, 200);
	ck_assert_uint_eq(req->reply_len, 5);
	ck_assert_str_eq(req->reply, "hello");
	ck_assert_str_eq(req->reply_content_type, "text/plain");
	ck_assert_int_eq(req->response_date_ms, INT64_C(784111777000));
	ck_assert_str_eq(req->error, "");
	ck_assert_ptr_nonnull(strstr(sc.head, "POST /hook HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(sc.head, "Content-Type: application/json\r\n"));
	ck_assert_ptr_nonnull(strstr(sc.head, "User-Agent: belfry/"));
	send_request_free(req);
	stub_stop(s);
}
END_TEST

START_TEST(retry_after_is_read_in_both_forms)
{
	static const struct {
		const char *header;
		int64_t ms;
	} cases[] = {
		{"Retry-After: 30\r\n", 30000},
		{"retry-after:  0\r\n", 0},
		{"Retry-After: -5\r\n", 0},
		{"Retry-After: soon\r\n", 0},
		{"Retry-After: 99999999999999999999\r\n", 0},
		{"Retry-After: 999999999\r\n", 86400000},
		{"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		 "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n",
			60000},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[400];
		struct script sc = {.answer = text};
		struct stub_server *s = stub_start(play, &sc);
		struct send_request *req = make("POST", stub_port(s), "/");

		(void)snprintf(text, sizeof text,
			"HTTP/1.1 429 Too Many Requests\r\n%sContent-Length: 0\r\n\r\n",
			cases[i].header);
		run(req);
		ck_assert(req->transport_ok);
		ck_assert_int_eq(req->status, 429);
		ck_assert_int_eq(req->retry_after_ms, cases[i].ms);
		send_request_free(req);
		stub_stop(s);
	}
}
END_TEST

START_TEST(a_peer_that_hangs_is_given_up_after_the_total_timeout)
{
	static const char *const begun[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"};

	for (int i = 0; i < 2; i++) {
		struct script sc = {.answer = begun[i], .hang = true};
		struct stub_server *s = stub_start(play, &sc);
		struct send_request *req = make("GET", stub_port(s), "/secret-path");

		req->timeout_ms = 200;
		run(req);
		ck_assert(!req->transport_ok);
		ck_assert_ptr_nonnull(strstr(req->error, "timed out"));
		ck_assert_ptr_null(strstr(req->error, "secret"));
		send_request_free(req);
		stub_stop(s);
	}
}
END_TEST

static void gzip_bomb(struct stub_server *s, int fd, void *arg)
{
	static char zeros[1 << 20];
	static unsigned char out[1 << 16];
	char head[4096];
	z_stream z = {0};

	(void)s;
	(void)arg;
	if (!stub_read_head(fd, head, sizeof head))
		return;
	stub_puts(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n");
	(void)deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	for (int mib = 0; mib < 64; mib++) {
		z.next_in = (unsigned char *)zeros;
		z.avail_in = sizeof zeros;
		while (z.avail_in > 0) {
			z.next_out = out;
			z.avail_out = sizeof out;
			(void)deflate(&z, mib == 63 ? Z_FINISH : Z_NO_FLUSH);
			stub_write(fd, out, sizeof out - z.avail_out);
		}
	}
	(void)deflateEnd(&z);
}

START_TEST(a_gzip_bomb_stops_at_the_cap_of_decoded_bytes)
{
	struct stub_server *s = stub_start(gzip_bomb, NULL);
	struct send_request *req = make("GET", stub_port(s), "/metrics");

	req->reply_max = 1000000;
	run(req);
	ck_assert(!req->transport_ok);
	ck_assert_str_eq(req->error, "body over 1000000 bytes");
	ck_assert(req->reply_over);
	ck_assert_uint_eq(req->reply_len, 0);
	send_request_free(req);
	stub_stop(s);
}
END_TEST

START_TEST(garbage_and_short_answers_fail_with_a_reason)
{
	static const char *const answers_[] = {
		"\x16\x03\x01\x00\xff\xff not http at all\n\n",
		"",
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nnotgzip",
	};

	for (size_t i = 0; i < sizeof answers_ / sizeof answers_[0]; i++) {
		struct script sc = {.answer = answers_[i]};
		struct stub_server *s = stub_start(play, &sc);
		struct send_request *req = run(make("GET", stub_port(s), "/"));

		ck_assert_msg(!req->transport_ok, "answer %zu was taken", i);
		ck_assert_str_ne(req->error, "");
		send_request_free(req);
		stub_stop(s);
	}
}
END_TEST

static void endless_head(struct stub_server *s, int fd, void *arg)
{
	char head[4096];

	(void)s;
	(void)arg;
	if (!stub_read_head(fd, head, sizeof head))
		return;
	stub_puts(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 100000; i++)
		stub_puts(fd,
			"X-Filler: "
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
}

START_TEST(endless_headers_are_cut_off)
{
	struct stub_server *s = stub_start(endless_head, NULL);
	struct send_request *req = run(make("GET", stub_port(s), "/"));

	ck_assert(!req->transport_ok);
	ck_assert_str_eq(req->error, "headers over 65536 bytes");
	send_request_free(req);
	stub_stop(s);
}
END_TEST

START_TEST(nobody_listening_is_told_without_the_path)
{
	struct script sc = {.answer = ""};
	struct stub_server *s = stub_start(play, &sc);
	int port = stub_port(s);
	struct send_request *req;

	stub_stop(s);
	req = make("POST", port, "/services/T000/B000/XXXX");
	req->bearer = strdup("hush-hush");
	run(req);
	ck_assert(!req->transport_ok);
	ck_assert_int_eq(req->status, 0);
	ck_assert_str_ne(req->error, "");
	ck_assert_ptr_null(strstr(req->error, "services"));
	ck_assert_ptr_null(strstr(req->error, "hush"));
	send_request_free(req);
}
END_TEST

START_TEST(other_protocols_are_refused)
{
	static const char *const urls[] = {
		"file:///etc/passwd", "gopher://127.0.0.1/", "smtp://127.0.0.1/", "nonsense"};

	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		struct send_request *req = make("GET", 1, "/");

		free(req->url);
		req->url = strdup(urls[i]);
		req->timeout_ms = 2000;
		run(req);
		ck_assert_msg(!req->transport_ok, "%s was fetched", urls[i]);
		send_request_free(req);
	}
}
END_TEST

/* Answers /a with a redirect to arg's place, everything else with the request head. */
struct bounce {
	char to[200];
	int code;
};

static void bounce(struct stub_server *s, int fd, void *arg)
{
	struct bounce *b = arg;
	char head[4096], answer[8192];

	(void)s;
	if (!stub_read_head(fd, head, sizeof head))
		return;
	if (strstr(head, " /a HTTP") != NULL)
		(void)snprintf(answer, sizeof answer,
			"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", b->code,
			b->to);
	else
		(void)snprintf(answer, sizeof answer,
			"HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(head), head);
	stub_puts(fd, answer);
}

static struct send_request *bounced(struct stub_server *s, const char *method)
{
	struct send_request *req = make(method, stub_port(s), "/a");

	req->follow_redirects = true;
	req->user = strdup("u");
	req->password = strdup("pw");
	return run(req);
}

START_TEST(a_redirect_on_the_same_host_is_followed_with_credentials)
{
	struct bounce b = {.to = "/b", .code = 302};
	struct stub_server *s = stub_start(bounce, &b);
	struct send_request *req = bounced(s, "GET");

	ck_assert_msg(req->transport_ok, "%s", req->error);
	ck_assert_int_eq(req->status, 200);
	ck_assert_ptr_nonnull(strstr(req->reply, "GET /b HTTP/1.1"));
	ck_assert_ptr_nonnull(strstr(req->reply, "Authorization: Basic dTpwdw=="));
	ck_assert_ptr_nonnull(strstr(req->effective_url, "/b"));
	send_request_free(req);
	stub_stop(s);
}
END_TEST

START_TEST(a_redirect_to_another_port_carries_no_credentials)
{
	struct bounce b = {.code = 302};
	struct stub_server *other = stub_start(bounce, &b);
	struct stub_server *s = stub_start(bounce, &b);
	struct send_request *req;

	(void)snprintf(b.to, sizeof b.to, "http://127.0.0.1:%d/b", stub_port(other));
	req = bounced(s, "GET");
	ck_assert_msg(req->transport_ok, "%s", req->error);
	ck_assert_ptr_nonnull(strstr(req->reply, "GET /b HTTP/1.1"));
	ck_assert_ptr_null(strstr(req->reply, "Authorization"));
	send_request_free(req);
	stub_stop(s);
	stub_stop(other);
}
END_TEST

START_TEST(redirects_elsewhere_or_in_circles_are_refused)
{
	static const struct {
		const char *to, *error;
	} cases[] = {
		{"http://localhost/b", "another host"},
		{"http://127.0.0.2/b", "another host"},
		{"file:///etc/passwd", "another protocol"},
		{"/a", "too many redirects"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bounce b = {.code = 301};
		struct stub_server *s;
		struct send_request *req;

		(void)snprintf(b.to, sizeof b.to, "%s", cases[i].to);
		s = stub_start(bounce, &b);
		req = bounced(s, "GET");
		ck_assert(!req->transport_ok);
		ck_assert_msg(strstr(req->error, cases[i].error) != NULL, "%s: %s", cases[i].to,
			req->error);
		send_request_free(req);
		stub_stop(s);
	}
}
END_TEST

START_TEST(a_post_is_not_turned_into_a_get)
{
	struct bounce b = {.to = "/b", .code = 302};
	struct stub_server *s = stub_start(bounce, &b);
	struct send_request *req = make("POST", stub_port(s), "/a");

	req->follow_redirects = true;
	req->body = strdup("x");
	req->body_len = 1;
	run(req);
	ck_assert(req->transport_ok);
	ck_assert_int_eq(req->status, 302);
	send_request_free(req);
	stub_stop(s);
}
END_TEST

START_TEST(what_runs_and_what_waits_is_cancelled_at_the_end)
{
	struct script sc = {.answer = "", .hang = true};
	struct stub_server *s = stub_start(play, &sc);

	for (int i = 0; i < 10; i++)
		ck_assert(sender.submit(sender.ctx, make("GET", stub_port(s), "/")));
	http_client_free(client);
	client = NULL;
	for (int i = 0; i < 10; i++) {
		struct send_request *req = queue_pop(answers, 0);

		ck_assert_ptr_nonnull(req);
		ck_assert(!req->transport_ok);
		ck_assert_ptr_nonnull(strstr(req->error, "shutting down"));
		send_request_free(req);
	}
	stub_stop(s);
}
END_TEST

START_TEST(more_than_may_run_at_once_all_get_their_answer)
{
	struct script sc = {.answer = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"};
	struct stub_server *s = stub_start(play, &sc);

	for (int i = 0; i < 40; i++)
		ck_assert(sender.submit(sender.ctx, make("GET", stub_port(s), "/")));
	for (int i = 0; i < 40; i++) {
		struct send_request *req = queue_pop(answers, WAIT_MS);

		ck_assert_ptr_nonnull(req);
		ck_assert_msg(req->status == 204, "%s", req->error);
		send_request_free(req);
	}
	stub_stop(s);
}
END_TEST

/* ---- SMTP ---- */

struct mail {
	const char *ehlo, *starttls, *mail, *rcpt_bad, *rcpt, *data, *done;
	bool drop_after_data;
	char text[4096]; /* what came */
	char envelope[1024];
};

static bool answer_command(struct mail *m, int fd, const char *line)
{
	if (strncmp(line, "EHLO", 4) == 0 || strncmp(line, "HELO", 4) == 0)
		stub_puts(fd, m->ehlo != NULL ? m->ehlo : "250-stub\r\n250 8BITMIME\r\n");
	else if (strcmp(line, "STARTTLS") == 0 && m->starttls != NULL)
		stub_puts(fd, m->starttls);
	else if (strncmp(line, "MAIL", 4) == 0)
		stub_puts(fd, m->mail != NULL ? m->mail : "250 fine\r\n");
	else if (strncmp(line, "RCPT", 4) == 0)
		stub_puts(fd, strstr(line, "bad") != NULL ? m->rcpt_bad : "250 fine\r\n");
	else if (strncmp(line, "DATA", 4) == 0)
		stub_puts(fd, m->data != NULL ? m->data : "354 go on\r\n");
	else if (strncmp(line, "QUIT", 4) == 0)
		stub_puts(fd, "221 bye\r\n");
	else
		stub_puts(fd, "502 what\r\n");
	return strncmp(line, "QUIT", 4) != 0;
}

static void mail_server(struct stub_server *s, int fd, void *arg)
{
	struct mail *m = arg;
	char line[1024];

	(void)s;
	stub_puts(fd, "220 stub ESMTP\r\n");
	while (stub_read_line(fd, line, sizeof line)) {
		size_t n = strlen(m->envelope);

		(void)snprintf(m->envelope + n, sizeof m->envelope - n, "%s|", line);
		if (!answer_command(m, fd, line))
			return;
		if (strcmp(line, "DATA") != 0 || m->data != NULL)
			continue;
		while (stub_read_line(fd, line, sizeof line) && strcmp(line, ".") != 0) {
			n = strlen(m->text);
			(void)snprintf(m->text + n, sizeof m->text - n, "%s\n", line);
		}
		if (m->drop_after_data)
			return;
		stub_puts(fd, m->done != NULL ? m->done : "250 queued as 1\r\n");
	}
}

static struct send_request *send_mail(struct mail *m, const char *rcpt2, bool tls)
{
	struct stub_server *s = stub_start(mail_server, m);
	struct send_request *req = send_request_new(SEND_SMTP);
	static const char body[] = "Subject: x\r\n\r\n.leading dot\r\nend\r\n";
	char url[100];

	(void)snprintf(url, sizeof url, "smtp://127.0.0.1:%d/me.example", stub_port(s));
	req->url = strdup(url);
	req->mail_from = strdup("belfry@example.org");
	req->rcpt = calloc(2, sizeof *req->rcpt);
	req->rcpt[req->n_rcpt++] = strdup("good@example.org");
	if (rcpt2 != NULL)
		req->rcpt[req->n_rcpt++] = strdup(rcpt2);
	req->body = strdup(body);
	req->body_len = sizeof body - 1;
	req->require_tls = tls;
	req->on_done = on_done;
	req->arg = answers;
	run(req);
	/* the connection is kept for the next mail: end it, so that the server's thread ends */
	http_client_free(client);
	stub_stop(s);
	ck_assert_int_eq(http_client_new(&client, "test", 4, &(struct err){0}), 0);
	sender = http_client_sender(client);
	return req;
}

START_TEST(a_mail_arrives_as_it_was_written)
{
	struct mail m = {0};
	struct send_request *req = send_mail(&m, "other@example.org", false);

	ck_assert_msg(req->transport_ok, "%s", req->error);
	ck_assert_int_eq(req->status, 250);
	ck_assert_str_eq(req->error, "");
	ck_assert_str_eq(req->reply, "queued as 1");
	ck_assert_str_eq(m.text, "Subject: x\n\n..leading dot\nend\n");
	ck_assert_ptr_nonnull(strstr(m.envelope, "EHLO me.example|"));
	ck_assert_ptr_nonnull(strstr(m.envelope, "MAIL FROM:<belfry@example.org>"));
	ck_assert_ptr_nonnull(strstr(m.envelope, "RCPT TO:<other@example.org>|"));
	send_request_free(req);
}
END_TEST

START_TEST(a_refused_recipient_is_named_and_the_others_get_the_mail)
{
	struct mail m = {.rcpt_bad = "550-no such\r\n550 user here\r\n"};
	struct send_request *req = send_mail(&m, "bad@example.org", false);

	ck_assert(req->transport_ok);
	ck_assert_int_eq(req->status, 250);
	ck_assert_str_eq(req->error, "1 of 2 recipients refused");
	ck_assert_str_eq(req->reply, "550 no such user here <bad@example.org>\n");
	ck_assert_str_ne(m.text, "");
	send_request_free(req);
}
END_TEST

START_TEST(a_mail_servers_refusal_comes_with_its_code_and_words)
{
	static struct mail cases[] = {
		{.ehlo = "421 too busy\r\n"},
		{.mail = "451 try later\r\n"},
		{.data = "554 no spam\r\n"},
		{.done = "552 too large\r\n"},
	};
	static const int codes[] = {421, 451, 554, 552};

	for (size_t i = 0; i < 4; i++) {
		struct mail m = cases[i];
		struct send_request *req = send_mail(&m, NULL, false);
		char code[8];

		(void)snprintf(code, sizeof code, "%d ", codes[i]);
		ck_assert_int_eq(req->status, codes[i]);
		ck_assert(req->transport_ok);
		ck_assert_msg(str_starts(str_c(req->error), str_c(code)), "%s", req->error);
		send_request_free(req);
	}
}
END_TEST

START_TEST(no_starttls_where_it_is_required_sends_nothing)
{
	struct mail m = {0};
	struct send_request *req = send_mail(&m, NULL, true);

	ck_assert(!req->transport_ok);
	ck_assert_int_eq(req->status, 0);
	ck_assert_str_ne(req->error, "");
	ck_assert_ptr_null(strstr(m.envelope, "MAIL"));
	send_request_free(req);
}
END_TEST

START_TEST(a_refused_starttls_is_the_servers_answer)
{
	static const char *const replies[] = {"454 not now\r\n", "550 never\r\n"};
	static const int codes[] = {454, 550};

	for (size_t i = 0; i < 2; i++) {
		struct mail m = {.ehlo = "250-stub\r\n250 STARTTLS\r\n", .starttls = replies[i]};
		struct send_request *req = send_mail(&m, NULL, true);

		ck_assert(req->transport_ok);
		ck_assert_int_eq(req->status, codes[i]);
		ck_assert_ptr_null(strstr(m.envelope, "MAIL"));
		send_request_free(req);
	}
}
END_TEST

START_TEST(a_server_that_leaves_before_its_last_word_gave_no_answer)
{
	struct mail m = {.drop_after_data = true};
	struct send_request *req = send_mail(&m, NULL, false);

	ck_assert(!req->transport_ok);
	ck_assert_int_eq(req->status, 0);
	send_request_free(req);
}
END_TEST

START_TEST(addresses_cannot_smuggle_commands)
{
	static const char *const bad[] = {"a@b\r\nRCPT TO:<c@d>", "a b@c", "a>@b", ""};

	for (size_t i = 0; i < 4; i++) {
		struct mail m = {0};
		struct send_request *req = send_mail(&m, bad[i], false);

		ck_assert(!req->transport_ok);
		ck_assert_str_eq(req->error, "bad recipient address");
		ck_assert_str_eq(m.envelope, "");
		send_request_free(req);
	}
}
END_TEST

START_TEST(smtp_log_keeps_no_credentials_and_joins_lines)
{
	struct smtp_log l;
	char *rcpt[] = {(char *)(size_t) "a@b"};

	smtp_log_init(&l);
	smtp_log_client(&l, STR("AUTH PLAIN c2VjcmV0\r\n"));
	smtp_log_server(&l, STR("535-5.7.8 no\r\n"), rcpt, 1);
	ck_assert_int_eq(l.last_code, 0);
	smtp_log_server(&l, STR("535 way\x01\r\n"), rcpt, 1);
	ck_assert_int_eq(l.last_code, 535);
	ck_assert_str_eq(l.last, "5.7.8 no way ");
	ck_assert_ptr_null(strstr(l.last, "c2Vj"));
	smtp_log_server(&l, STR("garbage"), rcpt, 1);
	smtp_log_server(&l, STR("25"), rcpt, 1);
	ck_assert_int_eq(l.last_code, 535);
	for (int i = 0; i < 3; i++) { /* more RCPT than we know of: counted, not named */
		smtp_log_client(&l, STR("RCPT TO:<x>\r\n"));
		smtp_log_server(&l, STR("550 x\r\n"), rcpt, 1);
	}
	ck_assert_uint_eq(l.rcpt_refused, 3);
	ck_assert_str_eq(l.refused.p, "550 x <a@b>\n");
	smtp_log_fini(&l);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http_client");
	TCase *t = tcase_create("http"), *m = tcase_create("smtp");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_checked_fixture(m, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_set_timeout(m, 60);
	tcase_add_test(t, an_answer_comes_back_whole);
	tcase_add_test(t, retry_after_is_read_in_both_forms);
	tcase_add_test(t, a_peer_that_hangs_is_given_up_after_the_total_timeout);
	tcase_add_test(t, a_gzip_bomb_stops_at_the_cap_of_decoded_bytes);
	tcase_add_test(t, garbage_and_short_answers_fail_with_a_reason);
	tcase_add_test(t, endless_headers_are_cut_off);
	tcase_add_test(t, nobody_listening_is_told_without_the_path);
	tcase_add_test(t, other_protocols_are_refused);
	tcase_add_test(t, a_redirect_on_the_same_host_is_followed_with_credentials);
	tcase_add_test(t, a_redirect_to_another_port_carries_no_credentials);
	tcase_add_test(t, redirects_elsewhere_or_in_circles_are_refused);
	tcase_add_test(t, a_post_is_not_turned_into_a_get);
	tcase_add_test(t, what_runs_and_what_waits_is_cancelled_at_the_end);
	tcase_add_test(t, more_than_may_run_at_once_all_get_their_answer);
	tcase_add_test(m, a_mail_arrives_as_it_was_written);
	tcase_add_test(m, a_refused_recipient_is_named_and_the_others_get_the_mail);
	tcase_add_test(m, a_mail_servers_refusal_comes_with_its_code_and_words);
	tcase_add_test(m, no_starttls_where_it_is_required_sends_nothing);
	tcase_add_test(m, a_refused_starttls_is_the_servers_answer);
	tcase_add_test(m, a_server_that_leaves_before_its_last_word_gave_no_answer);
	tcase_add_test(m, addresses_cannot_smuggle_commands);
	tcase_add_test(m, smtp_log_keeps_no_credentials_and_joins_lines);
	suite_add_tcase(s, t);
	suite_add_tcase(s, m);
	return suite_run(s);
}
