# SPDX-License-Identifier: MIT
"""Random flows and inputs, and in Python what each command of them does.

An operation knows its command line, whether it sees plain lines ("|"), and what the router may
expect of it: card (it counts its lines, as all library filters do), stateless, map. For one file,
new() gives an object with line(text) and end(), each returning [(tag, text)], tag None for a line
that keeps its tag; a plain operation has batch(lines) instead.
"""

import itertools
import re
import shlex

from oracle_model import Flow, Node, Plan


class Op:
    plain = card = stateless = map = False
    fickle = False  # what it gives depends on how its input is cut
    attributes = ()  # written in brackets
    text_only = False  # NUL bytes are too much for it

    def new(self):
        return self

    def end(self):
        return []

    def simple(self):
        """The same without wrapping, for a smaller example of a failure."""
        return self


class Library(Op):
    card = True

    def __init__(self, *words):
        self.words = words


class Each(Library):
    """A filter that makes of each line one other."""

    stateless = map = True

    def __init__(self, words, change):
        super().__init__(*words)
        self.change = change

    def line(self, text):
        return [(None, self.change(text))]


class Match(Library):
    stateless = map = True

    def __init__(self, rules, any_case):
        super().__init__("tl-match", *(["-i"] if any_case else []), *(f"{t}={p}" for t, p in rules))
        flags = re.IGNORECASE if any_case else 0
        self.rules = [(t, re.compile(p.encode(), flags)) for t, p in rules]

    def line(self, text):
        return [(next((t for t, p in self.rules if p.search(text)), None), text)]


class Copy(Library):
    stateless = True

    def __init__(self, tags, keep):
        super().__init__("tl-copy", *(["-k"] if keep else []), *tags)
        self.tags = ([None] if keep else []) + tags
        self.map = len(self.tags) == 1

    def line(self, text):
        return [(tag, text) for tag in self.tags]


class Split(Library):
    stateless = True

    def __init__(self, separator, skip):
        super().__init__("tl-split", *(["-s"] if skip else []), separator)
        self.separator, self.skip = separator.encode(), skip

    def line(self, text):
        return [(None, p) for p in text.split(self.separator) if p or not self.skip]


class Stateful(Library):
    """new() gives what holds the state of one file."""

    def __init__(self, words, state, *arguments):
        super().__init__(*words)
        self.make = lambda: state(*arguments)

    def new(self):
        return self.make()


class JoinState:
    def __init__(self, count, begin, separator):
        self.count, self.begin, self.separator, self.lines = count, begin, separator, []

    def line(self, text):
        out = self.end() if self.begin and self.lines and self.begin.search(text) else []
        self.lines.append(text)
        return out + (self.end() if len(self.lines) == self.count else [])

    def end(self):
        lines, self.lines = self.lines, []
        return [(None, self.separator.join(lines))] if lines else []


class CountState:
    def __init__(self, own, key, passes, tag):
        self.own, self.key, self.passes, self.tag, self.totals = own.encode(), key, passes, tag, {}

    def line(self, text):
        found = self.key.search(text) if self.key else None
        if found or not self.key:
            key = found.group(found.re.groups > 0) if found else self.own
            if key is not None:
                self.totals[key] = self.totals.get(key, 0) + 1
        return [(None, text)] if self.passes else []

    def end(self):
        return [(self.tag, b"%s\t%d" % total) for total in sorted(self.totals.items())]


class UniqState:
    def __init__(self, every, counted):
        self.every, self.counted, self.seen = every, counted, {}

    def line(self, text):
        out = []
        if text in self.seen:
            self.seen[text] += 1
            return out
        if not self.every:
            out, self.seen = (self.end() if self.counted else []), {}
        self.seen[text] = 1
        return out if self.counted else [(None, text)]

    def end(self):
        return [(None, b"%s\t%d" % t) for t in self.seen.items()] if self.counted else []


class HeadState:
    def __init__(self, first, every):
        self.first, self.every, self.n = first, every, 0

    def line(self, text):
        self.n += 1
        return [(None, text)] if self.n <= self.first or (self.n - 1) % self.every == 0 else []

    def end(self):
        return []


NEVER = 1 << 40


def library_single(r, way):
    """A library filter with one way out."""
    word = r.choice(["x", "<", "error ", "", "a,b", "\\1", "tab\t"])
    count = r.randint(1, 4)
    regex, change = r.choice([("^.", ""), ("[0-9]+", "#"), ("(a)(.)", "$2$1"), ("e", "${0}e"),
                              ("^<(.*)>$", "$1"), (",", "$$")])
    python = re.sub(r"\$\{?(\d)\}?", r"\\g<\1>", change).replace("$$", "$").encode()
    begin = re.compile(b"^[a-f]")
    white = b" \t\n\v\f\r"
    return r.choice([
        lambda: Each(["tl-upper"], lambda t: t.upper()),
        lambda: Each(["tl-lower"], lambda t: t.lower()),
        lambda: Each(["tl-trim"], lambda t: t.strip(white)),
        lambda: Each(["tl-snake"], lambda t: t.strip(white).lower().replace(b" ", b"_")),
        lambda: Each(["tl-prefix", word], lambda t: word.encode() + t),
        lambda: Each(["tl-suffix", word], lambda t: t + word.encode()),
        lambda: Each(["tl-replace", regex, change], lambda t: re.sub(regex.encode(), python, t, 1)),
        lambda: Split(r.choice([",", " ", "<", "ab"]), r.random() < 0.5),
        lambda: Copy([way], r.random() < 0.5),
        lambda: Stateful(["tl-join", "-n", str(count)], JoinState, count, None, b" "),
        lambda: Stateful(["tl-join", "-s", ";"], JoinState, NEVER, None, b";"),
        lambda: Stateful(["tl-join", "-b", "^[a-f]"], JoinState, NEVER, begin, b" "),
        lambda: Stateful(["tl-uniq"], UniqState, False, False),
        lambda: Stateful(["tl-uniq", "-a"], UniqState, True, False),
        lambda: Stateful(["tl-uniq", "-c"], UniqState, False, True),
        lambda: Stateful(["tl-uniq", "-ac"], UniqState, True, True),
        lambda: Stateful(["tl-head", "-n", str(count)], HeadState, count, NEVER),
        lambda: Stateful(["tl-sample", "-n", str(count)], HeadState, 0, count),
    ])()


def counter(r, own, passes, tag=None):
    """tl-count for a node whose tag is own."""
    words = ["tl-count"] + (["-p"] if passes else []) + (["-t", tag] if tag else [])
    key = r.choice([None, "^.", "([a-z])([0-9])?"])
    words += ["-k", key] if key else []
    compiled = re.compile(key.encode()) if key else None
    return Stateful(words, CountState, own, compiled, passes, tag)


# ---- filters in awk: they obey the protocol's one rule, and tell nothing ----


class Awk(Op):
    ECHO = ('BEGIN { FS = OFS = "\\t" } /^!/ { %sprint; fflush(); next } '
            '{ p = substr($0, index($0, "\\t") + 1) } ')

    def __init__(self, r, body, state, at_end="", **promises):
        self.text_only = r.random() < 0.3
        awk = ["mawk", "-W", "interactive"] if self.text_only else ["gawk"]
        self.words = (*awk, self.ECHO % at_end + body)
        self.state = state
        for name, value in promises.items():
            setattr(self, name, value)

    def new(self):
        return self.state()


class LineWise:
    def __init__(self, line, end=lambda: []):
        self.line, self.end = line, end


def stateless_state(line):
    return lambda: LineWise(line)


def numbered(tag):
    """Each line with its number in the file; every third under another tag."""
    def make():
        numbers = itertools.count(1)

        def line(text):
            n = next(numbers)
            return [(tag if n % 3 == 0 else None, b"%d %s" % (n, text))]
        return LineWise(line)
    return make


def held_back():
    """Each line when the next one comes, the last at the end of the file."""
    held = []

    def line(text):
        held.append(text)
        return [(None, held.pop(0))] if len(held) > 1 else []
    return LineWise(line, lambda: [(None, held.pop())] if held else [])


def awk_single(r):
    body, line, promise = r.choice([
        ('{ print $1, "(" p ")" }', lambda t: [(None, b"(" + t + b")")], "map"),
        ('{ print $1, p; if (length(p) > 3) print $1, substr(p, 1, 2) }',
         lambda t: [(None, t)] + ([(None, t[:2])] if len(t) > 3 else []), "stateless"),
        ('length(p) % 2 { print $1, p }', lambda t: [(None, t)] if len(t) % 2 else [], "stateless"),
    ])
    pick = r.random()
    if pick < 0.25:
        return Awk(r, '{ if (n++) print tag, held; tag = $1; held = p }', held_back,
                   '{ if (/^!end/) { if (n) print tag, held; n = 0 } } ')
    if pick < 0.5:
        return Awk(r, '{ print $1, ++n " " p }', numbered(None), 'if (/^!end/) n = 0; ')
    return Awk(r, body, stateless_state(line),
               attributes=r.choice([(), (promise,)]))


def awk_multi(r, tags):
    t = tags[0]
    if r.random() < 0.4:
        return Awk(r, '{ print ++n % 3 ? $1 : "' + t + '", n " " p }', numbered(t),
                   'if (/^!end/) n = 0; ')
    attributes = r.choice([(), ("stateless",)])
    return Awk(r, '{ print $1, p; if (length(p) % 2) print "' + t + '", p }',
               stateless_state(lambda x: [(None, x)] + ([(t, x)] if len(x) % 2 else [])),
               attributes=attributes)


def peel(r, out):
    """For a cycle: a byte less each time; empty lines leave under another tag."""
    pick = r.choice(["map", "stateless", ""])
    return Awk(r, '{ if (p == "") print "' + out + '", p; else print $1, substr(p, 2) }',
               stateless_state(lambda t: [(None, t[1:])] if t else [(out, t)]),
               attributes=(pick,) if pick else ())


def fork(r, out):
    """For a cycle: both halves of a line go round; what is short leaves."""
    return Awk(r, '{ n = int(length(p) / 2); if (n < 1 || length(p) > 40) print "' + out + '", p; '
               'else { print $1, substr(p, 1, n); print "' + out + '", "+" p; '
               'print $1, substr(p, n + 1) } }',
               stateless_state(lambda t: [(out, t)] if len(t) < 2 or len(t) > 40 else
                               [(None, t[:len(t) // 2]), (out, b"+" + t),
                                (None, t[len(t) // 2:])]),
               attributes=r.choice([(), ("stateless",)]))


class ByteWise(Op):
    """A filter that reads and writes one byte at a time."""

    def __init__(self, op):
        self.op = op
        inner = " ".join(shlex.quote(w) for w in op.words)
        self.words = ("sh", "-c", f"unset TAGLINE_ENDS; dd bs=1 status=none | {inner} | dd bs=1 status=none")
        self.card, self.stateless, self.map = op.card, op.stateless, op.map
        self.attributes, self.text_only = op.attributes, op.text_only

    def new(self):
        return self.op.new()

    def simple(self):
        return self.op


# ---- "|": any program ----


class Plain(Op):
    plain = True

    def __init__(self, words, batch, attributes=(), fickle=False):
        self.words, self.run, self.attributes, self.fickle = words, batch, attributes, fickle

    def batch(self, lines):
        return self.run(lines)


def each(change):
    return lambda lines: [change(t) for t in lines]


def uniq_counted(lines):
    return [b"%7d %s" % (len(list(g)), text) for text, g in itertools.groupby(lines)]


def grep(lines):
    return [t for t in lines if b"a" in t]


def pasted(lines):
    """paste -d, - -: two lines side by side, the last one beside nothing."""
    return [b",".join(lines[i:i + 2] + [b""] * (len(lines) == i + 1))
            for i in range(0, len(lines), 2)]


def plain_whole(r):
    return r.choice([
        lambda: Plain(["sort"], sorted),
        lambda: Plain(["sort", "-r"], lambda x: sorted(x, reverse=True)),
        lambda: Plain(["tac"], lambda x: x[::-1]),
        lambda: Plain(["wc", "-l"], lambda x: [b"%d" % len(x)]),
        lambda: Plain(["uniq", "-c"], uniq_counted),
        lambda: Plain(["sh", "-c", "sort | uniq -c"], lambda x: uniq_counted(sorted(x))),
        lambda: Plain(["sed", "s/^/- /"], each(lambda t: b"- " + t)),
        lambda: Plain(["head", "-n", "3"], lambda x: x[:3]),
        lambda: Plain(["tail", "-n", "2"], lambda x: x[-2:]),
        lambda: Plain(["cat"], lambda x: x),
        lambda: Plain(["paste", "-d,", "-", "-"], pasted),
        lambda: Plain(["grep", "-a", "a"], grep, ("ok=0,1",)),
        lambda: Plain(["sh", "-c", "cat >/dev/null; printf end"], lambda x: [b"end"]),
    ])()


def plain_stateless(r):
    """Commands that may be run for each batch; the last of them notices how lines were cut."""
    a = r.choice(["map", "stateless"])
    return r.choice([
        lambda: Plain(["sed", "s/^/- /"], each(lambda t: b"- " + t), (a,)),
        lambda: Plain(["tr", "a-z", "A-Z"], each(bytes.upper), (a,)),
        lambda: Plain(["cat"], lambda x: x, (a,)),
        lambda: Plain(["cut", "-b", "2-"], each(lambda t: t[1:]), (a,)),
        lambda: Plain(["grep", "-a", "a"], grep, ("stateless", "ok=0,1")),
        lambda: Plain(["sed", "p"], lambda x: [t for t in x for _ in (0, 1)], ("stateless",)),
        lambda: Plain(["wc", "-l"], lambda x: [b"%d" % len(x)], ("stateless",), True),
    ])()


# ---- flows ----


def pattern(r):
    return r.choice(["^error", "a", "[0-9]", "^$", "^.{0,3}$", "x|y", "b$", "^(start|a)\t"])


def shrinking(r, tags):
    """For a cycle: lines get shorter, and short ones leave, so that it comes to rest."""
    if len(tags) > 1:
        out = r.choice(tags[1:])
        return r.choice([
            lambda: Match([(out, "^.{0,2}$")], False),
            lambda: Match([(out, "^.?$"), (tags[1], "^[,<]")], False),
            lambda: peel(r, out),
            lambda: fork(r, out),
        ])()
    return r.choice([
        lambda: Each(["tl-replace", "^.", ""], lambda t: t[1:]),
        lambda: Split(r.choice([",", "a", "<"]), True),
        lambda: Plain(["cut", "-b", "2-"], each(lambda t: t[1:]), ("map",)),
        lambda: Plain(["sed", "s/.$//"], each(lambda t: t[:-1]), ("stateless",)),
    ])()


def operation(r, tag, tags, cyclic):
    """What a node with these ways out does."""
    if cyclic and r.random() < 0.6:
        return shrinking(r, tags)
    if len(tags) > 1:
        return r.choice([
            lambda: Match([(t, pattern(r)) for t in tags[1:]], r.random() < 0.5),
            lambda: Match([(r.choice(tags[1:]), pattern(r))], r.random() < 0.5),
            lambda: Copy(tags[1:], True),
            lambda: Copy(r.sample(tags[1:], len(tags) - 1), False),
            lambda: counter(r, tag, True, tags[1]),
            lambda: awk_multi(r, tags[1:]),
            lambda: peel(r, tags[1]),
            lambda: fork(r, tags[1]),
        ])()
    pick = r.random()
    if pick < 0.2:
        return awk_single(r)
    if pick < 0.32:
        return plain_stateless(r)
    if pick < 0.45 and not cyclic:
        return plain_whole(r)
    if pick < 0.52:
        return counter(r, tag, r.random() < 0.5)
    return library_single(r, tags[0])


def arrows(r, names, sinks):
    """Ways out of each node: always one forwards, so that a sink can be reached from anywhere; now
    and then one back."""
    back = r.choice([0, 0, 0.3, 0.6])
    fan = r.choice([0.1, 0.5, 0.8])
    ways = []
    for i in range(len(names)):
        ahead = names[i + 1:] + sinks
        way = [names[i + 1] if i + 1 < len(names) and r.random() < 0.7 else r.choice(ahead)]
        while r.random() < fan and len(way) < 3:
            way.append(r.choice(ahead))
        if r.random() < back:
            way.append(r.choice(names[:i + 1]))
        r.shuffle(way)
        way = list(dict.fromkeys(way))
        if names[i] in way:  # a line that keeps its tag goes first: only so it comes back
            way.remove(names[i])
            way.insert(0, names[i])
        ways.append(way)
    return ways


def reach_all(r, names, sinks, ways):
    """Give what nothing leads to an arrow from an earlier node."""
    for k, tag in enumerate(names[1:] + sinks, 1):
        if not any(tag in ways[i] for i in range(min(k, len(names)))):
            i = r.randrange(min(k, len(names)))
            ways[i].append(tag)


def random_flow(r, small):
    names = ["start"] + [f"n{i}" for i in range(1, r.choice([1, 2, 2, 3, 3, 4, 5, 6, 8]))]
    sinks = r.choice([["end"], ["end"], ["end", "side"], ["end", "side", "third"], ["other"]])
    ways = arrows(r, names, sinks)
    reach_all(r, names, sinks, ways)
    order = list(range(len(names)))
    if r.random() < 0.5:
        r.shuffle(order)
    index = {tag: i for i, tag in enumerate(names)}
    graph = {i: [index[t] for t in ways[i] if t in index] for i in order}
    nodes = []
    for i in order:
        cyclic = returns(graph, i)
        op = operation(r, names[i], ways[i], cyclic)
        if small and not op.plain and r.random() < 0.04:
            op = ByteWise(op)
        if r.random() < 0.2:
            share(r, op)
        nodes.append(Node(names[i], op, ways[i], {"stateless", "map"} & set(op.attributes)))
    flow = Flow(nodes, sinks)
    if len(sinks) > 1 and r.random() < 0.15:
        flow.discarded.add(sinks[-1])
    return flow


def share(r, op):
    """Copies of a stateless command give what one gives."""
    if not op.fickle and (op.stateless or {"map", "stateless"} & set(op.attributes)):
        op.attributes = (*op.attributes, f"jobs={r.choice([2, 3, 7])}")


def returns(graph, i):
    seen, todo = set(), [i]
    while todo:
        for to in graph[todo.pop()]:
            if to == i:
                return True
            if to not in seen:
                seen.add(to)
                todo.append(to)
    return False


def settings(r, flow, epoch):
    flow.epoch = epoch or r.choice([256 << 10] * 3 + [1, 1, 7, 100, 4096, 5000, 1 << 20])
    flow.order = r.choice(["", "", "", "epoch", "line"])
    if flow.order == "line" and not Plan(flow).provable:
        flow.order = ""


# ---- the text of a flow ----


def quote(r, word):
    if re.fullmatch(r"[A-Za-z0-9_./=,^-]+", word) and word not in ("->", "=>") and r.random() < 0.8:
        return word
    if not re.search(r'["\\]', word) and r.random() < 0.3:
        return f'"{word}"'
    return shlex.quote(word) if word else "''"


def flow_text(flow, r):
    """The flow file, in one of the many ways to write it."""
    lines = [f"set epoch {flow.epoch}", f"set max-rounds {flow.max_rounds}"]
    if flow.order:
        lines.append(f"set order {flow.order}")
    text = []
    for node in flow.nodes:
        words = list(node.op.attributes)
        if node.stateless and not getattr(node.op, "fickle", False) and r.random() < 0.3:
            words.append(f"jobs={r.randint(2, 4)}")  # copies change nothing that can be seen
        attributes = f" [{' '.join(words)}]" if words else ""
        gap = r.choice([" ", "  ", " \\\n    "])
        command = " ".join(quote(r, w) for w in node.op.words)
        mark = "|" if node.op.plain else ":"
        text.append(f"{node.tag}{attributes} -> {' '.join(node.next)}{gap}{mark} {command}")
    for tag in flow.sinks:
        if tag in flow.discarded:
            text.append(f"{tag} => null")
        elif tag != "end" or r.random() < 0.5:
            text.append(f"{tag} => {sink_file(tag, '%f')}")
    at = r.choice([0, len(text)])
    text[at:at] = lines
    return "\n".join(["# made by tests/oracle.py"] + text) + "\n"


def sink_file(tag, name):
    return name if tag == "end" else f"{name}.{tag}"


# ---- inputs ----

WORDS = [b"", b"a", b"b", b"error: disk", b"Error", b"WARN x", b"x,y,,z", b",", b"!fence 3", b"!end 1",
         b"!hello 1", b"start\tfoo", b"a\tb", b"\t", b"<<x>>", b"<a>", b"\0", b"n\0ul", b"\xff\xfe",
         b"caf\xc3\xa9", b"cr\r", b"  sp aced  ", b"0123", b"a1b2c3", b"abab", b"\\", b"%s %n", b"-x"]


def random_line(r):
    pick = r.random()
    if pick < 0.6:
        return r.choice(WORDS)
    if pick < 0.9:
        return bytes(r.choice(b"abcxy01, <>E") for _ in range(r.randint(0, 12)))
    return r.choice(WORDS) + b" " + r.choice(WORDS)


def random_input(r, small):
    pick = r.random()
    if pick < 0.06:
        return b""
    count = r.randint(1, 30)
    long = []
    if not small and pick > 0.85:
        count = r.randint(300, 900)
    if not small and pick > 0.93:
        long = [bytes([r.choice(b"abx")]) * r.choice([4095, 4096, 5000, 70000])]
    lines = [random_line(r) for _ in range(count)] + long
    r.shuffle(lines)
    return b"\n".join(lines) + (b"\n" if r.random() < 0.8 else b"")
