/* SPDX-License-Identifier: Apache-2.0 */
/* cli_http - one request at a time to a running belfry, by libcurl's easy interface. */
#include <curl/curl.h>
#include <stdarg.h>
#include <stdlib.h>

#include "agent/cli.h"
#include "base/limits.h"

#define DEFAULT_URL "http://127.0.0.1:2355"
#define ANSWER_MAX  ((size_t)512 << 20)
#define CONNECT_MS  5000L
#define TOTAL_MS    120000L

void cli_init(struct cli *c)
{
	const char *url = getenv("BELFRY_URL"); /* NOLINT(concurrency-mt-unsafe): one thread */

	*c = (struct cli){.url = url != NULL && url[0] != '\0' ? url : DEFAULT_URL};
	arena_init(&c->arena, (size_t)256 << 20);
	buf_init(&c->scratch, (size_t)64 << 20);
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

void cli_fini(struct cli *c)
{
	buf_fini(&c->scratch);
	arena_fini(&c->arena);
	curl_global_cleanup();
}

int cli_fail(const struct err *e)
{
	(void)fprintf(stderr, "belfry: %s\n", e->msg);
	return CLI_FAILED;
}

int cli_usage(const char *usage, const char *fmt, ...)
{
	va_list ap;

	(void)fputs("belfry: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\nusage: belfry %s\n", usage);
	return CLI_USAGE;
}

const char *cli_user(void)
{
	const char *name = getenv("USER"); /* NOLINT(concurrency-mt-unsafe): one thread */

	return name != NULL && *name != '\0' ? name : "unknown";
}

void cli_encode(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
			(ch >= '0' && ch <= '9') || strchr("-_.~", ch) != NULL)
			buf_ch(b, (char)ch);
		else
			buf_printf(b, "%%%02X", ch);
	}
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	buf_add(arg, p, size * n);
	return ((struct buf *)arg)->failed ? 0 : size * n;
}

/* What an answer that is no success says. */
static int refused(long status, const json_t *answer, struct err *e)
{
	struct str said =
		json_is_string(answer) ? cli_member(answer, NULL) : cli_member(answer, "error");
	struct buf b, more;
	size_t at;

	if (said.n == 0)
		said = cli_member(answer, "message");
	buf_init(&b, 4096);
	buf_init(&more, 8192);
	said = str_sub(said, 0, 1000);
	at = str_find(said, '\n');
	cli_clean(&b, str_sub(said, 0, at));
	while (at < said.n) { /* a caret stands below its place */
		said = str_sub(said, at + 1, said.n);
		at = str_find(said, '\n');
		buf_ch(&more, '\n');
		cli_clean(&more, str_sub(said, 0, at));
	}
	(void)err_set(e, ERR_INPUT, (int)status, "%s (HTTP %ld)%s",
		b.n > 0         ? b.p
		: status == 404 ? "not found; is this a belfry?"
				: "refused",
		status, more.n > 0 && b.n + more.n + 16 < ERR_MSG_MAX ? more.p : "");
	buf_fini(&more);
	buf_fini(&b);
	return -1;
}

struct transfer {
	CURL *easy;
	struct curl_slist *headers;
	struct buf url, answer;
	char *body;
	char why[CURL_ERROR_SIZE];
};

static bool prepare(struct transfer *t, const struct cli *c, const char *method, const char *path,
	const json_t *body)
{
	struct str base = str_c(c->url);

	while (base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	buf_init(&t->url, 1u << 20);
	buf_init(&t->answer, ANSWER_MAX);
	buf_str(&t->url, base);
	buf_c(&t->url, path);
	t->easy = curl_easy_init();
	t->headers = curl_slist_append(NULL, "Accept: application/json");
	if (body != NULL) {
		t->body = json_dumps(body, JSON_ENCODE_ANY);
		t->headers = curl_slist_append(t->headers, "Content-Type: application/json");
	}
	return t->easy != NULL && t->headers != NULL && !t->url.failed &&
	       (body == NULL || t->body != NULL) &&
	       curl_easy_setopt(t->easy, CURLOPT_URL, t->url.p) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "gzip") == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1") == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, TOTAL_MS) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->why) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, &t->answer) == CURLE_OK &&
	       (t->body == NULL ||
		       curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->body) == CURLE_OK);
}

static int perform(
	struct transfer *t, const struct cli *c, long *status, json_t **out, struct err *e)
{
	CURLcode rc = curl_easy_perform(t->easy);

	if (rc != CURLE_OK)
		return err_set(e, ERR_IO, (int)rc,
			"cannot ask %s: %s (is belfry running? --url or BELFRY_URL name another)",
			c->url, t->why[0] != '\0' ? t->why : curl_easy_strerror(rc));
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, status);
	if (t->answer.n > 0)
		*out = json_loadb(t->answer.p, t->answer.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (*status < 200 || *status > 299)
		return refused(*status, *out, e);
	if (t->answer.n > 0 && *out == NULL)
		return err_set(e, ERR_INPUT, 0, "%s answers no JSON; is this a belfry?", c->url);
	return 0;
}

int cli_ask(struct cli *c, const char *method, const char *path, const json_t *body, json_t **out,
	struct err *e)
{
	struct transfer t = {0};
	long status = 0;
	int rc;

	*out = NULL;
	if (prepare(&t, c, method, path, body))
		rc = perform(&t, c, &status, out, e);
	else
		rc = err_set(e, ERR_LIMIT, 0, "cannot make the request");
	if (rc != 0) {
		json_decref(*out);
		*out = NULL;
	}
	curl_slist_free_all(t.headers);
	curl_easy_cleanup(t.easy);
	buf_fini(&t.url);
	buf_fini(&t.answer);
	free(t.body);
	return rc;
}
