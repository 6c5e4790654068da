/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turns - two threads that take turns at one loop, so that short work need not leave its thread.
 *
 * A request handed to a worker costs two changes of thread, which is more than most of a
 * dashboard's queries cost themselves, and the worker often wakes on the very core that the client
 * wants back. So the thread that read a request may work at it, too, "aside" of the loop. A timer
 * of the kernel is set for that time: when the work lasts longer than TURNS_ASIDE_US, the other
 * thread takes the loop over and goes on with it; what was aside then ends as if on a worker. So
 * the loop stands still for that time at most, whatever the work waits for (disk, lock, another
 * thread).
 *
 * (Leader/followers, Schmidt and others 2000, but the follower is woken by need, not each time.)
 */
#ifndef BELFRY_AGENT_TURNS_H
#define BELFRY_AGENT_TURNS_H

#include <stdbool.h>

#include "agent/loop.h"
#include "base/err.h"

#define TURNS_ASIDE_US 1000

struct turns;

struct turns_job {
	/* Not in a callback of the loop, which may be another's meanwhile. True: `done` is to be
	 * called. False: nothing more is; the job may be gone. */
	bool (*run)(struct turns_job *job);
	void (*done)(void *job); /* on the loop */
};

int turns_new(struct turns **out, struct loop *l, struct err *e) MUST_CHECK;
/* Runs the loop until loop_stop. When it returns the loop is the caller's, who may turn it on; a
 * job may still be at work aside. */
void turns_run(struct turns *t);
/* After turns_run: waits for a job that is at work, and frees. */
void turns_free(struct turns *t);

/* The loop's thread: run the job when all that came together with it was looked at. False: a job
 * waits already, nobody is there to take over, or the caller is a job's `done`; the job stays the
 * caller's. */
bool turns_aside(struct turns *t, struct turns_job *job) MUST_CHECK;
/* The loop's thread: the job that waits is the caller's again; NULL: none waits. */
struct turns_job *turns_take_back(struct turns *t);

#endif
