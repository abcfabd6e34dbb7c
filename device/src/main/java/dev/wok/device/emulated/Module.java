package dev.wok.device.emulated;

import dev.wok.device.emulated.Listing.Routine;
import dev.wok.device.emulated.Listing.Space;
import dev.wok.device.emulated.Listing.Variable;
import dev.wok.tensor.Copies;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A PTX text that is ready to run: its kernels and its variables.
final class Module implements AutoCloseable {
    private static final long MOST_BYTES = 1L << 30;

    private final Listing listing;
    private final Map<String, Code> kernels = new LinkedHashMap<>();
    private final Map<String, Region> variables = new LinkedHashMap<>();
    private final Allocations allocations;
    private final Arena arena = Arena.ofShared();

    private Module(Listing listing, Allocations allocations) {
        this.listing = listing;
        this.allocations = allocations;
    }

    /// @throws dev.wok.device.PtxFault where the text is wrong
    static Module load(String ptx, Allocations allocations) {
        Module module = new Module(Parser.parse(ptx), allocations);
        try {
            module.place();
            module.decode();
            return module;
        } catch (RuntimeException e) {
            module.close();
            throw e;
        }
    }

    private void place() {
        long all = 0;
        for (Variable variable : listing.variables()) {
            if (variable.space() != Space.GLOBAL && variable.space() != Space.CONST) {
                continue;
            }
            all += variable.bytes();
            if (all > MOST_BYTES) {
                throw listing.error(variable.line(), "more global variables than there is memory for");
            }
            byte[] initial = variable.initial();
            Region region = allocations.allocate(
                    variable.name(), Math.max(1, variable.bytes()), true, variable.space() == Space.CONST, arena);
            if (initial != null) {
                Copies.bytes(MemorySegment.ofArray(initial), 0, region.bytes, 0, initial.length);
            }
            variables.put(variable.name(), region);
        }
    }

    private void decode() {
        Map<String, Long> addresses = new LinkedHashMap<>();
        variables.forEach((name, region) -> addresses.put(name, region.base));
        for (Routine routine : listing.routines()) {
            if (routine.isEntry()) {
                kernels.put(routine.name(), Decoder.decode(listing, routine, addresses));
            }
        }
    }

    Listing listing() {
        return listing;
    }

    List<String> names() {
        return List.copyOf(kernels.keySet());
    }

    @Nullable
    Code kernel(String name) {
        return kernels.get(name);
    }

    @Nullable
    Region variable(String name) {
        return variables.get(name);
    }

    List<Code> kernels() {
        return new ArrayList<>(kernels.values());
    }

    @Override
    public void close() {
        variables.values().forEach(allocations::free);
        variables.clear();
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
