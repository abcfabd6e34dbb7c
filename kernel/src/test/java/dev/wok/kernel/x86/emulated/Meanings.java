package dev.wok.kernel.x86.emulated;

import java.util.HashMap;
import java.util.Map;
import java.util.function.IntUnaryOperator;

/// What the vector instructions compute, by name.
final class Meanings {
    static final Body MOVE = (v, to, _, _, b, bytes, _) -> System.arraycopy(v, b, v, to, bytes >> 2);

    private static final int BYTE = 0xFF;
    private static final int WORD = 0xFFFF;
    private static final Map<String, Body> BODIES = new HashMap<>();

    private Meanings() {}

    /// @throws IllegalStateException where the instruction has none
    static Body of(String name) {
        Body body = BODIES.get(name);
        if (body == null) {
            throw new IllegalStateException("no meaning of " + name);
        }
        return body;
    }

    private static void ints(String name, EachInt.Function function) {
        BODIES.put(name, Copies.of(function));
    }

    private static void longs(String name, EachLong.Function function) {
        BODIES.put(name, Copies.of(function));
    }

    private static void body(String names, Body body) {
        for (String name : names.split(" ", -1)) {
            BODIES.put(name, body);
        }
    }

    static {
        body("vmovups vmovdqu32 vmovdqu16 vmovdqu8 vmovntps vmovss vmovsd vmovd vmovq vblendmps", MOVE);
        arithmetic();
        integers();
        conversions();
        shuffles();
    }

    private static int ones(boolean condition) {
        return condition ? -1 : 0;
    }

    private static void arithmetic() {
        ints("vaddps", (_, a, b, _) -> Floats.add(a, b));
        ints("vsubps", (_, a, b, _) -> Floats.subtract(a, b));
        ints("vmulps", (_, a, b, _) -> Floats.multiply(a, b));
        ints("vdivps", (_, a, b, _) -> Floats.divide(a, b));
        ints("vmaxps", (_, a, b, _) -> Floats.most(a, b));
        ints("vminps", (_, a, b, _) -> Floats.least(a, b));
        ints("vsqrtps", (_, _, b, _) -> Floats.root(b));
        ints("vfmadd132ps", (w, a, b, _) -> Floats.fma(w, b, a));
        ints("vfmadd213ps", (w, a, b, _) -> Floats.fma(a, w, b));
        ints("vfmadd231ps", (w, a, b, _) -> Floats.fma(a, b, w));
        ints("vfmsub213ps", (w, a, b, _) -> Floats.fms(a, w, b));
        ints("vfmsub231ps", (w, a, b, _) -> Floats.fms(a, b, w));
        ints("vfnmadd213ps", (w, a, b, _) -> Floats.fnma(a, w, b));
        ints("vfnmadd231ps", (w, a, b, _) -> Floats.fnma(a, b, w));
        body("vfmaddsub213ps", (v, to, was, a, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i += 2) {
                v[to + i] = Floats.fms(v[a + i], v[was + i], v[b + i]);
                v[to + i + 1] = Floats.fma(v[a + i + 1], v[was + i + 1], v[b + i + 1]);
            }
        });
        ints("vcmpps", (_, a, b, predicate) -> ones(Floats.compares(predicate, a, b)));
        ints("vfpclassps", (_, _, b, kinds) -> ones(Floats.isOneOf(kinds, b)));
        ints("vrndscaleps", (_, _, b, immediate) -> Floats.roundScale(b, immediate));
        ints("vreduceps", (_, _, b, immediate) -> Floats.reduce(b, immediate));
        ints("vscalefps", (_, a, b, _) -> Floats.scale(a, b));
        ints("vdpbf16ps", (w, a, b, _) -> Floats.dot(w, a, b));
        longs("vaddpd", (_, a, b) -> Doubles.add(a, b));
        longs("vsubpd", (_, a, b) -> Doubles.subtract(a, b));
        longs("vmulpd", (_, a, b) -> Doubles.multiply(a, b));
        longs("vdivpd", (_, a, b) -> Doubles.divide(a, b));
        longs("vsqrtpd", (_, _, b) -> Doubles.root(b));
        longs("vfmadd213pd", (w, a, b) -> Doubles.fma(a, w, b));
        longs("vfmadd231pd", (w, a, b) -> Doubles.fma(a, b, w));
    }

    private static void integers() {
        ints("vpdpbusd", (w, a, b, _) -> Integers.dotBytes(w, a, b));
        ints("vpmaddubsw", (_, a, b, _) -> Integers.dotBytesInPairs(a, b));
        ints("vpmaddwd", (_, a, b, _) -> Integers.dotWords(a, b));
        ints("vandps", (_, a, b, _) -> a & b);
        ints("vandnps", (_, a, b, _) -> ~a & b);
        ints("vorps", (_, a, b, _) -> a | b);
        ints("vxorps", (_, a, b, _) -> a ^ b);
        ints("vpternlogd", Integers::choose);
        ints("vpaddd", (_, a, b, _) -> a + b);
        ints("vpsubd", (_, a, b, _) -> a - b);
        ints("vpaddw", (_, a, b, _) -> Integers.addWords(a, b));
        ints("vpmulld", (_, a, b, _) -> a * b);
        ints("vpmaxsd", (_, a, b, _) -> Math.max(a, b));
        ints("vpminsd", (_, a, b, _) -> Math.min(a, b));
        ints("vpabsb", (_, _, b, _) -> Integers.magnitudes(b));
        ints("vpsignb", (_, a, b, _) -> Integers.timesSigns(a, b));
        ints("vpsllw", (_, _, b, count) -> Integers.shiftWordsLeft(b, count & 0xFF));
        ints("vpsrlw", (_, _, b, count) -> Integers.shiftWordsRight(b, count & 0xFF));
        ints("vpslld", (_, _, b, count) -> Integers.shiftLeft(b, count & 0xFF));
        ints("vpsrld", (_, _, b, count) -> Integers.shiftRight(b, count & 0xFF));
        ints("vpsrad", (_, _, b, count) -> Integers.shiftSignRight(b, count & 0xFF));
        ints("vpcmpeqd", (_, a, b, _) -> ones(a == b));
        ints("vpcmpgtd", (_, a, b, _) -> ones(a > b));
        ints("vpcmpd", (_, a, b, predicate) -> ones(Integers.compares(predicate, a, b)));
        ints("vblendvps", (w, a, b, _) -> w < 0 ? b : a);
    }

    private static void conversions() {
        ints("vcvtdq2ps", (_, _, b, _) -> Floats.fromInt(b));
        ints("vcvtps2dq", (_, _, b, _) -> Floats.nearestInt(b));
        ints("vcvttps2dq", (_, _, b, _) -> Floats.truncated(b));
        body("vcvtps2pd vcvtss2sd", (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 3; i++) {
                Pieces.put64(v, to, i, Floats.widened(v[b + i]));
            }
        });
        body("vcvtpd2ps vcvtsd2ss", (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 3; i++) {
                v[to + i] = Floats.narrowed(Pieces.get64(v, b, i));
            }
        });
        body("vcvtph2ps", (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                v[to + i] = Floats.fromHalf(Pieces.get16(v, b, i));
            }
        });
        body("vcvtps2ph", (v, to, _, _, b, bytes, immediate) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                Pieces.put16(v, to, i, Floats.toHalf(v[b + i], immediate));
            }
        });
        body("vcvtneps2bf16", toWords(Floats::toBf16));
        body("vcvtne2ps2bf16", (v, to, _, a, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                Pieces.put16(v, to, i, Floats.toBf16(v[b + i]));
                Pieces.put16(v, to, (bytes >> 2) + i, Floats.toBf16(v[a + i]));
            }
        });
        body("vpmovdw", toWords(a -> a));
        body("vpmovdb", toBytes(a -> a));
        body("vpmovsdb", toBytes(Shuffles::clampToByte));
        body("vpmovsxbw", (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 1; i++) {
                Pieces.put16(v, to, i, Pieces.get8(v, b, i));
            }
        });
        body("vpmovzxbw", (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 1; i++) {
                Pieces.put16(v, to, i, Pieces.get8(v, b, i) & 0xFF);
            }
        });
        body("vpmovsxbd", (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                v[to + i] = Pieces.get8(v, b, i);
            }
        });
        body("vpmovzxbd", (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                v[to + i] = Pieces.get8(v, b, i) & 0xFF;
            }
        });
        body("vpmovsxwd", (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                v[to + i] = Pieces.get16(v, b, i);
            }
        });
        body("vpmovzxwd", (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                v[to + i] = Pieces.get16(v, b, i) & WORD;
            }
        });
        body("vpmovzxdq", (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 3; i++) {
                Pieces.put64(v, to, i, Integer.toUnsignedLong(v[b + i]));
            }
        });
    }

    private static Body toWords(IntUnaryOperator narrowed) {
        return (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                Pieces.put16(v, to, i, narrowed.applyAsInt(v[b + i]));
            }
        };
    }

    private static Body toBytes(IntUnaryOperator narrowed) {
        return (v, to, _, _, b, bytes, _) -> {
            for (int i = 0; i < bytes >> 2; i++) {
                Pieces.put8(v, to, i, narrowed.applyAsInt(v[b + i]));
            }
        };
    }

    private static void shuffles() {
        body("vpbroadcastb", Shuffles.repeat(1));
        body("vpbroadcastw", Shuffles.repeat(2));
        body("vbroadcastss vpbroadcastd", Shuffles::repeatInt);
        body("vbroadcastsd vpbroadcastq", Shuffles.repeat(8));
        body("vbroadcastf128 vbroadcastf32x4", Shuffles.repeatBlock(4));
        body("vbroadcastf64x4", Shuffles.repeatBlock(8));
        body("vpackssdw", Shuffles.packWords(Integers::clampToWord));
        body("vpackusdw", Shuffles.packWords(value -> Math.clamp(value, 0, WORD)));
        body("vpacksswb", Shuffles.packBytes(Shuffles::clampToByte));
        body("vpackuswb", Shuffles.packBytes(value -> Math.clamp(value, 0, BYTE)));
        body("vpunpcklbw", Shuffles.interleave(1, false));
        body("vpunpckhbw", Shuffles.interleave(1, true));
        body("vpunpcklwd", Shuffles.interleave(2, false));
        body("vpunpckhwd", Shuffles.interleave(2, true));
        body("vunpcklps", Shuffles.interleave(4, false));
        body("vunpckhps", Shuffles.interleave(4, true));
        body("vunpcklpd", Shuffles.interleave(8, false));
        body("vunpckhpd", Shuffles.interleave(8, true));
        body("vshufps", Shuffles::shuffle);
        body("vpermilps", Shuffles::permuteInBlocks);
        body("vpshufb", Shuffles::shuffleBytes);
        body("vpermd", Shuffles::permute);
        body("vpermw", Shuffles::permuteWords);
        body("vpermt2d", Shuffles::permuteTwo);
        body("vpermt2w", Shuffles::permuteWordsOfTwo);
        body("vpermq", Shuffles::permuteLongs);
        body("vshuff32x4", Shuffles::shuffleBlocks);
        body("vperm2f128", Shuffles::chooseBlocks);
        body("vextractf32x4", Shuffles.extract(4));
        body("vextractf64x4", Shuffles.extract(8));
        body("vinsertf32x4", Shuffles.insert(4));
        body("vinsertf64x4", Shuffles.insert(8));
        body("vmovshdup", Shuffles.duplicate(1));
        body("vmovsldup", Shuffles.duplicate(0));
        body("vmovhlps", Shuffles::highToLow);
        body("vblendps", Shuffles::blend);
    }
}
