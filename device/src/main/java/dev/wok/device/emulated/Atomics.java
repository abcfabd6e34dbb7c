package dev.wok.device.emulated;

import dev.wok.device.emulated.Listing.Space;
import org.jspecify.annotations.Nullable;

/// `atom red`: reading, changing and writing a place in one go. Lanes go one after the other, the lowest first.
final class Atomics {
    private Atomics() {}

    static @Nullable Step decode(Call call) {
        boolean hasResult = call.statement.opcode().equals("atom");
        if (call.take("async")) {
            return MBarriers.async(call);
        }
        boolean isWide = true;
        boolean isAcquire = false;
        boolean isRelease = false;
        Space space = Space.GENERIC;
        boolean keepsSubnormals = false;
        int length = 1;
        String operator = "";
        while (Type.of(call.peek()) == null) {
            Space named = Moves.space(call);
            if (named != null) {
                space = named;
                continue;
            }
            String modifier = call.peek();
            switch (modifier) {
                case "relaxed", "L2::cache_hint", "cluster", "gpu", "sys" -> {}
                case "cta" -> isWide = false;
                case "acquire" -> isAcquire = true;
                case "release" -> isRelease = true;
                case "acq_rel" -> {
                    isAcquire = true;
                    isRelease = true;
                }
                case "noftz" -> keepsSubnormals = true;
                case "v2" -> length = 2;
                case "v4" -> length = 4;
                case "v8" -> length = 8;
                case "add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec" -> operator = modifier;
                default -> {
                    return null;
                }
            }
            call.skip();
        }
        Type type = call.type();
        boolean isHalf = type == Type.F16 || type == Type.BF16 || type == Type.F16X2 || type == Type.BF16X2;
        if (isHalf && operator.equals("add") && !keepsSubnormals) {
            throw call.error("sums of .%s need .noftz".formatted(type.text()));
        }
        int first = hasResult ? 1 : 0;
        boolean isSwap = operator.equals("cas");
        call.count(first + (isSwap ? 3 : 2), first + (isSwap ? 4 : 3));
        Call.Place place = call.place(first, space);
        int[] to = hasResult ? call.writeVector(0, type, length, false) : new int[0];
        Value[] b = call.readVector(first + 1, type, length, false);
        Value c = isSwap ? call.read(first + 2, type) : Value.of(0);
        Updates update = Updates.of(call, operator, type);
        return step(place, space, type, to, b, c, update, new Accesses.Order(true, isAcquire, isRelease, isWide));
    }

    private static Step step(
            Call.Place place,
            Space space,
            Type type,
            int[] to,
            Value[] b,
            Value c,
            Updates update,
            Accesses.Order order) {
        int width = type.bytes();
        int whole = width * b.length;
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                warp.resolve(place.at(warp, lane), whole, space, lane);
                warp.requireChangeable(whole, lane);
                warp.touch(whole, Races.WRITE | order.kind(), lane);
                warp.ordering.observed(order, lane);
                warp.ordering.published(order, true);
                for (int i = 0; i < b.length; i++) {
                    long at = warp.offset + i * width;
                    long old = warp.region.get(at, width);
                    warp.set(at, width, update.apply(old, b[i].at(warp, lane), c.at(warp, lane)));
                    if (to.length > 0 && to[i] != Call.NOBODY) {
                        warp.registers[to[i] << 5 | lane] = type.extend(old);
                    }
                }
            }
            warp.yieldIfSpinning();
        };
    }
}
