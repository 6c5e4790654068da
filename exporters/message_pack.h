/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_pack - a message as bytes and back: kept beside an outbox row, so that it can be rendered
 * for another receiver, or taken into a newer message, after its group has gone.
 *
 * Packed are the alerts, the group's labels and times; not who is told, ids and links: these belong
 * to one telling.
 */
#ifndef BELFRY_EXPORTERS_MESSAGE_PACK_H
#define BELFRY_EXPORTERS_MESSAGE_PACK_H

#include "exporters/message.h"

void message_pack(const struct message *m, struct buf *out);
/* Into *m, whose other fields stay: reason, times, group labels, alerts (message_finish was
 * called). Views into bytes, arrays in a. ERR_CORRUPT. */
int message_unpack(struct str bytes, struct arena *a, struct message *m, struct err *e) MUST_CHECK;

#endif
