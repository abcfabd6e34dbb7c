package dev.wok.device.cuda;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.MemoryLayout.paddingLayout;
import static java.lang.foreign.MemoryLayout.sequenceLayout;
import static java.lang.foreign.MemoryLayout.structLayout;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/// The structures of `cuda.h` that cross the border, under the names that they have there. Pointers and
/// handles are words.
final class Structures {
    static final StructLayout LAUNCH_CONFIG = structLayout(
                    JAVA_INT.withName("gridDimX"),
                    JAVA_INT.withName("gridDimY"),
                    JAVA_INT.withName("gridDimZ"),
                    JAVA_INT.withName("blockDimX"),
                    JAVA_INT.withName("blockDimY"),
                    JAVA_INT.withName("blockDimZ"),
                    JAVA_INT.withName("sharedMemBytes"),
                    paddingLayout(4),
                    JAVA_LONG.withName("hStream"),
                    JAVA_LONG.withName("attrs"),
                    JAVA_INT.withName("numAttrs"),
                    paddingLayout(4))
            .withName("CUlaunchConfig");

    static final StructLayout LAUNCH_ATTRIBUTE = structLayout(
                    JAVA_INT.withName("id"),
                    paddingLayout(4),
                    sequenceLayout(64, JAVA_BYTE).withName("value"))
            .withName("CUlaunchAttribute");

    static final StructLayout POOL_PROPERTIES = structLayout(
                    JAVA_INT.withName("allocType"),
                    JAVA_INT.withName("handleTypes"),
                    structLayout(JAVA_INT.withName("type"), JAVA_INT.withName("id"))
                            .withName("location"),
                    JAVA_LONG.withName("win32SecurityAttributes"),
                    JAVA_LONG.withName("maxSize"),
                    JAVA_SHORT.withName("usage"),
                    sequenceLayout(54, JAVA_BYTE).withName("reserved"))
            .withName("CUmemPoolProps");

    static final StructLayout TENSOR_MAP = structLayout(
                    sequenceLayout(16, JAVA_LONG).withName("opaque"))
            .withName("CUtensorMap")
            .withByteAlignment(128);

    static final StructLayout IPC_HANDLE =
            structLayout(sequenceLayout(64, JAVA_BYTE).withName("reserved")).withName("CUipcMemHandle");

    private Structures() {}

    static void setInt(StructLayout layout, MemorySegment structure, String member, int value) {
        structure.set(JAVA_INT, layout.byteOffset(groupElement(member)), value);
    }

    static void setLong(StructLayout layout, MemorySegment structure, String member, long value) {
        structure.set(JAVA_LONG, layout.byteOffset(groupElement(member)), value);
    }
}
