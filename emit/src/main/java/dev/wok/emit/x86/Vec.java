package dev.wok.emit.x86;

/// A vector register, with the write mask under which an instruction writes it.
///
/// @param number 0 to 31; those from 16 on need AVX-512
/// @param bytes 16, 32 or 64
/// @param mask the write mask's number, 0 for none
/// @param zeroing whether masked-out lanes become zero instead of keeping their value
public record Vec(int number, int bytes, int mask, boolean zeroing) implements Operand {
    public Vec {
        if (number < 0 || number > 31 || (bytes != 16 && bytes != 32 && bytes != 64)) {
            throw new IllegalArgumentException("no vector register %d of %d bytes".formatted(number, bytes));
        }
    }

    public static Vec xmm(int number) {
        return new Vec(number, 16, 0, false);
    }

    public static Vec ymm(int number) {
        return new Vec(number, 32, 0, false);
    }

    public static Vec zmm(int number) {
        return new Vec(number, 64, 0, false);
    }

    /// @return the same register seen at another width
    public Vec as(int width) {
        return new Vec(number, width, mask, zeroing);
    }

    /// @return this register, written where the mask has ones
    public Vec under(Mask k) {
        return new Vec(number, bytes, k.number(), false);
    }

    /// @return this register, zero where the mask has zeros
    public Vec zeroed(Mask k) {
        return new Vec(number, bytes, k.number(), true);
    }

    @Override
    public String toString() {
        String name = (bytes == 16 ? "xmm" : bytes == 32 ? "ymm" : "zmm") + number;
        return mask == 0 ? name : name + "{k" + mask + "}" + (zeroing ? "{z}" : "");
    }
}
