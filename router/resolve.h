/* SPDX-License-Identifier: MIT */
/* What the tags of a flow name. */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "flow.h"

/* Fill in start and where each arrow leads, and serve an "end" that nobody serves; what is named
 * twice, or by nobody, goes to problems. */
void resolve_names(struct flow *f, struct problems *p);

#endif
