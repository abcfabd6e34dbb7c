package dev.wok.device;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/// See [Device#dry()].
public final class DryDevice implements Device {
    private final DryStream stream = new DryStream(this);

    DryDevice() {}

    @Override
    public String describe() {
        return "dry run";
    }

    @Override
    public Memory memory() {
        return new DryMemory();
    }

    @Override
    public Stream stream() {
        return stream;
    }

    @Override
    public void upload(Tensor host, Tensor here) {
        Shape.require("DryDevice.upload", host, "host", here.shape());
    }

    @Override
    public void download(Tensor here, Tensor host) {
        Shape.require("DryDevice.download", host, "host", here.shape());
    }

    @Override
    public void close() {}

    record DryStream(DryDevice device) implements Stream {
        @Override
        public void synchronize() {}
    }

    static final class DryMemory implements Memory {
        private long bytes;

        @Override
        public Tensor tensor(DType dtype, long... shape) {
            Tensor tensor = Tensor.of(MemorySegment.NULL, dtype, shape);
            bytes += tensor.bytes();
            return tensor;
        }

        @Override
        public long bytes() {
            return bytes;
        }

        @Override
        public void close() {}
    }
}
