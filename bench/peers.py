#!/usr/bin/env python3
"""Measures torch, cuBLAS and Triton on the work that `wok bench kernels --device cuda --json` measured, on the same GPU
right after it, and prints all of it as a Markdown table. What is not installed has no figures.

  bench/peers.py ROWS.json...
"""
import json
import statistics
import sys

try:
    import torch
except ImportError:
    torch = None
try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

REPEATS, AT_ONCE = 20, 4


def nanos(call):
    """The median of a call, by the GPU's own clock."""
    call(), call()
    times = []
    for _ in range(REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(AT_ONCE):
            call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1e6 / AT_ONCE)
    return statistics.median(times)


def random(*shape, dtype=None):
    return torch.randn(*shape, device="cuda", dtype=dtype or torch.bfloat16)


if triton:

    @triton.jit
    def product(a, b, c, m, n, k, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr, G: tl.constexpr):
        """c = a b^T, tiles in groups of G rows that share columns of b."""
        tile = tl.program_id(0)
        across, down = tl.cdiv(n, N), tl.cdiv(m, M)
        group = tile // (G * across)
        height = min(down - group * G, G)
        row = group * G + tile % (G * across) % height
        column = tile % (G * across) // height
        rows = row * M + tl.arange(0, M)
        columns = column * N + tl.arange(0, N)
        depth = tl.arange(0, K)
        left = a + (rows % m)[:, None] * k + depth[None, :]
        right = b + (columns % n)[:, None] * k + depth[None, :]
        total = tl.zeros((M, N), dtype=tl.float32)
        for step in range(0, tl.cdiv(k, K)):
            inside = depth[None, :] < k - step * K
            total = tl.dot(tl.load(left, mask=inside, other=0), tl.trans(tl.load(right, mask=inside, other=0)), total)
            left += K
            right += K
        inside = (rows[:, None] < m) & (columns[None, :] < n)
        tl.store(c + rows[:, None] * n + columns[None, :], total, mask=inside)


def triton_product(m, n, k):
    a, b, c = random(m, k), random(n, k), torch.empty(m, n, device="cuda")
    best = float("inf")
    for tile in ((128, 256, 64, 8), (128, 128, 64, 4), (64, 128, 64, 4), (64, 256, 64, 4)):
        M, N, K, warps = tile
        grid = (triton.cdiv(m, M) * triton.cdiv(n, N),)
        for stages in (3, 4):
            try:
                best = min(best, nanos(lambda: product[grid](
                    a, b, c, m, n, k, M=M, N=N, K=K, G=8, num_warps=warps, num_stages=stages)))
            except Exception:  # a tile that does not fit this GPU
                continue
    return best


def matmul(name):
    m, n, k = (int(size) for size in name.split("_")[1].split("x"))
    a, b = random(m, k), random(n, k)
    flops = 2e-3 * m * n * k
    found = {"torch (cuBLAS)": flops / nanos(lambda: a @ b.T)}
    if triton:
        found["Triton"] = flops / triton_product(m, n, k)
    return found


def fp8(name):
    m, n, k = (int(size) for size in name.split("_")[1].split("x"))
    a, b = (random(rows, k).to(torch.float8_e4m3fn) for rows in (m, n))
    one = torch.ones((), device="cuda")
    call = lambda: torch._scaled_mm(a, b.T, scale_a=one, scale_b=one, out_dtype=torch.bfloat16)
    return {"torch (cuBLAS, one scale a tensor)": 2e-3 * m * n * k / nanos(call)}


def experts(name):
    """Products alone, of loads that are even."""
    top, count = (int(part) for part in name.split("_")[1].split("of"))
    rows, hidden, inner = (32768, 7168, 2048) if count == 8 else (16384 * 6, 2048, 1408)
    x, up = random(rows, hidden), random(count, hidden, 2 * inner)
    y, down = random(rows, inner), random(count, inner, hidden)
    ends = torch.arange(1, count + 1, device="cuda", dtype=torch.int32) * (rows // count)
    def call():
        torch._grouped_mm(x, up, offs=ends)
        torch._grouped_mm(y, down, offs=ends)
    return {"torch grouped": 6e-3 * rows * hidden * inner / nanos(call)}


def prefill(_):
    tokens, heads, qk, v = 8192, 16, 192, 128
    q, k, value = (random(1, heads, tokens, dim) for dim in (qk, qk, v))
    call = lambda: torch.nn.functional.scaled_dot_product_attention(q, k, value, is_causal=True)
    return {"torch": 1e-3 * heads * tokens * (tokens + 1) * (qk + v) / nanos(call)}


def copy(_):
    from_, to = (torch.empty(1 << 28, device="cuda") for _ in range(2))
    return {"torch copy": 2 * from_.nbytes / nanos(lambda: to.copy_(from_))}


PEERS = (("matmul_input", None), ("matmul_weight", None), ("matmul_", matmul), ("fp8_", fp8),
         ("experts_8of64_backward", None), ("attention_prefill", prefill), ("mla_decode", copy))


def peers(name):
    if not torch or not torch.cuda.is_available():
        return {}
    try:
        if name.startswith("experts") and name.endswith("forward"):
            return experts(name)
        for beginning, measure in PEERS:
            if name.startswith(beginning):
                return measure(name) if measure else {}
    except Exception as e:  # an older torch lacks some of them
        return {f"not measured ({type(e).__name__})": float("nan")}
    return {}


def main():
    rows = [row for path in sys.argv[1:] for row in json.load(open(path))]
    print("| row | Wok | against | of it | peers |")
    print("|---|---|---|---|---|")
    for row in rows:
        beside = "; ".join(f"{name}: {value:.0f} (Wok {row['value'] / value:.2f} of it)"
                           for name, value in peers(row["name"]).items())
        print(f"| {row['name']} | {row['value']:.1f} {row['unit']} | {row['against']}: {row['against_value']:.1f} "
              f"| {row['ratio']:.2f} | {beside} |")
    if not torch:
        print("\ntorch is not installed here: no figures of peers.")
    elif not triton:
        print("\nTriton is not installed here: no figures of it.")


main()
