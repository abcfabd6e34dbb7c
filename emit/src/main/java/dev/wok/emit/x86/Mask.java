package dev.wok.emit.x86;

/// A mask register of AVX-512, `k0` to `k7`; `k0` as a write mask stands for none.
///
/// @param number 0 to 7
public record Mask(int number) implements Operand {
    public static final Mask K0 = new Mask(0);
    public static final Mask K1 = new Mask(1);
    public static final Mask K2 = new Mask(2);
    public static final Mask K3 = new Mask(3);
    public static final Mask K4 = new Mask(4);

    public Mask {
        if (number < 0 || number > 7) {
            throw new IllegalArgumentException("k%d: expected k0 to k7".formatted(number));
        }
    }

    @Override
    public String toString() {
        return "k" + number;
    }
}
