package dev.wok.device.emulated;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// The directions in which a result goes that its type cannot hold.
enum Rounding {
    /// To the nearest, to the even one of two.
    RN,
    /// Towards zero.
    RZ,
    /// Down.
    RM,
    /// Up.
    RP,
    /// To the nearest, away from zero where two are near.
    RNA;

    static @Nullable Rounding of(String modifier) {
        return switch (modifier) {
            case "rn", "rni" -> RN;
            case "rz", "rzi" -> RZ;
            case "rm", "rmi" -> RM;
            case "rp", "rpi" -> RP;
            case "rna" -> RNA;
            default -> null;
        };
    }

    static final List<String> FLOATS = List.of("rn", "rz", "rm", "rp", "rna");

    /// @param rest where the exact value lies beside `value`: its sign counts, smaller than anything of `value`
    /// @return the whole number that the exact value rounds to
    double toWhole(double value, double rest) {
        if (Double.isNaN(value) || Double.isInfinite(value) || Math.abs(value) >= 0x1p53) {
            return value;
        }
        double floor = Math.floor(value);
        double fraction = value - floor;
        boolean isBelow = fraction == 0 && rest < 0;
        if (fraction == 0 && rest == 0) {
            return value;
        }
        double lower = isBelow ? floor - 1 : floor;
        double result = switch (this) {
            case RM -> lower;
            case RP -> lower + 1;
            case RZ -> value < 0 || value == 0 && rest < 0 ? lower + 1 : lower;
            case RN, RNA -> {
                if (isBelow) {
                    yield floor;
                }
                if (fraction != 0.5 || rest != 0) {
                    yield fraction > 0.5 || fraction == 0.5 && rest > 0 ? lower + 1 : lower;
                }
                boolean up = this == RNA ? value > 0 : lower % 2 != 0;
                yield up ? lower + 1 : lower;
            }
        };
        return result == 0 ? Math.copySign(0.0, value == 0 ? rest : value) : result;
    }
}
