package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_DATA_TYPE_FLOAT64;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_DATA_TYPE_INT32;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_DATA_TYPE_INT64;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_DATA_TYPE_UINT8;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_INTERLEAVE_NONE;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_L2_PROMOTION_L2_128B;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_L2_PROMOTION_L2_256B;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_L2_PROMOTION_L2_64B;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_L2_PROMOTION_NONE;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_SWIZZLE_128B;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_SWIZZLE_32B;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_SWIZZLE_64B;
import static dev.wok.device.cuda.Constant.CU_TENSOR_MAP_SWIZZLE_NONE;

import dev.wok.device.TensorMap;
import dev.wok.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// Tensor maps in the chip's own form, which only the driver knows.
final class TensorMaps {
    private TensorMaps() {}

    /// @param address where the 128 bytes go, a multiple of 128
    static void encode(CudaContext context, TensorMap map, long address) {
        try (Arena arena = Arena.ofConfined()) {
            context.run(
                    DriverFunction.TENSOR_MAP_ENCODE_TILED,
                    address,
                    type(map.type()).value,
                    map.rank(),
                    map.address(),
                    longs(arena, map.sizes()).address(),
                    longs(arena, map.strides()).address(),
                    ints(arena, map.box()).address(),
                    ints(arena, map.elementStrides()).address(),
                    CU_TENSOR_MAP_INTERLEAVE_NONE.value,
                    swizzle(map.swizzle()).value,
                    promotion(map.promotion()).value,
                    fill(map.fill()).value);
        }
    }

    private static MemorySegment longs(Arena arena, List<Long> values) {
        MemorySegment longs = arena.allocate(ValueLayout.JAVA_LONG, values.size() + 1);
        for (int i = 0; i < values.size(); i++) {
            longs.setAtIndex(ValueLayout.JAVA_LONG, i, values.get(i));
        }
        return longs;
    }

    private static MemorySegment ints(Arena arena, List<Integer> values) {
        MemorySegment ints = arena.allocate(ValueLayout.JAVA_INT, values.size());
        for (int i = 0; i < values.size(); i++) {
            ints.setAtIndex(ValueLayout.JAVA_INT, i, values.get(i));
        }
        return ints;
    }

    private static Constant type(DType type) {
        return switch (type) {
            case F64 -> CU_TENSOR_MAP_DATA_TYPE_FLOAT64;
            case F32 -> CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
            case BF16 -> CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
            case F16 -> CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
            case I64 -> CU_TENSOR_MAP_DATA_TYPE_INT64;
            case I32 -> CU_TENSOR_MAP_DATA_TYPE_INT32;
            case F8_E4M3, I8, U8 -> CU_TENSOR_MAP_DATA_TYPE_UINT8;
        };
    }

    private static Constant swizzle(TensorMap.Swizzle swizzle) {
        return switch (swizzle) {
            case NONE -> CU_TENSOR_MAP_SWIZZLE_NONE;
            case B32 -> CU_TENSOR_MAP_SWIZZLE_32B;
            case B64 -> CU_TENSOR_MAP_SWIZZLE_64B;
            case B128 -> CU_TENSOR_MAP_SWIZZLE_128B;
        };
    }

    private static Constant promotion(TensorMap.Promotion promotion) {
        return switch (promotion) {
            case NONE -> CU_TENSOR_MAP_L2_PROMOTION_NONE;
            case B64 -> CU_TENSOR_MAP_L2_PROMOTION_L2_64B;
            case B128 -> CU_TENSOR_MAP_L2_PROMOTION_L2_128B;
            case B256 -> CU_TENSOR_MAP_L2_PROMOTION_L2_256B;
        };
    }

    private static Constant fill(TensorMap.Fill fill) {
        return switch (fill) {
            case ZEROS -> CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;
            case NAN -> CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA;
        };
    }
}
