/* SPDX-License-Identifier: MIT */
/* Text on the screen. Trust: texts are clean (model_clean); their width is measured here, and what
 * the locale cannot show becomes "?". */
#include "paint.h"

#include <langinfo.h>
#include <limits.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { COLUMNS_MOST = 512 };

static bool ascii;

void paint_begin(void)
{
    ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    if (getenv("NO_COLOR") || !has_colors() || start_color() == ERR)
        return;
    use_default_colors();
    init_pair(PAINT_GOOD, COLOR_GREEN, -1);
    init_pair(PAINT_WARN, COLOR_YELLOW, -1);
    init_pair(PAINT_BAD, COLOR_RED, -1);
    init_pair(PAINT_HEAD, COLOR_CYAN, -1);
}

bool paint_ascii(void)
{
    return ascii;
}

static attr_t attributes(enum paint how)
{
    switch (how) {
    case PAINT_PLAIN:
        return A_NORMAL;
    case PAINT_BAR:
        return A_REVERSE;
    case PAINT_HEAD:
        return A_BOLD | (attr_t)COLOR_PAIR(PAINT_HEAD);
    case PAINT_DIM:
        return A_DIM;
    case PAINT_GOOD:
    case PAINT_WARN:
    case PAINT_BAD:
        return A_BOLD | (attr_t)COLOR_PAIR(how);
    }
    return A_NORMAL;
}

/* The next character of the text and how many bytes and columns it takes. */
static wchar_t next(const char *text, size_t *bytes, int *columns)
{
    wchar_t c;
    mbstate_t state = {0};
    size_t n = mbrtowc(&c, text, strlen(text), &state);
    int width = n == 0 || n > MB_LEN_MAX ? -1 : wcwidth(c);
    if (n == 0 || n > MB_LEN_MAX)
        n = 1;
    *bytes = n;
    *columns = width < 0 ? 1 : width;
    return width < 0 ? L'?' : c;
}

/* Convert as much as fits; returns the columns used. A cut text ends in an ellipsis. */
static int fit(const char *text, int width, wchar_t *to)
{
    int used = 0;
    size_t n = 0, safe = 0; /* safe: as much as leaves a column for the ellipsis */
    int safe_used = 0;
    while (*text && n < COLUMNS_MOST - 1) {
        size_t bytes;
        int columns;
        wchar_t c = next(text, &bytes, &columns);
        if (used + columns > width) {
            to[safe] = ascii ? L'~' : L'…';
            to[safe + 1] = L'\0';
            return safe_used + 1;
        }
        to[n++] = c;
        used += columns;
        text += bytes;
        if (used < width) {
            safe = n;
            safe_used = used;
        }
    }
    to[n] = L'\0';
    return used;
}

static void put(enum paint how, int y, int x, const wchar_t *text)
{
    attrset(attributes(how));
    mvaddwstr(y, x, text); /* the last column of the last row says ERR although it was drawn */
    attrset(A_NORMAL);
}

void paint_text(enum paint how, int y, int x, int width, const char *text)
{
    wchar_t wide[COLUMNS_MOST + 1];
    if (width <= 0 || y < 0 || y >= LINES || x >= COLS)
        return;
    if (width > COLS - x)
        width = COLS - x;
    fit(text, width, wide);
    put(how, y, x, wide);
}

void paint_right(enum paint how, int y, int x, int width, const char *text)
{
    wchar_t wide[COLUMNS_MOST + 1];
    if (width <= 0 || y < 0 || y >= LINES || x >= COLS)
        return;
    if (width > COLS - x)
        width = COLS - x;
    int used = fit(text, width, wide);
    put(how, y, x + width - used, wide);
}

void paint_row(enum paint how, int y)
{
    attrset(attributes(how));
    mvhline(y, 0, ' ', COLS);
    attrset(A_NORMAL);
}
