package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
import static dev.wok.device.cuda.Constant.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
import static dev.wok.device.cuda.Structures.LAUNCH_ATTRIBUTE;
import static dev.wok.device.cuda.Structures.LAUNCH_CONFIG;
import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.wok.device.Launch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// The driver's form of a launch with attributes, written anew for each.
final class LaunchConfig {
    private static final long CONFIG_BYTES = LAUNCH_CONFIG.byteSize();
    private static final long ATTRIBUTE_BYTES = LAUNCH_ATTRIBUTE.byteSize();
    private static final long GRID = offset("gridDimX");
    private static final long BLOCK = offset("blockDimX");
    private static final long SHARED = offset("sharedMemBytes");
    private static final long STREAM = offset("hStream");
    private static final long ATTRIBUTES = offset("attrs");
    private static final long COUNT = offset("numAttrs");
    private static final long VALUE = LAUNCH_ATTRIBUTE.byteOffset(groupElement("value"));

    private final MemorySegment memory =
            Arena.ofAuto().allocate(CONFIG_BYTES + 2 * ATTRIBUTE_BYTES, LAUNCH_CONFIG.byteAlignment());

    private static long offset(String member) {
        return LAUNCH_CONFIG.byteOffset(groupElement(member));
    }

    /// @return whether a launch has attributes
    static boolean isNeeded(Launch launch) {
        return launch.clusterBlocks() > 1 || launch.programmatic();
    }

    /// @return the address of the form, valid until the next call
    long write(Launch launch, long stream) {
        triple(GRID, launch.gridX(), launch.gridY(), launch.gridZ());
        triple(BLOCK, launch.blockX(), launch.blockY(), launch.blockZ());
        memory.set(JAVA_INT, SHARED, launch.sharedBytes());
        memory.set(JAVA_LONG, STREAM, stream);
        memory.set(JAVA_LONG, ATTRIBUTES, memory.address() + CONFIG_BYTES);
        memory.asSlice(CONFIG_BYTES).fill((byte) 0);
        int count = 0;
        if (launch.clusterBlocks() > 1) {
            long value = attribute(count++, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
            triple(value, launch.clusterX(), launch.clusterY(), launch.clusterZ());
        }
        if (launch.programmatic()) {
            long value = attribute(count++, CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
            memory.set(JAVA_INT, value, 1);
        }
        memory.set(JAVA_INT, COUNT, count);
        return memory.address();
    }

    private void triple(long offset, int x, int y, int z) {
        memory.set(JAVA_INT, offset, x);
        memory.set(JAVA_INT, offset + Integer.BYTES, y);
        memory.set(JAVA_INT, offset + 2 * Integer.BYTES, z);
    }

    /// @return where the value of an attribute lies
    private long attribute(int index, Constant id) {
        long offset = CONFIG_BYTES + index * ATTRIBUTE_BYTES;
        memory.set(JAVA_INT, offset, id.value);
        return offset + VALUE;
    }
}
