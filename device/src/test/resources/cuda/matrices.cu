// Matrix products by tensor cores, with operands that ldmatrix spreads over a warp.
#include <cuda_fp16.h>

// c[16, 8] = a[16, k] * b[8, k]^T
extern "C" __global__ void product16(const __half *a, const __half *b, float *c, int k) {
    __shared__ alignas(16) __half x[16 * 16], y[8 * 16];
    int lane = threadIdx.x, g = lane / 4, t = lane % 4;
    float d[4] = {0, 0, 0, 0};
    for (int from = 0; from < k; from += 16) {
        for (int i = lane; i < 256; i += 32) x[i] = a[i / 16 * k + from + i % 16];
        for (int i = lane; i < 128; i += 32) y[i] = b[i / 16 * k + from + i % 16];
        __syncwarp();
        unsigned a0, a1, a2, a3, b0, b1;
        unsigned at = (unsigned)__cvta_generic_to_shared(x + lane % 16 * 16 + lane / 16 * 8);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(a0), "=r"(a1), "=r"(a2), "=r"(a3) : "r"(at) : "memory");
        at = (unsigned)__cvta_generic_to_shared(y + lane % 8 * 16 + lane / 8 % 2 * 8);
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(b0), "=r"(b1) : "r"(at) : "memory");
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                     : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
        __syncwarp();
    }
    c[g * 8 + t * 2] = d[0];
    c[g * 8 + t * 2 + 1] = d[1];
    c[(g + 8) * 8 + t * 2] = d[2];
    c[(g + 8) * 8 + t * 2 + 1] = d[3];
}

extern "C" __global__ void product8(const signed char *a, const signed char *b, int *c) {
    int lane = threadIdx.x, g = lane / 4, t = lane % 4;
    const unsigned *x = (const unsigned *)a, *y = (const unsigned *)b;
    unsigned a0 = x[g * 8 + t], a1 = x[(g + 8) * 8 + t], a2 = x[g * 8 + t + 4], a3 = x[(g + 8) * 8 + t + 4];
    unsigned b0 = y[g * 8 + t], b1 = y[g * 8 + t + 4];
    int d0, d1, d2, d3, zero = 0;
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%10,%10,%10};"
                 : "=r"(d0), "=r"(d1), "=r"(d2), "=r"(d3)
                 : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1), "r"(zero));
    c[g * 8 + t * 2] = d0;
    c[g * 8 + t * 2 + 1] = d1;
    c[(g + 8) * 8 + t * 2] = d2;
    c[(g + 8) * 8 + t * 2 + 1] = d3;
}
