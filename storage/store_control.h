/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_control - messages to the storage writer that somebody waits for; small helpers.
 */
#ifndef BELFRY_STORAGE_STORE_CONTROL_H
#define BELFRY_STORAGE_STORE_CONTROL_H

#include "storage/store_int.h"

/* On the stack of who waits. */
struct store_control {
	struct store_msg msg;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool ended;
	int rc;
	struct err err;
};

/* Writer: the message was handled; it must not be touched afterwards. */
void store_control_done(struct store_control *c);
/* Any other thread: send and wait. */
int store_control_call(struct store *st, enum store_msg_kind kind, struct err *e) MUST_CHECK;

/* Remember a metric's metadata (under the write lock). */
void store_put_meta(struct store *st, const struct batch_meta *m);

#endif
