// Threads that wait for each other by the library's barriers, locks and flags.
#include <cooperative_groups.h>
#include <cooperative_groups/scan.h>
#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/pipeline>

namespace cg = cooperative_groups;
using barrier = cuda::barrier<cuda::thread_scope_block>;

extern "C" __global__ void rounds(const int *in, int *out, int times) {
    __shared__ int s[128];
#pragma nv_diag_suppress static_var_with_dynamic_init
    __shared__ barrier b;
    if (threadIdx.x == 0) init(&b, blockDim.x);
    __syncthreads();
    int v = in[threadIdx.x];
    for (int i = 0; i < times; i++) {
        s[threadIdx.x] = v;
        b.arrive_and_wait();
        v += s[(threadIdx.x + 37) % 128];
        auto token = b.arrive();
        b.wait(cuda::std::move(token));
    }
    out[threadIdx.x] = v;
}

// Half of the threads copy, half add up.
extern "C" __global__ void roles(const int *in, int *out, int tiles) {
    constexpr int stages = 2;
    __shared__ alignas(16) int s[stages][64];
    __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, stages> state;
    auto block = cg::this_thread_block();
    bool copies = threadIdx.x < 64;
    auto pipe = cuda::make_pipeline(block, &state, copies ? cuda::pipeline_role::producer : cuda::pipeline_role::consumer);
    if (copies) {
        for (int i = 0; i < tiles; i++) {
            pipe.producer_acquire();
            cuda::memcpy_async(&s[i % stages][threadIdx.x], in + i * 64 + threadIdx.x, cuda::aligned_size_t<4>(4), pipe);
            pipe.producer_commit();
        }
    } else {
        int sum = 0;
        for (int i = 0; i < tiles; i++) {
            pipe.consumer_wait();
            sum += s[i % stages][127 - threadIdx.x];
            pipe.consumer_release();
        }
        out[threadIdx.x - 64] = sum;
    }
}

extern "C" __global__ void counted(int *lock, int *count, int *flag, int *seen) {
    cuda::atomic_ref<int, cuda::thread_scope_device> guard(*lock);
    for (int i = 0; i < 3; i++) {
        bool done = false;
        while (!done) {
            int zero = 0;
            if (guard.compare_exchange_strong(zero, 1, cuda::std::memory_order_acquire)) {
                *count += 1;
                guard.store(0, cuda::std::memory_order_release);
                done = true;
            }
        }
    }
    cuda::atomic_ref<int, cuda::thread_scope_device> ready(*flag);
    if (blockIdx.x == 0) {
        if (threadIdx.x == 0) {
            seen[0] = 42;
            ready.store(1, cuda::memory_order_release);
        }
    } else if (threadIdx.x == 0) {
        while (ready.load(cuda::memory_order_acquire) == 0) {}
        seen[blockIdx.x] = seen[0] + 1;
    }
}

extern "C" __global__ void scans(const int *in, int *out) {
    auto warp = cg::tiled_partition<32>(cg::this_thread_block());
    auto tile = cg::tiled_partition<4>(warp);
    int a = cg::inclusive_scan(warp, in[threadIdx.x]);
    int b = cg::exclusive_scan(tile, in[threadIdx.x]);
    int c = 0;
    if (threadIdx.x % 3 == 0) {
        auto some = cg::coalesced_threads();
        c = some.shfl(in[threadIdx.x], 0) + some.size() * 100 + some.thread_rank();
    }
    out[threadIdx.x] = a * 10000 + b * 1000 + c;
}

// A warp adds up through shared memory.
extern "C" __global__ void tree(const float *in, float *out) {
    __shared__ float s[64];
    int lane = threadIdx.x % 32;
    float *own = s + threadIdx.x / 32 * 32;
    own[lane] = in[threadIdx.x];
    __syncwarp();
    for (int by = 16; by; by /= 2) {
        if (lane < by) own[lane] += own[lane + by];
        __syncwarp();
    }
    if (lane == 0) out[threadIdx.x / 32] = own[0];
}

extern "C" __global__ void tickets(int *next, int *out, int n) {
    __shared__ int at;
    while (true) {
        if (threadIdx.x == 0) at = atomicAdd(next, 32);
        __syncthreads();
        int i = at + threadIdx.x;
        bool over = at >= n;
        __syncthreads();
        if (over) break;
        if (i < n) out[i] = i * i;
    }
}
