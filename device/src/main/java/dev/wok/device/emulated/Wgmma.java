package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Listing.Vector;
import org.jspecify.annotations.Nullable;

/// `wgmma`: `D = A * B (+ D)` by four warps, `[64, k] * [k, n]`, `k` of 32 bytes. `B`, and `A` where it is not in
/// registers, lie in shared memory as descriptors say.
///
/// A descriptor (PTX ISA, matrix descriptor format), all addresses and distances in units of 16 bytes:
///
/// ```
/// bits 0-13 start | 16-29 leading distance | 32-45 stride distance | 49-51 base offset | 62-63 swizzle: 0 none, 1 128,
/// 2 64, 3 32
/// ```
///
/// With `s` the span of the swizzle in bytes, a number lies, before it is swizzled, at
///
/// | | along rows (`A`'s m, `B`'s n) | along `k` |
/// |---|---|---|
/// | k side by side, swizzled | `r % 8 * s + r / 8 * stride` | its bytes |
/// | k side by side, not swizzled | `r % 8 * 16 + r / 8 * stride` | `bytes % 16 + bytes / 16 * leading` |
/// | transposed, swizzled | `bytes % s + bytes / s * leading` | `k % 8 * s + k / 8 * stride` |
/// | transposed, not swizzled | `bytes % 16 + bytes / 16 * stride` | `k % 8 * 16 + k / 8 * leading` |
///
/// Each warp computes its own 16 rows.
final class Wgmma {
    private static final int K_BYTES = 32;

    private Wgmma() {}

    static @Nullable Step decode(Call call) {
        String what = call.need("fence", "commit_group", "wait_group", "mma_async");
        call.need("sync");
        call.need("aligned");
        return switch (what) {
            case "fence" -> together(call, Asynchronous::fenceWgmma);
            case "commit_group" -> together(call, Asynchronous::commitWgmma);
            case "wait_group" -> {
                call.count(1);
                int open = (int) call.constant(0);
                yield (warp, lanes) -> {
                    if (warp.allTogether(lanes)) {
                        warp.asynchronous.waitWgmma(open);
                    }
                };
            }
            default -> multiply(call);
        };
    }

    private interface OnWarp {
        void run(Asynchronous asynchronous);
    }

    private static Step together(Call call, OnWarp action) {
        call.count(0);
        return (warp, lanes) -> {
            if (warp.allTogether(lanes)) {
                action.run(warp.asynchronous);
            }
        };
    }

    /// An operand in shared memory.
    ///
    /// @param bits of a number
    private record Operand(long start, long leading, long stride, Swizzle swizzle, boolean isTransposed, int bits) {
        static Operand of(Warp warp, int lanes, long descriptor, boolean isTransposed, int bits) {
            if ((descriptor >>> 49 & 7) != 0) {
                throw warp.fault(
                        Kind.INVALID, lanes, "use a descriptor with a base offset, which the emulator does not know");
            }
            Swizzle swizzle = switch ((int) (descriptor >>> 62)) {
                case 0 -> Swizzle.NONE;
                case 1 -> Swizzle.B128;
                case 2 -> Swizzle.B64;
                default -> Swizzle.B32;
            };
            return new Operand(
                    (descriptor & 0x3FFF) << 4,
                    (descriptor >>> 16 & 0x3FFF) << 4,
                    (descriptor >>> 32 & 0x3FFF) << 4,
                    swizzle,
                    isTransposed,
                    bits);
        }

        /// @return where a number lies in shared memory
        long address(int row, int k) {
            int width = bits / 8;
            int span = swizzle.span;
            boolean isPlain = swizzle == Swizzle.NONE;
            long offset;
            if (isTransposed) {
                int bytes = row * width;
                offset = bytes % span + bytes / span * (isPlain ? stride : leading);
                offset += k % 8 * span + k / 8 * (isPlain ? leading : stride);
            } else {
                int bytes = k * width;
                offset = row % 8 * span + row / 8 * stride;
                offset += isPlain ? bytes % 16 + bytes / 16 * leading : bytes;
            }
            return swizzle.apply(start + offset);
        }
    }

    private static Step multiply(Call call) {
        String shape = call.peek();
        call.skip();
        if (!shape.matches("m64n[0-9]+k[0-9]+")) {
            throw call.error("a shape such as .m64n128k16 is expected, not ." + shape);
        }
        int n = Integer.parseInt(shape.substring(4, shape.indexOf('k')));
        int k = Integer.parseInt(shape.substring(shape.indexOf('k') + 1));
        boolean isFinite = call.take("satfinite");
        Type d = call.type(Type.F32, Type.F16, Type.S32);
        Type a = call.type();
        Type b = call.type();
        if (n % 8 != 0 || n < 8 || n > 256 || k * a.bits != K_BYTES * 8 || a.bits != b.bits || !fits(d, a, b)) {
            throw call.error("there is no wgmma %s of these types".formatted(shape));
        }
        boolean isInteger = a.isInteger();
        boolean mayTranspose = a == Type.F16 || a == Type.BF16;
        Fragments.Sum sum = Fragments.Sum.of(d);
        int[] to = call.writeVector(0, d == Type.F16 ? Type.F16X2 : d, n / 8 * sum.registers(), false);
        boolean isInRegisters = call.operand(1) instanceof Vector;
        Value[] left = isInRegisters ? call.readVector(1, Type.B32, 4, false) : new Value[] {call.read(1, Type.B64)};
        Value right = call.read(2, Type.B64);
        int immediates = isInteger ? 0 : mayTranspose ? (isInRegisters ? 3 : 4) : 2;
        call.count(4 + immediates);
        Call.Flag accumulates = call.flag(call.operand(3));
        long scaleA = isInteger ? 1 : call.constant(4);
        long scaleB = isInteger ? 1 : call.constant(5);
        if (Math.abs(scaleA) != 1 || Math.abs(scaleB) != 1) {
            throw call.error("operands are scaled by 1 or -1");
        }
        boolean transA = mayTranspose && !isInRegisters && call.constant(6) != 0;
        boolean transB = mayTranspose && call.constant(isInRegisters ? 6 : 7) != 0;
        double sign = scaleA * scaleB;
        int[] leftSlots = slots(left);
        Fragments.Element leftElement = Fragments.element(a);
        Fragments.Element rightElement = Fragments.element(b);
        return (warp, lanes) -> {
            if (!warp.allTogether(lanes)) {
                return;
            }
            if (warp.index / 4 * 4 + 4 > warp.block.warps.length || lanes != -1) {
                throw warp.fault(Kind.DIVERGED, lanes, "start wgmma, which four whole warps must do together");
            }
            double[] x = isInRegisters
                    ? Fragments.a(warp, left, k, a.bits, leftElement)
                    : rows(
                            warp,
                            Operand.of(warp, lanes, left[0].uniform(warp, lanes), transA, a.bits),
                            warp.index % 4 * 16,
                            16,
                            k,
                            leftElement);
            double[] y = rows(
                    warp, Operand.of(warp, lanes, right.uniform(warp, lanes), transB, b.bits), 0, n, k, rightElement);
            if (isInRegisters) {
                warp.asynchronous.occupy(leftSlots, "");
            }
            warp.asynchronous.occupy(to, call.statement.modifiers().get(3));
            boolean adds = accumulates.at(warp) != 0;
            for (int row = 0; row < 16; row++) {
                for (int column = 0; column < n; column++) {
                    int from = column / 8 * sum.registers();
                    double total = 0;
                    for (int i = 0; i < k; i++) {
                        total += x[row * k + i] * y[column * k + i];
                    }
                    total *= sign;
                    total += adds ? sum.get(warp.registers, to, from, row, column % 8) : 0;
                    sum.set(warp.registers, to, from, row, column % 8, total, isFinite);
                }
            }
        };
    }

    private static int[] slots(Value[] values) {
        int[] slots = new int[values.length];
        for (int i = 0; i < slots.length; i++) {
            slots[i] = values[i].slot();
        }
        return slots;
    }

    private static boolean fits(Type d, Type a, Type b) {
        return switch (a) {
            case BF16, TF32 -> b == a && d == Type.F32;
            case F16 -> b == a && d != Type.S32;
            case E4M3, E5M2 -> (b == Type.E4M3 || b == Type.E5M2) && d != Type.S32;
            case S8, U8 -> (b == Type.S8 || b == Type.U8) && d == Type.S32;
            default -> false;
        };
    }

    /// Reads rows of an operand.
    ///
    /// @return `[rows, k]`
    private static double[] rows(Warp warp, Operand operand, int from, int count, int k, Fragments.Element element) {
        double[] matrix = new double[count * k];
        int width = operand.bits / 8;
        // Numbers that lie side by side are checked together: 16 bytes always are.
        int side = operand.isTransposed ? Math.min(count, 16 / width) : 16 / width;
        for (int row = 0; row < count; row += operand.isTransposed ? side : 1) {
            for (int column = 0; column < k; column += operand.isTransposed ? 1 : side) {
                long address = operand.address(from + row, column);
                warp.resolveUnaligned(address, 16, Listing.Space.SHARED, 0);
                if (!warp.region.isWritten(warp.offset, 16)) {
                    throw warp.fault(
                            Kind.UNINITIALIZED,
                            -1,
                            "multiply byte %d of %s, which nobody has written"
                                    .formatted(warp.offset, warp.region.name));
                }
                warp.asynchronous.touchByWgmma(16);
                for (int i = 0; i < side; i++) {
                    int r = operand.isTransposed ? row + i : row;
                    int c = operand.isTransposed ? column : column + i;
                    matrix[r * k + c] = element.of(warp.region.get(warp.offset + i * width, width));
                }
            }
        }
        return matrix;
    }
}
