package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Listing.Operand;
import dev.wok.device.emulated.Listing.Pair;
import org.jspecify.annotations.Nullable;

/// What lanes of a warp tell each other: `shfl vote match redux elect activemask`.
final class Shuffles {
    private Shuffles() {}

    static @Nullable Step decode(Call call) {
        String opcode = call.statement.opcode();
        if (opcode.equals("activemask")) {
            call.type(Type.B32);
            call.count(1);
            int to = call.write(0, Type.B32);
            return (warp, lanes) -> fill(warp, to, lanes, lanes & 0xFFFF_FFFFL);
        }
        if (opcode.equals("match")) {
            return match(call);
        }
        if (!call.take("sync")) {
            throw call.error("%s without .sync has been withdrawn".formatted(opcode));
        }
        return switch (opcode) {
            case "shfl" -> shuffle(call);
            case "vote" -> vote(call);
            case "redux" -> reduce(call);
            default -> elect(call);
        };
    }

    /// What lanes that name the same members do.
    interface OnMask {
        void run(int lanes, int members);
    }

    /// Runs for the lanes of each mask in turn, which must belong to it.
    static void forEachMask(Warp warp, int lanes, Value mask, OnMask action) {
        for (int rest = lanes; rest != 0; ) {
            int members = (int) mask.uniform(warp, rest);
            int group = rest;
            if (mask.slot() >= 0) {
                group = 0;
                for (int others = rest; others != 0; others &= others - 1) {
                    int lane = Integer.numberOfTrailingZeros(others);
                    group |= (int) mask.at(warp, lane) == members ? 1 << lane : 0;
                }
            }
            rest &= ~group;
            int outside = group & ~members;
            if (outside != 0) {
                throw warp.fault(Kind.DIVERGED, outside, "execute what only the members 0x%08x may".formatted(members));
            }
            action.run(group, members);
        }
    }

    /// As [#forEachMask], when all members are here.
    private static Step together(Value mask, Step action) {
        return (warp, lanes) -> forEachMask(warp, lanes, mask, (group, members) -> {
            if (warp.together(group, members)) {
                action.run(warp, group);
            }
        });
    }

    private static void fill(Warp warp, int slot, int lanes, long value) {
        for (int rest = lanes; rest != 0; rest &= rest - 1) {
            warp.registers[slot << 5 | Integer.numberOfTrailingZeros(rest)] = value;
        }
    }

    private static Step shuffle(Call call) {
        String mode = call.need("up", "down", "bfly", "idx");
        call.type(Type.B32);
        call.count(5);
        Operand results = call.operand(0);
        int to = call.write(results instanceof Pair(Operand first, Operand _) ? first : results, Type.B32, false);
        int inRange = results instanceof Pair(Operand _, Operand second) ? call.writePredicate(second) : Call.NOBODY;
        Value a = call.read(1, Type.B32);
        Value b = call.read(2, Type.U32);
        Value c = call.read(3, Type.U32);
        Value mask = call.read(4, Type.B32);
        return together(mask, (warp, lanes) -> {
            long[] values = new long[Warp.LANES];
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                values[lane] = a.at(warp, lane);
            }
            int good = 0;
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                int by = (int) b.at(warp, lane) & 31;
                int clamp = (int) c.at(warp, lane) & 31;
                int segment = (int) c.at(warp, lane) >>> 8 & 31;
                int most = lane & segment | clamp & ~segment;
                int source = switch (mode) {
                    case "up" -> lane - by;
                    case "down" -> lane + by;
                    case "bfly" -> lane ^ by;
                    default -> lane & segment | by & ~segment;
                };
                boolean isIn = mode.equals("up") ? source >= most : source <= most;
                source = isIn ? source : lane;
                if ((lanes >>> source & 1) == 0) {
                    throw warp.fault(
                            Kind.INVALID, 1 << lane, "take what lane %d has, which takes no part".formatted(source));
                }
                good |= isIn ? 1 << lane : 0;
                warp.registers[to << 5 | lane] = values[source];
            }
            if (inRange != Call.NOBODY) {
                warp.setPredicate(inRange, lanes, good);
            }
        });
    }

    private static Step vote(Call call) {
        String mode = call.need("all", "any", "uni", "ballot");
        boolean isBallot = mode.equals("ballot");
        call.type(isBallot ? Type.B32 : Type.PRED);
        call.count(3);
        int to = isBallot ? call.write(0, Type.B32) : call.predicate(call.operand(0));
        Call.Flag flag = call.flag(call.operand(1));
        Value mask = call.read(2, Type.B32);
        return together(mask, (warp, lanes) -> {
            int votes = flag.at(warp) & lanes;
            switch (mode) {
                case "ballot" -> fill(warp, to, lanes, votes & 0xFFFF_FFFFL);
                case "all" -> warp.setPredicate(to, lanes, votes == lanes ? -1 : 0);
                case "any" -> warp.setPredicate(to, lanes, votes != 0 ? -1 : 0);
                default -> warp.setPredicate(to, lanes, votes == lanes || votes == 0 ? -1 : 0);
            }
        });
    }

    private static Step match(Call call) {
        boolean isAny = call.need("any", "all").equals("any");
        call.need("sync");
        Type type = call.type(Type.B32, Type.B64);
        Type unsigned = type == Type.B32 ? Type.U32 : Type.U64;
        call.count(3);
        Operand results = call.operand(0);
        int to = call.write(results instanceof Pair(Operand first, Operand _) ? first : results, Type.B32, false);
        int same = results instanceof Pair(Operand _, Operand second) ? call.writePredicate(second) : Call.NOBODY;
        Value a = call.read(1, type);
        Value mask = call.read(2, Type.B32);
        return together(mask, (warp, lanes) -> {
            long[] values = new long[Warp.LANES];
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                values[lane] = unsigned.extend(a.at(warp, lane));
            }
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                int equal = 0;
                for (int others = lanes; others != 0; others &= others - 1) {
                    int other = Integer.numberOfTrailingZeros(others);
                    equal |= values[other] == values[lane] ? 1 << other : 0;
                }
                boolean isSame = equal == lanes;
                warp.registers[to << 5 | lane] = (isAny || isSame ? equal : 0) & 0xFFFF_FFFFL;
                if (same != Call.NOBODY) {
                    warp.setPredicate(same, 1 << lane, isSame ? -1 : 0);
                }
            }
        });
    }

    private static Step reduce(Call call) {
        String operator = call.need("add", "min", "max", "and", "or", "xor");
        boolean isBits = operator.equals("and") || operator.equals("or") || operator.equals("xor");
        Type type = isBits ? call.type(Type.B32) : call.type(Type.U32, Type.S32);
        Type wide = isBits ? Type.U32 : type;
        call.count(3);
        int to = call.write(0, type);
        Value a = call.read(1, type);
        Value mask = call.read(2, Type.B32);
        return together(mask, (warp, lanes) -> {
            long result = wide.extend(a.uniform(warp, lanes));
            for (int rest = lanes & lanes - 1; rest != 0; rest &= rest - 1) {
                long value = wide.extend(a.at(warp, Integer.numberOfTrailingZeros(rest)));
                result = switch (operator) {
                    case "add" -> result + value;
                    case "min" -> Math.min(result, value);
                    case "max" -> Math.max(result, value);
                    default -> Bits.apply(operator, result, value);
                };
            }
            fill(warp, to, lanes, result);
        });
    }

    private static Step elect(Call call) {
        call.count(2);
        if (!(call.operand(0) instanceof Pair(Operand leader, Operand chosen))) {
            throw call.error("elect.sync has two results, such as %r1|%p1");
        }
        int to = call.writeOrNobody(leader, Type.B32, false);
        int predicate = call.predicate(chosen);
        Value mask = call.read(1, Type.B32);
        return together(mask, (warp, lanes) -> {
            int first = Integer.numberOfTrailingZeros(lanes);
            if (to != Call.NOBODY) {
                fill(warp, to, lanes, first);
            }
            warp.setPredicate(predicate, lanes, 1 << first);
        });
    }
}
