/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_transfer - a send_request as a libcurl easy handle and back; see http_transfer.h.
 *
 * What keeps a hostile peer harmless: a total timeout, a cap on body bytes counted after
 * decompression (libcurl's size options look at the compressed length), a cap on header bytes,
 * only four protocols, HTTP/1.x only, no proxy or netrc from the environment, redirects by hand.
 */
#include "agent/http_transfer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/version.h"

#define HEAD_MAX           (64u << 10) /* header bytes of all answers of one transfer */
#define DNS_KEEP_S         10L
#define RETRY_AFTER_MAX_MS INT64_C(86400000)

/* ---- what libcurl calls ---- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;

	buf_add(&t->reply, p, len);
	if (!t->reply.failed)
		return len;
	t->reply_over = true;
	return 0; /* ends the transfer with CURLE_WRITE_ERROR */
}

static int64_t http_date_ms(struct str s)
{
	char text[64];
	time_t when;

	if (s.n == 0 || s.n >= sizeof text)
		return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	when = curl_getdate(text, NULL);
	return when <= 0 ? 0 : (int64_t)when * 1000;
}

/* Seconds, or a date (RFC 9110 section 10.2.3), relative to the server's own Date if it sent one.
 */
static int64_t retry_after_ms(struct str s, int64_t server_now_ms)
{
	int64_t now = server_now_ms != 0 ? server_now_ms : clock_wall_ms();
	long long seconds;
	int64_t at;

	if (str_to_i64(s, &seconds)) {
		if (seconds <= 0)
			return 0;
		return seconds > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS : seconds * 1000;
	}
	at = http_date_ms(s);
	return at > now ? MIN_OF(at - now, RETRY_AFTER_MAX_MS) : 0;
}

static void note_header(struct transfer *t, struct str line)
{
	size_t colon = str_find(line, ':');
	struct str name = str_sub(line, 0, colon);
	struct str value = str_trim(str_sub(line, colon + 1, line.n));

	if (str_starts(line, STR("HTTP/"))) { /* a new answer begins: after a 1xx */
		t->req->retry_after_ms = 0;
		t->req->response_date_ms = 0;
	} else if (str_eq_nocase(name, STR("date"))) {
		t->req->response_date_ms = http_date_ms(value);
	} else if (str_eq_nocase(name, STR("retry-after"))) {
		t->req->retry_after_ms = retry_after_ms(value, t->req->response_date_ms);
	}
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;

	t->head_bytes += len;
	t->head_over = t->head_bytes > HEAD_MAX;
	if (t->head_over)
		return 0;
	note_header(t, str_n(p, len));
	return len;
}

static size_t on_read(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = MIN_OF(size * n, t->req->body_len - t->body_off);

	if (len > 0)
		memcpy(p, t->req->body + t->body_off, len);
	t->body_off += len;
	return len;
}

static int on_seek(void *arg, curl_off_t off, int origin)
{
	struct transfer *t = arg;

	if (origin != SEEK_SET || off < 0 || (size_t)off > t->req->body_len)
		return CURL_SEEKFUNC_FAIL;
	t->body_off = (size_t)off;
	return CURL_SEEKFUNC_OK;
}

/* SMTP only: see smtp_log.h. */
static int on_debug(CURL *easy, curl_infotype type, char *p, size_t n, void *arg)
{
	struct transfer *t = arg;

	(void)easy;
	if (type == CURLINFO_HEADER_IN)
		smtp_log_server(&t->smtp, str_n(p, n), t->req->rcpt, t->req->n_rcpt);
	else if (type == CURLINFO_HEADER_OUT)
		smtp_log_client(&t->smtp, str_n(p, n));
	return 0;
}

/* The URL's host needs no look-up: an address, or localhost, which libcurl knows. */
static bool is_address(const char *url)
{
	unsigned char bytes[16];
	bool known = false;
	char *host = NULL;
	CURLU *u = curl_url();

	if (u != NULL &&
		curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		known = host[0] == '[' || inet_pton(AF_INET, host, bytes) == 1 ||
			strcasecmp(host, "localhost") == 0;
	curl_free(host);
	curl_url_cleanup(u);
	return known;
}

/* A name is to be looked up, in a thread of libcurl's. */
static int on_resolve(void *state, void *reserved, void *arg)
{
	struct transfer *t = arg;

	(void)state;
	(void)reserved;
	if (t->resolving || is_address(t->url))
		return 0;
	t->resolving = resolve_take(t->slots);
	t->no_slot = !t->resolving;
	return t->no_slot;
}

/* The name is known. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct transfer *t = arg;

	(void)purpose;
	if (t->resolving)
		resolve_done(t->slots);
	t->resolving = false;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- setting up ---- */

#define SET(t, opt, value)                                                                         \
	do {                                                                                       \
		if (curl_easy_setopt((t)->easy, (opt), (value)) != CURLE_OK)                       \
			return false;                                                              \
	} while (0)

static bool set_common(struct transfer *t)
{
	const struct send_request *req = t->req;

	SET(t, CURLOPT_PRIVATE, t);
	SET(t, CURLOPT_ERRORBUFFER, t->curl_error);
	SET(t, CURLOPT_NOSIGNAL, 1L);
	SET(t, CURLOPT_NOPROGRESS, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	SET(t, CURLOPT_QUICK_EXIT, 1L); /* a dead resolver must not hold us up */
#endif
	/* libcurl does not know for how long an answer holds: long enough for a burst */
	SET(t, CURLOPT_DNS_CACHE_TIMEOUT, DNS_KEEP_S);
	SET(t, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	SET(t, CURLOPT_RESOLVER_START_DATA, t);
	SET(t, CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(t, CURLOPT_OPENSOCKETDATA, t);
	SET(t, CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
	SET(t, CURLOPT_CONNECTTIMEOUT_MS, (long)t->timeout_ms);
	SET(t, CURLOPT_WRITEFUNCTION, on_body);
	SET(t, CURLOPT_WRITEDATA, t);
	SET(t, CURLOPT_READFUNCTION, on_read);
	SET(t, CURLOPT_READDATA, t);
	SET(t, CURLOPT_SEEKFUNCTION, on_seek);
	SET(t, CURLOPT_SEEKDATA, t);
	SET(t, CURLOPT_PROXY, req->proxy != NULL ? req->proxy : "");
	SET(t, CURLOPT_NOPROXY, req->no_proxy != NULL ? req->no_proxy : "");
	SET(t, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(t, CURLOPT_SSL_VERIFYPEER, req->insecure_skip_verify ? 0L : 1L);
	SET(t, CURLOPT_SSL_VERIFYHOST, req->insecure_skip_verify ? 0L : 2L);
	if (req->ca_file != NULL)
		SET(t, CURLOPT_CAINFO, req->ca_file);
	if (req->cert_file != NULL)
		SET(t, CURLOPT_SSLCERT, req->cert_file);
	if (req->key_file != NULL)
		SET(t, CURLOPT_SSLKEY, req->key_file);
	return true;
}

static bool set_protocols(struct transfer *t)
{
	bool smtp = t->req->kind == SEND_SMTP;

#if LIBCURL_VERSION_NUM >= 0x075500
	SET(t, CURLOPT_PROTOCOLS_STR, smtp ? "smtp,smtps" : "http,https");
#else
	SET(t, CURLOPT_PROTOCOLS,
		(long)(smtp ? CURLPROTO_SMTP | CURLPROTO_SMTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	SET(t, CURLOPT_FOLLOWLOCATION, 0L);
	return true;
}

static bool set_credentials(struct transfer *t)
{
	const struct send_request *req = t->req;

	SET(t, CURLOPT_USERNAME, t->no_credentials ? NULL : req->user);
	SET(t, CURLOPT_PASSWORD, t->no_credentials ? NULL : req->password);
	if (req->bearer != NULL) {
		if (req->kind == SEND_HTTP)
			SET(t, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		SET(t, CURLOPT_XOAUTH2_BEARER, t->no_credentials ? NULL : req->bearer);
	} else if (req->kind == SEND_HTTP) {
		SET(t, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	}
	return true;
}

static bool is_credential_header(const char *line)
{
	return strncasecmp(line, "authorization:", 14) == 0 || strncasecmp(line, "cookie:", 7) == 0;
}

static bool list_add(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

/* TLS to an address whose certificate has another name: connect there, ask for that name, and (in
 * HTTP) still send the Host of the URL. */
static bool set_server_name(struct transfer *t, CURLU *u)
{
	char *host = NULL, *port = NULL, *url = NULL;
	char text[1200];
	bool ok = false;

	if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		goto out;
	if ((size_t)snprintf(text, sizeof text, "%s:%s:%s:%s", t->req->server_name, port, host,
		    port) >= sizeof text ||
		!list_add(&t->connect_to, text))
		goto out;
	(void)snprintf(text, sizeof text, "Host: %s:%s", host, port);
	if ((t->req->kind == SEND_HTTP && !list_add(&t->headers, text)) ||
		curl_url_set(u, CURLUPART_HOST, t->req->server_name, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK)
		goto out;
	ok = curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to) == CURLE_OK &&
	     curl_easy_setopt(t->easy, CURLOPT_URL, url) == CURLE_OK;
out:
	curl_free(host);
	curl_free(port);
	curl_free(url);
	return ok;
}

static bool set_name(struct transfer *t)
{
	CURLU *u = curl_url();
	bool ok = u != NULL && curl_url_set(u, CURLUPART_URL, t->url, 0) == CURLUE_OK &&
		  set_server_name(t, u);

	curl_url_cleanup(u);
	return ok;
}

/* The URL and everything that hangs on where it goes; again for each redirect. */
static bool set_place(struct transfer *t)
{
	const struct send_request *req = t->req;

	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->connect_to);
	t->headers = t->connect_to = NULL;
	SET(t, CURLOPT_URL, t->url);
	if (!set_credentials(t))
		return false;
	if (req->kind == SEND_SMTP)
		return req->server_name == NULL || set_name(t);
	for (size_t i = 0; i < req->n_headers; i++) {
		if (t->no_credentials && is_credential_header(req->headers[i]))
			continue;
		if (!list_add(&t->headers, req->headers[i]))
			return false;
	}
	if (req->body_len > 0 && !list_add(&t->headers, "Expect:")) /* no wait for a 100 */
		return false;
	if (req->server_name != NULL && strncasecmp(t->url, "https://", 8) == 0 && !set_name(t))
		return false;
	SET(t, CURLOPT_HTTPHEADER, t->headers);
	return true;
}

static bool set_http(struct transfer *t)
{
	const struct send_request *req = t->req;
	const char *method = req->method != NULL ? req->method : "POST";
	char agent[64];

	(void)snprintf(agent, sizeof agent, "belfry/%s", version_string());
	SET(t, CURLOPT_USERAGENT, agent);
	SET(t, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(t, CURLOPT_HEADERFUNCTION, on_header);
	SET(t, CURLOPT_HEADERDATA, t);
	if (strcmp(method, "GET") == 0) {
		SET(t, CURLOPT_HTTPGET, 1L);
		SET(t, CURLOPT_ACCEPT_ENCODING, "gzip");
		return true;
	}
	SET(t, CURLOPT_POST, 1L);
	SET(t, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
	SET(t, CURLOPT_POSTFIELDS, req->body != NULL ? req->body : "");
	if (strcmp(method, "POST") != 0)
		SET(t, CURLOPT_CUSTOMREQUEST, method);
	return true;
}

/* XOAUTH2 needs a token, PLAIN an identity: with none of these set libcurl picks as it likes. */
static bool set_smtp_auth(struct transfer *t)
{
	const struct send_request *req = t->req;

	if (req->login_options != NULL)
		SET(t, CURLOPT_LOGIN_OPTIONS, req->login_options);
	if (req->authzid != NULL)
		SET(t, CURLOPT_SASL_AUTHZID, req->authzid);
	return true;
}

static bool set_smtp(struct transfer *t)
{
	const struct send_request *req = t->req;
	long tls = CURLUSESSL_NONE;

	if (req->require_tls)
		tls = CURLUSESSL_ALL;
	else if (req->password != NULL || req->bearer != NULL)
		tls = CURLUSESSL_TRY; /* better than the password in clear where it is offered */
	for (size_t i = 0; i < req->n_rcpt; i++) {
		if (!list_add(&t->rcpt, req->rcpt[i]))
			return false;
	}
	if (!set_smtp_auth(t))
		return false;
	SET(t, CURLOPT_USE_SSL, tls);
	SET(t, CURLOPT_MAIL_FROM, req->mail_from);
	SET(t, CURLOPT_MAIL_RCPT, t->rcpt);
	SET(t, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L); /* one bad address does not stop the others */
	SET(t, CURLOPT_UPLOAD, 1L);
	SET(t, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->body_len);
	SET(t, CURLOPT_DEBUGFUNCTION, on_debug);
	SET(t, CURLOPT_DEBUGDATA, t);
	SET(t, CURLOPT_VERBOSE, 1L);
	return true;
}

/* libcurl 7.88 puts addresses into commands as they are. */
static bool address_is_safe(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == '<' || *s == '>')
			return false;
	}
	return true;
}

static int check_addresses(const struct send_request *req, struct err *e)
{
	if (req->mail_from == NULL || !address_is_safe(req->mail_from))
		return err_set(e, ERR_INPUT, 0, "bad sender address");
	if (req->n_rcpt == 0)
		return err_set(e, ERR_INPUT, 0, "no recipient");
	for (size_t i = 0; i < req->n_rcpt; i++) {
		if (req->rcpt[i][0] == '\0' || !address_is_safe(req->rcpt[i]))
			return err_set(e, ERR_INPUT, 0, "bad recipient address");
	}
	return 0;
}

struct transfer *transfer_new(struct send_request *req, struct resolve_slots *slots, struct err *e)
{
	struct transfer *t;

	if (req->url == NULL) {
		err_set(e, ERR_INPUT, 0, "no URL");
		return NULL;
	}
	if (req->kind == SEND_SMTP && check_addresses(req, e) != 0)
		return NULL;
	t = calloc(1, sizeof *t);
	ASSERT(t != NULL);
	t->req = req;
	t->slots = slots;
	t->timeout_ms = req->timeout_ms > 0 ? req->timeout_ms : LIMIT_SEND_TIMEOUT_MS;
	t->reply_max = req->reply_max > 0 ? req->reply_max : LIMIT_REPLY_BYTES;
	t->start_ns = clock_real_ns();
	buf_init(&t->reply, t->reply_max);
	smtp_log_init(&t->smtp);
	t->url = strdup(req->url);
	t->easy = curl_easy_init();
	ASSERT(t->url != NULL);
	if (t->easy != NULL && set_common(t) && set_protocols(t) &&
		(req->kind == SEND_SMTP ? set_smtp(t) : set_http(t)) && set_place(t))
		return t;
	err_set(e, ERR_INPUT, 0, "cannot set up the transfer");
	transfer_free(t);
	return NULL;
}

void transfer_free(struct transfer *t)
{
	if (t == NULL)
		return;
	if (t->easy != NULL)
		curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->rcpt);
	curl_slist_free_all(t->connect_to);
	buf_fini(&t->reply);
	smtp_log_fini(&t->smtp);
	free(t->url);
	free(t);
}

bool transfer_again(struct transfer *t)
{
	int64_t left = t->timeout_ms - (clock_real_ns() - t->start_ns) / 1000000;

	t->no_slot = false;
	t->curl_error[0] = '\0';
	return left > 0 && curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)left) == CURLE_OK;
}

void transfer_release_slot(struct transfer *t, CURLcode rc)
{
	if (!t->resolving)
		return;
	t->resolving = false;
	if (rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_RESOLVE_PROXY)
		resolve_done(t->slots);
	else
		resolve_leave(t->slots, clock_real_ns() / 1000000);
}

/* ---- redirects ---- */

/* What two URLs have in common decides whether, and with what, the second is asked. */
static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
	char *x = NULL, *y = NULL;
	bool same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    strcasecmp(x, y) == 0;

	curl_free(x);
	curl_free(y);
	return same;
}

static bool is_https(const char *url)
{
	return strncasecmp(url, "https://", 8) == 0;
}

/* NULL: follow it; otherwise why not. */
static const char *judge_redirect(struct transfer *t, const char *to)
{
	CURLU *a = curl_url(), *b = curl_url();
	const char *why = NULL;

	if (a == NULL || b == NULL || curl_url_set(a, CURLUPART_URL, t->url, 0) != CURLUE_OK ||
		curl_url_set(b, CURLUPART_URL, to, 0) != CURLUE_OK)
		why = "bad redirect";
	else if (strncasecmp(to, "http://", 7) != 0 && !is_https(to))
		why = "redirect to another protocol refused";
	else if (!same_part(a, b, CURLUPART_HOST))
		why = "redirect to another host refused";
	else if (is_https(t->url) && !is_https(to))
		why = "redirect from https to http refused";
	else if (!same_part(a, b, CURLUPART_PORT) && is_https(t->url) == is_https(to))
		t->no_credentials = true;
	curl_url_cleanup(a);
	curl_url_cleanup(b);
	return why;
}

static int64_t ms_since(int64_t start_ns)
{
	return (clock_real_ns() - start_ns) / 1000000;
}

/* True: t is set up anew. A refusal is told in req->error. */
static bool follow_redirect(struct transfer *t, long status)
{
	struct send_request *req = t->req;
	int64_t left = t->timeout_ms - ms_since(t->start_ns);
	const char *why = NULL;
	char *to = NULL;

	if (!req->follow_redirects || status < 301 || status > 308 || status == 304 ||
		curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &to) != CURLE_OK || to == NULL)
		return false;
	if (req->body_len > 0 && status < 307)
		return false; /* would become a GET without the body: it is an answer, not ours */
	if (++t->redirects > LIMIT_REDIRECTS)
		why = "too many redirects";
	else if (left <= 0)
		why = "timed out";
	else
		why = judge_redirect(t, to);
	if (why != NULL) {
		(void)snprintf(req->error, sizeof req->error, "%s", why);
		return false;
	}
	to = strdup(to);
	ASSERT(to != NULL);
	free(t->url);
	t->url = to;
	t->body_off = 0;
	buf_reset(&t->reply);
	return set_place(t) &&
	       curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)left) == CURLE_OK;
}

/* ---- the answer ---- */

/* The text with every URL cut to scheme and host, and without the request's own secrets. */
static void put_redacted(struct send_request *req, const char *text)
{
	struct buf cut, out;

	buf_init(&cut, 4096);
	buf_init(&out, 16384);
	while (*text != '\0') {
		size_t skip = strncmp(text, "://", 3) == 0 ? strcspn(text, " \t'\"") : 0;

		if (skip > 0)
			buf_c(&cut, "…");
		else
			buf_ch(&cut, (unsigned char)*text < ' ' ? ' ' : *text);
		text += skip > 0 ? skip : 1;
	}
	send_request_redact(req, buf_view(&cut), &out);
	(void)snprintf(req->error, sizeof req->error, STR_FMT, STR_ARG(buf_view(&out)));
	buf_fini(&out);
	buf_fini(&cut);
}

static void tell_failure(struct transfer *t, CURLcode rc)
{
	struct send_request *req = t->req;

	if (req->error[0] != '\0')
		return;
	if (t->reply_over) {
		(void)snprintf(req->error, sizeof req->error, "body over %zu bytes", t->reply_max);
	} else if (t->head_over) {
		(void)snprintf(req->error, sizeof req->error, "headers over %u bytes", HEAD_MAX);
	} else if (rc == CURLE_OPERATION_TIMEDOUT) {
		(void)snprintf(req->error, sizeof req->error, "timed out after %lld ms",
			(long long)ms_since(t->start_ns));
	} else {
		put_redacted(
			req, t->curl_error[0] != '\0' ? t->curl_error : curl_easy_strerror(rc));
	}
}

static void finish_smtp(struct transfer *t, CURLcode rc)
{
	struct send_request *req = t->req;
	struct smtp_log *l = &t->smtp;
	char text[SMTP_LINE_MAX + 8];

	if (rc == CURLE_OK) {
		req->transport_ok = true;
		req->status = l->last_code;
		if (l->rcpt_refused > 0)
			(void)snprintf(req->error, sizeof req->error,
				"%zu of %zu recipients refused", l->rcpt_refused, req->n_rcpt);
	} else if (l->last_code >= 400) {
		req->transport_ok = true; /* the server did answer: it said no */
		req->status = l->last_code;
		(void)snprintf(text, sizeof text, "%d %s", l->last_code, l->last);
		put_redacted(req, text);
	} else {
		tell_failure(t, rc);
	}
	if (l->refused.n > 0)
		req->reply = buf_take(&l->refused, &req->reply_len);
	else
		req->reply = strdup(l->last);
	ASSERT(req->reply != NULL);
	req->reply_len = strlen(req->reply);
}

static char *copy_of(const char *s)
{
	char *c = s != NULL ? strdup(s) : NULL;

	ASSERT(s == NULL || c != NULL);
	return c;
}

static void finish_http(struct transfer *t, CURLcode rc, long status)
{
	struct send_request *req = t->req;
	const char *text = NULL;

	req->status = (int)status;
	req->transport_ok = rc == CURLE_OK && req->error[0] == '\0';
	req->reply_over = t->reply_over;
	if (!req->transport_ok)
		tell_failure(t, rc);
	if (!t->reply.failed && t->reply.n > 0)
		req->reply = buf_take(&t->reply, &req->reply_len);
	if (curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &text) == CURLE_OK)
		req->reply_content_type = copy_of(text);
	req->effective_url = copy_of(t->url);
}

bool transfer_finish(struct transfer *t, CURLcode rc)
{
	long status = 0;

	if (t->req->kind == SEND_HTTP) {
		if (curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
			status = 0;
		if (rc == CURLE_OK && follow_redirect(t, status))
			return true;
		finish_http(t, rc, status);
	} else {
		finish_smtp(t, rc);
	}
	t->req->duration_ms = ms_since(t->start_ns);
	return false;
}

void transfer_fail(struct send_request *req, const char *why)
{
	req->transport_ok = false;
	req->status = 0;
	(void)snprintf(req->error, sizeof req->error, "%s", why);
}
