/* SPDX-License-Identifier: Apache-2.0 */
/* message_fixture - messages to render: tame ones, hostile ones, huge ones. */
#ifndef BELFRY_TESTS_LIB_MESSAGE_FIXTURE_H
#define BELFRY_TESTS_LIB_MESSAGE_FIXTURE_H

#include "exporters/graph.h"
#include "exporters/message.h"

/* What a message is to be made of. */
struct message_plan {
	size_t n, n_resolved; /* alerts, and how many of them are over */
	enum message_reason reason;
	bool first, links;
	const char *severity; /* NULL: none */
	struct str name;      /* of the alerts; empty: the usual one */
	struct str hostile;   /* put into a label, the summary and the description */
};

struct message_fixture {
	struct arena arena;
	struct message m;
};

#define FIXTURE_NOW_MS INT64_C(1790000000000)

void message_fixture_init(struct message_fixture *f, const struct message_plan *p);
void message_fixture_fini(struct message_fixture *f);

/* The last hour of a pool that fills up, drawn; graph_free. */
struct graph_answer *message_fixture_graph(void);

/* Texts that break what is careless, and how many there are. */
extern const struct str hostile_texts[];
extern const size_t n_hostile_texts;
/* n bytes of a repeated piece, malloc'ed. */
char *hostile_long(const char *piece, size_t n);

#endif
