package dev.wok.kernel.x86.emulated;

import org.jspecify.annotations.Nullable;

/// What the fields of an instruction's bytes say, registers by number.
///
/// @param at where it begins
/// @param end where the next one begins
/// @param opcode with the opcode map in the bits from 8 on
/// @param operandBytes of general registers: 2, 4 or 8
/// @param bytes the vector length
/// @param register ModRM.reg
/// @param extra VEX.vvvv
/// @param other ModRM.rm where it is a register
/// @param place ModRM.rm where it is memory
/// @param mask the write mask's number, 0 for none
/// @param broadcast whether one element is read for all lanes
/// @param immediate sign-extended
record Instruction(
        int at,
        int end,
        int opcode,
        int operandBytes,
        int bytes,
        int register,
        int extra,
        int other,
        @Nullable Place place,
        int mask,
        boolean zeroing,
        boolean broadcast,
        int immediate) {
    /// @return the place, of an instruction that has one
    Place memory() {
        if (place == null) {
            throw new IllegalStateException("%x: expected a place in memory".formatted(at));
        }
        return place;
    }

    void requireMemory(boolean expected) {
        if ((place != null) != expected) {
            throw new IllegalStateException("%x: expected %s".formatted(at, expected ? "memory" : "a register"));
        }
    }
}
