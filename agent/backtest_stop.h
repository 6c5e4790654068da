/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backtest_stop - ^C, SIGTERM and SIGHUP while a backtest has a directory of its own: it ends as
 * soon as it can, and takes the directory with it.
 *
 * The handler sets a flag; requests, stretches and evaluations look at it. A signal that whoever
 * started it ignores (nohup) stays ignored.
 */
#ifndef BELFRY_AGENT_BACKTEST_STOP_H
#define BELFRY_AGENT_BACKTEST_STOP_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

/* From here on these signals set the flag instead of ending the process. */
void bt_stop_catch(void);
/* For loops elsewhere; set once, never cleared. */
const atomic_bool *bt_stop_flag(void);
/* ERR_CANCEL once a signal came. */
int bt_stop_check(struct err *e) MUST_CHECK;
/* What a shell expects of who ended for a signal; 0: none came. */
int bt_stop_status(void);

#endif
