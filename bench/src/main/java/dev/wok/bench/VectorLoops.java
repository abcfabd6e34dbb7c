package dev.wok.bench;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// The loops through the Vector API, for processors that no machine code is written for; apart from all else, so that
/// only this class needs the API's module.
final class VectorLoops implements Loops {
    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    /// What one call of the compiled loop runs.
    private static final int STEPS = 64;

    private static final int CHAINS = 12;

    @Override
    public boolean has(Kind kind) {
        return kind == Kind.FLOATS;
    }

    @Override
    public Products products(Kind kind) {
        if (!has(kind)) {
            throw new IllegalArgumentException("the Vector API has no %s".formatted(kind));
        }
        return new Products() {
            @Override
            public String text() {
                return "float32 multiply-adds in registers (Vector API, %d-bit)".formatted(FLOATS.vectorBitSize());
            }

            @Override
            public double operations() {
                return 2.0 * CHAINS * FLOATS.length() * STEPS;
            }

            @Override
            public void run(MemorySegment sink, long rounds) {
                sink.set(ValueLayout.JAVA_FLOAT, 0, chains(rounds * STEPS));
            }
        };
    }

    /// Twelve chains: enough to hide the latency of two units. Each adds one at a time.
    private static float chains(long loops) {
        FloatVector one = FloatVector.broadcast(FLOATS, 1);
        FloatVector a = FloatVector.zero(FLOATS), b = a, c = a, d = a, e = a, f = a;
        FloatVector g = a, h = a, i = a, j = a, k = a, l = a;
        for (long n = 0; n < loops; n++) {
            a = one.fma(one, a);
            b = one.fma(one, b);
            c = one.fma(one, c);
            d = one.fma(one, d);
            e = one.fma(one, e);
            f = one.fma(one, f);
            g = one.fma(one, g);
            h = one.fma(one, h);
            i = one.fma(one, i);
            j = one.fma(one, j);
            k = one.fma(one, k);
            l = one.fma(one, l);
        }
        FloatVector largest = a.max(b).max(c).max(d).max(e).max(f);
        return largest.max(g).max(h).max(i).max(j).max(k).max(l).lane(0);
    }

    @Override
    public List<Traffic> traffic(Mix mix) {
        return List.of((memory, distance, from, to) -> {
            int step = FLOATS.vectorByteSize();
            FloatVector seen = FloatVector.zero(FLOATS);
            for (long at = from; at < to; at += step) {
                FloatVector read = FloatVector.zero(FLOATS);
                for (int i = 0; i < mix.reads(); i++) {
                    read = FloatVector.fromMemorySegment(FLOATS, memory, i * distance + at, ORDER);
                    seen = seen.max(read);
                }
                for (int i = 0; i < mix.writes(); i++) {
                    read.intoMemorySegment(memory, mix.target(i) * distance + at, ORDER);
                }
            }
            if (seen.lane(0) > Float.MAX_VALUE) {
                throw new IllegalStateException("the memory holds what was not put there");
            }
        });
    }
}
