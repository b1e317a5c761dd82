# SPDX-License-Identifier: MIT
"""T1, T2, T5, T6: one file through a flow, and through what else can do the same."""

import glob
import os
import re

import daemons
from measure import Work
from programs import Case, Program, command

SINKS = ("err", "gen", "warn")
TRIAGE_FLOW = """\
start   -> general error warn : tl-match 'error=ERROR| error' warn=WARN
error   -> err                : tl-prefix 'ALERT '
general -> gen                : tl-upper
err  => err
gen  => gen
warn => warn
"""
TRIAGE_AWK = """\
index($0, "ERROR") || index($0, " error") { print "ALERT " $0 > (part "err"); next }
index($0, "WARN") { print > (part "warn"); next }
{ print toupper($0) > (part "gen") }
"""
TRIAGE_PERL = """\
open my $err, '>', 'err' or die; open my $warn, '>', 'warn' or die; open my $gen, '>', 'gen' or die;
while (<>) {
    if (index($_, 'ERROR') >= 0 || index($_, ' error') >= 0) { print $err 'ALERT ', $_ }
    elsif (index($_, 'WARN') >= 0) { print $warn $_ }
    else { print $gen uc }
}
close $_ or die for $err, $warn, $gen;
"""
TRIAGE_PIPES = """\
mkfifo a b
grep -E 'ERROR| error' <a | sed 's/^/ALERT /' >err &
grep -vE 'ERROR| error' <b | grep WARN >warn &
tee a b <"$1" | grep -vE 'ERROR| error|WARN' | tr a-z A-Z >gen
wait
"""
PARALLEL = 'PARALLEL_HOME=$PWD parallel --will-cite --pipepart -a "$1" --block -1 mawk -v part={#}. -f "$2"'
JOIN = '\nfor f in err gen warn; do cat $(ls -v *.$f) >$f && rm -f *.$f || exit; done'


def _parts(folder):
    """What parallel leaves: a file a part, numbered."""
    return {
        sink: sorted(
            glob.glob(f"{glob.escape(folder)}/*.{sink}"),
            key=lambda path: int(re.match("[0-9]+", os.path.basename(path))[0]),
        )
        for sink in SINKS
    }


def triage_programs(setting, data):
    """T1: tagline, the program written for it, and the peers that are commands."""
    flow = setting.text("t1.flow", TRIAGE_FLOW)
    awk, perl = setting.text("t1.awk", TRIAGE_AWK), setting.text("t1.pl", TRIAGE_PERL)

    def program(name, *argv, **how):
        return Program(name, *command(*argv, results=SINKS), **how)

    def parts(folder):
        return Work(["sh", "-c", PARALLEL, "sh", data, awk], folder)

    return [
        program("tagline", setting.tool("tl-router"), "-o", ".", flow, data),
        program("C, for this alone", setting.helper("triage"), data, "err", "warn", "gen", bound=True),
        program("mawk", "mawk", "-f", awk, data, needs=("mawk",)),
        program("gawk", "gawk", "-f", awk, data, needs=("gawk",)),
        program("perl", "perl", perl, data, needs=("perl",)),
        program("tee, grep, sed, tr", "sh", "-c", TRIAGE_PIPES, "sh", data),
        Program("parallel mawk, in parts", parts, _parts, needs=("parallel", "mawk")),
        program(
            "parallel mawk, joined", "sh", "-ec", PARALLEL + JOIN, "sh", data, awk,
            needs=("parallel", "mawk"),
        ),
    ]  # fmt: skip


def megabytes(path):
    """Its size, as rates count it."""
    return os.path.getsize(path) / 1e6


def triage(setting):
    """T1."""
    data = setting.data("log", setting.size)
    programs = triage_programs(setting, data)
    programs += [daemons.rsyslog(setting, data), daemons.syslog_ng(setting, data)]
    programs += [daemons.fluent_bit(data), daemons.vector(data)]
    title = f"triage: {megabytes(data):.0f} MB of log lines into three files"
    yield Case("T1", title, megabytes(data), "MB", programs, lambda: setting.forget(data))


MERGED_AWK = r"""
function snake(s) {
    sub(/^[ \t\r\v\f]+/, "", s); sub(/[ \t\r\v\f]+$/, "", s); gsub(/ /, "_", s)
    return tolower(s)
}
/^[Ee][Rr][Rr][Oo][Rr]/ { print snake("ERROR DETECTED: " $0); next }
/^[Ww][Aa][Rr][Nn]/ { print "WARNING COUNTED: " $0; next }
{ print snake($0) }
"""
MERGED_PERL = r"""
while (<>) {
    if (/^warn/i) { print 'WARNING COUNTED: ', $_; next }
    $_ = "ERROR DETECTED: $_" if /^error/i;
    s/^[ \t\r\x0b\f]+//; s/[ \t\r\x0b\f]*\n//; tr/A-Z /a-z_/;
    print $_, "\n";
}
"""


def _to_out(name, *argv, **how):
    """A program that prints its result."""
    return Program(name, *command(*argv, results=("out",), stdout="out"), **how)


def merged(setting):
    """T2."""
    data = setting.data("plain", setting.size)
    flow = os.path.join(setting.root, "scripts", "flows", "triage.flow")
    programs = [
        _to_out("tagline", setting.tool("tl-router"), flow, data),
        _to_out("mawk", "mawk", MERGED_AWK, data, needs=("mawk",)),
        _to_out("gawk", "gawk", MERGED_AWK, data, needs=("gawk",)),
        _to_out("perl", "perl", "-e", MERGED_PERL, data, needs=("perl",)),
    ]
    title = f"triage.flow: {megabytes(data):.0f} MB, merged into one file in input order"
    yield Case("T2", title, megabytes(data), "MB", programs, lambda: setting.forget(data))


PATTERN = (
    r"""^([^ ]+) [^ ]+ ([^ ]+) \[([^]]+)\] "([A-Z]+) ([^ "]+) ([^ "]+)" ([0-9]{3}) ([0-9]+) .*"""
)
CAPTURES_AWK = r"""BEGIN { OFS = "\t" } {
    print $1, $3, substr($4, 2) " " substr($5, 1, length($5) - 1), substr($6, 2), $7,
        substr($8, 1, length($8) - 1), $9, $10
}"""


def captures(setting):
    """T5."""
    data = setting.data("access", setting.size)
    numbers = range(1, 9)
    dollars = "\t".join(f"${n}" for n in numbers)
    flow = setting.text("t5.flow", f"start -> end : tl-replace '{PATTERN}' '{dollars}'\n")
    perl = f'while (<>) {{ s{{{PATTERN}}}{{{dollars}}}; print }}'.replace("[^]]", r"[^\]]")
    sed = "s/" + PATTERN + "/" + r"\t".join(f"\\{n}" for n in numbers) + "/"
    programs = [
        _to_out("tagline", setting.tool("tl-router"), flow, data),
        _to_out("mawk, fields", "mawk", CAPTURES_AWK, data, needs=("mawk",)),
        _to_out("gawk, fields", "gawk", CAPTURES_AWK, data, needs=("gawk",)),
        _to_out("perl", "perl", "-e", perl, data, needs=("perl",)),
        _to_out("sed -E", "sed", "-E", sed, data),
    ]
    title = f"8 captures: {megabytes(data):.0f} MB of an access log into columns (awk: no regex)"
    yield Case("T5", title, megabytes(data), "MB", programs, lambda: setting.forget(data))


def chain_flow(nodes, command):
    """A flow of so many nodes in a row."""
    tags = ["start", *(f"n{n}" for n in range(1, nodes)), "end"]
    return "".join(f"{a} -> {b} : {command}\n" for a, b in zip(tags, tags[1:]))


def chain(setting, key, nodes, length, bytes_, **how):
    """So many identity filters in a row, of the library and not, and as many pipes between cats."""
    data = setting.data("words", bytes_, length, 1)
    flow = setting.text(f"chain-{nodes}.flow", chain_flow(nodes, "tl-prefix ''"))
    cats = setting.text(f"cats-{nodes}.flow", chain_flow(nodes, "cat"))
    pipes = f'cat "$1"{" | cat" * nodes} >out'
    spread = 'PARALLEL_HOME=$PWD parallel --will-cite --pipe --block 1M -k cat <"$1" >out'
    programs = [
        _to_out("tagline", setting.tool("tl-router"), flow, data),
        _to_out("tagline, nodes are cat", setting.tool("tl-router"), cats, data),
        Program(
            f"cat | cat, {nodes} pipe{'s' * (nodes > 1)}",
            *command("sh", "-c", pipes, "sh", data, results=("out",)),
        ),
    ]
    if nodes == 1 and length == 200 and not how:
        programs.append(
            Program(
                "parallel --pipe -k cat",
                *command("sh", "-c", spread, "sh", data, results=("out",)),
                needs=("parallel",),
            )
        )
    title = f"chain of {nodes}: {megabytes(data):.0f} MB in lines of {length} bytes"
    return Case(
        key, how.get("title", title), megabytes(data) * how.get("weight", 1),
        how.get("unit", "MB"), programs, lambda: setting.forget(data),
    )  # fmt: skip


def _fan_out(setting, tags, bytes_):
    data = setting.data("words", bytes_, 200, tags)
    names = [f"t{n}" for n in range(tags)]
    sinks = "".join(f"{name} => {name}\n" for name in names)
    start = f"start -> {' '.join(names)} : {setting.helper('spread')}\n"
    flow = setting.text(f"fan-{tags}.flow", start + sinks)
    title = f"fan-out to {tags} tags and files: {megabytes(data):.0f} MB in lines of 200 bytes"
    made = command("mawk", "{ print > $1 }", data, results=names)
    programs = [
        Program(
            "tagline",
            *command(setting.tool("tl-router"), "-o", ".", flow, data, results=names),
        ),
        Program("mawk", *made, needs=("mawk",)),
    ]
    return Case("T6", title, megabytes(data), "MB", programs, lambda: setting.forget(data))


def hub(setting):
    """T6."""
    bytes_ = setting.pick(256 << 20, 32 << 20, 1 << 18)
    for nodes in setting.pick((1, 2, 4, 8), (1, 8), (1, 2)):
        yield chain(setting, "T6", nodes, 200, bytes_)
    for length in setting.pick((16, 80, 1000, 100000), (16, 1000), (16,)):
        yield chain(setting, "T6", 1, length, bytes_)
    for tags in setting.pick((4, 64, 1000), (4, 1000), (4,)):
        yield _fan_out(setting, tags, bytes_)
