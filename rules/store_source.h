/* SPDX-License-Identifier: Apache-2.0 */
/* store_source - the local store as PromQL's select.h wants it. */
#ifndef BELFRY_RULES_STORE_SOURCE_H
#define BELFRY_RULES_STORE_SOURCE_H

#include "rules/promql/select.h"
#include "storage/store.h"

struct select_source store_source(struct store *s);

#endif
