// Small kernels whose PTX a compiler writes: loops, reductions, shared memory, atomics.

__constant__ float table[8] = {1, 2, 4, 8, 16, 32, 64, 128};
__device__ unsigned int arrivals;

extern "C" __global__ void saxpy(int n, float a, const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}

static __device__ float warpSum(float v) {
    for (int by = 16; by > 0; by /= 2) v += __shfl_down_sync(0xffffffff, v, by);
    return v;
}

extern "C" __global__ void total(const float *x, float *out, int n) {
    __shared__ float parts[32];
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
    sum = warpSum(sum);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        sum = warpSum(threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0);
        if (threadIdx.x == 0) *out = sum;
    }
}

extern "C" __global__ void transposed(const float *in, float *out, int rows, int columns) {
    __shared__ float tile[32][33];
    int column = blockIdx.x * 32 + threadIdx.x;
    for (int i = threadIdx.y; i < 32; i += blockDim.y) {
        int row = blockIdx.y * 32 + i;
        if (row < rows && column < columns) tile[i][threadIdx.x] = in[row * columns + column];
    }
    __syncthreads();
    int row = blockIdx.y * 32 + threadIdx.x;
    for (int i = threadIdx.y; i < 32; i += blockDim.y) {
        int at = blockIdx.x * 32 + i;
        if (row < rows && at < columns) out[at * rows + row] = tile[threadIdx.x][i];
    }
}

extern "C" __global__ void histogram(const unsigned char *text, int n, unsigned int *counts) {
    extern __shared__ unsigned int own[];
    for (int i = threadIdx.x; i < 256; i += blockDim.x) own[i] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&own[text[i]], 1u);
    __syncthreads();
    for (int i = threadIdx.x; i < 256; i += blockDim.x) if (own[i]) atomicAdd(&counts[i], own[i]);
}

extern "C" __global__ void softmaxRows(const float *x, float *y, int columns) {
    __shared__ float shared[2];
    const float *row = x + blockIdx.x * columns;
    float most = -INFINITY;
    for (int i = threadIdx.x; i < columns; i += 32) most = fmaxf(most, row[i]);
    for (int by = 16; by; by /= 2) most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, by));
    float sum = 0;
    for (int i = threadIdx.x; i < columns; i += 32) sum += expf(row[i] - most);
    for (int by = 16; by; by /= 2) sum += __shfl_xor_sync(0xffffffff, sum, by);
    if (threadIdx.x == 0) { shared[0] = most; shared[1] = 1 / sum; }
    __syncwarp();
    for (int i = threadIdx.x; i < columns; i += 32) y[blockIdx.x * columns + i] = expf(row[i] - shared[0]) * shared[1];
}

extern "C" __global__ void prefixSums(const int *in, int *out, int n) {
    __shared__ int ends[32];
    int i = threadIdx.x, lane = i % 32, warp = i / 32;
    int v = i < n ? in[i] : 0;
    for (int by = 1; by < 32; by *= 2) {
        int other = __shfl_up_sync(0xffffffff, v, by);
        if (lane >= by) v += other;
    }
    if (lane == 31) ends[warp] = v;
    __syncthreads();
    if (warp == 0) {
        int e = lane < blockDim.x / 32 ? ends[lane] : 0;
        for (int by = 1; by < 32; by *= 2) {
            int other = __shfl_up_sync(0xffffffff, e, by);
            if (lane >= by) e += other;
        }
        ends[lane] = e;
    }
    __syncthreads();
    if (i < n) out[i] = v + (warp ? ends[warp - 1] : 0);
}

// The last block to come sums up what all have left.
extern "C" __global__ void sumOfSquares(const float *x, int n, volatile float *parts, float *out) {
    __shared__ float s[128];
    __shared__ bool isLast;
    float v = 0;
    for (int i = blockIdx.x * 128 + threadIdx.x; i < n; i += gridDim.x * 128) v += __ldg(x + i) * x[i];
    s[threadIdx.x] = v;
    __syncthreads();
    for (int by = 64; by; by /= 2) {
        if (threadIdx.x < by) s[threadIdx.x] += s[threadIdx.x + by];
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = s[0];
        __threadfence();
        isLast = atomicInc(&arrivals, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (isLast && threadIdx.x == 0) {
        float sum = 0;
        for (int i = 0; i < gridDim.x; i++) sum += parts[i];
        *out = sum;
    }
}

extern "C" __global__ void choices(const int *in, long long *out) {
    int v = in[threadIdx.x];
    long long r;
    switch (v) {
        case 0: r = 5; break;
        case 1: r = v * 77 + in[3]; break;
        case 2: r = -v; break;
        case 3: r = in[0]; break;
        case 4: r = in[1] ^ v; break;
        case 5: r = (long long)v << 33; break;
        case 6: r = __popc(v + 5); break;
        case 7: r = in[2]; break;
        case 8: r = 100000000000LL / (v - 1); break;
        default: r = (long long)table[v & 7]; break;
    }
    out[threadIdx.x] = r;
}

extern "C" __global__ void divisions(const long long *a, const long long *b, long long *out) {
    int i = threadIdx.x;
    out[i * 4] = a[i] / b[i];
    out[i * 4 + 1] = a[i] % b[i];
    out[i * 4 + 2] = (unsigned long long)a[i] / (unsigned long long)b[i];
    out[i * 4 + 3] = (int)a[i] / (int)(b[i] | 1);
}

extern "C" __global__ void votes(const int *in, unsigned int *out) {
    int v = in[threadIdx.x];
    unsigned same = __match_any_sync(0xffffffff, v);
    unsigned more = __ballot_sync(0xffffffff, v > 3);
    int all;
    __match_all_sync(0xffffffff, v, &all);
    unsigned sum = __reduce_add_sync(same, threadIdx.x);
    out[threadIdx.x] = same ^ more + all + (__any_sync(0xffffffff, v == 5) ? 7 : 0) + sum * 3 + (__all_sync(0xffffffff, v < 9) ? 1 : 0);
}

extern "C" __global__ void dots(const int *a, const int *b, int *out) {
    int i = threadIdx.x;
    out[i] = __dp4a(a[i], b[i], i) + __byte_perm(a[i], b[i], 0x6420) + __brev(a[i]) + __clz(b[i]) + __ffs(a[i]) + __funnelshift_l(a[i], b[i], i);
}

extern "C" __global__ void doubles(const double *x, double *out, int n) {
    int i = threadIdx.x;
    if (i < n) {
        out[i * 4] = exp(x[i]);
        out[i * 4 + 1] = log(fabs(x[i]) + 0.5);
        out[i * 4 + 2] = sin(x[i] * 3);
        out[i * 4 + 3] = sqrt(fabs(x[i])) / (x[i] + 100);
    }
}
