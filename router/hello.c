/* SPDX-License-Identifier: MIT */
/* The first words: every filter is greeted, and says what it promises. */
#include "contract.h"
#include "run.h"
#include "tagline.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MOST_EVENTS = 64, MOST_ANSWER = 4096 };

static const char no_filter[] = "did not answer !hello; a command that is no filter needs |";

/* What the filter promises; then it is offered memory, if it can share. */
static void take_promises(struct engine *e, size_t node, char *line)
{
    struct node *def = flow_node(e->flow, node);
    size_t n = strlen(CONTROL_HELLO);
    bool shares = false;
    if (strncmp(line, CONTROL_HELLO, n) != 0 || (line[n] && line[n] != ' ')) {
        engine_fail(e, EX_SOFTWARE, node, no_filter);
        return;
    }
    for (char *save, *w = strtok_r(line + n, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        shares = shares || strcmp(w, CAN_SHARE) == 0;
        def->card = def->card || strcmp(w, CAN_CARD) == 0;
        def->map = def->map || strcmp(w, CAN_MAP) == 0;
        def->state = def->state || strcmp(w, CAN_STATE) == 0;
        def->stateless = def->stateless || def->map || strcmp(w, CAN_STATELESS) == 0;
    }
    e->links[node].greeting = GREETED;
    if (shares)
        share_offer(e, node);
}

/* Take an answer out of what the filter printed, if it is all there. */
static void take_answer(struct engine *e, size_t node, struct buf *in)
{
    char *nl = in->len ? memchr(in->data, '\n', in->len) : NULL;
    bool alone = nl && nl + 1 == in->data + in->len;
    if (!nl && in->len > MOST_ANSWER)
        engine_fail(e, EX_SOFTWARE, node, no_filter);
    if (!nl)
        return;
    *nl = '\0';
    in->len = 0;
    if (e->links[node].greeting == NOT_GREETED)
        take_promises(e, node, in->data);
    else if (!share_answered(e, node, in->data))
        engine_fail(e, EX_SOFTWARE, node, "did not answer !share");
    if (!alone)
        engine_fail(e, EX_SOFTWARE, node,
                    "printed without being asked, behind its answer to !hello");
}

/* Read what a process that was greeted prints, until it has answered. */
static void read_hello(struct engine *e, size_t node, struct buf *in)
{
    ssize_t n = read(e->procs[node].out, buf_room(in, 256), 256);
    if (n > 0) {
        in->len += (size_t)n;
        take_answer(e, node, in);
    } else if (n == 0) {
        e->links[node].eof = true;
    }
}

static void greet_event(struct engine *e, const struct epoll_event *ev, struct buf *in)
{
    size_t node = ev->data.u64 & UINT32_MAX;
    struct link *l = &e->links[node];
    switch ((enum what)(ev->data.u64 >> 32)) {
    case W_OUT:
        if (l->greeting != GREETED && !l->eof)
            read_hello(e, node, &in[node]);
        if (l->eof)
            engine_drop(e, &e->procs[node].out);
        break;
    case W_ERR:
        if (!proc_stderr(&e->procs[node])) {
            l->err_open = false;
            engine_drop(e, &e->procs[node].err);
        }
        break;
    case W_SIGNAL:
        if (engine_take_signal(e) != SIGCHLD)
            engine_fail(e, EX_TEMPFAIL, NOWHERE, "stopped by a signal");
        break;
    case W_IN:
    case W_INPUT:
    case W_STDOUT:
    case W_REQUEST:
        break;
    }
}

static size_t ungreeted(const struct engine *e)
{
    for (size_t i = 0; i < e->flow->nlanes; i++)
        if (flow_node(e->flow, i)->kind == NODE_FILTER && e->links[i].greeting != GREETED)
            return i;
    return NOWHERE;
}

/* A filter that ends now has failed; what it said is passed on first. */
static void check_ended(struct engine *e)
{
    for (size_t i = 0; i < e->flow->nlanes && !e->failed.status; i++) {
        struct link *l = &e->links[i];
        if (!e->procs[i].pid || !proc_reap(&e->procs[i]))
            continue;
        while (l->err_open && poll(&(struct pollfd){e->procs[i].err, POLLIN, 0}, 1, 0) == 1)
            l->err_open = proc_stderr(&e->procs[i]);
        node_fail_ended(e, i);
    }
}

/* Wait for all answers to hello. */
static void hello_all(struct engine *e)
{
    struct buf *in = xcalloc(e->flow->nlanes, sizeof *in);
    long until = engine_now_ms() + HELLO_SECONDS * 1000;
    size_t node;
    while (!e->failed.status && (node = ungreeted(e)) != NOWHERE) {
        struct epoll_event events[MOST_EVENTS];
        long left = until - engine_now_ms();
        int n = left > 0 ? epoll_wait(e->epoll, events, MOST_EVENTS, (int)left) : 0;
        if (n == 0) {
            engine_fail(e, EX_SOFTWARE, node, no_filter);
        } else if (n < 0 && errno != EINTR) {
            tl_die(EX_OSERR, "epoll_wait: %m");
        }
        for (int i = 0; i < n && !e->failed.status; i++)
            greet_event(e, &events[i], in);
        check_ended(e);
    }
    for (size_t i = 0; i < e->flow->nlanes; i++)
        buf_free(&in[i]);
    free(in);
}

/* Copies share the work of a node only if each line stands for itself. */
static void check_copies(struct engine *e)
{
    for (size_t i = 0; i < e->flow->nnodes && !e->failed.status; i++)
        if (e->flow->nodes[i].jobs > 1 && !e->flow->nodes[i].stateless)
            engine_fail(e, EX_CONFIG, i,
                        "jobs= is for commands that are stateless; write stateless too if it is");
}

bool engine_start(struct engine *e)
{
    static const char hello[] = CONTROL_HELLO "\n";
    for (size_t i = 0; i < e->flow->nlanes && !e->failed.status; i++) {
        e->links[i].greeting = NOT_GREETED;
        if (flow_node(e->flow, i)->kind == NODE_COMMAND)
            continue;
        node_start(e, i);
        if (!e->failed.status && write(e->procs[i].in, hello, sizeof hello - 1) < 0 &&
            errno != EPIPE)
            /* EPIPE: its end will be told */
            engine_fail_system(e, EX_OSERR, errno, i, strerror(errno));
    }
    hello_all(e);
    check_copies(e);
    if (e->failed.status)
        return false;
    graph_order(e->graph);
    share_agree(e);
    e->core = core_new(e->flow, e->graph, e->tagged);
    share_begin(e);
    return true;
}
