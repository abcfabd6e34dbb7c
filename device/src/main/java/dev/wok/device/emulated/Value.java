package dev.wok.device.emulated;

/// What an instruction reads: a register of its lane, or a constant.
///
/// @param slot the register's, or -1
record Value(int slot, long constant) {
    static Value of(long constant) {
        return new Value(-1, constant);
    }

    static Value register(int slot) {
        return new Value(slot, 0);
    }

    long at(Warp warp, int lane) {
        return slot >= 0 ? warp.registers[slot << 5 | lane] : constant;
    }

    /// @return the value in the first of some lanes, where it is the same in all
    long uniform(Warp warp, int lanes) {
        return at(warp, Integer.numberOfTrailingZeros(lanes));
    }
}
