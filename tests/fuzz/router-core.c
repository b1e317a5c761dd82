/* SPDX-License-Identifier: MIT */
/*
 * The core among nodes that do anything. The input is a script of steps: input arrives, bytes go
 * to a node, it works as it should or prints whatever it likes. Nodes that only ever worked as they
 * should must not be blamed, and then the job must end, with accounts that add up.
 */
#include "../../router/core.h"
#include "contract.h"
#include "fuzz.h"
#include "tagline.h"

#include <inttypes.h>

enum { LANES = 8, PIECE = 256, SHARED = 8 * PIECE, MOST_STEPS = 4000, MOST_LINES = 300 };

static const char *const flows[] = {
    "set epoch 8\nstart -> end a : x\na -> end : x\n",
    "set epoch 16\nset max-rounds 20\nstart -> end again : x\nagain -> start other : x\n"
    "other -> end start : x\n",
    "set epoch 8\nstart -> a b : x\na [stateless jobs=3] -> c : x\nb -> c : x\nc -> end : x\n",
    "set epoch 8\nstart [map] -> a out : x\na -> end : x\nout => null\n",
    "set epoch 8\nstart -> a b : x\na -> end | x\nb -> end : x\n",
    "set epoch 8\nstart -> a b : x\na [stateless] -> b | x\nb -> end : x\n",
    "set epoch 8\nset max-rounds 20\nset max-line 9\nstart -> start a : x\na -> end x : x\nx => "
    "f\n",
};

struct node_side {
    struct buf in, out; /* what it got; what it printed and nobody read */
    struct card_writer card;
    bool runs; /* a command: it was started and has not ended */
};

struct rig {
    struct fuzz script;
    struct problems problems;
    struct flow *flow;
    struct graph *graph;
    struct core *core;
    struct job *job;
    struct node_side sides[LANES];
    char shared[LANES][SHARED];
    bool tagged, ended, honest;
    size_t printed;
};

static struct rig rig;

static void begin(struct rig *r)
{
    unsigned kind = fuzz_byte(&r->script);
    const char *text = flows[kind % (sizeof flows / sizeof *flows)];
    r->tagged = kind & 64;
    r->honest = true;
    r->flow = flow_parse("f", text, strlen(text), &r->problems);
    MUST(r->problems.count == 0);
    for (size_t i = 0; i < r->flow->nnodes; i++) {
        bool filter = r->flow->nodes[i].kind == NODE_FILTER;
        r->flow->nodes[i].card = filter && !(kind & 32);
        r->flow->nodes[i].shares = filter && (kind & 128);
    }
    r->graph = graph_new(r->flow, r->tagged, r->tagged);
    r->core = core_new(r->flow, r->graph, r->tagged);
    for (size_t i = 0; i < r->flow->nlanes && (kind & 128); i++)
        if (flow_node(r->flow, i)->shares)
            core_share(r->core, i, r->shared[i], SHARED, PIECE);
    if (!r->tagged)
        r->job = core_begin(r->core, 1, NULL, kind & 16);
}

static void finish(struct rig *r)
{
    core_free(r->core);
    graph_free(r->graph);
    flow_free(r->flow);
    buf_free(&r->problems.text);
    for (size_t i = 0; i < LANES; i++) {
        buf_free(&r->sides[i].in);
        buf_free(&r->sides[i].out);
        buf_free(&r->sides[i].card.text);
    }
}

static bool over(const struct rig *r)
{
    return core_failure(r->core) || r->printed > MOST_LINES;
}

/* ---- steps ---- */

/* A filter runs always, a command from when there is work for it until it ends. */
static bool runs(struct rig *r, size_t lane)
{
    struct node_side *side = &r->sides[lane];
    if (core_command_due(r->core, lane))
        side->runs = true;
    return side->runs || flow_node(r->flow, lane)->kind == NODE_FILTER;
}

static void arrive(struct rig *r, const char *bytes, size_t n)
{
    if (r->ended || !core_wants_input(r->core) || n == 0)
        return;
    memcpy(core_input_room(r->core, n), bytes, n);
    core_input_took(r->core, n);
}

static void end_input(struct rig *r)
{
    if (!r->ended && core_wants_input(r->core) && (r->job || r->core->reading))
        core_input_end(r->core);
    r->ended = r->ended || r->job;
}

/* Bytes go to the node. */
static void deliver(struct rig *r, size_t lane, size_t most)
{
    struct iovec iov[3];
    size_t n = core_node_iov(r->core, lane, iov, 3), total = 0;
    for (size_t i = 0; i < n && total < most; i++) {
        size_t part = iov[i].iov_len < most - total ? iov[i].iov_len : most - total;
        buf_add(&r->sides[lane].in, iov[i].iov_base, part);
        total += part;
    }
    core_node_wrote(r->core, lane, total); /* 0 moves on what has no bytes */
}

/* The core reads what the node printed. */
static void collect(struct rig *r, size_t lane, size_t most)
{
    struct buf *out = &r->sides[lane].out;
    size_t n = out->len < most ? out->len : most;
    if (n == 0 || !runs(r, lane))
        return;
    memcpy(core_node_room(r->core, lane, n), out->data, n);
    buf_shift(out, n);
    core_node_took(r->core, lane, n);
}

/* A tag that the node may use, by number; 0 and what there is not: the line's own. */
static void print_line(struct rig *r, size_t lane, const char *line, size_t len, unsigned choice)
{
    const struct node *node = flow_node(r->flow, lane);
    struct buf *out = &r->sides[lane].out;
    const char *tab = memchr(line, '\t', len);
    r->printed++;
    if (node->kind == NODE_FILTER && tab) {
        size_t keep = (size_t)(tab - line);
        if (choice % 3 && choice % 3 - 1 < node->nnext)
            buf_adds(out, node->next_tags[choice % 3 - 1]);
        else
            buf_add(out, line, keep);
        line += keep;
        len -= keep;
    }
    buf_add(out, line, len);
    buf_addc(out, '\n');
}

static void work_line(struct rig *r, size_t lane, const char *line, size_t len)
{
    struct node_side *side = &r->sides[lane];
    unsigned choice = fuzz_byte(&r->script);
    unsigned times = flow_node(r->flow, lane)->map ? 1 : "\1\1\1\0\2\3"[choice / 4 % 6];
    for (unsigned i = 0; i < times; i++)
        print_line(r, lane, line, len, choice);
    card_add(&side->card, times);
}

/* A text of the shared region: the filter leaves it there as it is, or prints it with a tag. */
static void work_text(struct rig *r, size_t lane, const char *text, size_t len, struct buf *left)
{
    struct buf line = {0};
    if (left) {
        buf_add(left, text, len);
        buf_addc(left, '\n');
        card_add(&r->sides[lane].card, 1);
        r->printed++;
        return;
    }
    buf_addf(&line, "%s\t", flow_node(r->flow, lane)->tag);
    buf_add(&line, text, len);
    work_line(r, lane, line.data, line.len);
    buf_free(&line);
}

/* The fence that a filter got, with the texts that it may find in the shared region. */
static void work_fence(struct rig *r, size_t lane, const char *fence, size_t len)
{
    struct node_side *side = &r->sides[lane];
    size_t numbers[4] = {0};
    struct buf left = {0};
    char text[200];
    snprintf(text, sizeof text, "%.*s", (int)len, fence);
    sscanf(text, "!%*s %*u %zu %zu %zu %zu", &numbers[0], &numbers[1], &numbers[2], &numbers[3]);
    MUST(numbers[0] + numbers[1] <= SHARED && numbers[2] + numbers[3] <= SHARED);
    bool leave = numbers[1] <= numbers[3] && fuzz_byte(&r->script) & 1;
    const char *line = r->shared[lane] + numbers[0], *end = line + numbers[1];
    for (const char *nl; line < end; line = nl + 1) {
        nl = memchr(line, '\n', (size_t)(end - line));
        MUST(nl);
        work_text(r, lane, line, (size_t)(nl - line), leave ? &left : NULL);
    }
    card_close(&side->card);
    if (strncmp(text, CONTROL_END, strlen(CONTROL_END)) == 0)
        card_add(&side->card, 0);
    card_close(&side->card);
    buf_addf(&side->out, "%s %s", text, buf_str(&side->card.text));
    side->card.text.len = 0;
    if (leave && left.len) {
        memcpy(r->shared[lane] + numbers[2], left.data, left.len);
        buf_addf(&side->out, " " SHARE_LEFT_TEXTS "%zu", left.len);
    }
    buf_addc(&side->out, '\n');
    buf_free(&left);
}

/* A command has all its input and nobody has more to read from it: it ends. */
static void end_command(struct rig *r, size_t lane)
{
    struct node_side *side = &r->sides[lane];
    if (!side->in.len && !side->out.len && core_command_due(r->core, lane) &&
        core_command_full(r->core, lane)) {
        card_close(&side->card);
        side->card.text.len = 0;
        side->runs = false;
        core_command_ended(r->core, lane);
    }
}

/* The node does as it should with one line that it got. */
static void work(struct rig *r, size_t lane)
{
    struct node_side *side = &r->sides[lane];
    const struct node *node = flow_node(r->flow, lane);
    char *nl = side->in.len ? memchr(side->in.data, '\n', side->in.len) : NULL;
    if (nl) {
        size_t len = (size_t)(nl - side->in.data);
        if (node->kind == NODE_FILTER && *side->in.data == CONTROL)
            work_fence(r, lane, side->in.data, len);
        else
            work_line(r, lane, side->in.data, len);
        buf_shift(&side->in, len + 1);
    } else if (node->kind == NODE_COMMAND) {
        end_command(r, lane);
    }
}

/* The node answers the fence that is due in its own way. */
static void lie(struct rig *r, size_t lane, const char *bytes, size_t n)
{
    const struct run *run = r->core->nodes[lane].first;
    if (!run || !run->fence_len)
        return;
    buf_add(&r->sides[lane].out, run->fence, run->fence_len - 1);
    buf_addc(&r->sides[lane].out, ' ');
    buf_add(&r->sides[lane].out, bytes, n);
    buf_addc(&r->sides[lane].out, '\n');
    r->honest = false;
}

static void step(struct rig *r)
{
    unsigned op = fuzz_byte(&r->script), arg = fuzz_byte(&r->script);
    size_t lane = op / 8 % r->flow->nlanes, n = 0;
    const char *bytes = op % 8 < 3 ? fuzz_bytes(&r->script, arg % 32, &n) : "";
    switch (op % 8) {
    case 0:
        arrive(r, bytes, n);
        break;
    case 1:
        buf_add(&r->sides[lane].out, bytes, n);
        r->honest = r->honest && n == 0;
        collect(r, lane, SIZE_MAX);
        break;
    case 2:
        lie(r, lane, bytes, n);
        collect(r, lane, SIZE_MAX);
        break;
    case 3:
        if (arg % 4 == 0)
            end_input(r);
        else if (!r->ended && core_wants_input(r->core))
            core_input_cut(r->core);
        break;
    case 4:
        deliver(r, lane, 1 + arg);
        break;
    case 5:
        for (unsigned i = 0; i <= arg % 8 && !over(r); i++)
            work(r, lane);
        break;
    default:
        collect(r, lane, 1 + arg);
    }
}

/* The end of the script: everything that is under way comes to its end. */
static void settle(struct rig *r)
{
    for (int i = 0; i < MOST_STEPS && !over(r); i++) {
        end_input(r);
        for (size_t lane = 0; lane < r->flow->nlanes && !over(r); lane++) {
            deliver(r, lane, SIZE_MAX);
            work(r, lane);
            if (!core_failure(r->core))
                collect(r, lane, SIZE_MAX);
        }
        if (r->job && r->job->done)
            return;
    }
}

/* With a failure: it is said, and it is the data's fault. Without: each line is accounted for. */
static void must_be_just(const struct rig *r)
{
    const struct failure *f = core_failure(r->core);
    uint64_t lines = 0;
    if (f) {
        MUST(f->text.len > 0 && (f->status == EX_DATAERR || f->status == EX_SOFTWARE));
        MUST(!r->honest || f->status == EX_DATAERR);
        return;
    }
    if (!r->job || !r->honest || r->printed > MOST_LINES)
        return;
    MUST(r->job->done);
    MUST(r->job->nodes[0].lines_in >= r->job->input.lines);
    for (size_t o = 0; o < r->graph->noutlets; o++)
        for (const struct batch *b = r->job->streams[o].first; b; b = b->next)
            for (size_t i = 0; i < b->bytes.len; i++)
                lines += b->bytes.data[i] == '\n';
    for (size_t s = 0; s < r->flow->nsinks; s++)
        if (r->flow->sinks[s].file)
            lines -= r->job->sinks[s].lines;
    MUST(lines == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&rig, 0, sizeof rig);
    rig.script = (struct fuzz){data, data + size};
    begin(&rig);
    while (rig.script.at < rig.script.end && !over(&rig))
        step(&rig);
    settle(&rig);
    must_be_just(&rig);
    finish(&rig);
    return 0;
}
