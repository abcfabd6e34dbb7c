#!/usr/bin/env python3
"""How much of the exchange two micro-batches in turn hide, on a link that is slowed down.

    bench/overlap.py [MICROSECONDS,GB/S] [KEY=VALUE ...]

Trains a model whose layers do most of the work, on two processes of this machine, with the setting overlap
off and on. WOK_LINK_DELAY slows the link: the delay should be such that without overlap a rank exchanges about as long as
it computes. The steps' timelines say how much of the exchange's time a rank computes, see
docs/how-to/timeline.md. WOK is the command to run, ./wok where it is not set; KEEP a folder for the runs; PICTURE a
file for a drawing of the quickest step, off and on.
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIRST, LAST = 23, 28
SETTINGS = {
    "vocab_size": 1024,
    "hidden_size": 256,
    "num_hidden_layers": 6,
    "moe_intermediate_size": 192,
    "sequence_length": 256,
    "batch_sequences": 64,
    "micro_batch_sequences": 8,
    "gradient_parts": 2,
    "learning_rate": "1e-3",
    "steps": LAST,
    "evaluate_bytes": 20000,
    "evaluate_every": 0,
    "checkpoint_every": 0,
    "sample_every": 0,
    "sample_tokens": 0,
    "threads": 2,
    "trace_steps": f"{FIRST}-{LAST}",
}


def train(out, overlap, delay, given):
    wok = shlex.split(os.environ.get("WOK", str(ROOT / "wok")))
    command = wok + ["train", "--on", "processes:2", "--data", str(ROOT / "docs"), "--out", str(out)]
    for key, value in {**SETTINGS, **given, "overlap": overlap}.items():
        command += ["--set", f"{key}={value}"]
    subprocess.run(command, check=True, env={**os.environ, "WOK_LINK_DELAY": delay}, stdout=subprocess.DEVNULL)
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def union(spans):
    """Spans that may overlap as such that do not, in order."""
    joined = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([begin, end])
    return joined


def both(one, other):
    """The time in which two unions are."""
    time, i, j = 0, 0, 0
    while i < len(one) and j < len(other):
        time += max(0, min(one[i][1], other[j][1]) - max(one[i][0], other[j][0]))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return time


def events(trace):
    return [event for event in json.loads(trace.read_text())["traceEvents"] if event["ph"] == "X"]


def spans(own, *kinds):
    return [(e["ts"], e["ts"] + e["dur"], e["tid"], e["name"]) for e in own if e["cat"] in kinds]


def computing(own):
    """When a thread of the rank computes: within its spans but where it waits."""
    found = []
    for thread in {span[2] for span in spans(own, "compute")}:
        waits = union([span[:2] for span in spans(own, "wait") if span[2] == thread])
        for begin, end in union([span[:2] for span in spans(own, "compute") if span[2] == thread]):
            for stop, go in waits:
                if begin < stop < end:
                    found.append((begin, stop))
                if begin < go:
                    begin = max(begin, min(go, end))
            found.append((begin, end))
    return union([span for span in found if span[0] < span[1]])


def tokens(trace):
    """Microseconds in which tokens travel, and how many of them a thread of the rank computes."""
    travel, hidden = 0, 0
    all_events = events(trace)
    for rank, step in sorted({(event["pid"], event["args"]["step"]) for event in all_events}):
        own = [event for event in all_events if (event["pid"], event["args"]["step"]) == (rank, step)]
        names = ("route", "dispatch", "combine")
        flights = union([span[:2] for span in spans(own, "exchange") if span[3].split()[0] in names])
        travel += sum(end - begin for begin, end in flights)
        hidden += both(flights, computing(own))
    return travel, hidden


def quickest(trace):
    """The events of rank 0 in the quickest step."""
    own = [event for event in events(trace) if event["pid"] == 0]
    length = {event["args"]["step"]: event["dur"] for event in own if event["name"] == "step"}
    step = min(length, key=length.get)
    return [event for event in own if event["args"]["step"] == step]


def picture(traces):
    """Steps of rank 0 on one axis of time."""
    width, left, row, top = 840, 150, 16, 34
    rows = []
    for key, trace in traces.items():
        own = quickest(trace)
        begin = min(event["ts"] for event in own)
        shift = lambda found: [(a - begin, b - begin) for a, b in found]
        names = ("sum", "gather")
        flights = [span for span in spans(own, "exchange") if span[3].split()[0] not in names]
        others = [span for span in spans(own, "exchange") if span[3].split()[0] in names]
        busy = shift(computing(own))
        rows.append((f"overlap={key}: computing", "#22c55e", busy))
        rows.append(("tokens in flight", "#f59e0b", shift(union([span[:2] for span in flights]))))
        rows.append(("sums, weights in flight", "#38bdf8", shift(union([span[:2] for span in others]))))
    longest = max(end for _, _, found in rows for _, end in found)
    unit = width / longest
    y = [top + i * row + i // 3 * 12 for i in range(len(rows))]
    bottom = y[-1] + row
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 40} {bottom + 24}" '
        'font-family="system-ui, sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{left}" y="20" font-size="13">A step of rank 0, micro-batches one after the other and in turn</text>',
    ]
    for at, (name, colour, found) in zip(y, rows):
        svg.append(f'<text x="{left - 8}" y="{at + 11}" text-anchor="end">{name}</text>')
        boxes = [(left + begin * unit, max((end - begin) * unit, 0.1)) for begin, end in found]
        path = "".join(f"M{x:.1f} {at}h{w:.1f}v{row - 3}h-{w:.1f}z" for x, w in boxes)
        svg.append(f'<path fill="{colour}" d="{path}"/>')
    for millis in range(0, int(longest / 1e3) + 1, 100 if longest < 1.5e6 else 500):
        svg.append(f'<text x="{left + millis * 1e3 * unit:.1f}" y="{bottom + 14}">{millis} ms</text>')
    return "\n".join(svg + ["</svg>", ""])


def figures(steps, trace):
    travel, under = tokens(trace)
    ranks = [rank for step in steps for rank in step.get("timeline", [])]
    sums = {key: sum(rank[key] for rank in ranks) for key in ranks[0] if key.endswith("seconds")}
    hidden = sum(rank["exchange_seconds"] * rank.get("exchange_hidden", 0) for rank in ranks)
    count = len(ranks)
    return {
        "step_ms": sums["seconds"] / count * 1e3,
        "compute_ms": sums["compute_seconds"] / count * 1e3,
        "exchange_ms": sums["exchange_seconds"] / count * 1e3,
        "wait_ms": sums["wait_seconds"] / count * 1e3,
        "hidden": hidden / sums["exchange_seconds"],
        "tokens_ms": travel / count / 1e3,
        "tokens_hidden": under / travel,
    }


def main():
    words = sys.argv[1:]
    delay = words.pop(0) if words and "=" not in words[0] else "50,0.32"
    given = dict(word.split("=", 1) for word in words)
    with tempfile.TemporaryDirectory() as folder:
        runs = {}
        for overlap in ("off", "on"):
            out = pathlib.Path(os.environ.get("KEEP", folder)) / overlap
            runs[overlap] = train(out, overlap, delay, given)
        if [step["loss"] for step in runs["off"]] != [step["loss"] for step in runs["on"]]:
            sys.exit("the losses differ between overlap off and on")
        off, on = (figures(runs[key], pathlib.Path(os.environ.get("KEEP", folder)) / key / "trace.json") for key in runs)
        if "PICTURE" in os.environ:
            traces = {key: pathlib.Path(os.environ.get("KEEP", folder)) / key / "trace.json" for key in runs}
            pathlib.Path(os.environ["PICTURE"]).write_text(picture(traces))
        print(json.dumps({"delay": delay, "off": off, "on": on, "step_ratio": on["step_ms"] / off["step_ms"]}, indent=2))


if __name__ == "__main__":
    main()
