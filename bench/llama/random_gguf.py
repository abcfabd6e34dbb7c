"""Writes a GGUF file with random weights in the shapes of `wok bench make-model`, for llama.cpp to be measured on.

    random_gguf.py PRESET TYPE FILE      v2-lite, small, r1-distill-1.5b or llama-1b; q4_0, q8_0 or bf16
"""

import sys

import gguf
import numpy as np

F32 = gguf.GGMLQuantizationType.F32
TYPES = {name: gguf.GGMLQuantizationType[name.upper()] for name in ("q4_0", "q8_0", "bf16")}
BLOCK = 32
SIGMA = 0.02

LATENT = {
    "v2-lite": dict(layers=27, hidden=2048, heads=16, q=0, kv=512, nope=128, rope=64, v=128, experts=64, top=6,
                    shared=2, inner=1408, dense=10944, vocab=102400, sigmoid=False),
    "small": dict(layers=8, hidden=512, heads=8, q=192, kv=128, nope=64, rope=32, v=64, experts=32, top=4,
                  shared=1, inner=256, dense=1408, vocab=8192, sigmoid=True),
}
GROUPED = {
    "r1-distill-1.5b": dict(arch="qwen2", layers=28, hidden=1536, heads=12, kv=2, head=128, inner=8960, vocab=151936),
    "llama-1b": dict(arch="llama", layers=16, hidden=2048, heads=32, kv=8, head=64, inner=8192, vocab=128256),
}


class Writer:
    def __init__(self, file, arch, kind):
        self.gguf = gguf.GGUFWriter(file, arch)
        self.kind = kind
        self.random = np.random.default_rng(1)

    def matrix(self, name, *shape, kind=None):
        if kind is None:
            kind = F32 if shape[-1] % BLOCK else self.kind
        if kind == F32:
            self.gguf.add_tensor(name, self.normal(shape))
        elif kind == TYPES["bf16"]:
            bits = (self.normal(shape).view(np.uint32) >> 16).astype(np.uint16)
            self.gguf.add_tensor(name, bits.view(np.uint8).reshape(*shape[:-1], -1), raw_dtype=kind)
        else:
            values, deviation = (16, 4.6) if kind == TYPES["q4_0"] else (32, 74)
            blocks = self.random.integers(0, 256, (int(np.prod(shape)) // BLOCK, 2 + values), dtype=np.uint8)
            blocks[:, :2] = np.frombuffer(np.float16(SIGMA / deviation).tobytes(), np.uint8)
            self.gguf.add_tensor(name, blocks.reshape(*shape[:-1], -1), raw_dtype=kind)

    def normal(self, shape):
        return self.random.standard_normal(shape, dtype=np.float32) * SIGMA

    def vector(self, name, size, value=1):
        self.gguf.add_tensor(name, np.full(size, value, np.float32))

    def common(self, c):
        g = self.gguf
        g.add_context_length(4096)
        g.add_embedding_length(c["hidden"])
        g.add_block_count(c["layers"])
        g.add_head_count(c["heads"])
        g.add_layer_norm_rms_eps(1e-6)
        g.add_rope_freq_base(10000.0)
        tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
        tokens += [f"t{i}" for i in range(c["vocab"] - len(tokens))]
        g.add_tokenizer_model("llama")
        g.add_vocab_size(c["vocab"])
        g.add_token_list(tokens)
        g.add_token_scores([0.0] * c["vocab"])
        g.add_token_types([2, 3, 3] + [6] * 256 + [1] * (c["vocab"] - 259))
        self.matrix("token_embd.weight", c["vocab"], c["hidden"])
        self.vector("output_norm.weight", c["hidden"])

    def mlp(self, prefix, suffix, hidden, inner, *experts):
        self.matrix(f"{prefix}ffn_gate{suffix}.weight", *experts, inner, hidden)
        self.matrix(f"{prefix}ffn_up{suffix}.weight", *experts, inner, hidden)
        self.matrix(f"{prefix}ffn_down{suffix}.weight", *experts, hidden, inner)

    def close(self):
        self.gguf.write_header_to_file()
        self.gguf.write_kv_data_to_file()
        self.gguf.write_tensors_to_file()
        self.gguf.close()


def latent(w, c):
    g, hidden, heads = w.gguf, c["hidden"], c["heads"]
    g.add_feed_forward_length(c["dense"])
    g.add_head_count_kv(1)
    g.add_rope_dimension_count(c["rope"])
    g.add_leading_dense_block_count(1)
    g.add_kv_lora_rank(c["kv"])
    g.add_key_length(c["kv"] + c["rope"])
    g.add_value_length(c["kv"])
    g.add_key_length_mla(c["nope"] + c["rope"])
    g.add_value_length_mla(c["v"])
    g.add_expert_feed_forward_length(c["inner"])
    g.add_expert_count(c["experts"])
    g.add_expert_used_count(c["top"])
    g.add_expert_shared_count(c["shared"])
    g.add_expert_weights_scale(1.0)
    g.add_expert_weights_norm(c["sigmoid"])
    g.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID if c["sigmoid"] else gguf.ExpertGatingFuncType.SOFTMAX)
    if c["q"]:
        g.add_q_lora_rank(c["q"])
    w.common(c)
    w.matrix("output.weight", c["vocab"], hidden)
    queries = heads * (c["nope"] + c["rope"])
    for layer in range(c["layers"]):
        p = f"blk.{layer}."
        w.vector(p + "attn_norm.weight", hidden)
        w.vector(p + "ffn_norm.weight", hidden)
        if c["q"]:
            w.matrix(p + "attn_q_a.weight", c["q"], hidden)
            w.vector(p + "attn_q_a_norm.weight", c["q"])
            w.matrix(p + "attn_q_b.weight", queries, c["q"])
        else:
            w.matrix(p + "attn_q.weight", queries, hidden)
        w.matrix(p + "attn_kv_a_mqa.weight", c["kv"] + c["rope"], hidden)
        w.vector(p + "attn_kv_a_norm.weight", c["kv"])
        w.matrix(p + "attn_k_b.weight", heads, c["kv"], c["nope"])
        w.matrix(p + "attn_v_b.weight", heads, c["v"], c["kv"])
        w.matrix(p + "attn_output.weight", hidden, heads * c["v"])
        if layer == 0:
            w.mlp(p, "", hidden, c["dense"])
            continue
        w.matrix(p + "ffn_gate_inp.weight", c["experts"], hidden, kind=F32)
        if c["sigmoid"]:
            w.vector(p + "exp_probs_b.bias", c["experts"], 0)
        w.mlp(p, "_exps", hidden, c["inner"], c["experts"])
        w.mlp(p, "_shexp", hidden, c["inner"] * c["shared"])


def grouped(w, c):
    g, hidden, keys = w.gguf, c["hidden"], c["kv"] * c["head"]
    g.add_feed_forward_length(c["inner"])
    g.add_head_count_kv(c["kv"])
    g.add_rope_dimension_count(c["head"])
    w.common(c)
    if c["arch"] == "qwen2":
        w.matrix("output.weight", c["vocab"], hidden)
    for layer in range(c["layers"]):
        p = f"blk.{layer}."
        w.vector(p + "attn_norm.weight", hidden)
        w.vector(p + "ffn_norm.weight", hidden)
        for name, rows in ("q", hidden), ("k", keys), ("v", keys):
            w.matrix(f"{p}attn_{name}.weight", rows, hidden)
            if c["arch"] == "qwen2":
                w.vector(f"{p}attn_{name}.bias", rows, 0)
        w.matrix(p + "attn_output.weight", hidden, hidden)
        w.mlp(p, "", hidden, c["inner"])


def main(preset, kind, file):
    if preset not in LATENT | GROUPED or kind not in TYPES:
        sys.exit(__doc__)
    config = (LATENT | GROUPED)[preset]
    writer = Writer(file, config.get("arch", "deepseek2"), TYPES[kind])
    (latent if preset in LATENT else grouped)(writer, config)
    writer.close()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
