package dev.wok.kernel.x86;

import java.util.Locale;

/// The sets of instructions that kernels are written for, from the least to the most.
public enum Isa {
    /// 256-bit vectors and fused multiply-add.
    AVX2(32, false, false),
    /// The same with dot products of bytes.
    AVX2_VNNI(32, false, true),
    /// 512-bit vectors, masks, 32 registers (F, BW, DQ, VL).
    AVX512(64, false, false),
    /// The same with dot products of bf16 pairs and of bytes.
    AVX512_BF16(64, true, true);

    private final int bytes;
    private final boolean bf16;
    private final boolean byteDots;

    Isa(int bytes, boolean bf16, boolean byteDots) {
        this.bytes = bytes;
        this.bf16 = bf16;
        this.byteDots = byteDots;
    }

    /// @return the size of a vector register
    int bytes() {
        return bytes;
    }

    /// @return the float32 values in a vector register
    int lanes() {
        return bytes / Float.BYTES;
    }

    /// @return how many vector registers there are
    int registers() {
        return bytes == 64 ? 32 : 16;
    }

    boolean hasMasks() {
        return bytes == 64;
    }

    /// @return whether it multiplies pairs of bf16 and adds them in float32
    boolean hasBf16() {
        return bf16;
    }

    /// @return whether it multiplies four bytes and adds them in int32
    boolean hasByteDots() {
        return byteDots;
    }

    /// @return those that a device's processor runs, from the least to the most
    public static java.util.List<Isa> found(dev.wok.device.HostDevice device) {
        return Cpu.isX86() ? Cpu.ask(device).isas() : java.util.List.of();
    }

    /// @return the name that `WOK_ISA` and messages use
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }
}
