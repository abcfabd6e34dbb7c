"""Loads models with adapters through PEFT and compares their logits, in double precision, with those in files.

python adapter.py BOUND FOLDER...  where each folder has base/, adapter/ and expected.safetensors, and the bound is relative
to the largest logit.
"""
import os
import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def differs(folder, bound):
    base = AutoModelForCausalLM.from_pretrained(
        os.path.join(folder, "base"), dtype=torch.float32, attn_implementation="eager", experts_implementation="eager")
    model = PeftModel.from_pretrained(base, os.path.join(folder, "adapter")).double().eval()
    expected = load_file(os.path.join(folder, "expected.safetensors"))
    with torch.no_grad():
        logits = model(input_ids=expected["ids"].long()[None], use_cache=False).logits[0]
        with model.disable_adapter():
            plain = model(input_ids=expected["ids"].long()[None], use_cache=False).logits[0]
    largest = logits.abs().max().item()
    error = (logits - expected["logits"]).abs().max().item() / largest
    moved = (logits - plain).abs().max().item() / largest
    print(f"{folder}: off by {error:.2e} of the largest logit; the adapter moves them by {moved:.2e}")
    return error > bound or moved < 100 * bound


sys.exit(1 if any([differs(folder, float(sys.argv[1])) for folder in sys.argv[2:]]) else 0)
