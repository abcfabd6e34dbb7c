package dev.wok.kernel.ptx;

import dev.wok.kernel.Activations;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Packed.Element;
import dev.wok.kernel.Precision;

/// What the code of a product with a [Packed] weight depends on.
///
/// @param element of the weight
/// @param entering what the left operand is turned into
/// @param group how many neighbours along `k` make a sum that is scaled and added to the others
/// @param isGuarded whether panels end within 32 elements of `k`
/// @param isGrouped whether rows are sorted by expert
/// @param isGathered whether rows of the left operand are chosen by a slot
record PackedShape(
        Element element,
        Entering entering,
        int group,
        boolean isGuarded,
        boolean isGrouped,
        boolean isGathered,
        boolean accumulates) {

    /// What one warp of [PackedEntry] takes of a row, and [PackedTile] of a weight without scales.
    private static final int UNSCALED_GROUP = 256;

    /// What the left operand is turned into.
    enum Entering {
        F32(4),
        BF16(2),
        INT8(1);

        private final int bytes;

        Entering(int bytes) {
            this.bytes = bytes;
        }

        int bytes() {
            return bytes;
        }
    }

    static PackedShape of(Packed w, Precision precision, boolean isGrouped, boolean isGathered, boolean accumulates) {
        Element element = w.element();
        Entering entering = Entering.BF16;
        if (w.activations() == Activations.INT8) {
            entering = Entering.INT8;
        } else if (w.exact() || precision == Precision.F32) {
            entering = Entering.F32;
        }
        int group = element.isScaled() ? w.group() : UNSCALED_GROUP;
        boolean isGuarded = element.steps(w.k()) * element.perStep() % Packed.UNIT != 0;
        return new PackedShape(element, entering, group, isGuarded, isGrouped, isGathered, accumulates);
    }

    /// @return groups of a row of `k`
    int groups(int k) {
        return Math.ceilDiv(k, group);
    }

    /// @return units of 32 elements of a group
    int groupUnits() {
        return group / Packed.UNIT;
    }

    /// @return bytes of a unit of a panel
    int unitBytes() {
        return Packed.UNIT / element.perStep() * Packed.STEP_BYTES;
    }

    /// What a whole number lies too high.
    int offset() {
        return element.isWhole() ? 1 << element.bits() - 1 : 0;
    }

    /// The order of a unit of 32 elements of the left operand: neighbours are what a lane reads at
    /// once. The bits of an element's place, the highest first, by their numbers in its index.
    ///
    /* Lane t of four reads eight places. In BF16 they are two fragments of 16 elements, four places each, in the order in
     * which [PackedTile] finds the weight's: steps t, t + 4, .. of two elements; steps t and t + 4 of four; step t of
     * eight, of which element i and i + 4 make a register. In INT8 they are one fragment of 32: steps t and t + 4 of four
     * elements; the even and the odd elements of step t.
     */
    int[] order() {
        return switch (entering) {
            case F32 -> new int[] {4, 3, 2, 1, 0};
            case BF16 ->
                switch (element) {
                    case F32, BF16 -> new int[] {2, 1, 4, 3, 0};
                    case INT8, FP8 -> new int[] {3, 2, 4, 1, 0};
                    case INT4 -> new int[] {4, 3, 1, 0, 2};
                };
            case INT8 -> element == Element.INT4 ? new int[] {4, 3, 0, 2, 1} : new int[] {3, 2, 4, 1, 0};
        };
    }
}
