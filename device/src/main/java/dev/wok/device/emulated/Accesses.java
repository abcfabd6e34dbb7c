package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Listing.Space;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// `ld st`, and hints about memory, which change nothing here.
final class Accesses {
    private static final Set<String> HINTS = Set.of(
            "ca",
            "cg",
            "cs",
            "lu",
            "cv",
            "wb",
            "wt",
            "nc",
            "weak",
            "L1::evict_normal",
            "L1::evict_unchanged",
            "L1::evict_first",
            "L1::evict_last",
            "L1::no_allocate",
            "L2::evict_normal",
            "L2::evict_first",
            "L2::evict_last",
            "L2::cache_hint",
            "L2::64B",
            "L2::128B",
            "L2::256B",
            "unified");
    static final Set<String> SCOPES = Set.of("cta", "cluster", "gpu", "sys");

    private Accesses() {}

    static @Nullable Step decode(Call call) {
        return switch (call.statement.opcode()) {
            case "ld", "ldu", "st" -> access(call);
            case "createpolicy" -> policy(call);
            default -> hint(call);
        };
    }

    /// How an access takes part in the order of memory.
    ///
    /// @param isStrong whether others may touch the place at the same time
    /// @param isWide whether threads of other blocks too
    record Order(boolean isStrong, boolean isAcquire, boolean isRelease, boolean isWide) {
        /// @return its kind in [Races]
        int kind() {
            return isStrong ? Races.STRONG | (isWide ? 0 : Races.IN_BLOCK) : 0;
        }
    }

    private static Step access(Call call) {
        boolean isStore = call.statement.opcode().equals("st");
        if (call.take("async")) {
            return MBarriers.async(call);
        }
        String strength = "";
        boolean isWide = true;
        Space space = Space.GENERIC;
        int length = 1;
        boolean isConstant = false;
        while (Type.of(call.peek()) == null) {
            String modifier = call.peek();
            Space named = Moves.space(call);
            if (named != null) {
                space = named;
                continue;
            }
            switch (modifier) {
                case "volatile", "relaxed", "mmio", "acquire", "release" -> strength = modifier;
                case "v2" -> length = 2;
                case "v4" -> length = 4;
                case "v8" -> length = 8;
                default -> {
                    if (!HINTS.contains(modifier) && !SCOPES.contains(modifier)) {
                        throw call.unknown();
                    }
                    isConstant |= modifier.equals("nc");
                    isWide &= !modifier.equals("cta");
                }
            }
            call.skip();
        }
        Order order = new Order(!strength.isEmpty(), strength.equals("acquire"), strength.equals("release"), isWide);
        Type type = call.type();
        if (type.kind == Type.Kind.PACKED || type.kind == Type.Kind.FLOAT && type != Type.F32 && type != Type.F64) {
            throw call.error(".%s numbers are read and written as .b%d".formatted(type.text(), type.bits));
        }
        call.count(2, 3);
        Call.Place place = call.place(isStore ? 0 : 1, space);
        if (space == Space.PARAM && isStore && place.isFixed() && place.base().constant() >>> Warp.WINDOW_BITS == 0) {
            throw call.error("a kernel's parameters cannot be written");
        }
        return isStore
                ? store(place, space, type, call.readVector(1, type, length, true), order)
                : load(call, place, space, type, call.writeVector(0, type, length, true), order, isConstant);
    }

    private static Step load(
            Call call, Call.Place place, Space space, Type type, int[] to, Order order, boolean isConstant) {
        call.count(2, 3);
        int width = type.bytes();
        int whole = width * to.length;
        int kind = order.kind() | (isConstant ? Races.READ_ONLY : 0);
        return (warp, lanes) -> {
            Banks banks = warp.block.grid.banks;
            banks.begin();
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.resolve(place.at(warp, lane), whole, space, lane);
                warp.touch(whole, kind, lane);
                if (order.isStrong) {
                    warp.ordering.observed(order, lane);
                }
                banks.add(warp, lane);
                for (int i = 0; i < to.length; i++) {
                    if (to[i] != Call.NOBODY) {
                        warp.registers[to[i] << 5 | lane] =
                                type.extend(warp.region.get(warp.offset + i * width, width));
                    }
                }
            }
            banks.end(warp, whole);
            if (order.isStrong) {
                warp.yieldIfSpinning();
            }
        };
    }

    private static Step store(Call.Place place, Space space, Type type, Value[] from, Order order) {
        int width = type.bytes();
        int whole = width * from.length;
        int kind = Races.WRITE | order.kind();
        return (warp, lanes) -> {
            Banks banks = warp.block.grid.banks;
            banks.begin();
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.resolve(place.at(warp, lane), whole, space, lane);
                warp.touch(whole, kind, lane);
                banks.add(warp, lane);
                if (order.isStrong) {
                    warp.ordering.published(order, false);
                }
                for (int i = 0; i < from.length; i++) {
                    warp.set(warp.offset + i * width, width, from[i].at(warp, lane));
                }
            }
            banks.end(warp, whole);
        };
    }

    private static Step hint(Call call) {
        while (!call.peek().isEmpty()) {
            call.skip();
        }
        if (call.statement.opcode().equals("discard")) {
            throw call.unknown();
        }
        call.place(0, Space.GENERIC);
        return (_, _) -> {};
    }

    private static Step policy(Call call) {
        while (!call.peek().isEmpty() && Type.of(call.peek()) == null) {
            call.skip();
        }
        call.type(Type.B64);
        int to = call.write(0, Type.B64);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                warp.registers[to << 5 | Integer.numberOfTrailingZeros(rest)] = 0;
            }
        };
    }

    static void requireShared(Warp warp, int lanes, Region region) {
        if (region != warp.block.shared && warp.block.cluster.blocks.stream().noneMatch(b -> b.shared == region)) {
            throw warp.fault(Kind.INVALID, lanes, "name memory that is not shared where shared memory is needed");
        }
    }
}
