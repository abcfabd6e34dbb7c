package dev.wok.device.emulated;

import dev.wok.device.emulated.Listing.Name;
import dev.wok.device.emulated.Listing.Space;
import dev.wok.device.emulated.Listing.Vector;
import org.jspecify.annotations.Nullable;

/// `mov`, and what turns addresses of one state space into those of another.
final class Moves {
    private Moves() {}

    static @Nullable Step decode(Call call) {
        return switch (call.statement.opcode()) {
            case "mov" -> move(call);
            case "cvta" -> convert(call);
            case "isspacep" -> isIn(call);
            case "mapa" -> map(call);
            default -> rank(call);
        };
    }

    private static @Nullable Step move(Call call) {
        Type type = call.type();
        call.count(2);
        if (type == Type.PRED) {
            int to = call.predicate(call.operand(0));
            Call.Flag from = call.flag(call.operand(1));
            return (warp, lanes) -> warp.setPredicate(to, lanes, from.at(warp));
        }
        if (call.operand(0) instanceof Vector(var elements)) {
            return unpack(call, type, elements.size());
        }
        int to = call.write(0, type);
        if (call.operand(1) instanceof Vector(var elements)) {
            return pack(call, type, to, elements.size());
        }
        if (call.operand(1) instanceof Name(String name)) {
            Specials.Special special = Specials.of(name);
            if (special != null && !special.isFixed()) {
                return (warp, lanes) -> {
                    for (int rest = lanes; rest != 0; rest &= rest - 1) {
                        int lane = Integer.numberOfTrailingZeros(rest);
                        warp.registers[to << 5 | lane] = special.value().applyAsLong(warp, lane);
                    }
                };
            }
        }
        Value from = call.read(1, type);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.registers[to << 5 | lane] = from.at(warp, lane);
            }
        };
    }

    private static Type part(Call call, Type type, int count) {
        int bits = type.bits / count;
        return switch (bits) {
            case 8 -> Type.B8;
            case 16 -> Type.B16;
            case 32 -> Type.B32;
            case 64 -> Type.B64;
            default -> throw call.error("%d numbers do not make one of .%s".formatted(count, type.text()));
        };
    }

    private static Step pack(Call call, Type type, int to, int count) {
        Type part = part(call, type, count);
        Value[] parts = call.readVector(1, part, count, false);
        int bits = part.bits;
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long whole = 0;
                for (int i = 0; i < count; i++) {
                    whole |= (parts[i].at(warp, lane) & (1L << bits) - 1) << i * bits;
                }
                warp.registers[to << 5 | lane] = whole;
            }
        };
    }

    private static Step unpack(Call call, Type type, int count) {
        Type part = part(call, type, count);
        int[] parts = call.writeVector(0, part, count, false);
        Value from = call.read(1, type);
        int bits = part.bits;
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long whole = from.at(warp, lane);
                for (int i = 0; i < count; i++) {
                    if (parts[i] != Call.NOBODY) {
                        warp.registers[parts[i] << 5 | lane] = whole >>> i * bits & (1L << bits) - 1;
                    }
                }
            }
        };
    }

    /// Takes the name of a state space.
    static @Nullable Space space(Call call) {
        String name = call.takeOne(
                "global",
                "shared::cta",
                "shared::cluster",
                "shared",
                "local",
                "param::entry",
                "param::func",
                "param",
                "const");
        return name == null
                ? null
                : switch (name) {
                    case "global" -> Space.GLOBAL;
                    case "shared", "shared::cta", "shared::cluster" -> Space.SHARED;
                    case "local" -> Space.LOCAL;
                    case "const" -> Space.CONST;
                    default -> Space.PARAM;
                };
    }

    private static Step convert(Call call) {
        boolean fromGeneric = call.take("to");
        Space space = space(call);
        if (space == null) {
            throw call.error("cvta names a state space");
        }
        Type type = call.type(Type.U64, Type.U32);
        long window = Decoder.window(space);
        long mask = (1L << 56) - 1;
        return Arithmetic.unary(call, type, fromGeneric ? a -> a & mask : a -> window == 0 ? a : (a & mask) | window);
    }

    private static Step isIn(Call call) {
        Space space = space(call);
        call.count(2);
        int to = call.predicate(call.operand(0));
        Value address = call.read(1, Type.U64);
        long window = Decoder.window(space == null ? Space.GLOBAL : space);
        return (warp, lanes) -> {
            int holds = 0;
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                holds |= address.at(warp, lane) >>> 56 == window >>> 56 ? 1 << lane : 0;
            }
            warp.setPredicate(to, lanes, holds);
        };
    }

    /// The address of the same place in the shared memory of another block of the cluster.
    private static Step map(Call call) {
        boolean isGeneric = !call.take("shared::cluster");
        Type type = call.type(Type.U32, Type.U64);
        call.count(3);
        int to = call.write(0, type);
        Value address = call.read(1, type);
        Value rank = call.read(2, Type.U32);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long offset = address.at(warp, lane) & (1L << Warp.RANK_BITS) - 1;
                long mapped = (rank.at(warp, lane) + 1) << Warp.RANK_BITS | offset;
                warp.registers[to << 5 | lane] = isGeneric ? mapped | Warp.SHARED_WINDOW : mapped;
            }
        };
    }

    private static Step rank(Call call) {
        call.take("shared::cluster");
        Type type = call.type(Type.U32, Type.U64);
        call.count(2);
        int to = call.write(0, Type.U32);
        Value address = call.read(1, type);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long rank = (address.at(warp, lane) & 0xFFFF_FFFFL) >>> Warp.RANK_BITS;
                warp.registers[to << 5 | lane] = rank == 0 ? warp.block.rank : rank - 1;
            }
        };
    }
}
