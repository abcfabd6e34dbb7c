package dev.wok.kernel.vector;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/// The widest float vectors of this processor, and the arithmetic on them that is safe to repeat.
///
/* Repeatable bits. The JVM runs a method interpreted first and compiled later, at a moment that chance decides. Two
 * operations of the Vector API give different bits in the two: reduceLanes(ADD), whose order is unspecified, and the
 * transcendental lanewise operations, which are a library call in compiled code and Math.* in the interpreter. So sums
 * across lanes and exponentials are built here from operations that IEEE 754 defines exactly (add, multiply, fma,
 * comparisons, integer arithmetic); no kernel uses the other two. A test reads the class files for it.
 */
final class Lanes {
    static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
    static final int COUNT = FLOATS.length();
    static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private static final VectorShuffle<Float>[] HALVINGS = halvings();

    private Lanes() {}

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static VectorShuffle<Float>[] halvings() {
        int steps = Integer.numberOfTrailingZeros(COUNT);
        VectorShuffle<Float>[] shuffles = new VectorShuffle[steps];
        for (int i = 0; i < steps; i++) {
            int half = COUNT >> i + 1;
            shuffles[i] = VectorShuffle.fromOp(FLOATS, lane -> lane + half & COUNT - 1);
        }
        return shuffles;
    }

    /* A new zero each time: accumulators that begin with one shared object stay objects in compiled loops. */
    static FloatVector zero() {
        return FloatVector.zero(FLOATS);
    }

    /// @param element the index of the first float
    static FloatVector load(MemorySegment memory, long element) {
        return FloatVector.fromMemorySegment(FLOATS, memory, element << 2, ORDER);
    }

    /// Lanes that the mask leaves out read as zero.
    static FloatVector load(MemorySegment memory, long element, VectorMask<Float> mask) {
        return FloatVector.fromMemorySegment(FLOATS, memory, element << 2, ORDER, mask);
    }

    static void store(FloatVector value, MemorySegment memory, long element) {
        value.intoMemorySegment(memory, element << 2, ORDER);
    }

    static void store(FloatVector value, MemorySegment memory, long element, VectorMask<Float> mask) {
        value.intoMemorySegment(memory, element << 2, ORDER, mask);
    }

    /// @return a mask of the lanes `i + lane < limit`
    static VectorMask<Float> tail(int i, int limit) {
        return FLOATS.indexInRange(i, limit);
    }

    /// The sum of all lanes, halves added pairwise.
    static float sum(FloatVector value) {
        FloatVector sum = value;
        for (VectorShuffle<Float> shuffle : HALVINGS) {
            sum = sum.add(sum.rearrange(shuffle));
        }
        return sum.lane(0);
    }

    static float max(FloatVector value) {
        return value.reduceLanes(VectorOperators.MAX);
    }

    /* e^x = 2^n e^r with n = round(x / ln 2), r = x - n ln 2 in two steps (the high part of ln 2 has few bits, so n
     * times it is exact), and e^r by the polynomial of the Cephes library. Adding 1.5 * 2^23 rounds to an integer,
     * whose bits then stand in the lower mantissa. 2^n is multiplied in two halves, so that n may reach 128.
     * Relative error below 1.5e-7 from x = -87.3 on; below that the result is zero, and where it overflows infinite.
     */
    static FloatVector exp(FloatVector x) {
        FloatVector clamped = x.max(-88f).min(89f);
        FloatVector shifted = clamped.fma(broadcast(1.44269504f), broadcast(12582912f));
        FloatVector n = shifted.sub(12582912f);
        FloatVector r = n.fma(broadcast(-0.693359375f), clamped);
        r = n.fma(broadcast(2.12194440e-4f), r);
        FloatVector p = broadcast(1.9875691500e-4f);
        p = p.fma(r, broadcast(1.3981999507e-3f));
        p = p.fma(r, broadcast(8.3334519073e-3f));
        p = p.fma(r, broadcast(4.1665795894e-2f));
        p = p.fma(r, broadcast(1.6666665459e-1f));
        p = p.fma(r, broadcast(5.0000001201e-1f));
        p = p.fma(r.mul(r), r).add(1f);
        IntVector exponent = shifted.reinterpretAsInts().sub(0x4B400000);
        IntVector half = exponent.lanewise(VectorOperators.ASHR, 1);
        FloatVector result = p.mul(power(half)).mul(power(exponent.sub(half)));
        return result.blend(0f, x.compare(VectorOperators.LT, -87.3f));
    }

    private static FloatVector power(IntVector exponent) {
        return exponent.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    }

    /// `1 / (1 + e^-x)`.
    static FloatVector sigmoid(FloatVector x) {
        return broadcast(1f).div(exp(x.neg()).add(1f));
    }

    static FloatVector broadcast(float value) {
        return FloatVector.broadcast(FLOATS, value);
    }
}
