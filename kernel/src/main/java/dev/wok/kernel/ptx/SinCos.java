package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// Sine and cosine in double precision, to about one unit in the last place, of numbers that are those
/// of float32.
///
/// The angle is reduced by multiples of pi/2 in three parts (W. Cody and W. Waite, 1980). The first
/// product leaves nothing to round: what remains is less than 2 and a multiple of `2^-52`. No float32
/// up to `2^31` lies nearer to a multiple of pi/2 than `2^-28`, so the other two leave an error of
/// `2^-52` of what remains. The polynomials are those of fdlibm, good to `2^-57`.
final class SinCos {
    private static final double TWO_OVER_PI = 2 / Math.PI;
    private static final double[] HALF_PI = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};

    private static final double[] SINE = {
        1.58969099521155010221e-10,
        -2.50507602534068634195e-08,
        2.75573137070700676789e-06,
        -1.98412698298579493134e-04,
        8.33333333332248946124e-03,
        -1.66666666666666324348e-01
    };

    private static final double[] COSINE = {
        -1.13596475577881948265e-11,
        2.08757232129817482790e-09,
        -2.75573143513906633035e-07,
        2.48015872894767294178e-05,
        -1.38888888888741095749e-03,
        4.16666666666666019037e-02
    };

    private SinCos() {}

    /// @param sine written; not `angle`
    /// @param cosine written; not `angle`
    /// @param angle F64, the value of a float32; unchanged
    static void of(PtxKernel k, Reg sine, Reg cosine, Reg angle) {
        Reg quarters = k.reg(Type.F64, "quarters");
        Reg rest = k.reg(Type.F64, "rest");
        Reg square = k.reg(Type.F64, "square");
        Reg factor = k.reg(Type.F64, "factor");
        k.comment("rest = angle - quarters * pi/2");
        k.mul(quarters, angle, TWO_OVER_PI);
        k.op("cvt.rni.f64.f64", quarters, quarters);
        k.mov(rest, angle);
        for (double part : HALF_PI) {
            k.fma(rest, quarters, -part, rest);
        }
        k.comment("sin(rest) = rest + rest^3 * s(rest^2), cos(rest) = 1 - rest^2 / 2 + rest^4 * c(rest^2)");
        k.mul(square, rest, rest);
        polynomial(k, sine, square, SINE);
        k.mul(factor, square, rest);
        k.fma(sine, sine, factor, rest);
        polynomial(k, cosine, square, COSINE);
        k.mul(factor, square, square);
        k.mul(cosine, cosine, factor);
        k.fma(cosine, square, -0.5, cosine);
        k.add(cosine, cosine, 1.0);

        k.comment(
                "a quarter further the sine is the cosine, the cosine the negative sine; a half further both change sign");
        Reg quadrant = k.reg(Type.S64, "quadrant");
        Reg bit = k.reg(Type.S64, "bit");
        k.op("cvt.rni.s64.f64", quadrant, quarters);
        k.and(bit, quadrant, 1L);
        Reg isOdd = k.compare("is_odd", Compare.NE, bit, 0L);
        k.neg(factor, sine);
        k.selp(square, cosine, sine, isOdd);
        k.selp(cosine, factor, cosine, isOdd);
        k.mov(sine, square);
        k.and(bit, quadrant, 2L);
        Reg isHalf = k.compare("is_half", Compare.NE, bit, 0L);
        k.onlyIf(isHalf, () -> k.neg(sine, sine));
        k.onlyIf(isHalf, () -> k.neg(cosine, cosine));
        k.comment("the sine of zero keeps its sign");
        k.onlyIf(k.compare(Compare.EQ, angle, 0.0), () -> k.mov(sine, angle));
    }

    private static void polynomial(PtxKernel k, Reg sum, Reg x, double[] factors) {
        k.mov(sum, factors[0]);
        for (int i = 1; i < factors.length; i++) {
            k.fma(sum, sum, x, factors[i]);
        }
    }
}
