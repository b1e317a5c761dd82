/* SPDX-License-Identifier: MIT */
/*
 * tl-supervisor: watches a queue and runs routers over what is dropped there. Trust: the flow and
 * the options are the operator's. Whoever may write to unprocessed may give any file any name, and
 * may change or take it at any time; he gets its bytes processed by the flow and nothing else. All
 * data is read by the workers; this process handles names, sizes and their answers.
 */
#include "ask.h"
#include "msg.h"
#include "sdnotify.h"
#include "super.h"
#include "tagline.h"
#include "times.h"
#include "user.h"

#include <inttypes.h>
#include <unistd.h>

static void start(struct super *s)
{
    s->started = times_ms();
    s->next_retry = -1;
    sdnotify_open(s->opt.ready_fd);
    sdnotify_status("starting");
    store_open(&s->store, s->opt.queue, s->opt.power, &s->opt.strict);
    msg_at(MSG_INFO, "start: flow %s, queue %s", s->opt.flow, s->store.path);
    waiting_init(&s->waiting, s->opt.settle, &s->opt.choice);
    scan_init(&s->scan, &s->store, &s->waiting, false);
    watch_init(&s->watch, &s->store);
    publish_init(&s->publish, &s->store, s->opt.flow, work_publish_handler(s));
    /* One more than asked for: it tries a new flow while the others go on with the old one. */
    pool_init(&s->pool, (size_t)s->opt.workers + 1, s->store.lock, work_pool_handler(s));
    s->pool.checkpoint = s->opt.checkpoint;
    s->pool.sync = s->opt.power;
    accounts_init(&s->accounts, s->pool.n);
    fifo_open(&s->fifo, &s->store);
    keep_init(&s->keep, &s->store, &s->opt.keep);
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
    keep_free(&s->keep);
    watch_free(&s->watch);
    scan_free(&s->scan);
    waiting_free(&s->waiting);
    choice_free(&s->opt.choice);
    attempts_close(&s->attempts);
    blame_free(&s->blame);
    buf_free(&s->adopt.text);
    buf_free(&s->told.text);
    store_close(&s->store);
    sdnotify_close();
}

static int serve(struct super *s)
{
    if (access(s->opt.flow, R_OK) != 0)
        tl_die(EX_NOINPUT, "%s: %m", s->opt.flow);
    int signals = loop_signals();
    start(s);
    int status = loop_run(s, signals);
    msg_at(MSG_INFO, "stopped: %" PRId64 " files processed, %" PRId64 " failed",
           s->accounts.processed, s->accounts.failed);
    stop(s);
    return status;
}

int main(int argc, char **argv)
{
    static struct super s;
    options_read(&s.opt, argc, argv);
    if (s.opt.user)
        user_become(s.opt.user);
    switch (s.opt.mode) {
    case MODE_STATUS:
        return ask_status(s.opt.queue);
    case MODE_PAUSE:
        return ask_pause(s.opt.queue, true);
    case MODE_RESUME:
        return ask_pause(s.opt.queue, false);
    case MODE_RETRY:
        return ask_retry(s.opt.queue, s.opt.name);
    case MODE_SERVE:
        break;
    }
    return serve(&s);
}
