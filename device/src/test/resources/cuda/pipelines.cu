// Copies that overlap with work.
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cooperative_groups/reduce.h>
#include <cuda/pipeline>

namespace cg = cooperative_groups;

extern "C" __global__ void staged(const int *in, int *out, int tiles) {
    __shared__ alignas(16) int s[2][128];
    auto block = cg::this_thread_block();
    auto pipe = cuda::make_pipeline();
    int sum = 0;
    pipe.producer_acquire();
    cuda::memcpy_async(block, s[0], in, cuda::aligned_size_t<16>(512), pipe);
    pipe.producer_commit();
    for (int i = 0; i < tiles; i++) {
        if (i + 1 < tiles) {
            pipe.producer_acquire();
            cuda::memcpy_async(block, s[(i + 1) & 1], in + (i + 1) * 128, cuda::aligned_size_t<16>(512), pipe);
            pipe.producer_commit();
            cuda::pipeline_consumer_wait_prior<1>(pipe);
        } else {
            cuda::pipeline_consumer_wait_prior<0>(pipe);
        }
        block.sync();
        sum += s[i & 1][127 - threadIdx.x];
        block.sync();
        pipe.consumer_release();
    }
    out[threadIdx.x] = sum;
}

extern "C" __global__ void tiles(const int *in, int *out) {
    auto tile = cg::tiled_partition<8>(cg::this_thread_block());
    int sum = cg::reduce(tile, in[threadIdx.x], cg::plus<int>());
    tile.sync();
    int first = tile.shfl(in[threadIdx.x], 0);
    out[threadIdx.x] = sum * 1000 + first + (tile.any(first == 8) ? 1000000 : 0);
}

#if __CUDA_ARCH__ >= 900 || !defined(__CUDA_ARCH__)
extern "C" __global__ void __cluster_dims__(4, 1, 1) clusterTotal(const int *in, int *out) {
    __shared__ int part;
    auto cluster = cg::this_cluster();
    if (threadIdx.x == 0) part = 0;
    __syncthreads();
    atomicAdd(&part, in[blockIdx.x * blockDim.x + threadIdx.x]);
    cluster.sync();
    if (threadIdx.x == 0) {
        int sum = 0;
        for (unsigned i = 0; i < cluster.num_blocks(); i++) sum += *cluster.map_shared_rank(&part, i);
        out[blockIdx.x] = sum;
    }
    cluster.sync();
}
#endif
