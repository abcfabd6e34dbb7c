"""Writes the folders beside this file: tiny models, an adapter that PEFT saved for each, and the logits that transformers and
PEFT compute with it in double precision (routers stay in float32). Made with peft 0.21.0, transformers 5.18.0 and torch
2.13.0:  python make.py
"""
import json
import os
import random
import shutil

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, Qwen2Config, Qwen2ForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
COMMON = dict(
    vocab_size=61, num_hidden_layers=2, bos_token_id=0, eos_token_id=1, pad_token_id=None, max_position_embeddings=64,
    initializer_range=0.2, rope_parameters=dict(rope_type="default", rope_theta=10000.0), rms_norm_eps=1e-6)
ATTENTION = ["q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"]

DEEPSEEK_V3 = (DeepseekV3Config, DeepseekV3ForCausalLM, dict(
    hidden_size=20, num_attention_heads=3, num_key_value_heads=3, qk_nope_head_dim=6, qk_rope_head_dim=2, v_head_dim=5,
    intermediate_size=33, moe_intermediate_size=7, n_routed_experts=6, num_experts_per_tok=3, norm_topk_prob=True,
    routed_scaling_factor=1.5, n_shared_experts=1, n_group=1, topk_group=1, kv_lora_rank=10, q_lora_rank=7,
    tie_word_embeddings=False, first_k_dense_replace=1))
QWEN2 = (Qwen2Config, Qwen2ForCausalLM, dict(
    hidden_size=24, num_attention_heads=3, num_key_value_heads=1, intermediate_size=31, tie_word_embeddings=True))

# Linears inside experts are no modules of transformers 5: they, and what bears their names, are adapted as parameters.
ADAPTERS = {
    "deepseek_v3": (DEEPSEEK_V3, dict(
        r=3, lora_alpha=7, target_modules=ATTENTION + ["lm_head"],
        target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj", "mlp.gate.weight"] + [
            f"{part}.{name}.weight" for part in ("mlp", "shared_experts") for name in ("gate_proj", "up_proj", "down_proj")],
        rank_pattern={r"0\.self_attn\.o_proj": 2}, alpha_pattern={"experts.down_proj": 5})),
    "deepseek_v3_down": (DEEPSEEK_V3, dict(
        r=2, lora_alpha=3, use_rslora=True, target_modules=["kv_b_proj"], target_parameters=["mlp.experts.down_proj"])),
    "qwen2": (QWEN2, dict(
        r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])),
}


def base(seed, config_class, model_class, settings):
    random.seed(seed)
    torch.manual_seed(seed)
    config = config_class(**{**COMMON, **settings})
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    model = model_class(config).float().eval()
    with torch.no_grad():
        for _, p in model.named_parameters():
            if p.dim() == 1:
                p.copy_(1 + 0.3 * torch.randn_like(p))
    return model


def expect(model, file):
    model = model.double()
    tensors = {}
    with torch.no_grad():
        for i, length in enumerate((1, 17, 40)):
            ids = [random.randrange(61) for _ in range(length)]
            tensors[f"ids.{i}"] = torch.tensor(ids, dtype=torch.int32)
            tensors[f"logits.{i}"] = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float().contiguous()
    save_file(tensors, file)


def save_base(model, folder):
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    generation = os.path.join(folder, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)


def make(name, seed, model, lora):
    folder = os.path.join(HERE, name)
    peft = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **lora))
    with torch.no_grad():
        for key, p in peft.named_parameters():
            if ".lora_" in key:
                p.copy_(0.2 * torch.randn_like(p))
    shutil.rmtree(folder, ignore_errors=True)
    peft.save_pretrained(folder)
    readme = os.path.join(folder, "README.md")
    if os.path.exists(readme):
        os.remove(readme)
    expect(peft, os.path.join(folder, "expected.safetensors"))


def make_per_expert(name, seed, model):
    """What PEFT wrote while transformers 4 held each expert's linears as modules: PEFT itself still reads it."""
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    config = model.config
    widths = dict(gate_proj=(config.hidden_size, config.moe_intermediate_size),
                  up_proj=(config.hidden_size, config.moe_intermediate_size),
                  down_proj=(config.moe_intermediate_size, config.hidden_size))
    tensors = {}
    for e in range(config.n_routed_experts):
        for linear, (k, n) in widths.items():
            prefix = f"base_model.model.model.layers.1.mlp.experts.{e}.{linear}"
            tensors[f"{prefix}.lora_A.weight"] = 0.2 * torch.randn(2, k)
            tensors[f"{prefix}.lora_B.weight"] = 0.2 * torch.randn(n, 2)
    save_file(tensors, os.path.join(folder, "adapter_model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(folder, "adapter_config.json"), "w") as file:
        json.dump(dict(peft_type="LORA", task_type="CAUSAL_LM", r=2, lora_alpha=6, bias="none",
                       target_modules=["gate_proj", "up_proj", "down_proj"]), file, indent=2)
    expect(PeftModel.from_pretrained(model, folder), os.path.join(folder, "expected.safetensors"))


if __name__ == "__main__":
    for seed, (folder, family) in enumerate((("deepseek_v3_base", DEEPSEEK_V3), ("qwen2_base", QWEN2))):
        save_base(base(seed, *family), os.path.join(HERE, folder))
    for name, (family, lora) in ADAPTERS.items():
        seed = (DEEPSEEK_V3, QWEN2).index(family)
        make(name, seed, base(seed, *family), lora)
    make_per_expert("deepseek_v3_per_expert", 0, base(0, *DEEPSEEK_V3))
