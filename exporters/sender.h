/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender - how exporters reach the network: a function handed in by agent/ (its http-client
 * thread with libcurl), by tests (a table of answers).
 */
#ifndef BELFRY_EXPORTERS_SENDER_H
#define BELFRY_EXPORTERS_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define SEND_HIDDEN_MAX 16u

enum send_kind { SEND_HTTP, SEND_SMTP };

/* One transfer. Made by the exporter with malloc'ed strings (send_request_free frees them all),
 * given to submit, given back through on_done on the client's thread, once. */
struct send_request {
	enum send_kind kind;
	char *url;      /* http(s)://… or smtp(s)://host:port/helo-name */
	char *method;   /* HTTP: POST by default */
	char **headers; /* "Name: value", checked against CR, LF and NUL by who made them */
	size_t n_headers;
	char *body; /* HTTP body, or the whole RFC 5322 message with CRLF line ends */
	size_t body_len;
	char *user, *password, *bearer; /* NULL: none */
	char *proxy, *no_proxy;
	char *hidden[SEND_HIDDEN_MAX]; /* secrets in body, headers or path: send_request_hide */
	size_t n_hidden;
	/* SMTP */
	char *mail_from;
	char **rcpt;
	size_t n_rcpt;
	bool require_tls;    /* STARTTLS (or smtps) must succeed */
	char *login_options; /* "AUTH=PLAIN;AUTH=LOGIN": the mechanisms that may be used; NULL: any
			      */
	char *authzid;       /* identity to act as, of AUTH PLAIN */
	/* TLS */
	char *ca_file, *cert_file, *key_file, *server_name;
	bool insecure_skip_verify;
	bool follow_redirects;
	int timeout_ms;   /* total; 0: LIMIT_SEND_TIMEOUT_MS */
	size_t reply_max; /* bytes of the answer that are kept; 0: LIMIT_REPLY_BYTES */
	unsigned tag;     /* for who made it: comes back as it was */

	/* answer */
	int status;             /* HTTP status or last SMTP code; 0 when none came */
	bool transport_ok;      /* a whole answer came */
	bool reply_over;        /* its head came, its body is longer than reply_max */
	char error[200];        /* what went wrong, secrets redacted */
	int64_t retry_after_ms; /* from Retry-After; 0: none */
	char *reply;
	size_t reply_len;
	int64_t duration_ms;
	int64_t response_date_ms;
	char *reply_content_type;
	char *effective_url;

	void (*on_done)(struct send_request *req, void *arg);
	void *arg;
	struct send_request *next; /* the client's */
	void *client_private;
};

struct sender {
	void *ctx;
	/* Takes the request; false when the queue is full or the client stopped: it stays the
	 * caller's. */
	bool (*submit)(void *ctx, struct send_request *req);
};

struct send_request *send_request_new(enum send_kind kind);
void send_request_free(struct send_request *req);
/* Copies; aborts only on out-of-memory. false when the text holds CR, LF or NUL. */
bool send_request_header(struct send_request *req, struct str name, struct str value);
/* A secret of the request that its answer must not bring into logs; of less than 6 bytes it is not
 * told from words and forgotten. */
void send_request_hide(struct send_request *req, struct str secret);
/* text (an answer) appended to out without the request's secrets: hidden ones, credentials, the
 * URL's path and its longer parts. */
void send_request_redact(const struct send_request *req, struct str text, struct buf *out);

#endif
