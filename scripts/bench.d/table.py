# SPDX-License-Identifier: MIT
"""What was measured, as data and as text."""

from statistics import median


def _percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _row(case, entry):
    """One program's numbers."""
    program = entry["program"]
    samples = entry["samples"]
    row = {"program": program.name, "bound": program.bound, "note": entry["failed"] or program.note}
    row["status"] = entry["failed"].split(":")[0] or "ok"
    if row["status"] != "ok":
        return row
    walls = [s["wall"] for s in samples]
    row |= {
        "runs": len(walls),
        "cpu": median(s["cpu"] for s in samples),
        "peak_mb": median(s["peak"] for s in samples) / 1e6,
    }
    if case.unit == "ms":
        values = [ms for s in samples for ms in s["latencies"]]
        row |= {"p50": median(values), "p99": _percentile(values, 0.99)}
        row |= {"min": min(values), "max": max(values)}
    else:
        row |= {"wall": median(walls), "min": min(walls), "max": max(walls)}
        row["rate"] = case.amount / row["wall"]
    return row


def summary(case, entries):
    """A case as data, with the time of each program as a multiple of tagline's."""
    rows = [_row(case, entry) for entry in entries]
    time = "p50" if case.unit == "ms" else "wall"
    for row in rows:
        if time in row and time in rows[0]:
            row["ratio"] = row[time] / rows[0][time]
    good = rows[0]["status"] == "ok" and all(r["status"] != "differs" for r in rows)
    return {
        "case": case.key,
        "title": case.title,
        "unit": case.unit,
        "amount": case.amount,
        "good": good,
        "rows": rows,
    }


def _digits(value):
    """Three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


COLUMNS = {
    "wall": ("wall s", lambda r: f"{r['wall']:.3f}"),
    "range": ("min..max", lambda r: f"{r['min']:.3f}..{r['max']:.3f}"),
    "rate": ("", lambda r: _digits(r["rate"])),
    "p50": ("p50 ms", lambda r: f"{r['p50']:.3f}"),
    "p99": ("p99 ms", lambda r: f"{r['p99']:.3f}"),
    "cpu": ("CPU s", lambda r: f"{r['cpu']:.2f}"),
    "peak": ("peak MB", lambda r: f"{r['peak_mb']:.1f}"),
    "ratio": ("ratio", lambda r: f"{r['ratio']:.2f}"),
}


def text(case):
    """A case as a table for people."""
    latency = case["unit"] == "ms"
    names = ("p50", "p99", "range") if latency else ("wall", "range", "rate")
    names = (*names, "cpu", "peak", "ratio")
    head = [COLUMNS[n][0] or case["unit"] + "/s" for n in names]
    lines = [["", *head]]
    for row in case["rows"]:
        name = f"({row['program']})" if row["bound"] else row["program"]
        cells = [COLUMNS[n][1](row) for n in names] if row["status"] == "ok" else []
        lines.append([name, *cells, row["note"]])
    widths = [max(len(x[i]) for x in lines if len(x) > len(names)) for i in range(len(names) + 1)]
    out = [f"{case['case']} {case['title']}"]
    for line in lines:
        cells = [c.rjust(w) for c, w in zip(line[1:], widths[1:])] if len(line) > 2 else line[1:]
        note = [line[-1]] if len(line) > len(names) + 1 else []
        out.append("  " + "  ".join([line[0].ljust(widths[0]), *cells, *note]).rstrip())
    return "\n".join(out) + "\n"


def machine(about, setting):
    """The lines above the tables."""
    return (
        f"{about['cpu']}, {about['cores']} cores, {about['memory'] / 2**30:.0f} GiB, "
        f"Linux {about['kernel']}, load {about['load']:.2f}\n"
        f"median of {setting.runs} runs; seed {setting.seed}; data and results in {setting.dir}\n"
        "ratio: time as a multiple of tagline's; (in parentheses: no peer, a bound)\n"
    )
