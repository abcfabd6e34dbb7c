package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Packed;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.IdentityHashMap;
import java.util.Map;

/// Packed weights while they are filled, row by row, by the host: what lies on another device is
/// filled in a copy here and goes there when its last row has come.
final class PackedCopies implements AutoCloseable {
    private final Device device;
    private final Map<Packed, Copy> copies = new IdentityHashMap<>();

    private static final class Copy {
        final Arena arena = Arena.ofShared();
        final Packed here;
        long missing;

        Copy(Packed there) {
            missing = there.rows();
            here = Packed.of(
                    there.element(),
                    zeros(there.values()),
                    there.element().isScaled() ? zeros(there.scales()) : null,
                    there.n(),
                    there.k(),
                    there.group(),
                    there.activations());
        }

        private Tensor zeros(Tensor like) {
            DType dtype = like.dtype();
            return Tensor.allocate(arena, dtype, like.shape());
        }
    }

    /// @param device that the weights are on
    PackedCopies(Device device) {
        this.device = device;
    }

    /// @return what the host fills
    Packed of(Packed there) {
        return device instanceof HostDevice ? there : copies.computeIfAbsent(there, Copy::new).here;
    }

    /// Says that so many more rows have come.
    void filled(Packed there, long rows) {
        Copy copy = copies.get(there);
        if (copy != null) {
            copy.missing -= rows;
            if (copy.missing == 0) {
                device.upload(copy.here.values(), there.values());
                if (there.element().isScaled()) {
                    device.upload(copy.here.scales(), there.scales());
                }
                copies.remove(there);
                copy.arena.close();
            }
        }
    }

    /// Gives up what is not complete.
    @Override
    public void close() {
        copies.values().forEach(copy -> copy.arena.close());
    }
}
