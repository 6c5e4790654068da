/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uninit - UNINIT marks a large local array that is written before it is read.
 *
 * All locals are zeroed (-ftrivial-auto-var-init), which is cheap for a few words and not for
 * kilobytes in a function that is called for each series of a query.
 */
#ifndef BELFRY_BASE_UNINIT_H
#define BELFRY_BASE_UNINIT_H

#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINIT __attribute__((uninitialized))
#endif
#endif
#ifndef UNINIT
#define UNINIT
#endif

#endif
