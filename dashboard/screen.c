/* SPDX-License-Identifier: MIT */
/*
 * The view for a terminal: one screen that is drawn anew a few times a second. The queue stands on
 * top, then the nodes, the last files, the last errors; each gets what room there is.
 */
#include "human.h"
#include "paint.h"
#include "tagline.h"
#include "view.h"

#include <locale.h>
#include <ncurses.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    HALF = 42,   /* column where the rates begin */
    RATE = 13,   /* columns of a rate */
    WIDE = 96,   /* from here the nodes have sparklines */
    BODY = 7,    /* row where the nodes begin */
    TIME = 10,   /* columns of a clock and what follows it */
    NUMBER = 9,  /* columns of a number in the table of nodes */
    NUMBERS = 7, /* and how many there are */
    SPARK_AFTER = 3,
    NAME = 12, /* least columns of a node's name */
};

static const double redraw_every = 0.25;
static const double rate_over = 5; /* seconds */

static const char *queue;
static SCREEN *terminal;
static double drawn_at;

/* newterm, not initscr: it returns where initscr would end the program. */
static bool begin(const char *of)
{
    queue = of;
    terminal = newterm(NULL, stdout, stdin);
    if (!terminal) {
        tl_warn("this terminal cannot be drawn on (TERM); plain lines instead");
        return false;
    }
    cbreak();
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    curs_set(0);
    paint_begin();
    return true;
}

static void record(const struct model *m, const struct record *r, bool news, double now)
{
    (void)m, (void)r, (void)news, (void)now; /* tick draws */
}

/* What the bar on top says of the supervisor. */
static enum paint standing(const struct model *m, const struct moment *at, struct buf *b)
{
    char a[HUMAN], c[HUMAN];
    if (at->feed != FEED_WRITTEN) {
        buf_adds(b,
                 at->feed == FEED_NOT_FIFO ? "metrics is not a FIFO" : "waiting for a supervisor");
        return PAINT_WARN;
    }
    if (m->known && at->now - at->last > VIEW_STALE) {
        buf_addf(b, "last record %s ago", human_duration(a, at->now - at->last));
        return PAINT_WARN;
    }
    if (!m->known)
        return PAINT_PLAIN;
    buf_addf(b, "%s  %s worker%s  up %s", m->queue.state, human_count(a, m->queue.workers),
             m->queue.workers == 1 ? "" : "s", human_duration(c, m->queue.uptime));
    if (strcmp(m->queue.state, "running") == 0)
        return PAINT_GOOD;
    return strcmp(m->queue.state, "holding") == 0 ? PAINT_BAD : PAINT_WARN;
}

/* The bar, and below it why the supervisor holds, or else its flow. */
static void draw_top(const struct model *m, const struct moment *at)
{
    struct buf b = {0};
    enum paint how = standing(m, at, &b);
    int width = (int)b.len + 3;
    paint_row(PAINT_BAR, 0);
    paint_text(PAINT_BAR, 0, 1, 7, "tagline");
    paint_text(PAINT_BAR, 0, 10, COLS - width - 11, queue);
    paint_right(PAINT_BAR, 0, COLS - width, width - 1, buf_str(&b));
    b.len = 0;
    if (m->known && m->queue.reason[0]) {
        buf_addf(&b, "%s: %s", m->queue.state, m->queue.reason);
        paint_text(how, 1, 1, COLS - 2, buf_str(&b));
    } else if (m->known) {
        buf_addf(&b, "flow %s", m->queue.flow);
        paint_text(PAINT_DIM, 1, 1, COLS - 2, buf_str(&b));
    }
    buf_free(&b);
}

/* One row of the queue: what, how many, how big, and what else is to be said. */
static void draw_count(int y, enum paint how, const char *what, double files, double bytes,
                       const char *more)
{
    char room[HUMAN];
    paint_text(PAINT_PLAIN, y, 1, 10, what);
    paint_right(how, y, 11, 8, human_count(room, files));
    paint_right(PAINT_PLAIN, y, 19, 9, human_bytes(room, bytes));
    paint_text(PAINT_DIM, y, 30, HALF - 31, more);
}

/* A rate and its last minute beside it. The rate is over some seconds, because results are counted
 * file by file: a big one would make it jump. */
static void draw_rate(int y, const struct series *s, bool bytes)
{
    char room[HUMAN];
    double steps[MODEL_SERIES];
    struct buf b = {0};
    double rate = series_rate(s, rate_over);
    size_t columns = COLS > HALF + RATE + 2 ? (size_t)(COLS - HALF - RATE - 3) : 0;
    size_t n = series_steps(s, steps, columns < MODEL_SERIES ? columns : MODEL_SERIES);
    const char *what = y == 3 ? "/s" : y == 4 ? " lines/s" : " files/s";
    buf_addf(&b, "%s%s", bytes ? human_bytes(room, rate) : human_count(room, rate), what);
    paint_right(PAINT_PLAIN, y, HALF - 2, RATE + 2, buf_str(&b));
    b.len = 0;
    human_spark(&b, steps, n, paint_ascii());
    paint_text(PAINT_GOOD, y, HALF + RATE + 2, (int)columns, buf_str(&b));
    buf_free(&b);
}

static void draw_queue(const struct model *m)
{
    const struct model_queue *q = &m->queue;
    char room[HUMAN], more[2 * HUMAN] = "";
    if (q->waiting > 0)
        snprintf(more, sizeof more, "for %s", human_duration(room, q->oldest));
    draw_count(2, PAINT_HEAD, "waiting", q->waiting, q->waiting_bytes, more);
    draw_count(3, PAINT_HEAD, "running", q->running, q->running_bytes, "");
    more[0] = '\0';
    if (q->removed > 0)
        snprintf(more, sizeof more, "%s removed", human_count(room, q->removed));
    draw_count(4, PAINT_GOOD, "processed", q->processed, q->processed_bytes, more);
    more[0] = '\0';
    if (q->retried > 0)
        snprintf(more, sizeof more, "%s retried", human_count(room, q->retried));
    draw_count(5, q->failed > 0 ? PAINT_BAD : PAINT_PLAIN, "failed", q->failed, q->failed_bytes,
               more);
    draw_rate(3, &q->bytes_done, true);
    draw_rate(4, &q->lines_done, false);
    draw_rate(5, &q->files_done, false);
}

/* How the table of nodes is laid out: as many number columns as leave the names some room, and a
 * sparkline behind the third where there is room for all. */
struct layout {
    int name, numbers, spark;
};

static struct layout lay_out(void)
{
    struct layout l = {.numbers = (COLS - 2 - NAME) / NUMBER};
    if (l.numbers > NUMBERS)
        l.numbers = NUMBERS;
    l.name = COLS - 2 - (l.numbers > 0 ? l.numbers : 0) * NUMBER;
    if (COLS >= WIDE) {
        l.name = 2 * NAME;
        l.spark = COLS - 4 - l.name - NUMBERS * NUMBER;
        if (l.spark > MODEL_SERIES)
            l.spark = MODEL_SERIES;
    }
    return l;
}

/* Column where number i of the table begins. */
static int number_at(const struct layout *l, int i)
{
    return 1 + l->name + i * NUMBER + (i >= SPARK_AFTER && l->spark ? l->spark + 2 : 0);
}

static void draw_node(int y, const struct layout *l, const struct model_node *n)
{
    char room[NUMBERS][HUMAN];
    const char *text[NUMBERS] = {
        human_count(room[0], n->lines_in),
        human_count(room[1], n->lines_out),
        human_count(room[2], series_rate(&n->lines_passed, rate_over)),
        human_count(room[3], n->dropped),
        human_count(room[4], n->errors),
        human_duration(room[5], n->cpu),
        human_bytes(room[6], n->memory),
    };
    const enum paint how[NUMBERS] = {
        [3] = n->dropped > 0 ? PAINT_WARN : PAINT_DIM, [4] = n->errors > 0 ? PAINT_BAD : PAINT_DIM};
    paint_text(PAINT_PLAIN, y, 1, l->name, n->node);
    for (int i = 0; i < l->numbers; i++)
        paint_right(how[i], y, number_at(l, i), NUMBER, text[i]);
    if (l->spark) {
        double steps[MODEL_SERIES];
        struct buf b = {0};
        size_t there = series_steps(&n->lines_passed, steps, (size_t)l->spark);
        human_spark(&b, steps, there, paint_ascii());
        paint_text(PAINT_GOOD, y, number_at(l, SPARK_AFTER) - l->spark - 1, l->spark, buf_str(&b));
        buf_free(&b);
    }
}

/* Draws the table in at most rows rows; returns the row after it. */
static int draw_nodes(const struct model *m, int y, int rows)
{
    static const char *const heads[NUMBERS] = {"IN",     "OUT", "LINES/S", "DROPPED",
                                               "ERRORS", "CPU", "MEMORY"};
    struct layout l = lay_out();
    if (m->n_nodes == 0 || rows < 2)
        return y;
    paint_text(PAINT_HEAD, y, 1, l.name, "NODE");
    for (int i = 0; i < l.numbers; i++)
        paint_right(PAINT_HEAD, y, number_at(&l, i), NUMBER, heads[i]);
    y++;
    size_t fit = (size_t)rows - 1;
    size_t shown = m->n_nodes <= fit ? m->n_nodes : fit - 1;
    for (size_t i = 0; i < shown; i++)
        draw_node(y++, &l, &m->nodes[i]);
    if (shown < m->n_nodes) {
        char more[64];
        snprintf(more, sizeof more, "and %zu more", m->n_nodes - shown);
        paint_text(PAINT_DIM, y++, 1, COLS - 2, more);
    }
    return y;
}

/* What went wrong stands out; what is only claimed stays in the background. */
static enum paint file_paint(const struct model_file *f)
{
    if (strcmp(f->event, "failed") == 0)
        return PAINT_BAD;
    if (strcmp(f->event, "retried") == 0)
        return PAINT_WARN;
    return strcmp(f->event, "claimed") == 0 ? PAINT_DIM : PAINT_PLAIN;
}

static void draw_line(int y, double time, enum paint how, struct buf *b)
{
    char clock[HUMAN];
    paint_text(PAINT_DIM, y, 1, TIME, human_clock(clock, time));
    paint_text(how, y, 1 + TIME, COLS - TIME - 2, buf_str(b));
    b->len = 0;
}

static int draw_files(const struct model *m, int y, int rows)
{
    struct buf b = {0};
    if (rows < 2)
        return y;
    paint_text(PAINT_HEAD, y++, 1, COLS - 2, "FILES");
    for (size_t i = 0; i < m->n_files && i + 1 < (size_t)rows; i++) {
        human_file(&b, &m->files[i]);
        draw_line(y++, m->files[i].time, file_paint(&m->files[i]), &b);
    }
    if (m->n_files == 0)
        paint_text(PAINT_DIM, y++, 1, COLS - 2, "none yet: move files into unprocessed");
    buf_free(&b);
    return y;
}

static int draw_errors(const struct model *m, int y, int rows)
{
    struct buf b = {0};
    if (m->n_errors == 0 || rows < 2)
        return y;
    paint_text(PAINT_HEAD, y++, 1, COLS - 2, "ERRORS");
    for (size_t i = 0; i < m->n_errors && i + 1 < (size_t)rows; i++) {
        human_error(&b, &m->errors[i]);
        draw_line(y++, m->errors[i].time, PAINT_PLAIN, &b);
    }
    buf_free(&b);
    return y;
}

static void draw_traces(const struct model *m, int y, int rows)
{
    struct buf b = {0};
    if (m->n_traces == 0 || rows < 2)
        return;
    paint_text(PAINT_HEAD, y++, 1, COLS - 2, "THE WAY OF A LINE");
    for (size_t i = 0; i < m->n_traces && i + 1 < (size_t)rows; i++) {
        human_trace(&b, &m->traces[i]);
        draw_line(y++, m->traces[i].time, PAINT_PLAIN, &b);
    }
    buf_free(&b);
}

/* The number of rows that a list of n gets: a blank, a heading, its lines. */
static int wanted(size_t n)
{
    int most = LINES < 32 ? 3 : LINES / 8;
    return n == 0 ? 0 : 2 + (n < (size_t)most ? (int)n : most);
}

/* Share the rows below the queue: errors and traces take little, nodes half of the rest, files what
 * is left. Traces only where there is plenty. */
static void draw_body(const struct model *m)
{
    int rows = LINES - BODY - 1;
    int errors = wanted(m->n_errors), traces = LINES >= 30 ? wanted(m->n_traces) : 0;
    int left = rows - errors - traces;
    int nodes = 1 + (int)m->n_nodes;
    if (nodes > left - 5)
        nodes = left - 5 > 4 ? left - 5 : 4;
    if (nodes > rows)
        nodes = rows;
    int y = draw_nodes(m, BODY, nodes);
    y = draw_files(m, y > BODY ? y + 1 : y, BODY + rows - errors - traces - (y > BODY ? y + 1 : y));
    if (errors)
        y = draw_errors(m, y + 1, errors - 1);
    draw_traces(m, y + 1, traces - 1);
}

/* What is seldom, and matters when it is not 0. */
static void draw_bottom(const struct model *m, const struct moment *at)
{
    struct buf b = {0};
    char room[HUMAN];
    buf_adds(&b, "q quits");
    if (m->known && m->queue.ignored > 0)
        buf_addf(&b, "   ignored %s", human_count(room, m->queue.ignored));
    if (m->known && m->queue.records_dropped > 0)
        buf_addf(&b, "   records dropped %s", human_count(room, m->queue.records_dropped));
    if (at->bad > 0)
        buf_addf(&b, "   bad lines %s", human_count(room, (double)at->bad));
    paint_text(PAINT_DIM, LINES - 1, 1, COLS - 2, buf_str(&b));
    buf_free(&b);
}

/* Before the first record: say what is missing and how to get it. */
static void draw_nothing(void)
{
    struct buf b = {0};
    int y = LINES / 2 - 1;
    buf_addf(&b, "waiting for a supervisor of %s", queue);
    int x = COLS > (int)b.len ? (COLS - (int)b.len) / 2 : 1;
    paint_text(PAINT_PLAIN, y, x, COLS - x - 1, buf_str(&b));
    b.len = 0;
    buf_addf(&b, "start one with: tl-supervisor FLOW %s", queue);
    paint_text(PAINT_DIM, y + 1, x, COLS - x - 1, buf_str(&b));
    buf_free(&b);
}

/* True if a key asks to end. A new size of the terminal is told as a key, too. */
static bool keys(bool *redraw)
{
    for (int key = getch(); key != ERR; key = getch()) {
        if (key == 'q' || key == 'Q')
            return true;
        *redraw = true;
    }
    return false;
}

static bool tick(const struct model *m, const struct moment *at)
{
    bool redraw = at->now - drawn_at >= redraw_every;
    if (keys(&redraw))
        return false;
    if (!redraw)
        return true;
    drawn_at = at->now;
    erase();
    draw_top(m, at);
    if (m->known) {
        draw_queue(m);
        draw_body(m);
    } else {
        draw_nothing();
    }
    draw_bottom(m, at);
    refresh();
    return true;
}

static void end(void)
{
    endwin();
    delscreen(terminal);
}

const struct view view_screen = {begin, record, tick, end};
