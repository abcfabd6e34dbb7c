package dev.wok.device.emulated;

/// How the operands of matrix instructions are spread over the lanes of a warp: with `g = lane / 4` and `t = lane % 4`,
/// a register of `p` numbers holds `p` neighbours along `k` (PTX ISA, matrix fragments).
///
/// | operand | register `i` of a lane |
/// |---|---|
/// | A `[16, k]` | row `g + 8 * (i % 2)`, columns from `(i / 2) * 4p + t * p` |
/// | B `[k, 8]` | column `g`, rows from `i * 4p + t * p` |
/// | C, D `[16, 8]` | row `g + 8 * (i / 2)`, column `2t + i % 2` |
final class Fragments {
    private Fragments() {}

    /// Takes a number of an operand.
    interface Element {
        double of(long raw);
    }

    /// @param bits of a number
    /// @return `[16, k]`
    static double[] a(Warp warp, Value[] registers, int k, int bits, Element element) {
        int p = 32 / bits;
        double[] matrix = new double[16 * k];
        for (int i = 0; i < registers.length; i++) {
            for (int lane = 0; lane < Warp.LANES; lane++) {
                long raw = registers[i].at(warp, lane);
                int row = lane / 4 + 8 * (i & 1);
                int column = (i >> 1) * 4 * p + lane % 4 * p;
                for (int j = 0; j < p; j++) {
                    matrix[row * k + column + j] = element.of(raw >>> j * bits);
                }
            }
        }
        return matrix;
    }

    /// @return `[k, 8]`
    static double[] b(Warp warp, Value[] registers, int bits, Element element) {
        int p = 32 / bits;
        double[] matrix = new double[registers.length * 4 * p * 8];
        for (int i = 0; i < registers.length; i++) {
            for (int lane = 0; lane < Warp.LANES; lane++) {
                long raw = registers[i].at(warp, lane);
                int row = i * 4 * p + lane % 4 * p;
                for (int j = 0; j < p; j++) {
                    matrix[(row + j) * 8 + lane / 4] = element.of(raw >>> j * bits);
                }
            }
        }
        return matrix;
    }

    /// What the sums are kept in.
    enum Sum {
        F32,
        F16,
        S32;

        static Sum of(Type type) {
            return switch (type) {
                case F32 -> F32;
                case F16 -> F16;
                case S32 -> S32;
                default -> throw new IllegalArgumentException("no sums in " + type);
            };
        }

        /// @return registers for 8 columns
        int registers() {
            return this == F16 ? 2 : 4;
        }

        /// @return the number at a place of 16 rows and 8 columns
        double get(long[] registers, int[] slots, int from, int row, int column) {
            int lane = row % 8 * 4 + column / 2;
            if (this == F16) {
                long raw = registers[slots[from + row / 8] << 5 | lane];
                return Float.float16ToFloat((short) (raw >>> 16 * (column & 1)));
            }
            long raw = registers[slots[from + row / 8 * 2 + (column & 1)] << 5 | lane];
            return this == F32 ? Float.intBitsToFloat((int) raw) : (int) raw;
        }

        /// @param value exact, or rounded to a double
        void set(long[] registers, int[] slots, int from, int row, int column, double value, boolean isFinite) {
            int lane = row % 8 * 4 + column / 2;
            if (this == F16) {
                int at = slots[from + row / 8] << 5 | lane;
                int shift = 16 * (column & 1);
                registers[at] = registers[at] & ~(0xFFFFL << shift) | Format.F16.bits(value) << shift;
                return;
            }
            int at = slots[from + row / 8 * 2 + (column & 1)] << 5 | lane;
            registers[at] = this == F32
                    ? Float.floatToRawIntBits((float) value) & 0xFFFF_FFFFL
                    : isFinite ? Math.clamp((long) value, Integer.MIN_VALUE, Integer.MAX_VALUE) : (int) (long) value;
        }
    }

    /// @return how numbers of a type are read
    static Element element(Type type) {
        if (type.isInteger()) {
            return raw -> type.extend(raw);
        }
        Format format = Format.of(type);
        return format::value;
    }
}
