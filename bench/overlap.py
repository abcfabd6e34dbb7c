#!/usr/bin/env python3
"""How much of the exchange two micro-batches in turn hide, on a link that is slowed down.

    bench/overlap.py [MICROSECONDS,GB/S] [KEY=VALUE ...]

Trains a model whose layers do most of the work, on two processes of this machine, with the setting overlap
off and on. WOK_LINK_DELAY slows the link: the delay should be such that without overlap a rank exchanges about as long as
it computes. The steps' timelines say how much of the exchange's time a rank computes, see
docs/how-to/timeline.md. WOK is the command to run, ./wok where it is not set; KEEP a folder for the runs.
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
    "batch_sequences": 32,
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


def tokens(trace):
    """Microseconds in which tokens travel, and how many of them a thread of the rank computes. A thread computes within
    its spans but where it waits."""
    travel, hidden = 0, 0
    events = [event for event in json.loads(trace.read_text())["traceEvents"] if event["ph"] == "X"]
    for rank, step in sorted({(event["pid"], event["args"]["step"]) for event in events}):
        own = [event for event in events if (event["pid"], event["args"]["step"]) == (rank, step)]
        of = lambda *kinds: [(e["ts"], e["ts"] + e["dur"], e["tid"], e["name"]) for e in own if e["cat"] in kinds]
        flights = union([span[:2] for span in of("exchange") if span[3].split()[0] in ("route", "dispatch", "combine")])
        time = sum(end - begin for begin, end in flights)
        computing = []
        for thread in {span[2] for span in of("compute")}:
            waits = union([span[:2] for span in of("wait") if span[2] == thread])
            for begin, end in union([span[:2] for span in of("compute") if span[2] == thread]):
                for stop, go in waits:
                    if begin < stop < end:
                        computing.append((begin, stop))
                    if begin < go:
                        begin = max(begin, min(go, end))
                computing.append((begin, end))
        travel += time
        hidden += both(flights, union([span for span in computing if span[0] < span[1]]))
    return travel, hidden


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
    delay = words.pop(0) if words and "=" not in words[0] else "50,0.25"
    given = dict(word.split("=", 1) for word in words)
    with tempfile.TemporaryDirectory() as folder:
        runs = {}
        for overlap in ("off", "on"):
            out = pathlib.Path(os.environ.get("KEEP", folder)) / overlap
            runs[overlap] = train(out, overlap, delay, given)
        if [step["loss"] for step in runs["off"]] != [step["loss"] for step in runs["on"]]:
            sys.exit("the losses differ between overlap off and on")
        off, on = (figures(runs[key], pathlib.Path(os.environ.get("KEEP", folder)) / key / "trace.json") for key in runs)
        print(json.dumps({"delay": delay, "off": off, "on": on, "step_ratio": on["step_ms"] / off["step_ms"]}, indent=2))


if __name__ == "__main__":
    main()
