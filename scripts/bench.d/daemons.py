# SPDX-License-Identifier: MIT
"""Log daemons as peers: each run in the foreground with a configuration of its own that opens no
port and no socket of the system, told to end as soon as all results are there."""

import glob
import os
import subprocess

from measure import Work
from programs import Program

SINKS = ("err", "gen", "warn")
RSYSLOG = """\
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imfile")
template(name="alert" type="list") {{ constant(value="ALERT ") property(name="msg") constant(value="\\n") }}
template(name="plain" type="list") {{ property(name="msg") constant(value="\\n") }}
template(name="upper" type="list") {{ property(name="msg" caseConversion="upper") constant(value="\\n") }}
template(name="results" type="list") {{ constant(value="{folder}/output/") property(name="$.name") }}
ruleset(name="triage") {{
    set $.name = re_extract($!metadata!filename, '([^/]*)$', 0, 1, 'unknown');
    if $msg contains "ERROR" or $msg contains " error" then {{
        action(type="omfile" template="alert" {err})
    }} else if $msg contains "WARN" then {{
        action(type="omfile" template="plain" {warn})
    }} else {{
        action(type="omfile" template="upper" {gen})
    }}
}}
input(type="imfile" file="{input}" tag="bench" ruleset="triage" addMetadata="on")
"""
SYSLOG_NG = """\
@version: {version}
@module affile
@module basicfuncs
options {{ use-dns(no); dns-cache(no); keep-hostname(yes); stats-freq(0); log-msg-size(65536); }};
source s {{ file("{input}" flags(no-parse) follow-freq(1) log-fetch-limit(1000) log-iw-size(100000)); }};
filter f_error {{ message("ERROR" type(string) flags(substring)) or message(" error" type(string) flags(substring)); }};
filter f_warn {{ message("WARN" type(string) flags(substring)); }};
destination d_err {{ file("{folder}/err" template("ALERT ${{MESSAGE}}\\n") log-fifo-size(200000)); }};
destination d_warn {{ file("{folder}/warn" template("${{MESSAGE}}\\n") log-fifo-size(200000)); }};
destination d_gen {{ file("{folder}/gen" template("$(uppercase \\"${{MESSAGE}}\\")\\n") log-fifo-size(200000)); }};
log {{
    source(s);
    if (filter(f_error)) {{ destination(d_err); }}
    elif (filter(f_warn)) {{ destination(d_warn); }}
    else {{ destination(d_gen); }};
    flags(flow-control);
}};
"""

FLUENT_BIT = """\
[SERVICE]
    flush 0.2
    log_level error
[INPUT]
    name tail
    path {input}
    tag all
    read_from_head true
    buffer_chunk_size 1M
    buffer_max_size 4M
[FILTER]
    name rewrite_tag
    match all
    rule $log (ERROR|\\serror) err false
    rule $log WARN warn false
[FILTER]
    name lua
    match err
    script {folder}/.lua
    call alert
[FILTER]
    name lua
    match all
    script {folder}/.lua
    call upper
[OUTPUT]
    name file
    match err
    path {folder}
    file err
    format template
    template {{log}}
[OUTPUT]
    name file
    match warn
    path {folder}
    file warn
    format template
    template {{log}}
[OUTPUT]
    name file
    match all
    path {folder}
    file gen
    format template
    template {{log}}
"""
FLUENT_BIT_LUA = """\
function alert(tag, time, record) record["log"] = "ALERT " .. record["log"]; return 2, time, record end
function upper(tag, time, record) record["log"] = string.upper(record["log"]); return 2, time, record end
"""
VECTOR = """\
data_dir = "{folder}/.data"
[sources.in]
type = "file"
include = ["{input}"]
read_from = "beginning"
[transforms.kind]
type = "route"
inputs = ["in"]
route.err = 'contains(string!(.message), "ERROR") || contains(string!(.message), " error")'
route.warn = 'contains(string!(.message), "WARN") && !contains(string!(.message), "ERROR") && !contains(string!(.message), " error")'
[transforms.alert]
type = "remap"
inputs = ["kind.err"]
source = '.message = "ALERT " + string!(.message)'
[transforms.upper]
type = "remap"
inputs = ["kind._unmatched"]
source = '.message = upcase(string!(.message))'
[sinks.err]
type = "file"
inputs = ["alert"]
path = "{folder}/err"
encoding.codec = "text"
[sinks.warn]
type = "file"
inputs = ["kind.warn"]
path = "{folder}/warn"
encoding.codec = "text"
[sinks.gen]
type = "file"
inputs = ["upper"]
path = "{folder}/gen"
encoding.codec = "text"
"""


def _write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def _limit(data):
    """Seconds after which one that stands still has failed."""
    return 30 + os.path.getsize(data) / 4e6


def _paths(folder):
    return {sink: [os.path.join(folder, sink)] for sink in SINKS}


def _sizes(folder):
    """Bytes of all results so far."""
    total = 0
    for sink in SINKS:
        try:
            total += os.path.getsize(os.path.join(folder, sink))
        except FileNotFoundError:
            continue
    return total


def _expected(data):
    """Bytes of all results: the input's, and what stands before each error."""
    with open(data, "rb") as f:
        errors = sum(b"ERROR" in line or b" error" in line for line in f)
    return os.path.getsize(data) + errors * len("ALERT ")


def rsyslog_work(setting, folder, input_, actions):
    """An rsyslogd over the input, a pattern of files."""
    path, env, peers = setting.daemon("rsyslogd")
    conf = _write(
        os.path.join(folder, "rsyslog.conf"), RSYSLOG.format(folder=folder, input=input_, **actions)
    )
    modules = glob.glob(glob.escape(peers) + "/usr/lib/*/rsyslog") if peers else []
    argv = [path, "-n", "-f", conf, "-i", os.path.join(folder, ".pid")]
    return Work(argv + (["-M", modules[0]] if modules else []), folder, env=env)


def rsyslog(setting, data):
    """T1 by rsyslog. Its queue has several workers, which may change the order of lines."""
    total = []

    def work(folder):
        total[:] = total or [_expected(data)]
        actions = {sink: f'file="{folder}/{sink}"' for sink in SINKS}
        run = rsyslog_work(setting, folder, data, actions)
        run.done, run.limit = lambda: _sizes(folder) >= total[0], _limit(data)
        return run

    path = setting.daemon("rsyslogd")[0]
    return Program("rsyslog", work, _paths, needs=(path,), ordered=False)


def _version(path, env):
    """What the configuration must say: the daemon's own version, 3.38 of 3.38.1."""
    said = subprocess.run([path, "--version"], env=env, stdout=subprocess.PIPE, check=True).stdout
    return ".".join(said.split(b"(")[1].split(b")")[0].decode().split(".")[:2])


def syslog_ng(setting, data):
    """T1 by syslog-ng."""
    path, env, peers = setting.daemon("syslog-ng")
    total = []

    def work(folder):
        total[:] = total or [_expected(data)]
        text = SYSLOG_NG.format(version=_version(path, env), input=data, folder=folder)
        conf = _write(os.path.join(folder, "syslog-ng.conf"), text)
        state = [f"{flag}{folder}/.{name}" for flag, name in
                 (("--persist-file=", "persist"), ("--pidfile=", "pid"), ("--control=", "ctl"))]  # fmt: skip
        modules = glob.glob(glob.escape(peers) + "/usr/lib/syslog-ng/[0-9]*") if peers else []
        argv = [path, "-F", "--no-caps", "-f", conf, *state]
        argv += [f"--module-path={modules[0]}"] if modules else []
        run = Work(argv, folder, env=env, limit=_limit(data))
        run.done = lambda: _sizes(folder) >= total[0]
        return run

    return Program("syslog-ng", work, _paths, needs=(path,), ordered=False)


def _if_found(name, data, argv, files):
    """T1 by one that is measured where somebody has put it on PATH. argv(folder): its command."""
    total = []

    def work(folder):
        total[:] = total or [_expected(data)]
        os.mkdir(os.path.join(folder, ".data"))
        for file, text in files.items():
            _write(os.path.join(folder, file), text.format(input=data, folder=folder))
        run = Work(argv(folder), folder, limit=_limit(data))
        run.done = lambda: _sizes(folder) >= total[0]
        return run

    return Program(name, work, _paths, needs=(name,), ordered=False)


def fluent_bit(data):
    """T1 by Fluent Bit."""
    lua = FLUENT_BIT_LUA.replace("{", "{{").replace("}", "}}")
    files = {".conf": FLUENT_BIT, ".lua": lua}
    return _if_found("fluent-bit", data, lambda f: ["fluent-bit", "-c", f + "/.conf"], files)


def vector(data):
    """T1 by Vector."""
    files = {".toml": VECTOR}
    return _if_found("vector", data, lambda f: ["vector", "-qq", "-c", f + "/.toml"], files)
