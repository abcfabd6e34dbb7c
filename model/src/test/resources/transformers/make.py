"""Writes the folders beside this file: tiny models of shapes that the larger fixtures do not have, and the logits that
transformers computes for them in double precision (its routers stay in float32). Made with transformers 5.18.0 and
torch 2.13.0:  python make.py
"""
import os
import random

import torch
from safetensors.torch import save_file
from transformers import DeepseekV2Config, DeepseekV2ForCausalLM, DeepseekV3Config, DeepseekV3ForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
YARN = dict(rope_type="yarn", beta_fast=32, beta_slow=1, original_max_position_embeddings=16)
PLAIN = dict(rope_type="default", rope_theta=10000.0)
COMMON = dict(
    vocab_size=61, num_hidden_layers=2, n_shared_experts=1, bos_token_id=0, eos_token_id=1, pad_token_id=None,
    max_position_embeddings=64, n_group=1, topk_group=1, kv_lora_rank=10, q_lora_rank=7, tie_word_embeddings=False,
    initializer_range=0.2, rope_parameters=PLAIN, first_k_dense_replace=1)

MODELS = {
    # The latents' norms keep their own epsilon; the hidden size is no multiple of the heads.
    "v3_large_epsilon": (3, dict(
        hidden_size=20, num_attention_heads=3, num_key_value_heads=3, qk_nope_head_dim=6, qk_rope_head_dim=2, v_head_dim=5,
        intermediate_size=33, moe_intermediate_size=7, n_routed_experts=6, num_experts_per_tok=3, norm_topk_prob=True,
        routed_scaling_factor=1.5, rms_norm_eps=1e-2)),
    "v3_groups_not_normalised": (3, dict(
        hidden_size=24, num_attention_heads=2, num_key_value_heads=2, qk_nope_head_dim=4, qk_rope_head_dim=6, v_head_dim=9,
        intermediate_size=20, moe_intermediate_size=5, n_routed_experts=12, num_experts_per_tok=5, n_group=4, topk_group=2,
        norm_topk_prob=False, routed_scaling_factor=0.7, first_k_dense_replace=0, q_lora_rank=None, rms_norm_eps=1e-6,
        rope_parameters=dict(YARN, rope_theta=500.0, factor=4.0, mscale=0.707, mscale_all_dim=1.0))),
    "v3_dense_tied": (3, dict(
        hidden_size=16, num_attention_heads=1, num_key_value_heads=1, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=3,
        intermediate_size=29, moe_intermediate_size=4, n_routed_experts=2, num_experts_per_tok=1, norm_topk_prob=True,
        routed_scaling_factor=2.5, first_k_dense_replace=2, tie_word_embeddings=True, rms_norm_eps=1e-5,
        rope_parameters=dict(YARN, rope_theta=10000.0, factor=4.0, mscale=1.0, mscale_all_dim=0.0))),
    # One expert a token in one of two groups; asks for weights that sum to one, which transformers does not heed.
    "v2_one_of_two_groups": (2, dict(
        hidden_size=18, num_attention_heads=3, num_key_value_heads=3, qk_nope_head_dim=5, qk_rope_head_dim=2, v_head_dim=6,
        intermediate_size=21, moe_intermediate_size=9, n_routed_experts=8, num_experts_per_tok=1, n_group=2, topk_group=1,
        topk_method="group_limited_greedy", norm_topk_prob=True, routed_scaling_factor=16.0, n_shared_experts=3,
        rms_norm_eps=1e-3, rope_parameters=dict(YARN, rope_theta=10000.0, factor=4.0, mscale=0.707, mscale_all_dim=0.707))),
    "v2_all_experts": (2, dict(
        hidden_size=12, num_attention_heads=2, num_key_value_heads=2, qk_nope_head_dim=3, qk_rope_head_dim=4, v_head_dim=7,
        intermediate_size=17, moe_intermediate_size=6, n_routed_experts=3, num_experts_per_tok=3, topk_method="greedy",
        norm_topk_prob=False, routed_scaling_factor=1.0, n_shared_experts=2, q_lora_rank=None, rms_norm_eps=1e-6)),
}


def make(name, seed, version, settings):
    random.seed(seed)
    torch.manual_seed(seed)
    config_class, model_class = {
        2: (DeepseekV2Config, DeepseekV2ForCausalLM), 3: (DeepseekV3Config, DeepseekV3ForCausalLM)}[version]
    config = config_class(**{**COMMON, **settings})
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    model = model_class(config).float().eval()
    with torch.no_grad():
        for _, p in model.named_parameters():
            if p.dim() == 1:
                p.copy_(1 + 0.3 * torch.randn_like(p))
        for key, b in model.named_buffers():
            if "e_score_correction_bias" in key:
                b.copy_(0.2 * torch.randn_like(b))
    folder = os.path.join(HERE, name)
    model.save_pretrained(folder)
    generation = os.path.join(folder, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)
    model = model.double()
    tensors = {}
    with torch.no_grad():
        for i, length in enumerate((1, 17, 40)):
            ids = [random.randrange(config.vocab_size) for _ in range(length)]
            logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
            tensors[f"ids.{i}"] = torch.tensor(ids, dtype=torch.int32)
            tensors[f"logits.{i}"] = logits.float().contiguous()
    save_file(tensors, os.path.join(folder, "expected.safetensors"))


for number, (name, (version, settings)) in enumerate(MODELS.items()):
    make(name, number, version, settings)
