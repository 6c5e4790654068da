/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics - a fixed table of cells, found again by name and labels; see metrics.h.
 *
 * A cell's value is the sum of an integer (counts) and a double (seconds, bytes, gauges), each
 * updated with relaxed atomics. The mutex guards making cells, callbacks being set or taken away,
 * and exposition, so that a part that unregistered its callback is never called again.
 */
#include "base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/f64.h"
#include "base/hash.h"
#include "base/labels.h"
#include "base/limits.h"
#include "base/num.h"

#define SLOTS (2u * LIMIT_SELF_METRICS) /* open addressing, at most half full */

enum kind { KIND_COUNTER, KIND_GAUGE };

struct metric {
	_Atomic uint64_t count;
	_Atomic uint64_t fbits; /* a double */
	const char *name, *help;
	const char *labels; /* "" when none */
	enum kind kind;
	bool asked; /* its value comes from fn; not shown while fn is NULL */
	double (*fn)(void *arg);
	void *arg;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric cells[LIMIT_SELF_METRICS];
static uint32_t slots[SLOTS]; /* 0 empty, else index of the cell + 1 */
static uint32_t n_cells;
static struct metric overflow = {.name = "belfry_self_overflow_total",
	.help = "Updates of metrics that found no cell (LIMIT_SELF_METRICS).",
	.labels = ""};

/* The slot of (name, labels): holds it, or is empty. */
static uint32_t find_slot(const char *name, struct str labels)
{
	uint64_t h = hash_str(str_c(name)) ^ (hash_str(labels) * UINT64_C(0x9e3779b97f4a7c15));
	uint32_t at = (uint32_t)(h % SLOTS);

	for (;; at = (at + 1) % SLOTS) {
		const struct metric *m;

		if (slots[at] == 0)
			return at;
		m = &cells[slots[at] - 1];
		if (strcmp(m->name, name) == 0 && str_eq(str_c(m->labels), labels))
			return at;
	}
}

/* Under the lock. `copy`: the labels' text is copied when a cell is made. */
static struct metric *cell(
	const char *name, const char *help, struct str labels, enum kind kind, bool copy)
{
	struct metric *m;
	uint32_t at;
	char *text;

	ASSERT(name != NULL);
	ASSERT(help != NULL);
	hash_init();
	at = find_slot(name, labels);
	if (slots[at] != 0)
		return &cells[slots[at] - 1];
	if (n_cells == LIMIT_SELF_METRICS)
		return &overflow;
	if (copy) {
		text = str_dup_c(labels);
		if (text == NULL)
			return &overflow;
		labels.p = text;
	}
	m = &cells[n_cells++];
	m->name = name;
	m->help = help;
	m->labels = labels.n > 0 ? labels.p : "";
	m->kind = kind;
	slots[at] = n_cells;
	return m;
}

static struct metric *make(const char *name, const char *help, const char *labels, enum kind kind)
{
	struct metric *m;

	(void)pthread_mutex_lock(&lock);
	m = cell(name, help, str_c(labels), kind, false);
	(void)pthread_mutex_unlock(&lock);
	return m;
}

struct metric *metric_counter(const char *name, const char *help, const char *labels)
{
	return make(name, help, labels, KIND_COUNTER);
}

struct metric *metric_gauge(const char *name, const char *help, const char *labels)
{
	return make(name, help, labels, KIND_GAUGE);
}

static struct metric *make_l(
	const char *name, const char *help, const char *label, struct str value, enum kind kind)
{
	struct metric *m;
	struct buf b;

	buf_init(&b, 2 * LIMIT_LABEL_VALUE);
	buf_c(&b, label);
	buf_ch(&b, '=');
	labels_print_value(&b, value);
	if (b.failed)
		return &overflow;
	(void)pthread_mutex_lock(&lock);
	m = cell(name, help, buf_view(&b), kind, true);
	(void)pthread_mutex_unlock(&lock);
	buf_fini(&b);
	return m;
}

struct metric *metric_counter_text(const char *name, const char *help, struct str labels)
{
	struct metric *m;

	(void)pthread_mutex_lock(&lock);
	m = cell(name, help, labels, KIND_COUNTER, true);
	(void)pthread_mutex_unlock(&lock);
	return m;
}

struct metric *metric_counter_l(
	const char *name, const char *help, const char *label, struct str value)
{
	return make_l(name, help, label, value, KIND_COUNTER);
}

struct metric *metric_gauge_l(
	const char *name, const char *help, const char *label, struct str value)
{
	return make_l(name, help, label, value, KIND_GAUGE);
}

static void set_fn(struct metric *m, double (*fn)(void *arg), void *arg)
{
	if (m == &overflow)
		return;
	m->asked = true;
	m->fn = fn;
	m->arg = arg;
}

void metric_gauge_fn(
	const char *name, const char *help, const char *labels, double (*fn)(void *arg), void *arg)
{
	(void)pthread_mutex_lock(&lock);
	set_fn(cell(name, help, str_c(labels), KIND_GAUGE, false), fn, arg);
	(void)pthread_mutex_unlock(&lock);
}

void metric_counter_fn(
	const char *name, const char *help, const char *labels, double (*fn)(void *arg), void *arg)
{
	(void)pthread_mutex_lock(&lock);
	set_fn(cell(name, help, str_c(labels), KIND_COUNTER, false), fn, arg);
	(void)pthread_mutex_unlock(&lock);
}

void metric_inc(struct metric *m)
{
	metric_add(m, 1);
}

void metric_add(struct metric *m, uint64_t n)
{
	atomic_fetch_add_explicit(&m->count, n, memory_order_relaxed);
}

void metric_addf(struct metric *m, double v)
{
	uint64_t old = atomic_load_explicit(&m->fbits, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&m->fbits, &old,
		f64_bits(f64_from_bits(old) + v), memory_order_relaxed, memory_order_relaxed))
		;
}

void metric_set(struct metric *m, double v)
{
	ASSERT(m->kind == KIND_GAUGE || m == &overflow);
	atomic_store_explicit(&m->count, 0, memory_order_relaxed);
	atomic_store_explicit(&m->fbits, f64_bits(v), memory_order_relaxed);
}

double metric_get(const struct metric *m)
{
	return (double)atomic_load_explicit(&m->count, memory_order_relaxed) +
	       f64_from_bits(atomic_load_explicit(&m->fbits, memory_order_relaxed));
}

static int by_name(const void *a, const void *b)
{
	const struct metric *x = *(const struct metric *const *)a;
	const struct metric *y = *(const struct metric *const *)b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : strcmp(x->labels, y->labels);
}

static void write_family(struct buf *out, const struct metric *m)
{
	buf_c(out, "# HELP ");
	buf_c(out, m->name);
	buf_ch(out, ' ');
	for (const char *p = m->help; *p != '\0'; p++) {
		if (*p == '\\' || *p == '\n')
			buf_c(out, *p == '\n' ? "\\n" : "\\\\");
		else
			buf_ch(out, *p);
	}
	buf_c(out, "\n# TYPE ");
	buf_c(out, m->name);
	buf_c(out, m->kind == KIND_COUNTER ? " counter\n" : " gauge\n");
}

static void write_cell(struct buf *out, const struct metric *m)
{
	buf_c(out, m->name);
	if (m->labels[0] != '\0') {
		buf_ch(out, '{');
		buf_c(out, m->labels);
		buf_ch(out, '}');
	}
	buf_ch(out, ' ');
	f64_print(out, m->asked ? m->fn(m->arg) : metric_get(m));
	buf_ch(out, '\n');
}

void metrics_write(struct buf *out)
{
	static const struct metric *sorted[LIMIT_SELF_METRICS + 1]; /* guarded by lock */
	const char *family = "";
	size_t n = 0;

	(void)pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < n_cells; i++) {
		if (!cells[i].asked || cells[i].fn != NULL)
			sorted[n++] = &cells[i];
	}
	if (metric_get(&overflow) > 0)
		sorted[n++] = &overflow;
	qsort(sorted, n, sizeof *sorted, by_name);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(family, sorted[i]->name) != 0)
			write_family(out, sorted[i]);
		family = sorted[i]->name;
		write_cell(out, sorted[i]);
	}
	(void)pthread_mutex_unlock(&lock);
}

void metrics_each(void (*fn)(const char *name, const char *labels, double v, void *arg), void *arg)
{
	(void)pthread_mutex_lock(&lock);
	for (uint32_t i = 0; i < n_cells; i++) {
		const struct metric *m = &cells[i];

		if (!m->asked)
			fn(m->name, m->labels, metric_get(m), arg);
		else if (m->fn != NULL)
			fn(m->name, m->labels, m->fn(m->arg), arg);
	}
	(void)pthread_mutex_unlock(&lock);
}
