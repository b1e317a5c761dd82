/* SPDX-License-Identifier: MIT */
/* Text on the screen: cut to columns, not to bytes. Between initscr and endwin only. */
#ifndef PAINT_H
#define PAINT_H

#include <stdbool.h>

enum paint { PAINT_PLAIN, PAINT_BAR, PAINT_HEAD, PAINT_DIM, PAINT_GOOD, PAINT_WARN, PAINT_BAD };

/* Learn what the terminal can do. NO_COLOR in the environment: attributes only. */
void paint_begin(void);
/* Does the locale lack Unicode? Then what is drawn is ASCII. */
bool paint_ascii(void);
/* At row y from column x, at most width columns; what is longer ends in an ellipsis. */
void paint_text(enum paint how, int y, int x, int width, const char *text);
/* The same, its last column at x + width - 1. */
void paint_right(enum paint how, int y, int x, int width, const char *text);
/* A whole row in one way, blank. */
void paint_row(enum paint how, int y);

#endif
