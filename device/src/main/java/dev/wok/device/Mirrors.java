package dev.wok.device;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What the host has in the place of a device's tensors: on the processor the tensors themselves, of a GPU
/// copies in pinned memory, which is used again.
///
/// Any thread.
public final class Mirrors implements AutoCloseable {
    private static final long SMALLEST = 1 << 12;

    private final Device device;
    private final List<Memory> owned = new ArrayList<>();

    /// Bytes that nobody uses.
    private final List<MemorySegment> free = new ArrayList<>();

    /// @param device stays the caller's
    public Mirrors(Device device) {
        this.device = device;
    }

    /// @return whether there are copies
    public boolean copies() {
        return device instanceof Gpu;
    }

    /// @param here a contiguous tensor of the device
    /// @return it, or a tensor of the host with contents of whoever used that memory last
    public Mirror of(Tensor here) {
        if (!copies()) {
            return new Mirror(here, here, null);
        }
        MemorySegment bytes = take(here.bytes());
        return new Mirror(here, Tensor.of(bytes.asSlice(0, here.bytes()), here.dtype(), here.shape()), bytes);
    }

    /// @return as [#of], with the contents that the device's tensor has behind all work of its stream
    public Mirror read(Tensor here) {
        Mirror mirror = of(here);
        mirror.read();
        return mirror;
    }

    /// Copies between tensors of the device that do not overlap.
    public void copy(Tensor from, Tensor to) {
        if (device instanceof Gpu gpu) {
            if (from.elements() > 0) {
                gpu.stream().copy(from, to);
            }
        } else {
            to.copyFrom(from);
        }
    }

    private synchronized MemorySegment take(long bytes) {
        int best = -1;
        for (int i = 0; i < free.size(); i++) {
            long size = free.get(i).byteSize();
            if (size >= bytes && (best < 0 || size < free.get(best).byteSize())) {
                best = i;
            }
        }
        return best < 0 ? more(bytes) : free.remove(best);
    }

    /// Sizes double, so that a growing need leaves no more behind than it has.
    private MemorySegment more(long bytes) {
        long size = Math.max(SMALLEST, Long.highestOneBit(Math.max(1, bytes - 1)) << 1);
        Memory memory = ((Gpu) device).pinned();
        owned.add(memory);
        return memory.tensor(DType.I8, size).memory();
    }

    private synchronized void giveBack(MemorySegment bytes) {
        free.add(bytes);
    }

    /// A tensor of the device as the host sees it, until this is closed.
    public final class Mirror implements AutoCloseable {
        private final Tensor here;
        private final Tensor host;

        /// Of a copy, but not of a part of one.
        private final @Nullable MemorySegment bytes;

        private Mirror(Tensor here, Tensor host, @Nullable MemorySegment bytes) {
            this.here = here;
            this.host = host;
            this.bytes = bytes;
        }

        /// @return the host's
        public Tensor host() {
            return host;
        }

        /// @return elements of a tensor of one dimension, for as long as this is open
        public Mirror part(long from, long to) {
            return new Mirror(here.slice(0, from, to), host.slice(0, from, to), null);
        }

        /// Lets the host's tensor have what the device's has, behind all work of its stream.
        public void read() {
            move(here, host);
        }

        /// Lets the device's tensor have what the host's has.
        public void write() {
            move(host, here);
        }

        private void move(Tensor from, Tensor to) {
            if (copies()) {
                copy(from, to);
                device.stream().synchronize();
            }
        }

        /// Gives the copy's memory back. Once.
        @Override
        public void close() {
            if (bytes != null) {
                giveBack(bytes);
            }
        }
    }

    @Override
    public synchronized void close() {
        owned.forEach(Memory::close);
        owned.clear();
        free.clear();
    }
}
