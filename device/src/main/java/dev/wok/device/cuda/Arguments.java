package dev.wok.device.cuda;

import dev.wok.device.TensorMap;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/// The arguments of one launch at a time in the form that the driver takes: a value for each, and an
/// array of their addresses.
final class Arguments {
    private static final int ALIGNMENT = TensorMap.BYTES;

    private final CudaGpu gpu;
    private MemorySegment memory = MemorySegment.NULL;

    Arguments(CudaGpu gpu) {
        this.gpu = gpu;
    }

    /// @return the address of the array of addresses, valid until the next call
    long pack(PtxEntry entry, Object... values) {
        List<PtxEntry.Parameter> parameters = entry.parameters();
        if (values.length != parameters.size()) {
            throw new IllegalArgumentException("%s: %d arguments, expected %d: %s"
                    .formatted(entry.name(), values.length, parameters.size(), parameters));
        }
        long size = (long) parameters.size() * Long.BYTES;
        for (PtxEntry.Parameter parameter : parameters) {
            size = aligned(size) + parameter.bytes();
        }
        if (memory.byteSize() < size) {
            memory = Arena.ofAuto().allocate(2 * size, ALIGNMENT);
        }
        long offset = (long) parameters.size() * Long.BYTES;
        for (int i = 0; i < values.length; i++) {
            offset = aligned(offset);
            memory.setAtIndex(ValueLayout.JAVA_LONG, i, memory.address() + offset);
            put(entry, i, values[i], offset);
            offset += parameters.get(i).bytes();
        }
        return memory.address();
    }

    private static long aligned(long offset) {
        return (offset + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    private void put(PtxEntry entry, int index, Object value, long offset) {
        PtxEntry.Parameter parameter = entry.parameters().get(index);
        boolean floating = parameter.type().startsWith(".f");
        boolean bits = parameter.type().startsWith(".b");
        switch (value) {
            case Integer number
            when parameter.bytes() == Integer.BYTES && !floating -> memory.set(ValueLayout.JAVA_INT, offset, number);
            case Long number
            when parameter.bytes() == Long.BYTES && !floating -> memory.set(ValueLayout.JAVA_LONG, offset, number);
            case Short number
            when parameter.bytes() == Short.BYTES -> memory.set(ValueLayout.JAVA_SHORT, offset, number);
            case Byte number when parameter.bytes() == Byte.BYTES -> memory.set(ValueLayout.JAVA_BYTE, offset, number);
            case Float number
            when parameter.bytes() == Float.BYTES && (floating || bits) ->
                memory.set(ValueLayout.JAVA_FLOAT, offset, number);
            case Double number
            when parameter.bytes() == Double.BYTES && (floating || bits) ->
                memory.set(ValueLayout.JAVA_DOUBLE, offset, number);
            case Tensor tensor
            when parameter.bytes() == Long.BYTES && !floating -> {
                gpu.addresses().require(what(entry, index), tensor, gpu::reaches);
                memory.set(ValueLayout.JAVA_LONG, offset, tensor.memory().address());
            }
            case MemorySegment segment
            when parameter.bytes() == Long.BYTES && !floating && segment.isNative() ->
                memory.set(ValueLayout.JAVA_LONG, offset, segment.address());
            case TensorMap map
            when parameter.bytes() == TensorMap.BYTES -> {
                gpu.addresses().require(what(entry, index), map, map.address(), map.extent(), gpu::reaches);
                TensorMaps.encode(gpu.context(), map, memory.address() + offset);
            }
            default ->
                throw new IllegalArgumentException("%s is %s %s, expected a value for %s"
                        .formatted(what(entry, index), value.getClass().getSimpleName(), value, parameter));
        }
    }

    private static String what(PtxEntry entry, int index) {
        return "%s: argument %d (%s)"
                .formatted(entry.name(), index, entry.parameters().get(index).name());
    }
}
