/* SPDX-License-Identifier: MIT */
/*
 * tl-dashboard: what goes on in a queue. Trust: run by a person who may read the queue; what it
 * reads from the FIFO is checked, and nothing of it reaches the terminal unclean. It writes nothing
 * into the queue.
 */
#include "contract.h"
#include "feed.h"
#include "folders.h"
#include "human.h"
#include "model.h"
#include "tagline.h"
#include "view.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 250, ONCE_SECONDS = 2 };

static const char usage[] =
    "usage: tl-dashboard [--json] [--once] QUEUE\n"
    "Show what goes on in a queue: a screen on a terminal, lines elsewhere.\n"
    "      --json     the metrics records as they are, one JSON object a line\n"
    "      --once     one line on the queue, then end; works without a supervisor\n"
    "  -h, --help     this text\n"
    "      --version  the version\n";

struct options {
    const char *queue;
    bool json, once;
};

static volatile sig_atomic_t stopped;
static struct model model;
static struct feed *opened; /* closed at the end, however that comes */

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static double monotonic(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* For --help and --version: what cannot be printed is an error there, too. */
_Noreturn static void print_and_exit(const char *text)
{
    fputs(text, stdout);
    view_flush();
    exit(EX_OK);
}

static struct options parse_options(int argc, char **argv)
{
    enum { JSON = 256, ONCE, VERSION };
    static const struct option longs[] = {{"json", no_argument, NULL, JSON},
                                          {"once", no_argument, NULL, ONCE},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, VERSION},
                                          {0}};
    struct options o = {0};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "+h", longs, NULL)) != -1;) {
        if (c == JSON)
            o.json = true;
        else if (c == ONCE)
            o.once = true;
        else if (c == 'h')
            print_and_exit(usage);
        else if (c == VERSION)
            print_and_exit("tl-dashboard " TL_VERSION "\n");
        else
            tl_die(EX_USAGE, "%s: no such option; see tl-dashboard -h", argv[optind - 1]);
    }
    if (argc - optind != 1)
        tl_die(EX_USAGE, "%s; see tl-dashboard -h",
               argc == optind ? "which queue?" : "one queue at a time");
    o.queue = argv[optind];
    return o;
}

/* Signals that end us come only while we wait, so that none is missed. A hang-up just kills: there
 * is no terminal left to put in order. */
static void catch_signals(sigset_t *while_waiting)
{
    static const int which[] = {SIGINT, SIGTERM};
    struct sigaction sa = {.sa_handler = stop};
    sigset_t ours;
    sigemptyset(&ours);
    for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
        if (sigaction(which[i], &sa, NULL) != 0)
            tl_die(EX_OSERR, "signals: %m");
        sigaddset(&ours, which[i]);
    }
    if (sigprocmask(SIG_BLOCK, &ours, while_waiting) != 0)
        tl_die(EX_OSERR, "signals: %m");
}

/* Wait for a record, a key, a signal or the next tick. Dies when nobody reads what we write. */
static void wait_for_news(struct feed *f, bool keys, const sigset_t *mask)
{
    struct pollfd fds[] = {
        {.fd = feed_fd(f), .events = POLLIN},
        {.fd = STDOUT_FILENO, .events = 0},
        {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN},
    };
    struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    if (ppoll(fds, sizeof fds / sizeof *fds, &tick, mask) < 0 && errno != EINTR)
        tl_die(EX_OSERR, "poll: %m");
    if (fds[1].revents & POLLERR)
        exit(EX_IOERR);
}

/* Take what the feed has into the model and tell the view of each record. */
static void take_records(struct feed *f, const struct view *view, struct moment *at)
{
    struct record r;
    if (!feed_read(f)) {
        view->end();
        feed_die(f);
    }
    at->now = monotonic();
    while (records_next(feed_records(f), &r)) {
        at->last = at->now;
        bool news = model_take(&model, r.json);
        view->record(&model, &r, news, at->now);
        json_decref(r.json);
    }
    at->feed = feed_state(f);
    at->bad = records_bad(feed_records(f));
}

/* The main loop: read, take, tell, wait, until the user or a signal ends it. */
static void show(struct feed *f, const struct view *view, const sigset_t *mask)
{
    struct moment at = {.feed = feed_state(f)};
    bool keys = view == &view_screen && isatty(STDIN_FILENO);
    bool go_on = true;
    while (go_on && !stopped) {
        take_records(f, view, &at);
        go_on = view->tick(&model, &at);
        if (go_on)
            wait_for_news(f, keys, mask);
    }
    view->end();
}

/* The line of --once, in either form; the model has the record already. */
static void print_summary(const json_t *record, bool json)
{
    struct buf b = {0};
    if (json) {
        char *line = json_dumps(record, JSON_COMPACT);
        if (!line)
            tl_die(EX_OSERR, "no memory");
        buf_adds(&b, line);
        free(line);
        view_json_line(b.data, b.len);
    } else {
        human_queue(&b, &model.queue);
        printf("%s\n", buf_str(&b));
        view_flush();
    }
    buf_free(&b);
}

/* The first queue record, or what the folders say when none comes. */
static void show_once(struct feed *f, const struct options *o, const sigset_t *mask)
{
    struct record r;
    double until = monotonic() + ONCE_SECONDS;
    while (!stopped && monotonic() < until) {
        if (!feed_read(f))
            feed_die(f);
        while (records_next(feed_records(f), &r)) {
            model_take(&model, r.json);
            if (model.known) {
                print_summary(r.json, o->json);
                json_decref(r.json);
                return;
            }
            json_decref(r.json);
        }
        wait_for_news(f, false, mask);
    }
    if (stopped)
        return;
    json_t *counted = folders_record(o->queue);
    model_take(&model, counted);
    print_summary(counted, o->json);
    json_decref(counted);
}

static void close_all(void)
{
    feed_close(opened);
    model_free(&model);
}

int main(int argc, char **argv)
{
    sigset_t mask;
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C"); /* numbers in JSON and in columns */
    struct options o = parse_options(argc, argv);
    struct feed *f = feed_open(o.queue);
    opened = f;
    if (atexit(close_all) != 0)
        tl_die(EX_OSERR, "no memory");
    if (!feed_read(f))
        feed_die(f); /* before there is a screen */
    catch_signals(&mask);
    if (o.once) {
        show_once(f, &o, &mask);
    } else {
        const struct view *view = o.json                  ? &view_json
                                  : isatty(STDOUT_FILENO) ? &view_screen
                                                          : &view_plain;
        if (!view->begin(o.queue)) {
            view = &view_plain; /* a terminal that knows no screens can still show lines */
            view->begin(o.queue);
        }
        show(f, view, &mask);
    }
    return EX_OK;
}
