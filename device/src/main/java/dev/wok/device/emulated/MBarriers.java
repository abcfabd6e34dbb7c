package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Listing.Space;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// `mbarrier`, and the stores that report to one.
final class MBarriers {
    private MBarriers() {}

    static @Nullable Step decode(Call call) {
        String what = call.need(
                "init",
                "inval",
                "expect_tx",
                "complete_tx",
                "arrive_drop",
                "arrive",
                "test_wait",
                "try_wait",
                "pending_count");
        return switch (what) {
            case "init" -> init(call);
            case "inval" -> {
                Space space = space(call);
                call.type(Type.B64);
                call.count(1);
                Call.Place place = call.place(0, space);
                yield each(place, space, (warp, lane, barrier) -> warp.block.cluster.remove(barrier));
            }
            case "expect_tx", "complete_tx" -> bytes(call, what.equals("expect_tx") ? 1 : -1);
            case "arrive", "arrive_drop" -> arrive(call, what.equals("arrive_drop"));
            case "pending_count" -> {
                call.type(Type.B64);
                call.count(2);
                int to = call.write(0, Type.U32);
                Value state = call.read(1, Type.B64);
                yield (warp, lanes) -> {
                    for (int rest = lanes; rest != 0; rest &= rest - 1) {
                        int lane = Integer.numberOfTrailingZeros(rest);
                        warp.registers[to << 5 | lane] = state.at(warp, lane) & 0xFFFF_FFFFL;
                    }
                };
            }
            default -> await(call);
        };
    }

    private interface OnBarrier {
        void run(Warp warp, int lane, MBarrier barrier);
    }

    private static Step each(Call.Place place, Space space, OnBarrier action) {
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                action.run(warp, lane, find(warp, lane, place.at(warp, lane), space));
            }
        };
    }

    static MBarrier find(Warp warp, int lane, long address, Space space) {
        warp.resolve(address, MBarrier.BYTES, space, lane);
        Accesses.requireShared(warp, 1 << lane, warp.region);
        MBarrier barrier = warp.block.cluster.mbarrier(warp.region, warp.offset);
        if (barrier == null) {
            throw warp.fault(
                    Kind.UNINITIALIZED,
                    1 << lane,
                    "use byte %d of %s as an mbarrier, which nobody has initialised"
                            .formatted(warp.offset, warp.region.name));
        }
        warp.touch(MBarrier.BYTES, Races.STRONG, lane);
        return barrier;
    }

    private static Space space(Call call) {
        Space space = Moves.space(call);
        return space == null ? Space.GENERIC : space;
    }

    /// @return whether the access is not `.relaxed`
    private static boolean isOrdered(Call call) {
        String order = call.takeOne("release", "acquire", "relaxed");
        call.takeOne("cta", "cluster");
        return !"relaxed".equals(order);
    }

    private static Step init(Call call) {
        Space space = space(call);
        call.type(Type.B64);
        call.count(2);
        Call.Place place = call.place(0, space);
        Value count = call.read(1, Type.U32);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.resolve(place.at(warp, lane), MBarrier.BYTES, space, lane);
                Accesses.requireShared(warp, 1 << lane, warp.region);
                long expected = count.at(warp, lane) & 0xFFFF_FFFFL;
                if (expected < 1 || expected > MBarrier.MOST) {
                    throw warp.fault(
                            Kind.INVALID, 1 << lane, "initialise an mbarrier for %d arrivals".formatted(expected));
                }
                if (warp.block.cluster.mbarrier(warp.region, warp.offset) != null) {
                    throw warp.fault(
                            Kind.INVALID,
                            1 << lane,
                            "initialise an mbarrier that is one already (mbarrier.inval first)");
                }
                warp.touch(MBarrier.BYTES, Races.WRITE, lane);
                warp.region.set(warp.offset, MBarrier.BYTES, expected);
                warp.block.cluster.put(new MBarrier(warp.block.cluster, warp.region, warp.offset, (int) expected));
            }
        };
    }

    private static Step bytes(Call call, int sign) {
        isOrdered(call);
        Space space = space(call);
        call.type(Type.B64);
        call.count(2);
        Call.Place place = call.place(0, space);
        Value bytes = call.read(1, Type.U32);
        return each(
                place,
                space,
                (warp, lane, barrier) -> barrier.expectBytes(warp, lane, sign * (bytes.at(warp, lane) & 0xFFFF_FFFFL)));
    }

    private static Step arrive(Call call, boolean drops) {
        boolean expects = call.take("expect_tx");
        boolean isIncomplete = call.take("noComplete");
        boolean isOrdered = isOrdered(call);
        Space space = space(call);
        call.type(Type.B64);
        call.count(1, 3);
        // Without a result the address stands first.
        int at = call.operand(0) instanceof Listing.Address ? 0 : 1;
        int to = at == 0 ? Call.NOBODY : call.writeOrNobody(call.operand(0), Type.B64, false);
        Call.Place place = call.place(at, space);
        Value more = call.count() > at + 1 ? call.read(at + 1, Type.U32) : Value.of(expects ? 0 : 1);
        return each(place, space, (warp, lane, barrier) -> {
            long amount = more.at(warp, lane) & 0xFFFF_FFFFL;
            if (expects) {
                barrier.expectBytes(warp, lane, amount);
            }
            int times = expects ? 1 : (int) Math.min(amount, Integer.MAX_VALUE);
            if (isIncomplete && times >= barrier.pending()) {
                throw warp.fault(Kind.INVALID, 1 << lane, "complete a phase with .noComplete");
            }
            if (to != Call.NOBODY) {
                warp.registers[to << 5 | lane] = (long) barrier.phase() << 32 | barrier.pending();
            }
            if (drops) {
                barrier.drop(warp, lane, times);
            }
            barrier.arrive(warp, lane, times, told(warp, isOrdered));
        });
    }

    /// @return what an arrival tells: a relaxed one what the last fence had to tell
    private static Clock told(Warp warp, boolean isOrdered) {
        Clock fenced = isOrdered ? null : warp.ordering.fencedWide();
        return isOrdered ? warp.release() : fenced == null ? new Clock() : fenced.copy();
    }

    private static Step await(Call call) {
        boolean byParity = call.take("parity");
        boolean isOrdered = isOrdered(call);
        Space space = space(call);
        call.type(Type.B64);
        call.count(3, 4);
        int to = call.predicate(call.operand(0));
        Call.Place place = call.place(1, space);
        Value which = call.read(2, byParity ? Type.U32 : Type.B64);
        if (call.count() == 4) {
            call.read(3, Type.U32);
        }
        return (warp, lanes) -> {
            int over = 0;
            int heard = 0;
            MBarrier last = null;
            boolean isFirst = true;
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                MBarrier barrier = find(warp, lane, place.at(warp, lane), space);
                long asked = which.at(warp, lane);
                if (byParity && (asked & 0xFFFF_FFFFL) > 1) {
                    throw warp.fault(Kind.INVALID, 1 << lane, "wait for a phase of parity %d".formatted(asked));
                }
                if (isFirst && !isOver(barrier, byParity, asked)) {
                    barrier.land();
                }
                isFirst = false;
                if (isOver(barrier, byParity, asked)) {
                    over |= 1 << lane;
                    // Lanes mostly wait at one, and then hear of it together.
                    if (isOrdered && last != null && last != barrier) {
                        warp.acquire(last.done(), heard);
                        heard = 0;
                    }
                    last = barrier;
                    heard |= 1 << lane;
                }
            }
            if (isOrdered && last != null) {
                warp.acquire(last.done(), heard);
            }
            warp.setPredicate(to, lanes, over);
            if (over != lanes) {
                warp.yield();
            }
        };
    }

    private static boolean isOver(MBarrier barrier, boolean byParity, long asked) {
        return byParity ? barrier.isOver((int) asked) : barrier.phase() != (int) (asked >>> 32);
    }

    // ------------------------------------------------------------------------------------------------ st.async

    private static final List<String> OPERATORS = List.of("add", "min", "max", "inc", "dec", "and", "or", "xor");

    /// `st.async{.weak}{.mbarrier::complete_tx::bytes}{.shared::cluster}{.vec}.type [a], b, [mbar]`,
    /// and `red.async` with an operator before the type.
    static Step async(Call call) {
        boolean isReduction = call.statement.opcode().equals("red");
        Space space = Space.GENERIC;
        int length = 1;
        String operator = null;
        while (Type.of(call.peek()) == null) {
            Space named = Moves.space(call);
            String found = named == null && operator == null && isReduction ? call.takeOne(OPERATORS) : null;
            if (named != null) {
                space = named;
            } else if (found != null) {
                operator = found;
            } else if (call.take("v2")) {
                length = 2;
            } else if (call.take("v4")) {
                length = 4;
            } else {
                call.need("weak", "relaxed", "cluster", "mbarrier::complete_tx::bytes");
            }
        }
        Type type = call.type();
        Updates update = isReduction ? Updates.of(call, operator == null ? "" : operator, type) : null;
        call.count(3);
        Call.Place place = call.place(0, space);
        Value[] from = call.readVector(1, type, length, false);
        Call.Place barrierPlace = call.place(2, space);
        Space where = space;
        int width = type.bytes();
        int whole = width * length;
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                MBarrier barrier = find(warp, lane, barrierPlace.at(warp, lane), where);
                warp.resolve(place.at(warp, lane), whole, where, lane);
                Region region = warp.region;
                long offset = warp.offset;
                if (update != null) {
                    warp.requireChangeable(whole, lane);
                }
                arriving(warp, lane, barrier, region, offset, whole, update == null ? 0 : Races.STRONG);
                long[] values = new long[from.length];
                for (int i = 0; i < values.length; i++) {
                    values[i] = from[i].at(warp, lane);
                }
                barrier.expectLanding(() -> {
                    for (int i = 0; i < values.length; i++) {
                        long at = offset + i * width;
                        long value = values[i];
                        region.set(at, width, update == null ? value : update.apply(region.get(at, width), value, 0));
                    }
                    barrier.landed(whole);
                });
            }
        };
    }

    /// Notes a write that ends with the barrier's phase.
    ///
    /// @param how [Races#ASYNC], [Races#STRONG] or 0
    static void arriving(Warp warp, int lane, MBarrier barrier, Region region, long offset, int bytes, int how) {
        warp.ordering.touch(region, offset, bytes, Races.WRITE | how, barrier.who, barrier.phase() + 1, lane);
        region.markWritten(offset, bytes);
    }
}
