/* SPDX-License-Identifier: MIT */
/*
 * tl-router: run a flow. Trust: the flow is the operator's and names programs to run; the input may
 * be any bytes and can neither forge a tag nor a control line, because the router sets both.
 */
#include "checkpoint.h"
#include "contract.h"
#include "describe.h"
#include "flow.h"
#include "graph.h"
#include "msg.h"
#include "run.h"
#include "sandbox.h"
#include "start.h"
#include "tagline.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STOP_GRACE_MS = 2000 };

static const char usage[] =
    "usage: tl-router [-t] [-o DIR] [--summary] FLOW [FILE...]\n"
    "       tl-router --check | --graph | --json | --worker FLOW\n"
    "Run the lines of each FILE (standard input without one, or for -) through the flow.\n"
    "\n"
    "  -t, --tagged   read and print tagged lines; obey control lines as a filter does\n"
    "  -o DIR         write each sink as a file in DIR, whole at the end\n"
    "  --summary      print one line of accounts for each FILE on standard error\n"
    "  --check        say what is wrong with FLOW, or how it orders lines; run nothing through it\n"
    "  --graph        print FLOW as Graphviz DOT\n"
    "  --json         print FLOW as JSON\n"
    "  --worker       take jobs on standard input, answer on standard output\n"
    "  -h, --help     print this\n"
    "  --version      print the version\n"
    "\n"
    "The manual page is tl-router(1); the language of flows is in tl-flow(5).\n";

enum mode { RUN, CHECK, GRAPH, JSON, WORKER };

struct options {
    enum mode mode;
    bool tagged, summary;
    const char *dir;
};

static void parse_options(int argc, char **argv, struct options *o)
{
    enum { SUMMARY = 256, VERSION };
    static const struct option longs[] = {{"tagged", no_argument, NULL, 't'},
                                          {"summary", no_argument, NULL, SUMMARY},
                                          {"check", no_argument, NULL, CHECK},
                                          {"graph", no_argument, NULL, GRAPH},
                                          {"json", no_argument, NULL, JSON},
                                          {"worker", no_argument, NULL, WORKER},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, VERSION},
                                          {0}};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "+:to:h", longs, NULL)) != -1;) {
        switch (c) {
        case 't':
            o->tagged = true;
            break;
        case 'o':
            o->dir = optarg;
            break;
        case SUMMARY:
            o->summary = true;
            break;
        case CHECK:
        case GRAPH:
        case JSON:
        case WORKER:
            o->mode = (enum mode)c;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(fflush(stdout) == 0 ? EX_OK : EX_IOERR);
        case VERSION:
            printf("tl-router %s\n", TL_VERSION);
            exit(fflush(stdout) == 0 ? EX_OK : EX_IOERR);
        case ':':
            tl_die(EX_USAGE, "-%c: needs a value; see tl-router -h", optopt);
        default:
            tl_die(EX_USAGE, "%s: no such option; see tl-router -h", argv[optind - 1]);
        }
    }
}

static void read_file(const char *path, struct buf *b)
{
    enum { BLOCK = 65536, MOST = 64 << 20 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        tl_die(errno == EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %m", path);
    ssize_t n;
    while ((n = read(fd, buf_room(b, BLOCK), BLOCK)) != 0 && b->len < MOST) {
        if (n < 0 && errno != EINTR)
            tl_die(errno == EISDIR ? EX_NOINPUT : EX_IOERR, "%s: %m", path);
        b->len += n > 0 ? (size_t)n : 0;
    }
    close_fd(&fd);
}

static void check_commands(const struct flow *f, struct problems *p)
{
    for (size_t i = 0; i < f->nnodes; i++) {
        const char *command = f->nodes[i].argv[0];
        char *found = command ? start_find(command) : NULL;
        if (command && *command && !found)
            problem(p, f, f->nodes[i].line, "%s: no such command in PATH", command);
        free(found);
        for (char **path = f->nodes[i].terms.read; path && *path; path++)
            if (access(*path, F_OK) != 0)
                problem(p, f, f->nodes[i].line, "read=%s: %s", *path, strerror(errno));
    }
}

/* A sandbox that is asked for and cannot be had is no reason to go on without. */
static void check_sandbox(const struct flow *f)
{
    const char *why;
    size_t i = 0;
    while (i < f->nnodes && !f->nodes[i].terms.sandbox)
        i++;
    if (i == f->nnodes || sandbox_abi(&why))
        return;
    fprintf(stderr, "%s:%d: [sandbox] cannot be had on this kernel: %s\n", f->path,
            f->nodes[i].line, why);
    exit(EX_UNAVAILABLE);
}

/* All problems at once, then the end. */
static void die_of_problems(struct problems *p)
{
    if (!p->count)
        return;
    msg_lines(MSG_ERROR, p->text.data, p->text.len);
    exit(EX_CONFIG);
}

static void print(struct buf *b)
{
    if (fwrite(b->data, 1, b->len, stdout) != b->len || fflush(stdout) != 0)
        tl_die(EX_IOERR, "standard output: %m");
    buf_free(b);
}

/* A failure of the flow itself, with its place in the flow file. */
static int report_start(struct engine *e)
{
    const struct failure *f = engine_failure(e);
    struct buf b = {0}, line = {0};
    int status = f->status;
    describe_failure(e->flow, f, &b);
    if (f->node != NOWHERE) {
        buf_addf(&line, "%s:%d: %s\n", e->flow->path, e->flow->nodes[f->node].line, buf_str(&b));
        msg_lines(MSG_ERROR, line.data, line.len);
    } else {
        tl_warn("%s", buf_str(&b));
    }
    buf_free(&b);
    buf_free(&line);
    engine_stop(e, 0);
    engine_free(e);
    return status;
}

/* What set order line asks for and the flow cannot give. */
static void check_order(const struct graph *g)
{
    struct buf b = {0}, lines = {0};
    if (g->flow->order != ORDER_LINE || graph_line_order(g))
        return;
    describe_check(g, &b);
    for (char *save, *line = strtok_r((char *)(buf_str(&b), b.data), "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        if (strncmp(line, "order of ", 9) == 0)
            buf_addf(&lines, "%s: set order line: %s\n", g->flow->path, line);
    msg_lines(MSG_ERROR, lines.data, lines.len);
    buf_free(&b);
    buf_free(&lines);
}

static int check(struct flow *f, struct graph *g)
{
    struct buf b = {0};
    struct engine *e = engine_new(f, g, false, -1);
    if (!engine_start(e))
        return report_start(e);
    engine_stop(e, STOP_GRACE_MS);
    engine_free(e);
    check_order(g);
    if (f->order == ORDER_LINE && !graph_line_order(g))
        return EX_CONFIG;
    describe_check(g, &b);
    print(&b);
    return EX_OK;
}

/* What would be lost without -o or -t is refused. */
static void check_sinks(const struct flow *f, const struct options *o)
{
    for (size_t i = 0; i < f->nsinks && !o->dir && !o->tagged; i++)
        if (f->sinks[i].file && strcmp(f->sinks[i].tag, "end") != 0)
            tl_die(EX_USAGE,
                   "%s: the sink %s needs a place: -o DIR writes every sink there, -t prints tags",
                   f->path, f->sinks[i].tag);
}

static const char *called(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* What %f stands for. */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(path, "-") == 0 ? "stdin" : slash ? slash + 1 : path;
}

/* Two inputs of one name would have one result. */
static void check_names(char **files)
{
    for (char **file = files; *file; file++)
        for (char **other = files; other < file; other++)
            if (strcmp(name_of(*other), name_of(*file)) == 0)
                tl_die(EX_CANTCREAT,
                       "%s: two inputs are called %s; their results would be one file", *file,
                       name_of(*file));
}

static void add_tasks(struct engine *e, const struct options *o, char **files)
{
    static char *from_stdin[] = {"-", NULL};
    if (!*files)
        files = from_stdin;
    for (uint64_t id = 1; *files; files++, id++) {
        struct task *t = task_new(id, *files);
        out_init(&t->out, e->flow, e->graph, name_of(*files), o->dir, o->dir != NULL);
        engine_add(e, t);
    }
}

static int fail(struct engine *e, const struct failure *f)
{
    struct buf b = {0};
    int status = f->status;
    const struct task *t = e->tasks;
    while (t && t->next && t->job != f->job)
        t = t->next;
    describe_failure(e->flow, f, &b);
    if (t && strncmp(buf_str(&b), t->path, strlen(t->path)) != 0)
        tl_warn("%s: %s", called(t->path), buf_str(&b));
    else
        tl_warn("%s", buf_str(&b));
    buf_free(&b);
    engine_stop(e, 0);
    return status;
}

static void finish(struct engine *e, const struct options *o, struct task *t)
{
    struct buf b = {0};
    if (!out_finish(&t->out, &b)) {
        engine_stop(e, 0);
        engine_free(e);
        task_free(t);
        out_reset();
        tl_die(EX_IOERR, "%s", buf_str(&b));
    }
    if (o->summary && t->job) {
        describe_summary(e->flow, called(t->path), t, &b);
        tl_warn("%s", buf_str(&b));
    }
    if (t->job)
        core_forget(e->core, t->job);
    task_free(t);
    buf_free(&b);
}

static int run(struct flow *f, struct graph *g, const struct options *o, char **files)
{
    struct engine *e = engine_new(f, g, o->tagged, -1);
    out_setup();
    if (!engine_start(e))
        return report_start(e);
    check_order(g);
    if (f->order == ORDER_LINE && !graph_line_order(g)) {
        engine_stop(e, STOP_GRACE_MS);
        engine_free(e);
        return EX_CONFIG;
    }
    e->one_by_one = true;
    add_tasks(e, o, files);
    while (e->tasks) {
        enum turn turn = engine_turn(e);
        struct task *t;
        if (turn == TURN_FAILED) {
            int status = fail(e, engine_failure(e));
            engine_free(e);
            return status;
        }
        if (turn == TURN_SIGNAL) {
            engine_stop(e, 0);
            int sig = e->signal;
            engine_free(e);
            return 128 + sig;
        }
        while ((t = engine_done(e)))
            finish(e, o, t);
    }
    engine_stop(e, STOP_GRACE_MS);
    engine_free(e);
    return EX_OK;
}

int main(int argc, char **argv)
{
    struct options o = {.mode = RUN};
    struct buf text = {0};
    struct problems problems = {0};
    msg_take_form();
    parse_options(argc, argv, &o);
    if (optind == argc)
        tl_die(EX_USAGE, "no FLOW; see tl-router -h");
    if (o.mode != RUN && (optind + 1 < argc || o.tagged || o.dir || o.summary))
        tl_die(EX_USAGE, "%s: goes with a FLOW alone; see tl-router -h", argv[1]);
    const char *path = argv[optind++];
    read_file(path, &text);
    struct flow *f = flow_parse(path, text.data ? text.data : "", text.len, &problems);
    f->hash = checkpoint_hash(text.data, text.len);
    buf_free(&text);
    start_setup(f->max_line);
    check_commands(f, &problems);
    die_of_problems(&problems);
    struct graph *g = graph_new(f, o.tagged && !o.dir, o.tagged);
    graph_check(g, &problems);
    die_of_problems(&problems);
    int status = EX_OK;
    if (o.mode != GRAPH && o.mode != JSON)
        check_sandbox(f);
    switch (o.mode) {
    case RUN:
        check_sinks(f, &o);
        if (o.dir)
            check_names(argv + optind);
        status = run(f, g, &o, argv + optind);
        out_reset();
        break;
    case CHECK:
        status = check(f, g);
        break;
    case WORKER:
        status = worker_run(f, g);
        break;
    case GRAPH:
        describe_dot(g, &text);
        print(&text);
        break;
    case JSON:
        describe_json(f, &text);
        print(&text);
        break;
    }
    graph_free(g);
    flow_free(f);
    return status;
}
