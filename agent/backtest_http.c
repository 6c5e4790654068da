/* SPDX-License-Identifier: Apache-2.0 */
/* backtest_http - one request after the other over one connection; see backtest_fetch.h. */
#include <curl/curl.h>
#include <stdlib.h>

#include "agent/backtest_fetch.h"
#include "agent/backtest_stop.h"
#include "agent/cli.h"
#include "base/assert.h"
#include "base/diag.h"
#include "base/jsonr.h"
#include "base/yaml.h"

#define ANSWER_MAX ((size_t)256 << 20)
#define CONNECT_MS 5000L
#define TOTAL_MS   120000L

struct bt_http {
	CURL *easy;
	struct str base; /* without slashes at its end */
	char why[CURL_ERROR_SIZE];
};

struct bt_http *bt_http_new(const char *url)
{
	struct bt_http *h = calloc(1, sizeof *h);

	ASSERT(h != NULL);
	h->base = str_c(url);
	while (h->base.n > 0 && h->base.p[h->base.n - 1] == '/')
		h->base.n--;
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	h->easy = curl_easy_init();
	ASSERT(h->easy != NULL);
	return h;
}

void bt_http_free(struct bt_http *h)
{
	curl_easy_cleanup(h->easy);
	curl_global_cleanup();
	free(h);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	buf_add(arg, p, size * n);
	return ((struct buf *)arg)->failed ? 0 : size * n;
}

static int on_progress(
	void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
	(void)arg;
	(void)down_all;
	(void)down;
	(void)up_all;
	(void)up;
	return atomic_load(bt_stop_flag()) ? 1 : 0;
}

/* Options that are the same for all requests: curl keeps its connection over a reset. */
static bool set_common(struct bt_http *h, const char *url, bool packed, struct buf *answer)
{
	curl_easy_reset(h->easy);
	/* curl would refuse snappy as an encoding it does not know */
	return curl_easy_setopt(h->easy, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1") == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_ACCEPT_ENCODING, packed ? NULL : "gzip") ==
		       CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_HTTP_CONTENT_DECODING, packed ? 0L : 1L) ==
		       CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_TIMEOUT_MS, TOTAL_MS) == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_ERRORBUFFER, h->why) == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, answer) == CURLE_OK;
}

static bool is_packed(const char *type)
{
	return type != NULL && strstr(type, "protobuf") != NULL;
}

static struct curl_slist *headers_of(const char *type)
{
	struct curl_slist *v = NULL;
	struct buf b;

	buf_init(&b, 256);
	buf_printf(&b, "Content-Type: %s", type);
	v = curl_slist_append(v, b.p);
	buf_fini(&b);
	if (is_packed(type)) {
		v = curl_slist_append(v, "Content-Encoding: snappy");
		v = curl_slist_append(v, "X-Prometheus-Remote-Read-Version: 0.1.0");
	}
	return curl_slist_append(v, "Expect:");
}

static bool set_body(struct bt_http *h, const struct curl_slist *headers, struct str body)
{
	return curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n) ==
		       CURLE_OK &&
	       curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, body.p) == CURLE_OK;
}

static int failed(struct bt_http *h, CURLcode rc, const struct bt_answer *out, struct err *e)
{
	if (bt_stop_check(e) != 0)
		return -1;
	if (out->body.failed)
		return err_set(
			e, ERR_LIMIT, 0, "an answer is larger than %zu MiB", ANSWER_MAX >> 20);
	return err_set(e, rc == CURLE_OPERATION_TIMEDOUT ? ERR_AGAIN : ERR_IO, (int)rc,
		"cannot ask " STR_FMT ": %s", STR_ARG(h->base),
		h->why[0] != '\0' ? h->why : curl_easy_strerror(rc));
}

int bt_http_ask(struct bt_http *h, const char *path, const char *type, struct str body,
	struct bt_answer *out, struct err *e)
{
	struct curl_slist *headers = type != NULL ? headers_of(type) : NULL;
	CURLcode rc = CURLE_FAILED_INIT;
	struct buf url;

	buf_init(&out->body, ANSWER_MAX);
	buf_init(&url, 1u << 20);
	buf_str(&url, h->base);
	buf_c(&url, path);
	h->why[0] = '\0';
	if (!url.failed && set_common(h, url.p, is_packed(type), &out->body) &&
		(type == NULL || set_body(h, headers, body)))
		rc = curl_easy_perform(h->easy);
	curl_slist_free_all(headers);
	buf_fini(&url);
	if (rc != CURLE_OK) {
		(void)failed(h, rc, out, e);
		buf_fini(&out->body);
		return -1;
	}
	(void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &out->status);
	return 0;
}

/* The member "error" of an answer; its beginning when it is no such JSON. */
static struct str error_text(struct str body, struct arena *a)
{
	struct str key, text = STR("");
	struct jsonr j;
	struct err e;

	jsonr_init(&j, body, a, &e);
	if (jsonr_peek(&j) != JSONR_OBJECT)
		return str_trim(str_sub(body, 0, 300));
	jsonr_object(&j);
	while (jsonr_key(&j, &key)) {
		if (str_eq(key, STR("error")) && jsonr_peek(&j) == JSONR_STRING)
			jsonr_str(&j, &text);
		else
			jsonr_skip(&j);
	}
	return str_sub(text, 0, 300);
}

int bt_http_refused(const struct bt_answer *a, struct err *e)
{
	struct arena mem;
	struct buf b;

	arena_init(&mem, 1u << 20);
	buf_init(&b, 4096);
	cli_clean(&b, error_text(str_sub(buf_view(&a->body), 0, 65536), &mem));
	(void)err_set(e, ERR_INPUT, (int)a->status, "HTTP %ld: %s", a->status,
		b.n > 0 ? b.p : "no reason given");
	buf_fini(&b);
	arena_fini(&mem);
	return -1;
}

/* --- who it is --- */

bool bt_http_is_belfry(struct bt_http *h)
{
	struct bt_answer answer;
	struct err e;
	bool is;

	if (bt_http_ask(h, "/api/belfry/v1/past?start=0&end=0", NULL, STR(""), &answer, &e) != 0)
		return false;
	is = answer.status == 200;
	buf_fini(&answer.body);
	return is;
}

/* {"data": {"yaml": "..."}} */
static struct str config_text(struct str body, struct arena *a)
{
	struct str key, text = STR("");
	struct jsonr j;
	struct err e;

	jsonr_init(&j, body, a, &e);
	jsonr_object(&j);
	while (jsonr_key(&j, &key)) {
		if (!str_eq(key, STR("data"))) {
			jsonr_skip(&j);
			continue;
		}
		jsonr_object(&j);
		while (jsonr_key(&j, &key)) {
			if (str_eq(key, STR("yaml")))
				jsonr_str(&j, &text);
			else
				jsonr_skip(&j);
		}
	}
	return jsonr_end(&j) ? text : STR("");
}

static void labels_of(const struct yaml_node *map, struct arena *a, struct labels *out)
{
	struct label *v;
	size_t n = 0;

	*out = (struct labels){NULL, 0};
	if (map == NULL || map->kind != YAML_MAP ||
		(v = ARENA_ARRAY(a, map->n, struct label)) == NULL)
		return;
	for (size_t i = 0; i < map->n; i++) {
		if (map->pairs[i].value->kind == YAML_SCALAR)
			v[n++] = (struct label){
				map->pairs[i].key->scalar, map->pairs[i].value->scalar};
	}
	if (labels_sort(v, &n))
		*out = (struct labels){v, n};
}

bool bt_http_external(struct bt_http *h, struct arena *a, struct labels *out)
{
	const struct yaml_node *const *docs;
	const struct yaml_node *global;
	struct diag_file *file = ARENA_NEW(a, struct diag_file);
	struct diag *d = diag_new(a);
	struct bt_answer answer;
	struct err e;
	size_t n = 0;
	bool told;

	if (file == NULL || d == NULL ||
		bt_http_ask(h, "/api/v1/status/config", NULL, STR(""), &answer, &e) != 0)
		return false;
	told = answer.status == 200;
	file->path = STR("/api/v1/status/config");
	if (told)
		file->text = config_text(arena_str(a, buf_view(&answer.body)), a);
	docs = told ? yaml_parse(a, file, d, &n) : NULL;
	buf_fini(&answer.body);
	if (docs == NULL || n == 0 || docs[0]->kind != YAML_MAP)
		return false;
	global = yaml_get(docs[0], STR("global"));
	labels_of(global != NULL && global->kind == YAML_MAP
			  ? yaml_get(global, STR("external_labels"))
			  : NULL,
		a, out);
	return true;
}
