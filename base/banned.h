/* SPDX-License-Identifier: Apache-2.0 */
/*
 * banned - turns functions that cannot be used safely into compile errors.
 *
 * Included on the command line (-include) for every C file of the product, after the system
 * headers that declare these names.
 */
#ifndef BELFRY_BASE_BANNED_H
#define BELFRY_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets atoi atol atof
#pragma GCC poison gmtime localtime ctime asctime

#endif
