/* SPDX-License-Identifier: Apache-2.0 */
/* history_internal - what history.c and link.c share: the list of what waits to be written. */
#ifndef BELFRY_EXPORTERS_HISTORY_INTERNAL_H
#define BELFRY_EXPORTERS_HISTORY_INTERNAL_H

#include <openssl/crypto.h>
#include <stddef.h>

#include "exporters/history.h"

enum fact_type { FACT_EVENT, FACT_ATTEMPT, FACT_LINK };

/* One row to be; its texts stand behind the struct. */
struct fact {
	struct fact *next;
	enum fact_type type;
	int kind; /* enum history_kind or attempt_outcome */
	unsigned attempt;
	int64_t at_ms, incident_ms;
	uint64_t fingerprint;
	double value, worst, threshold;
	char op[3];
	char token[LINK_TOKEN_LEN + 1];
	struct str a;    /* event: detail; attempt: message id; link: group key */
	struct str b;    /* event: alert's name; attempt: receiver; link: title */
	struct str blob; /* event: labels, when the alert is to be remembered; attempt: detail;
			    link: labels */
};

enum history_statement {
	HST_FACT,
	HST_ALERT,
	HST_ATTEMPT,
	HST_LINK,
	HST_TRIM_FACTS,
	HST_TRIM_ATTEMPTS,
	HST_TRIM_ALERTS,
	HST_TRIM_LINKS,
	HST_TRIM_MARKS,
	HST_COUNT
};

struct history {
	struct fact *first, **last;
	size_t n, written; /* written: by the transaction that is open */
	size_t trim_in;    /* facts until the next trim */
	unsigned char key[32];
	sqlite3_stmt *st[HST_COUNT];
};

/* NULL when too much waits. The texts are copied and cut. */
struct fact *history_add(
	struct history *h, enum fact_type type, struct str a, struct str b, struct str blob);
int link_load_key(struct history *h, sqlite3 *db, struct err *e) MUST_CHECK;

#endif
