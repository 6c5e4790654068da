/* SPDX-License-Identifier: Apache-2.0 */
/* backtest_stop - see backtest_stop.h. */
#include "agent/backtest_stop.h"

#include <signal.h>

#include "base/num.h"

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "a handler sets them");

static atomic_bool stopped;
static atomic_int signal_number;

static void on_signal(int signo)
{
	atomic_store(&signal_number, signo);
	atomic_store(&stopped, true);
}

void bt_stop_catch(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction old, mine = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	(void)sigemptyset(&mine.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &mine, NULL);
	}
}

const atomic_bool *bt_stop_flag(void)
{
	return &stopped;
}

int bt_stop_check(struct err *e)
{
	return atomic_load(&stopped) ? err_set(e, ERR_CANCEL, 0, "stopped by a signal") : 0;
}

int bt_stop_status(void)
{
	return atomic_load(&stopped) ? 128 + atomic_load(&signal_number) : 0;
}
