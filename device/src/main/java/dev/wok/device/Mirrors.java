package dev.wok.device;

import dev.wok.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/// What the host has in the place of a device's tensors: on the processor the tensors themselves, of a GPU
/// copies in pinned memory, which is used again.
///
/// Any thread.
public final class Mirrors implements AutoCloseable {
    private final Device device;
    private final Blocks pinned;

    /// @param device stays the caller's
    public Mirrors(Device device) {
        this.device = device;
        pinned = new Blocks(() -> ((Gpu) device).pinned());
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
        Tensor block = pinned.take(here.bytes());
        return new Mirror(here, Tensor.of(block.memory().asSlice(0, here.bytes()), here.dtype(), here.shape()), block);
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

    /// A tensor of the device as the host sees it, until this is closed.
    public final class Mirror implements AutoCloseable {
        private final Tensor here;
        private final Tensor host;

        /// Of a copy, but not of a part of one.
        private final @Nullable Tensor block;

        private Mirror(Tensor here, Tensor host, @Nullable Tensor block) {
            this.here = here;
            this.host = host;
            this.block = block;
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
            if (block != null) {
                pinned.giveBack(block);
            }
        }
    }

    @Override
    public void close() {
        pinned.close();
    }
}
