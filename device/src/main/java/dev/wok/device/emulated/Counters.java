package dev.wok.device.emulated;

import java.util.Map;
import java.util.TreeMap;

/// What a launch did, for people who tune kernels.
final class Counters {
    long instructions;

    /// Times that shared memory was asked more often than the access needed, by line.
    final Map<Integer, Long> bankConflicts = new TreeMap<>();

    void conflicts(int line, int extra) {
        if (extra > 0) {
            bankConflicts.merge(line, (long) extra, Long::sum);
        }
    }
}
