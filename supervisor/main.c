/* SPDX-License-Identifier: MIT */
/*
 * tl-supervisor: watches a queue and runs routers over what is dropped there. Trust: the flow and
 * the options are the operator's. Whoever may write to unprocessed may give any file any name, and
 * may change or take it at any time; he gets its bytes processed by the flow and nothing else. All
 * data is read by the workers; this process handles names, sizes and their answers.
 */
#include "sdnotify.h"
#include "super.h"
#include "tagline.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: tl-supervisor [options] FLOW QUEUE\n"
    "Run the flow over each file that is dropped in QUEUE/unprocessed.\n"
    "  -j N                       workers (number of CPUs)\n"
    "  -v                         log each file that is done\n"
    "  --once                     end when all that is there is done\n"
    "  --settle DURATION          how long a file must be quiet that nobody closed (2s)\n"
    "  --durability power|process what a result must survive (power)\n"
    "  --retries N                runs after the first that fails temporarily (5)\n"
    "  --backoff MIN..MAX         time between them (1s..5m)\n"
    "  -h, --help                 print this\n"
    "  --version                  print the version\n";

enum { OPT_VERSION = 256, OPT_ONCE, OPT_SETTLE, OPT_DURABILITY, OPT_RETRIES, OPT_BACKOFF };

static const struct option longs[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {"once", no_argument, NULL, OPT_ONCE},
    {"settle", required_argument, NULL, OPT_SETTLE},
    {"durability", required_argument, NULL, OPT_DURABILITY},
    {"retries", required_argument, NULL, OPT_RETRIES},
    {"backoff", required_argument, NULL, OPT_BACKOFF},
    {0},
};

static _Noreturn void say(const char *text)
{
    fputs(text, stdout);
    exit(fflush(stdout) == 0 ? EX_OK : EX_IOERR);
}

static void set_duration(const char *option, const char *text, long *ms)
{
    if (!text_duration(text, ms))
        tl_die(EX_USAGE, "%s: \"%s\" is not a duration; write 500ms, 2s, 5m", option, text);
}

static void set_durability(struct options *o, const char *text)
{
    o->power = strcmp(text, "power") == 0;
    if (!o->power && strcmp(text, "process") != 0)
        tl_die(EX_USAGE, "--durability: \"%s\" is neither power nor process", text);
}

static void set_backoff(struct options *o, const char *text)
{
    const char *dots = strstr(text, "..");
    if (!dots)
        tl_die(EX_USAGE, "--backoff: \"%s\" is not MIN..MAX; write 1s..5m", text);
    char *least = xstrndup(text, (size_t)(dots - text));
    set_duration("--backoff", least, &o->backoff_least);
    set_duration("--backoff", dots + 2, &o->backoff_most);
    free(least);
    if (o->backoff_least > o->backoff_most)
        tl_die(EX_USAGE, "--backoff: \"%s\": MIN is more than MAX", text);
}

static _Noreturn void refuse_option(int c, char *const *argv)
{
    if (c == ':' && optopt > ' ' && optopt < 128)
        tl_die(EX_USAGE, "-%c: needs a value; see tl-supervisor -h", optopt);
    if (c == ':')
        tl_die(EX_USAGE, "%s: needs a value; see tl-supervisor -h", argv[optind - 1]);
    if (optopt > ' ' && optopt < 128)
        tl_die(EX_USAGE, "-%c: no such option; see tl-supervisor -h", optopt);
    tl_die(EX_USAGE, "%s: no such option, or one without a value; see tl-supervisor -h",
           argv[optind - 1]);
}

static void set_option(struct options *o, int c, char *const *argv)
{
    switch (c) {
    case 'h':
        say(usage);
    case OPT_VERSION:
        say("tl-supervisor " TL_VERSION "\n");
    case 'j':
        if (!text_number(optarg, 1, 1024, &o->workers))
            tl_die(EX_USAGE, "-j: \"%s\" is not a number from 1 to 1024", optarg);
        break;
    case 'v':
        o->verbose = true;
        break;
    case OPT_ONCE:
        o->once = true;
        break;
    case OPT_SETTLE:
        set_duration("--settle", optarg, &o->settle);
        break;
    case OPT_DURABILITY:
        set_durability(o, optarg);
        break;
    case OPT_RETRIES:
        if (!text_number(optarg, 0, 1000000, &o->retries))
            tl_die(EX_USAGE, "--retries: \"%s\" is not a number from 0 to 1000000", optarg);
        break;
    case OPT_BACKOFF:
        set_backoff(o, optarg);
        break;
    default:
        refuse_option(c, argv);
    }
}

static void read_options(struct options *o, int argc, char **argv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    *o = (struct options){.workers = cpus > 0 ? cpus : 1,
                          .settle = 2000,
                          .backoff_least = 1000,
                          .backoff_most = 300000,
                          .retries = 5,
                          .power = true};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "+:hj:v", longs, NULL)) != -1;)
        set_option(o, c, argv);
    if (argc - optind != 2)
        tl_die(EX_USAGE, "needs a flow and a queue; see tl-supervisor -h");
    o->flow = argv[optind];
    o->queue = argv[optind + 1];
    if (access(o->flow, R_OK) != 0)
        tl_die(EX_NOINPUT, "%s: %m", o->flow);
}

static void start(struct super *s)
{
    s->started = times_ms();
    s->next_retry = -1;
    sdnotify_open();
    sdnotify_send("STATUS=starting");
    store_open(&s->store, s->opt.queue, s->opt.power);
    tl_warn("start: flow %s, queue %s", s->opt.flow, s->store.path);
    waiting_init(&s->waiting, s->opt.settle);
    scan_init(&s->scan, &s->store, &s->waiting, false);
    watch_init(&s->watch, &s->store);
    publish_init(&s->publish, &s->store, s->opt.flow, work_publish_handler(s));
    /* One more than asked for: it tries a new flow while the others go on with the old one. */
    pool_init(&s->pool, (size_t)s->opt.workers + 1, s->store.lock, work_pool_handler(s));
    accounts_init(&s->accounts, s->pool.n);
    fifo_open(&s->fifo, &s->store);
    work_recover(s);
}

static void drop_jobs(struct job_list *l)
{
    for (struct job *j; (j = l->first);) {
        job_remove(l, j);
        job_free(j);
    }
}

static void stop(struct super *s)
{
    /* Jobs that are left lie in underprocess, for the next start. */
    drop_jobs(&s->delayed);
    drop_jobs(&s->publish.batch);
    drop_jobs(&s->publish.waiting);
    publish_free(&s->publish);
    pool_free(&s->pool);
    accounts_free(&s->accounts);
    fifo_close(&s->fifo);
    watch_free(&s->watch);
    scan_free(&s->scan);
    waiting_free(&s->waiting);
    attempts_close(&s->attempts);
    buf_free(&s->adopt.text);
    free(s->store.path);
}

int main(int argc, char **argv)
{
    static struct super s;
    read_options(&s.opt, argc, argv);
    int signals = loop_signals();
    start(&s);
    int status = loop_run(&s, signals);
    tl_warn("stopped: %" PRId64 " files processed, %" PRId64 " failed", s.accounts.processed,
            s.accounts.failed);
    stop(&s);
    return status;
}
