"""The same learning from rewards in TRL: a run of `wok grpo` is repeated with its checkpoint, its problems and its settings, and
both curves are drawn into one picture.

  python bench/trl_grpo.py --run runs/r1/05-sums --problems problems.jsonl --steps 60 --out runs/trl --picture docs/pictures/trl.svg

Needs torch, transformers, trl and datasets. `problems.jsonl` has the problems in the run's order, a {"question", "answer"} each
(`wok task arithmetic --problems 4000 --json > problems.jsonl`).

  python bench/trl_grpo.py --speed runs/small/model --out runs/speed

measures samples per second alone, of one after the other, in turns: questions of 64 random tokens, 8 answers of 64 tokens, a
divergence from the reference, products in bfloat16. The model may be untrained (`wok train --preset small --steps 1`). The
middle step counts, after the first ones, in which code is made ready.
"""
import argparse
import json
import os
import random
import re
import subprocess
import time
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

SPEED = {"prompts_per_step": 1, "group_size": 8, "max_new_tokens": 64, "beta": 0.04, "checkpoint_every": 0, "evaluate_every": 0, "held_out_problems": 0,
         "sample_every": 0, "flat_reward_steps": 0}
TAGS = ("<think>", "</think>", "<answer>", "</answer>")


def formed(text, ended):
    if not ended or any(text.count(tag) != 1 for tag in TAGS):
        return 0.0
    found = re.fullmatch(r"\s*<think>(.*)</think>\s*<answer>(.*)</answer>\s*", text, re.S)
    return float(bool(found and found[1].strip() and found[2].strip()))


def accurate(text, answer):
    found = re.findall(r"<answer>(.*?)</answer>", text, re.S)
    try:
        return float(bool(found) and float(found[-1].strip()) == float(answer))
    except ValueError:
        return 0.0


def words_in_latin(text):
    words = re.findall(r"[^\W\d_]+", text)
    return sum(word.isascii() for word in words) / len(words) if words else 0.0


def learn(a, run, settings):
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(a.threads)
    model = run["model"]
    tokenizer = AutoTokenizer.from_pretrained(model)
    problems = [json.loads(line) for line in open(a.problems)]
    prompts, group = settings["prompts_per_step"], settings["group_size"]
    weights = dict(part.rsplit(":", 1) for part in settings["reward"])
    rows = problems[: prompts * a.steps]
    data = Dataset.from_list([{"prompt": p["question"], "answer": p["answer"]} for p in rows])
    eos = tokenizer.eos_token_id

    def accuracy(completions, answer, **_):
        return [accurate(c, a) for c, a in zip(completions, answer)]

    def language(completions, **_):
        return [words_in_latin(c) for c in completions]

    def form(completions, completion_ids, **_):
        return [formed(c, len(ids) < settings["max_new_tokens"] or ids[-1] == eos) for c, ids in zip(completions, completion_ids)]

    judges = {"language": language} if "language" in weights else {"accuracy": accuracy, "format": form}
    steps = []

    class Record(TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.begun = time.perf_counter()

        def on_step_end(self, *_, **__):
            self.seconds = time.perf_counter() - self.begun

        def on_log(self, args, state, control, logs=None, **_):
            if logs and "reward" in logs:
                steps.append({"step": state.global_step, "reward": float(logs["reward"]), "accuracy": float(logs.get("rewards/accuracy/mean", 0)),
                              "length": float(logs["completions/mean_length"]), "seconds": self.seconds})
                print(json.dumps(steps[-1]), flush=True)

    args = GRPOConfig(
        output_dir=a.out, per_device_train_batch_size=prompts * group, num_generations=group, max_steps=a.steps, max_completion_length=settings["max_new_tokens"],
        learning_rate=settings["learning_rate"], lr_scheduler_type="constant_with_warmup", warmup_steps=max(1, round(settings["warmup_share"] * settings["steps"])),
        weight_decay=settings["weight_decay"], adam_beta1=settings["beta1"], adam_beta2=settings["beta2"], adam_epsilon=settings["eps"], max_grad_norm=settings["clip_norm"],
        beta=settings["beta"], epsilon=settings["clip_low"], epsilon_high=settings["clip_high"], loss_type="grpo", scale_rewards=settings["scale_rewards"],
        temperature=settings["temperature"], top_k=0, num_iterations=settings["inner_epochs"], shuffle_dataset=False,
        reward_weights=[float(weights[name]) for name in judges], use_cpu=True, bf16=False, report_to=[], logging_steps=1, save_strategy="no",
        gradient_checkpointing=False, disable_tqdm=True, dataloader_num_workers=0, model_init_kwargs={"dtype": a.dtype, "experts_implementation": a.experts})
    trainer = GRPOTrainer(model=model, reward_funcs=list(judges.values()), args=args, train_dataset=data, processing_class=tokenizer, callbacks=[Record()])
    trainer.train()
    return steps


def speed(a):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(a.speed)
    numbers = random.Random(0)
    os.makedirs(a.out, exist_ok=True)
    a.problems = os.path.join(a.out, "problems.jsonl")
    with open(a.problems, "w") as file:
        for _ in range(2000):
            ids = [numbers.randrange(300, len(tokenizer)) for _ in range(64)]
            file.write(json.dumps({"question": tokenizer.decode(ids), "answer": "0"}) + "\n")
    found = {"wok": [], "trl": []}
    for turn in range(a.turns):
        run = os.path.join(a.out, f"run-{turn}")
        subprocess.run(["./wok", "grpo", a.speed, "--task", a.problems, "--out", run, "--steps", "60",
                        "--reward", "language:1"]
                       + [part for key, value in SPEED.items() for part in ("--set", f"{key}={value}")], check=True, stdout=subprocess.DEVNULL)
        ours = [json.loads(line)["samples_per_second"] for line in open(os.path.join(run, "metrics.jsonl"))]
        found["wok"].append(middle(ours[20:]))
        settings = json.load(open(os.path.join(run, "run.json")))
        a.steps = 6
        theirs = learn(a, settings, settings["settings"])
        found["trl"].append(SPEED["group_size"] / middle([step["seconds"] for step in theirs[1:]]))
    print(json.dumps(found | {"ratio": middle(found["wok"]) / middle(found["trl"])}))


def middle(values):
    return sorted(values)[len(values) // 2]


def smooth(values, width):
    return [sum(values[max(0, i - width + 1): i + 1]) / len(values[max(0, i - width + 1): i + 1]) for i in range(len(values))]


def draw(path, ours, theirs):
    width, height, left, bottom, top = 720, 360, 56, 44, 40
    last = max(len(ours), len(theirs))

    def x(step):
        return left + (width - left - 16) * step / last

    def y(value):
        return height - bottom - (height - bottom - top) * value

    def line(values, color):
        points = " ".join(f"{x(i + 1):.1f},{y(v):.1f}" for i, v in enumerate(values))
        return f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{points}"/>'

    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="#fff"/>',
           f'<text x="{left}" y="20" font-size="14">Share of right answers by step: the same checkpoint, problems and settings</text>']
    for i in range(6):
        svg.append(f'<path d="M{left} {y(i / 5):.1f}H{width - 16}" stroke="#ddd"/><text x="{left - 8}" y="{y(i / 5) + 4:.1f}" text-anchor="end">{20 * i} %</text>')
    for step in range(0, last + 1, max(1, last // 6)):
        svg.append(f'<text x="{x(step):.1f}" y="{height - bottom + 18}" text-anchor="middle">{step}</text>')
    svg.append(f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">step; mean of the last five</text>')
    svg += [line(smooth(ours, 5), "#c2410c"), line(smooth(theirs, 5), "#1d4ed8")]
    svg.append(f'<text x="{left + 12}" y="{top + 16}" fill="#c2410c">Wok</text><text x="{left + 12}" y="{top + 34}" fill="#1d4ed8">TRL</text></svg>')
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".part", "w") as file:
        file.write("\n".join(svg) + "\n")
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="a finished run of wok grpo on arithmetic")
    parser.add_argument("--problems")
    parser.add_argument("--speed", help="a model folder whose samples per second are measured, and nothing else")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--dtype", default="float32", help="of TRL's weights; bfloat16 for --speed")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--experts", default="grouped_mm")
    parser.add_argument("--out", default="runs/trl")
    parser.add_argument("--picture")
    a = parser.parse_args()
    if not a.speed and not (a.run and a.problems):
        parser.error("expected --run and --problems, or --speed")
    if a.speed:
        a.dtype = "bfloat16"
        return speed(a)
    run = json.load(open(os.path.join(a.run, "run.json")))
    settings = run["settings"]
    ours = [json.loads(line) for line in open(os.path.join(a.run, "metrics.jsonl"))][: a.steps]
    os.makedirs(a.out, exist_ok=True)
    kept = os.path.join(a.out, "steps.json")
    if os.path.exists(kept):
        theirs = json.load(open(kept))
    else:
        theirs = learn(a, run, settings)
        json.dump(theirs, open(kept, "w"))
    if a.picture:
        draw(a.picture, [o["reward/accuracy"] for o in ours], [t["accuracy"] for t in theirs])
    samples = settings["prompts_per_step"] * settings["group_size"]
    seconds = sorted(t["seconds"] for t in theirs[1:])
    mine = sorted(o["samples_per_second"] for o in ours[1:])
    print(json.dumps({"trl_samples_per_second": samples / seconds[len(seconds) // 2], "wok_samples_per_second": mine[len(mine) // 2],
                      "trl_accuracy_last_10": sum(t["accuracy"] for t in theirs[-10:]) / 10, "wok_accuracy_last_10": sum(o["reward/accuracy"] for o in ours[-10:]) / 10}))


if __name__ == "__main__":
    main()
