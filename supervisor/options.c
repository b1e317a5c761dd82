/* SPDX-License-Identifier: MIT */
/* The command line of tl-supervisor. Trust: the words are the operator's. */
#include "options.h"
#include "buf.h"
#include "msg.h"
#include "tagline.h"
#include "text.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
    "usage: tl-supervisor [options] FLOW QUEUE\n"
    "       tl-supervisor --status | --pause | --resume QUEUE\n"
    "       tl-supervisor --retry QUEUE NAME\n"
    "Run the flow over each file that is dropped in QUEUE/unprocessed.\n"
    "  -j N                       workers (number of CPUs)\n"
    "  -v                         log each file that is done\n"
    "  --once                     end when all that is there is done\n"
    "  --settle DURATION          how long a file must be quiet that nobody closed (2s)\n"
    "  --durability power|process what a result must survive (power)\n"
    "  --retries N                runs after the first that fails temporarily (5)\n"
    "  --backoff MIN..MAX         time between them (1s..5m)\n"
    "  --checkpoint TIME|SIZE|off how often the progress in a file is saved (10s)\n"
    "  --log plain|journal        how messages look (journal if standard error is its stream)\n"
    "  --ready-fd N               write a newline to descriptor N when ready\n"
    "  --include GLOB             take only files of such names; may be repeated\n"
    "  --exclude GLOB             leave files of such names; may be repeated\n"
    "  --priority GLOB=N          take files of such names sooner (N > 0) or later (N < 0)\n"
    "  --max-inflight N           files in work at a time\n"
    "  --min-free N%|SIZE         claim nothing while less of the disk is free\n"
    "  --keep FOLDER=AGE|SIZE,... remove old files of processed, failed, output (never)\n"
    "  --status                   print how the queue and its supervisor are\n"
    "  --pause                    claim no files of the queue, until\n"
    "  --resume                   says that it goes on\n"
    "  --retry                    try a file again now that failed or waits for its time\n"
    "  --user NAME                work as that user; only root can\n"
    "  --producers WHO            who may put files there: self, group, anybody (self)\n"
    "  --insecure                 take a queue to which others may write\n"
    "  -h, --help                 print this\n"
    "  --version                  print the version\n";

enum {
    OPT_VERSION = 256,
    OPT_ONCE,
    OPT_SETTLE,
    OPT_DURABILITY,
    OPT_RETRIES,
    OPT_BACKOFF,
    OPT_CHECKPOINT,
    OPT_LOG,
    OPT_READY_FD,
    OPT_INCLUDE,
    OPT_EXCLUDE,
    OPT_PRIORITY,
    OPT_MAX_INFLIGHT,
    OPT_MIN_FREE,
    OPT_KEEP,
    OPT_STATUS,
    OPT_PAUSE,
    OPT_RESUME,
    OPT_RETRY,
    OPT_USER,
    OPT_PRODUCERS,
    OPT_INSECURE,
};

static const struct option longs[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {"once", no_argument, NULL, OPT_ONCE},
    {"settle", required_argument, NULL, OPT_SETTLE},
    {"durability", required_argument, NULL, OPT_DURABILITY},
    {"retries", required_argument, NULL, OPT_RETRIES},
    {"backoff", required_argument, NULL, OPT_BACKOFF},
    {"checkpoint", required_argument, NULL, OPT_CHECKPOINT},
    {"include", required_argument, NULL, OPT_INCLUDE},
    {"exclude", required_argument, NULL, OPT_EXCLUDE},
    {"priority", required_argument, NULL, OPT_PRIORITY},
    {"max-inflight", required_argument, NULL, OPT_MAX_INFLIGHT},
    {"min-free", required_argument, NULL, OPT_MIN_FREE},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"status", no_argument, NULL, OPT_STATUS},
    {"pause", no_argument, NULL, OPT_PAUSE},
    {"resume", no_argument, NULL, OPT_RESUME},
    {"retry", no_argument, NULL, OPT_RETRY},
    {"log", required_argument, NULL, OPT_LOG},
    {"ready-fd", required_argument, NULL, OPT_READY_FD},
    {"user", required_argument, NULL, OPT_USER},
    {"producers", required_argument, NULL, OPT_PRODUCERS},
    {"insecure", no_argument, NULL, OPT_INSECURE},
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

static void set_checkpoint(struct options *o, const char *text)
{
    long ms;
    size_t bytes;
    bool off = strcmp(text, "off") == 0;
    if (!off && !(text_duration(text, &ms) && ms > 0) && !text_size(text, &bytes))
        tl_die(EX_USAGE,
               "--checkpoint: \"%s\" is neither a duration, nor a size, nor off; write 10s or 256M",
               text);
    o->checkpoint = off ? NULL : text;
}

static void set_log(const char *text)
{
    int form = msg_form_named(text);
    if (form < 0)
        tl_die(EX_USAGE, "--log: \"%s\" is neither plain nor journal", text);
    msg_set_form((enum msg_form)form);
}

static void set_ready_fd(struct options *o, const char *text)
{
    long fd;
    if (!text_number(text, 3, INT_MAX, &fd))
        tl_die(EX_USAGE, "--ready-fd: \"%s\" is not a descriptor from 3 up", text);
    o->ready_fd = (int)fd;
}

static void set_producers(struct options *o, const char *text)
{
    int who = strict_producers_named(text);
    if (who < 0)
        tl_die(EX_USAGE, "--producers: \"%s\" is none of self, group, anybody", text);
    o->strict.producers = (enum strict_producers)who;
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

static void set_min_free(struct options *o, const char *text)
{
    struct least_free *f = &o->min_free;
    size_t n = strlen(text), bytes;
    char *number = xstrndup(text, n > 0 ? n - 1 : 0);
    *f = (struct least_free){0};
    bool good = n > 0 && text[n - 1] == '%' ? text_number(number, 1, 99, &f->percent)
                                            : text_size(text, &bytes);
    if (!good)
        tl_die(EX_USAGE, "--min-free: \"%s\" is neither 1%% to 99%% nor a size; write 5%% or 2G",
               text);
    if (!f->percent)
        f->bytes = (int64_t)bytes;
    free(number);
}

static void set_mode(struct options *o, enum mode mode)
{
    if (o->mode != MODE_SERVE && o->mode != mode)
        tl_die(EX_USAGE, "--status, --pause, --resume, --retry: one at a time");
    o->mode = mode;
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
    case OPT_CHECKPOINT:
        set_checkpoint(o, optarg);
        break;
    case OPT_LOG:
        set_log(optarg);
        break;
    case OPT_READY_FD:
        set_ready_fd(o, optarg);
        break;
    case OPT_INCLUDE:
        choice_include(&o->choice, optarg);
        break;
    case OPT_EXCLUDE:
        choice_exclude(&o->choice, optarg);
        break;
    case OPT_PRIORITY:
        if (!choice_priority(&o->choice, optarg))
            tl_die(EX_USAGE, "--priority: \"%s\" is not GLOB=N, N from -%d to %d", optarg,
                   CHOICE_PRIORITY, CHOICE_PRIORITY);
        break;
    case OPT_MAX_INFLIGHT:
        if (!text_number(optarg, 1, 1000000, &o->max_inflight))
            tl_die(EX_USAGE, "--max-inflight: \"%s\" is not a number from 1 to 1000000", optarg);
        break;
    case OPT_MIN_FREE:
        set_min_free(o, optarg);
        break;
    case OPT_KEEP:
        if (!keep_parse(&o->keep, optarg))
            tl_die(EX_USAGE,
                   "--keep: \"%s\" is wrong; write processed=30d,failed=90d,output=10G, or less",
                   optarg);
        break;
    case OPT_STATUS:
        set_mode(o, MODE_STATUS);
        break;
    case OPT_PAUSE:
        set_mode(o, MODE_PAUSE);
        break;
    case OPT_RESUME:
        set_mode(o, MODE_RESUME);
        break;
    case OPT_RETRY:
        set_mode(o, MODE_RETRY);
        break;
    case OPT_USER:
        o->user = optarg;
        break;
    case OPT_PRODUCERS:
        set_producers(o, optarg);
        break;
    case OPT_INSECURE:
        o->strict.off = true;
        break;
    default:
        refuse_option(c, argv);
    }
}

static void read_operands(struct options *o, int n, char *const *words)
{
    if (o->mode == MODE_SERVE) {
        if (n != 2)
            tl_die(EX_USAGE, "needs a flow and a queue; see tl-supervisor -h");
        o->flow = words[0];
        o->queue = words[1];
        return;
    }
    if (n != (o->mode == MODE_RETRY ? 2 : 1))
        tl_die(EX_USAGE, "%s; see tl-supervisor -h",
               o->mode == MODE_RETRY ? "--retry: needs a queue and the name of a file"
                                     : "--status, --pause, --resume: need a queue alone");
    o->queue = words[0];
    o->name = o->mode == MODE_RETRY ? words[1] : NULL;
}

void options_read(struct options *o, int argc, char **argv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    *o = (struct options){.workers = cpus > 0 ? cpus : 1,
                          .settle = 2000,
                          .backoff_least = 1000,
                          .backoff_most = 300000,
                          .retries = 5,
                          .checkpoint = "10s",
                          .ready_fd = -1,
                          .power = true};
    opterr = 0;
    msg_take_form();
    for (int c; (c = getopt_long(argc, argv, "+:hj:v", longs, NULL)) != -1;)
        set_option(o, c, argv);
    choice_close(&o->choice);
    read_operands(o, argc - optind, argv + optind);
}
