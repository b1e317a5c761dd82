# SPDX-License-Identifier: MIT
"""What a flow means, written for reading: the reference that the router is compared with.

Nothing here runs a process. A flow is a list of nodes, each with an operation (oracle_flows.py)
that says in Python what its command does. meaning() walks epochs and components as the manual
describes; depth_first() is a second, shorter account of the same for flows in line order, and both
must agree.
"""

import bisect
import functools
from dataclasses import dataclass, field

INPUT = -1  # as a source: stands before all nodes
LATER = 1 << 60  # in a lineage: after every line that was read
FIRST_EPOCH = 4096


class Endless(Exception):
    """Lines still circle after the rounds allowed."""


class TooMuch(Exception):
    """The flow makes more lines than a test is worth."""


@dataclass
class Node:
    tag: str
    op: object
    next: list  # tags, the first for lines that keep theirs
    attributes: set = field(default_factory=set)  # "stateless", "map"

    @property
    def stateless(self):
        return self.op.stateless or bool(self.attributes & {"stateless", "map"})

    @property
    def exact(self):
        """Can the router know how many lines came out for each?"""
        return self.op.card or self.op.map or "map" in self.attributes

    @property
    def whole_file(self):
        return self.op.plain and not self.stateless


@dataclass
class Flow:
    nodes: list
    sinks: list  # tags; those in discarded go to null
    discarded: set = field(default_factory=set)
    epoch: int = 256 << 10
    order: str = ""
    max_rounds: int = 1000

    def __post_init__(self):
        self.index = {node.tag: i for i, node in enumerate(self.nodes)}


# ---- the graph ----


def reachable(arrows, start):
    seen, todo = {start}, [start]
    while todo:
        for to in arrows.get(todo.pop(), ()):
            if to not in seen:
                seen.add(to)
                todo.append(to)
    return seen


@dataclass
class Component:
    members: list  # node numbers in flow order; empty for the input and for a sink
    cyclic: bool = False


class Plan:
    """Components in the order of work, and how lines meet at each destination."""

    def __init__(self, flow):
        self.flow = flow
        arrows = {i: [flow.index[t] for t in node.next if t in flow.index]
                  for i, node in enumerate(flow.nodes)}
        reach = {i: reachable(arrows, i) for i in arrows}
        groups = []
        for i in arrows:
            group = [j for j in reach[i] if i in reach[j]]
            if min(group) == i:
                groups.append(Component(sorted(group), len(group) > 1 or i in arrows[i]))
        self.components = self.sort(groups, arrows)
        self.component_of = {i: k for k, c in enumerate(self.components) for i in c.members}
        self.find_rules()

    @staticmethod
    def sort(groups, arrows):
        """Topologically; of those that are ready the one whose first node stands first."""
        done, order = set(), []
        into = {id(g): {i for i in arrows if set(arrows[i]) & set(g.members)} - set(g.members)
                for g in groups}
        while len(order) < len(groups):
            ready = [g for g in groups if g not in order and into[id(g)] <= done]
            best = min(ready, key=lambda g: g.members[0])
            order.append(best)
            done |= set(best.members)
        return order

    def find_rules(self):
        """rule[tag]: "none" (one source), "line", "epoch"; by immediate dominators."""
        flow = self.flow
        places = ["input"] + list(range(len(self.components))) + flow.sinks
        sources = {place: set() for place in places}
        sources[self.place("start")].add("input")
        for i, node in enumerate(flow.nodes):
            for tag in node.next:
                if self.place(tag) != self.component_of[i]:
                    sources[self.place(tag)].add(self.component_of[i])
        above = {"input": {"input"}}
        self.rule, self.tells = {}, {"input": True}
        for place in places[1:]:
            above[place] = {place} | set.intersection(*(above[s] for s in sources[place]))
            dominator = max(above[place] - {place}, key=lambda d: len(above[d]))
            between = self.between(place, dominator, sources)
            known = all(self.tells[p] for p in between)
            if self.is_cyclic(dominator):
                known = known and self.tells[dominator]
            self.decide(place, sources[place], known and flow.order != "epoch")

    def place(self, tag):
        index = self.flow.index.get(tag)
        return tag if index is None else self.component_of[index]

    def is_cyclic(self, place):
        return isinstance(place, int) and self.components[place].cyclic

    @staticmethod
    def between(place, dominator, sources):
        found, todo = set(), [place]
        while todo:
            for source in sources[todo.pop()]:
                if source != dominator and source not in found:
                    found.add(source)
                    todo.append(source)
        return found

    def decide(self, place, sources, known):
        if not isinstance(place, int):
            meets = len(sources) > 1 or any(self.is_cyclic(s) for s in sources)
            self.rule[place] = "none" if not meets else "line" if known else "epoch"
            return
        component = self.components[place]
        nodes = [self.flow.nodes[i] for i in component.members]
        if component.cyclic:
            known = known and all(n.stateless and n.exact for n in nodes)
            self.tells[place] = known
            meets = True
        else:
            self.tells[place] = nodes[0].exact or nodes[0].whole_file
            meets = len(sources) > 1 or any(self.is_cyclic(s) for s in sources)
        for node in nodes:
            self.rule[node.tag] = "none" if not meets else "line" if known else "epoch"

    @property
    def provable(self):
        return "epoch" not in self.rule.values()


# ---- input ----


def cut_lines(data):
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return lines


def boundaries(largest, length):
    size, at = min(FIRST_EPOCH, largest), 0
    while at < length:
        at += size
        yield at
        size = min(size * 2, largest)


def cut_epochs(data, largest):
    """The lines of each epoch; the last one is never missing, but may be empty."""
    ends = list(boundaries(largest, len(data) + 1))
    epochs, at = {}, 0
    for line in cut_lines(data):
        epochs.setdefault(bisect.bisect_right(ends, at), []).append(line)
        at += len(line) + 1
    return [epochs[k] for k in sorted(epochs)] or [[]]


# ---- epoch by epoch ----


@functools.total_ordering
@dataclass(eq=True)
class Arrival:
    """A line at a destination. key: (round, source, emission). lineage: the number of its input
    line, and what number it had among the lines emitted for one line at each node it passed."""

    key: tuple
    lineage: tuple
    text: bytes

    def __lt__(self, other):
        return self.key < other.key


class Walk:
    """One file on its way through a flow."""

    def __init__(self, plan, most_lines):
        self.plan, self.flow = plan, plan.flow
        self.most = most_lines
        self.state = [node.op.new() for node in self.flow.nodes]
        self.held = [[] for _ in self.flow.nodes]  # by whole-file commands
        self.sinks = {tag: [] for tag in self.flow.sinks}
        self.inbox = {}

    def deliver(self, tag, arrival):
        self.most -= 1
        if self.most < 0:
            raise TooMuch
        self.inbox.setdefault(tag, []).append(arrival)

    def collect(self, tag):
        """What has come for a destination, in its order."""
        lines, rule = self.inbox.pop(tag, []), self.plan.rule[tag]
        if rule == "line":
            return sorted(lines, key=lambda a: a.lineage)
        lines.sort()
        if rule == "epoch":  # from here on this is the order that lines descend from
            lines = [Arrival(a.key, (i,), a.text) for i, a in enumerate(lines)]
        return lines

    def emit(self, i, round_, emissions):
        """emissions: (tag or None, text, lineage) of one node, in order."""
        node = self.flow.nodes[i]
        for n, (tag, text, lineage) in enumerate(emissions):
            to = node.next[0] if tag is None or tag == node.tag else tag
            assert to in node.next, (node.tag, tag)
            self.deliver(to, Arrival((round_, i, n), lineage, text))

    def feed(self, i, arrivals):
        """What a node emits for lines."""
        node = self.flow.nodes[i]
        if node.op.plain:
            if node.whole_file:
                self.held[i] += [a.text for a in arrivals]
                return []
            out = node.op.batch([a.text for a in arrivals]) if arrivals else []
            base = [a.lineage for a in arrivals] if node.exact else [(n,) for n in range(len(out))]
            return [(None, text, lineage + (0,)) for text, lineage in zip(out, base, strict=True)]
        return [(tag, text, a.lineage + (n,)) for a in arrivals
                for n, (tag, text) in enumerate(self.state[i].line(a.text))]

    def end(self, i):
        """What a node emits at the end of the file; its state is then as new."""
        node = self.flow.nodes[i]
        if node.op.plain:
            out = [(None, text) for text in node.op.batch(self.held[i])] if node.whole_file else []
        else:
            out = self.state[i].end()
            self.state[i] = node.op.new()
        lineage = (LATER, self.plan.component_of[i], i)
        return [(tag, text, lineage + (n,)) for n, (tag, text) in enumerate(out)]

    def visit(self, i, last):
        out = self.feed(i, self.collect(self.flow.nodes[i].tag))
        if last:
            out += self.end(i)
        self.emit(i, 0, out)

    def visit_cycle(self, members, last):
        """Rounds until it is quiet; at the end of the file the nodes are told, and again those
        that got lines since."""
        tags = {i: self.flow.nodes[i].tag for i in members}
        told, round_ = set(), 0
        while True:
            lines = {i: self.collect(tags[i]) for i in members if tags[i] in self.inbox}
            if lines and round_ >= self.flow.max_rounds:
                raise Endless
            if lines:
                told -= set(lines)
                results = {i: self.feed(i, lines[i]) for i in lines}
            else:
                results = {i: self.end(i) for i in members if last and i not in told}
                told |= set(results)
            if not results:
                return
            for i in results:
                self.emit(i, round_, results[i])
            round_ += 1

    def epoch(self, lines, last):
        for n, text in enumerate(lines):
            self.deliver("start", Arrival((0, INPUT, n), (n,), text))
        for component in self.plan.components:
            if component.cyclic:
                self.visit_cycle(component.members, last)
            else:
                self.visit(component.members[0], last)
        for tag in self.sinks:
            self.sinks[tag] += [a.text for a in self.collect(tag)]


def meaning(plan, data, most_lines=4000):
    """The lines that reach each sink."""
    walk = Walk(plan, most_lines)
    epochs = cut_epochs(data, plan.flow.epoch)
    for n, lines in enumerate(epochs):
        walk.epoch(lines, n == len(epochs) - 1)
    return walk.sinks


# ---- line by line ----


def depth_first(plan, data):
    """The same for flows where every order is by line: each line goes to its end before the next
    is looked at; then, component by component, what nodes emit at the end of the file does."""
    flow = plan.flow
    state = [node.op.new() for node in flow.nodes]
    held = [[] for _ in flow.nodes]
    sinks = {tag: [] for tag in flow.sinks}

    def pass_on(i, out):
        for tag, text in out:
            keep = tag is None or tag == flow.nodes[i].tag
            arrive(flow.nodes[i].next[0] if keep else tag, text)

    def arrive(tag, text):
        if tag in sinks:
            sinks[tag].append(text)
            return
        i = flow.index[tag]
        node = flow.nodes[i]
        if node.whole_file:
            held[i].append(text)
        elif node.op.plain:
            pass_on(i, [(None, t) for t in node.op.batch([text])])
        else:
            pass_on(i, state[i].line(text))

    for line in cut_lines(data):
        arrive("start", line)
    for component in plan.components:
        for i in component.members:  # those of cycles are stateless here: they hold nothing
            node = flow.nodes[i]
            if node.whole_file:
                pass_on(i, [(None, t) for t in node.op.batch(held[i])])
            elif not node.op.plain:
                pass_on(i, state[i].end())
    return sinks
