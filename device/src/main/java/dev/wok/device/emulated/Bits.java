package dev.wok.device.emulated;

import org.jspecify.annotations.Nullable;

/// Operations on bits: logic, shifts, fields, permutations, and sums of products of bytes.
final class Bits {
    private Bits() {}

    static @Nullable Step decode(Call call) {
        return switch (call.statement.opcode()) {
            case "and", "or", "xor" -> logic(call);
            case "not", "cnot" -> not(call);
            case "shl", "shr" -> shift(call);
            case "shf" -> funnel(call);
            case "lop3" -> lookUp(call);
            case "prmt" -> permute(call);
            case "bfe", "bfi" -> field(call);
            case "bfind" -> find(call);
            case "clz", "popc", "brev" -> count(call);
            case "dp4a", "dp2a" -> dot(call);
            case "szext" -> {
                boolean clamps = call.need("clamp", "wrap").equals("clamp");
                Type type = call.type(Type.U32, Type.S32);
                yield Arithmetic.binary(call, type, type, Type.U32, (a, b) -> {
                    int length = (int) (clamps ? Math.min(b & 0xFFFF_FFFFL, 32) : b & 31);
                    int unused = 64 - length;
                    return length == 0 ? 0 : type.isSigned() ? a << unused >> unused : a << unused >>> unused;
                });
            }
            case "fns" -> {
                call.type(Type.B32);
                yield Arithmetic.ternary(call, Type.B32, Type.B32, Type.U32, Type.S32, Bits::nthSet);
            }
            case "bmsk" -> {
                boolean clamps = call.need("clamp", "wrap").equals("clamp");
                Type type = call.type(Type.B32);
                yield Arithmetic.binary(call, type, Type.U32, Type.U32, (a, b) -> {
                    long from = clamps ? Math.min(a & 0xFFFF_FFFFL, 32) : a & 31;
                    long length = clamps ? Math.min(b & 0xFFFF_FFFFL, 32) : b & 31;
                    return ((1L << length) - 1) << from & 0xFFFF_FFFFL;
                });
            }
            default -> null;
        };
    }

    private static Step logic(Call call) {
        String opcode = call.statement.opcode();
        Type type = call.type(Type.PRED, Type.B16, Type.B32, Type.B64);
        if (type == Type.PRED) {
            call.count(3);
            int to = call.predicate(call.operand(0));
            Call.Flag a = call.flag(call.operand(1));
            Call.Flag b = call.flag(call.operand(2));
            return (warp, lanes) -> warp.setPredicate(to, lanes, (int) apply(opcode, a.at(warp), b.at(warp)));
        }
        return switch (opcode) {
            case "and" -> Arithmetic.binary(call, type, (a, b) -> a & b);
            case "or" -> Arithmetic.binary(call, type, (a, b) -> a | b);
            default -> Arithmetic.binary(call, type, (a, b) -> a ^ b);
        };
    }

    static long apply(String operator, long a, long b) {
        return switch (operator) {
            case "and" -> a & b;
            case "or" -> a | b;
            case "xor" -> a ^ b;
            default -> throw new IllegalArgumentException(operator);
        };
    }

    private static @Nullable Step not(Call call) {
        boolean isLogical = call.statement.opcode().equals("cnot");
        Type type = isLogical
                ? call.type(Type.B16, Type.B32, Type.B64)
                : call.type(Type.PRED, Type.B16, Type.B32, Type.B64);
        if (type == Type.PRED) {
            call.count(2);
            int to = call.predicate(call.operand(0));
            Call.Flag a = call.flag(call.operand(1));
            return (warp, lanes) -> warp.setPredicate(to, lanes, ~a.at(warp));
        }
        Type unsigned = unsigned(type);
        return Arithmetic.unary(call, type, isLogical ? a -> unsigned.extend(a) == 0 ? 1 : 0 : a -> ~a);
    }

    private static Type unsigned(Type type) {
        return switch (type.bits) {
            case 8 -> Type.U8;
            case 16 -> Type.U16;
            case 32 -> Type.U32;
            default -> Type.U64;
        };
    }

    private static @Nullable Step shift(Call call) {
        boolean isLeft = call.statement.opcode().equals("shl");
        Type type = call.type();
        if (type.bits < 16
                || type.kind == Type.Kind.FLOAT
                || type.kind == Type.Kind.PACKED
                || isLeft && type.isInteger()) {
            return null;
        }
        return Arithmetic.binary(call, type, type, Type.U32, (a, b) -> {
            long by = Math.min(b & 0xFFFF_FFFFL, type.bits);
            if (isLeft) {
                return by >= 64 ? 0 : a << by;
            }
            long value = type.extend(a);
            if (type.isSigned()) {
                return value >> Math.min(by, 63);
            }
            return by >= 64 ? 0 : value >>> by;
        });
    }

    private static Step funnel(Call call) {
        boolean isLeft = call.need("l", "r").equals("l");
        boolean clamps = call.need("clamp", "wrap").equals("clamp");
        Type type = call.type(Type.B32);
        return Arithmetic.ternary(call, type, type, type, Type.U32, (a, b, c) -> {
            long both = (b & 0xFFFF_FFFFL) << 32 | a & 0xFFFF_FFFFL;
            int by = (int) (clamps ? Math.min(c & 0xFFFF_FFFFL, 32) : c & 31);
            return (isLeft ? both << by >>> 32 : both >>> by) & 0xFFFF_FFFFL;
        });
    }

    private static @Nullable Step lookUp(Call call) {
        String combine = call.takeOne("or", "and");
        Type type = call.type();
        if (type != Type.B32) {
            return null;
        }
        call.count(combine == null ? 5 : 6);
        Listing.Operand results = call.operand(0);
        boolean isTwo = combine != null && results instanceof Listing.Pair;
        int to = call.writeOrNobody(results instanceof Listing.Pair pair ? pair.first() : results, type, false);
        int isAny = isTwo ? call.writePredicate(((Listing.Pair) results).second()) : Call.NOBODY;
        Call.@Nullable Flag with = combine == null ? null : call.flag(call.operand(5));
        Value a = call.read(1, type);
        Value b = call.read(2, type);
        Value c = call.read(3, type);
        int table = (int) call.constant(4);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long x = a.at(warp, lane);
                long y = b.at(warp, lane);
                long z = c.at(warp, lane);
                long result = 0;
                for (int i = 0; i < 8; i++) {
                    if ((table >>> i & 1) != 0) {
                        result |= ((i & 4) != 0 ? x : ~x) & ((i & 2) != 0 ? y : ~y) & ((i & 1) != 0 ? z : ~z);
                    }
                }
                result &= 0xFFFF_FFFFL;
                if (to != Call.NOBODY) {
                    warp.registers[to << 5 | lane] = result;
                }
                if (combine != null && with != null && isAny != Call.NOBODY) {
                    long holds = apply(combine, result != 0 ? 1 : 0, with.at(warp) >>> lane & 1);
                    warp.setPredicate(isAny, 1 << lane, holds != 0 ? -1 : 0);
                }
            }
        };
    }

    /// `fns`: the place of the n-th set bit from a place on, upwards or down; all ones where there is none.
    private static long nthSet(long mask, long from, long count) {
        int step = (int) count < 0 ? -1 : 1;
        int wanted = Math.abs((int) count);
        int found = 0;
        if (wanted == 0) {
            return (mask >>> (from & 31) & 1) != 0 ? from & 31 : 0xFFFF_FFFFL;
        }
        for (int at = (int) from & 31; at >= 0 && at < 32; at += step) {
            found += (int) (mask >>> at & 1);
            if (found == wanted) {
                return at;
            }
        }
        return 0xFFFF_FFFFL;
    }

    private static Step permute(Call call) {
        Type type = call.type(Type.B32);
        String mode = call.takeOne("f4e", "b4e", "rc8", "ecl", "ecr", "rc16");
        return Arithmetic.ternary(call, type, (a, b, c) -> {
            long bytes = a & 0xFFFF_FFFFL | b << 32;
            long result = 0;
            for (int i = 0; i < 4; i++) {
                int selector = mode == null ? (int) (c >>> 4 * i) & 15 : selector(mode, i, (int) c & 3);
                long one = bytes >>> 8 * (selector & 7) & 0xFF;
                one = (selector & 8) == 0 ? one : (one & 0x80) != 0 ? 0xFF : 0;
                result |= one << 8 * i;
            }
            return result;
        });
    }

    private static int selector(String mode, int at, int control) {
        return switch (mode) {
            case "f4e" -> control + at & 7;
            case "b4e" -> control - at & 7;
            case "rc8" -> control;
            case "ecl" -> Math.max(control, at);
            case "ecr" -> Math.min(control, at);
            default -> (control & 1) * 2 + (at & 1);
        };
    }

    private static @Nullable Step field(Call call) {
        if (call.statement.opcode().equals("bfe")) {
            Type type = call.type(Type.U32, Type.S32, Type.U64, Type.S64);
            return Arithmetic.ternary(call, type, type, Type.U32, Type.U32, (a, b, c) -> {
                int from = (int) b & 0xFF;
                int length = (int) c & 0xFF;
                long value = type.extend(a);
                if (length == 0) {
                    return 0;
                }
                // Bits beyond the number are its sign where it has one.
                long moved = from >= type.bits
                        ? (type.isSigned() && value < 0 ? -1 : 0)
                        : type.isSigned() ? value >> from : value >>> from;
                if (length >= type.bits) {
                    return moved;
                }
                int unused = 64 - length;
                if (!type.isSigned()) {
                    return moved << unused >>> unused;
                }
                // The sign is the field's highest bit, or the number's where the field ends beyond it.
                return moved << unused >> unused;
            });
        }
        Type type = call.type(Type.B32, Type.B64);
        call.count(5);
        int to = call.write(0, type);
        Value a = call.read(1, type);
        Value b = call.read(2, type);
        Value c = call.read(3, Type.U32);
        Value d = call.read(4, Type.U32);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                int from = (int) c.at(warp, lane) & 0xFF;
                int length = (int) d.at(warp, lane) & 0xFF;
                long ones = length >= 64 ? -1 : (1L << length) - 1;
                long mask = from >= type.bits ? 0 : ones << from;
                long into = b.at(warp, lane);
                long bits = from >= 64 ? 0 : a.at(warp, lane) << from;
                warp.registers[to << 5 | lane] = into & ~mask | bits & mask;
            }
        };
    }

    private static Step find(Call call) {
        boolean asShift = call.take("shiftamt");
        Type type = call.type(Type.U32, Type.S32, Type.U64, Type.S64);
        call.count(2);
        int to = call.write(0, Type.U32);
        Value a = call.read(1, type);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long value = type.extend(a.at(warp, lane));
                value = type.isSigned() && value < 0 ? type.extend(~value) : value;
                int highest = 63 - Long.numberOfLeadingZeros(value);
                warp.registers[to << 5 | lane] =
                        highest < 0 ? 0xFFFF_FFFFL : asShift ? type.bits - 1 - highest : highest;
            }
        };
    }

    private static Step count(Call call) {
        String opcode = call.statement.opcode();
        Type type = call.type(Type.B32, Type.B64);
        Type result = opcode.equals("brev") ? type : Type.U32;
        Type unsigned = unsigned(type);
        call.count(2);
        int to = call.write(0, result);
        Value a = call.read(1, type);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long value = unsigned.extend(a.at(warp, lane));
                warp.registers[to << 5 | lane] = switch (opcode) {
                    case "clz" -> Long.numberOfLeadingZeros(value) - (64 - type.bits);
                    case "popc" -> Long.bitCount(value);
                    default -> Long.reverse(value) >>> 64 - type.bits;
                };
            }
        };
    }

    private static Step dot(Call call) {
        boolean isFour = call.statement.opcode().equals("dp4a");
        String half = isFour ? "" : call.need("lo", "hi");
        Type first = call.type(Type.U32, Type.S32);
        Type second = call.type(Type.U32, Type.S32);
        Type wide = first.isSigned() || second.isSigned() ? Type.S32 : Type.U32;
        Type left = isFour ? (first.isSigned() ? Type.S8 : Type.U8) : first.isSigned() ? Type.S16 : Type.U16;
        Type right = second.isSigned() ? Type.S8 : Type.U8;
        int count = isFour ? 4 : 2;
        int skip = half.equals("hi") ? 16 : 0;
        return Arithmetic.ternary(call, wide, first, second, wide, (a, b, c) -> {
            long sum = c;
            for (int i = 0; i < count; i++) {
                sum += left.extend(a >>> i * left.bits) * right.extend(b >>> skip + 8 * i);
            }
            return sum;
        });
    }
}
