/* SPDX-License-Identifier: MIT */
/* The two clocks: one that only goes forward, for waiting, and that of the wall, for mtimes. */
#ifndef TIMES_H
#define TIMES_H

#include <stdint.h>

long long times_ms(void);
long long times_us(void); /* since some moment in the past */
int64_t times_wall(void); /* nanoseconds since 1970 */

#endif
