package dev.wok.device.cuda;

import static dev.wok.device.cuda.Raw.at;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// A kernel that was launched, as the driver reads it from memory.
///
/// @param numbers grid, block and dynamic shared memory
/// @param attributes by id, the value's first three numbers
/// @param arguments their bytes
record FakeLaunch(
        String kernel, List<Integer> numbers, Map<Integer, List<Integer>> attributes, List<byte[]> arguments) {

    /// @param w the words of `cuLaunchKernel`
    static FakeLaunch plain(PtxEntry entry, long... w) {
        List<Integer> numbers = new ArrayList<>();
        for (int i = 1; i <= 7; i++) {
            numbers.add((int) w[i]);
        }
        return new FakeLaunch(entry.name(), numbers, Map.of(), arguments(entry, w[9]));
    }

    /// @param w the words of `cuLaunchKernelEx`
    static FakeLaunch withAttributes(PtxEntry entry, long... w) {
        MemorySegment config = at(w[0], 56);
        List<Integer> numbers = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            numbers.add(config.getAtIndex(JAVA_INT, i));
        }
        Map<Integer, List<Integer>> attributes = new TreeMap<>();
        for (int i = 0; i < config.get(JAVA_INT, 48); i++) {
            MemorySegment attribute = at(config.get(JAVA_LONG, 40) + 72L * i, 72);
            attributes.put(
                    attribute.get(JAVA_INT, 0),
                    List.of(attribute.get(JAVA_INT, 8), attribute.get(JAVA_INT, 12), attribute.get(JAVA_INT, 16)));
        }
        return new FakeLaunch(entry.name(), numbers, attributes, arguments(entry, w[2]));
    }

    /// @param w the words of `cuLaunchKernelEx`
    static long stream(long... w) {
        return at(w[0], 56).get(JAVA_LONG, 32);
    }

    private static List<byte[]> arguments(PtxEntry entry, long addresses) {
        List<byte[]> arguments = new ArrayList<>();
        for (int i = 0; i < entry.parameters().size(); i++) {
            long address = at(addresses + 8L * i, 8).get(JAVA_LONG, 0);
            arguments.add(at(address, entry.parameters().get(i).bytes()).toArray(JAVA_BYTE));
        }
        return arguments;
    }

    /// A tensor map of the fake's own: the address and a pattern.
    ///
    /// @param w the words of `cuTensorMapEncodeTiled`
    /// @return a status
    static int encode(long... w) {
        if (w[0] % 64 != 0) {
            return FakeDriver.INVALID_VALUE;
        }
        at(w[0], 128).fill((byte) 0x5A).set(JAVA_LONG, 0, w[3]);
        return 0;
    }
}
