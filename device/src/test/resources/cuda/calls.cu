// Functions that are called: scalars, structures, arrays of their own, shared memory, calls within calls.

struct Point { float x, y; int k; };

__device__ __noinline__ float leaf(float a, int b) { return a * b + 1.5f; }

__device__ __noinline__ Point twice(Point p, const float *q) {
    float own[4];
    for (int i = 0; i < 4; i++) own[i] = q[i];
    Point r;
    r.x = leaf(p.x, p.k) + own[p.k & 3];
    r.y = leaf(p.y, 2);
    r.k = p.k + 1;
    return r;
}

__device__ __noinline__ void reversed(int *out) {
    __shared__ int s[64];
    s[threadIdx.x] = threadIdx.x * 3;
    __syncthreads();
    out[threadIdx.x] = s[63 - threadIdx.x];
    __syncthreads();
}

__device__ __noinline__ int early(int a) {
    for (int i = 0; i < 100; i++) {
        if (a * i > 37) return i;
    }
    return -1;
}

template <int N> __device__ __noinline__ float mixed(const float *in, int at) {
    float own[N];
    for (int i = 0; i < N; i++) own[i] = in[(at + i * 7) & 63];
    float sum = 0;
    for (int i = 0; i < N; i++) sum = sum * 0.5f + own[(at + i) % N];
    return sum;
}

extern "C" __global__ void calls(const float *in, float *out, int *whole) {
    int t = threadIdx.x;
    Point p{in[t], 2.f, t};
    if (t & 1) p = twice(p, in);
    out[t] = p.x + p.y + p.k;
    reversed(whole);
    whole[t + 64] = early(t);
    out[t + 64] = mixed<5>(in, t) + (t < 9 ? mixed<9>(in, t) : 0);
    reversed(whole + 128);
}
