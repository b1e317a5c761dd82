/* SPDX-License-Identifier: MIT */
/* The attributes of a node, which stand in brackets; tl-flow(5) describes them. */
#ifndef ATTRIBUTE_H
#define ATTRIBUTE_H

#include "flow.h"

/* Obey one attribute; what is wrong with it goes to problems. */
void attribute_parse(struct flow *f, struct problems *p, struct node *node, const char *word);

/* What is wrong with the attributes of a node as a whole. */
void attribute_check(struct flow *f, struct problems *p, const struct node *node);

void attribute_free(struct node *node);

#endif
