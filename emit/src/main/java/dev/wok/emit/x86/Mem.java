package dev.wok.emit.x86;

import org.jspecify.annotations.Nullable;

/// A place in memory: `base + index * scale + displacement`, or a place in the code itself.
///
/// @param base null where `label` is given
/// @param index null for none, never `rsp`
/// @param scale 1, 2, 4 or 8
/// @param label a constant in the code, or null
/// @param isBroadcast whether one element is read and repeated in every lane
/// @param mask the write mask's number for a store, 0 for none
public record Mem(
        @Nullable Reg base,
        @Nullable Reg index,
        int scale,
        int displacement,
        @Nullable Label label,
        boolean isBroadcast,
        int mask)
        implements Operand {
    public Mem {
        boolean hasScale = scale == 1 || scale == 2 || scale == 4 || scale == 8;
        if (index == Reg.RSP || !hasScale || (base == null) == (label == null) || (label != null && index != null)) {
            throw new IllegalArgumentException("no address %s + %s * %d".formatted(base, index, scale));
        }
    }

    /// @return the memory that a register points to
    public static Mem at(Reg base) {
        return at(base, 0);
    }

    /// @param displacement in bytes
    public static Mem at(Reg base, int displacement) {
        return new Mem(base, null, 1, displacement, null, false, 0);
    }

    /// @param scale 1, 2, 4 or 8
    /// @param displacement in bytes
    public static Mem at(Reg base, Reg index, int scale, int displacement) {
        return new Mem(base, index, scale, displacement, null, false, 0);
    }

    /// @return a constant that lies behind the code, see [X86#constant]
    static Mem of(Label label) {
        return new Mem(null, null, 1, 0, label, false, 0);
    }

    /// @return this place, `bytes` further on
    public Mem plus(int bytes) {
        return new Mem(base, index, scale, displacement + bytes, label, isBroadcast, mask);
    }

    /// @return one element of this place for every lane; AVX-512 only
    public Mem broadcast() {
        return new Mem(base, index, scale, displacement, label, true, mask);
    }

    /// @return this place, stored to where the mask has ones; AVX-512 only
    public Mem under(Mask k) {
        return new Mem(base, index, scale, displacement, label, isBroadcast, k.number());
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("[");
        text.append(base == null ? "constant" : base);
        if (index != null) {
            text.append('+').append(index).append('*').append(scale);
        }
        if (displacement != 0) {
            text.append(displacement < 0 ? "" : "+").append(displacement);
        }
        text.append(']').append(isBroadcast ? "{1toN}" : "");
        return mask == 0
                ? text.toString()
                : text.append("{k").append(mask).append('}').toString();
    }
}
