package dev.wok.kernel.x86.emulated;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// A vector instruction: reads its operands, computes, writes the lanes that its mask leaves.
final class VectorStep implements Step {
    private final Body body;
    private final @Nullable Step fetch;
    private final Step finish;
    private final int to;
    private final int was;
    private final int a;
    private final int b;
    private final int bytes;
    private final int immediate;

    private VectorStep(
            Body body, @Nullable Step fetch, Step finish, int to, int was, int a, int b, int bytes, int imm) {
        this.body = body;
        this.fetch = fetch;
        this.finish = finish;
        this.to = to;
        this.was = was;
        this.a = a;
        this.b = b;
        this.bytes = bytes;
        immediate = imm;
    }

    @Override
    public void run(Core core) {
        if (fetch != null) {
            fetch.run(core);
        }
        body.run(core.v, to, was, a, b, bytes, immediate);
        finish.run(core);
    }

    private static int register(int number) {
        return number * Core.WIDTH;
    }

    static Step of(Row row, Instruction i, boolean evex) {
        if (row.has('m') || row.has('r')) {
            i.requireMemory(row.has('m'));
        }
        Core.require(!row.has('y') || i.bytes() >= 32, "is not that short");
        Core.require(row.form().contains("V") || i.extra() == 0, "has no such operand");
        return switch (row.name()) {
            case "vucomiss" -> compare(row, i);
            case "vmovmskps" -> signs(i);
            case "vmaskmovps", "vpmaskmovd" -> row.form().equals("RVM") ? loadUnderSigns(i) : storeUnderSigns(i);
            default -> row.form().startsWith("M") ? toOther(row, i) : toRegister(row, i, evex);
        };
    }

    // ---------------------------------------------------------------------------------------------- operands

    /// @return what brings ModRM.rm to [Core#FETCHED], or null where it is a vector register
    private static @Nullable Step fetch(Row row, Instruction i) {
        Place place = i.place();
        int from = i.other();
        int bytes = row.memoryBytes(i.bytes());
        if (place == null) {
            return row.has('g') ? core -> Pieces.put64(core.v, Core.FETCHED, 0, core.r[from]) : null;
        }
        if (i.broadcast()) {
            return broadcast(row, i, place);
        }
        int lanes = row.resultBytes(i.bytes()) / row.lane();
        int mask = i.mask();
        return mask != 0 && !row.has('x')
                ? core -> core.readUnder(core.k[mask], place.address(core), Core.FETCHED, lanes, bytes / lanes)
                : core -> core.read(place.address(core), Core.FETCHED, bytes);
    }

    private static Step broadcast(Row row, Instruction i, Place place) {
        int bytes = i.bytes();
        long read = (1L << row.resultBytes(bytes) / row.lane() - 1 << 1) - 1;
        int mask = i.mask();
        boolean masked = mask != 0 && !row.has('x');
        Body repeat = row.element() == 4 ? Shuffles::repeatInt : Shuffles.repeat(8);
        return core -> {
            if (!masked || (core.k[mask] & read) != 0) {
                core.read(place.address(core), Core.FETCHED, row.element());
                repeat.run(core.v, Core.FETCHED, 0, 0, Core.FETCHED, bytes, 0);
            }
        };
    }

    private static int length(Row row, Instruction i) {
        return row.has('s') ? Math.max(row.lane(), row.memoryBytes(i.bytes())) : i.bytes();
    }

    // ---------------------------------------------------------------------------------------------- results

    private static Step toRegister(Row row, Instruction i, boolean evex) {
        Body body = Meanings.of(row.name());
        boolean isShift = row.form().equals("VMI");
        boolean byRegister = row.form().equals("RVMR");
        int to = register(isShift ? i.extra() : i.register());
        int was = byRegister ? register(i.immediate() >> 4 & 15) : to;
        int a = register(isShift ? 0 : i.extra());
        Step fetch = fetch(row, i);
        int b = fetch == null ? register(i.other()) : Core.FETCHED;
        int immediate = evex || !row.name().equals("vrndscaleps") ? i.immediate() : i.immediate() & 15;
        if (evex && row.has('k')) {
            return new VectorStep(body, fetch, toMask(row, i), Core.RESULT, was, a, b, i.bytes(), immediate);
        }
        if (body == Meanings.MOVE && i.mask() == 0 && fetch != null && !row.has('g') && !i.broadcast()) {
            return load(row, i, to);
        }
        boolean direct = body.isInPlace() && i.mask() == 0;
        if (direct && body instanceof Lanewise lanewise && !row.has('s')) {
            int stride = i.broadcast() ? 0 : Integer.BYTES;
            return lanewise.step(new Lanewise.Operands(to, was, a, b, i.place(), stride, i.bytes() >> 2, immediate));
        }
        if (row.name().equals("vbroadcastss") && i.mask() == 0 && i.place() != null) {
            return broadcastTo(i, to);
        }
        Step finish = row.has('s') ? scalar(row, i, to, row.has('d') ? to : a, direct) : finish(row, i, to, a, direct);
        return new VectorStep(body, fetch, finish, direct ? to : Core.RESULT, was, a, b, length(row, i), immediate);
    }

    private static Step load(Row row, Instruction i, int to) {
        Place place = i.memory();
        int bytes = row.memoryBytes(i.bytes());
        return core -> {
            core.read(place.address(core), to, bytes);
            Arrays.fill(core.v, to + (bytes >> 2), to + Core.WIDTH, 0);
        };
    }

    private static Step broadcastTo(Instruction i, int to) {
        Place place = i.memory();
        int lanes = i.bytes() >> 2;
        return core -> {
            Arrays.fill(core.v, to, to + lanes, Core.MEMORY.get(Core.INT, place.address(core)));
            Arrays.fill(core.v, to + lanes, to + Core.WIDTH, 0);
        };
    }

    /// Writes the result where the mask says so, and zeros behind it.
    private static Step finish(Row row, Instruction i, int to, int a, boolean direct) {
        int bytes = row.resultBytes(i.bytes());
        int lanes = bytes >> 2;
        if (direct) {
            return lanes == Core.WIDTH ? _ -> {} : core -> Arrays.fill(core.v, to + lanes, to + Core.WIDTH, 0);
        }
        if (i.mask() == 0) {
            return core -> {
                System.arraycopy(core.v, Core.RESULT, core.v, to, lanes);
                Arrays.fill(core.v, to + lanes, to + Core.WIDTH, 0);
            };
        }
        boolean blends = row.name().equals("vblendmps");
        return core -> {
            if (blends && a != to) {
                System.arraycopy(core.v, a, core.v, to, lanes);
            }
            merge(core.v, core.k[i.mask()], to, bytes / row.lane(), row.lane(), i.zeroing());
            Arrays.fill(core.v, to + lanes, to + Core.WIDTH, 0);
        };
    }

    private static void merge(int[] v, long mask, int to, int lanes, int bytes, boolean zeroing) {
        for (int lane = 0; lane < lanes; lane++) {
            if ((mask >>> lane & 1) == 1) {
                Pieces.copy(v, to, lane, Core.RESULT, lane, bytes);
            } else if (zeroing) {
                Pieces.clear(v, to, lane, bytes);
            }
        }
    }

    /// As [#finish], with the rest of another register behind the lowest lane.
    private static Step scalar(Row row, Instruction i, int to, int rest, boolean direct) {
        int ints = row.lane() >> 2;
        return core -> {
            if (!direct && i.mask() == 0) {
                System.arraycopy(core.v, Core.RESULT, core.v, to, ints);
            } else if (!direct) {
                merge(core.v, core.k[i.mask()], to, 1, row.lane(), i.zeroing());
            }
            System.arraycopy(core.v, rest + ints, core.v, to + ints, 4 - ints);
            Arrays.fill(core.v, to + 4, to + Core.WIDTH, 0);
        };
    }

    private static Step toMask(Row row, Instruction i) {
        int lanes = i.bytes() / row.lane();
        int to = i.register();
        Core.require(to < 8 && !i.zeroing(), "no such mask");
        int mask = i.mask();
        return core -> {
            long bits = 0;
            for (int lane = 0; lane < lanes; lane++) {
                bits |= (long) (core.v[Core.RESULT + lane] & 1) << lane;
            }
            core.k[to] = mask == 0 ? bits : bits & core.k[mask];
        };
    }

    /// Instructions whose result is ModRM.rm.
    private static Step toOther(Row row, Instruction i) {
        Body body = Meanings.of(row.name());
        int from = register(i.register());
        int bytes = row.resultBytes(i.bytes());
        int mask = i.mask();
        Place place = i.place();
        if (place == null && row.has('g')) {
            int to = i.other();
            return bytes == 8
                    ? core -> core.r[to] = Pieces.get64(core.v, from, 0)
                    : core -> core.r[to] = Integer.toUnsignedLong(core.v[from]);
        }
        if (place == null) {
            int to = register(i.other());
            Step finish = finish(row, i, to, from, false);
            return new VectorStep(body, null, finish, Core.RESULT, to, from, from, i.bytes(), i.immediate());
        }
        Core.require(!i.zeroing(), "memory is not zeroed under a mask");
        boolean aligned = row.name().equals("vmovntps");
        if (body == Meanings.MOVE && mask == 0) {
            return core -> {
                long address = place.address(core);
                Core.require(!aligned || address % bytes == 0, "stores past the caches to no multiple of its size");
                core.write(address, from, bytes);
            };
        }
        Core.require(!aligned, "has no mask");
        int lanes = bytes / row.lane();
        Step store = mask == 0
                ? core -> core.write(place.address(core), Core.RESULT, bytes)
                : core -> core.writeUnder(core.k[mask], place.address(core), Core.RESULT, lanes, row.lane());
        return new VectorStep(body, null, store, Core.RESULT, Core.RESULT, from, from, i.bytes(), i.immediate());
    }

    // ---------------------------------------------------------------------------------------------- the rest

    private static Step compare(Row row, Instruction i) {
        Step fetch = fetch(row, i);
        int a = register(i.register());
        int b = fetch == null ? register(i.other()) : Core.FETCHED;
        Core.require(i.mask() == 0, "has no mask");
        return core -> {
            if (fetch != null) {
                fetch.run(core);
            }
            float left = Float.intBitsToFloat(core.v[a]);
            float right = Float.intBitsToFloat(core.v[b]);
            core.zero = !(left < right) && !(left > right);
            core.carry = !(left >= right);
            core.sign = false;
            core.overflow = false;
        };
    }

    private static Step signs(Instruction i) {
        int from = register(i.other());
        int to = i.register();
        int lanes = i.bytes() >> 2;
        return core -> core.r[to] = signs(core, from, lanes);
    }

    private static long signs(Core core, int from, int lanes) {
        long bits = 0;
        for (int lane = 0; lane < lanes; lane++) {
            bits |= (long) (core.v[from + lane] >>> 31) << lane;
        }
        return bits;
    }

    private static Step loadUnderSigns(Instruction i) {
        Place place = i.memory();
        int to = register(i.register());
        int mask = register(i.extra());
        int lanes = i.bytes() >> 2;
        return core -> {
            long signs = signs(core, mask, lanes);
            Arrays.fill(core.v, to, to + Core.WIDTH, 0);
            core.readUnder(signs, place.address(core), to, lanes, Integer.BYTES);
        };
    }

    private static Step storeUnderSigns(Instruction i) {
        Place place = i.memory();
        int from = register(i.register());
        int mask = register(i.extra());
        int lanes = i.bytes() >> 2;
        return core -> core.writeUnder(signs(core, mask, lanes), place.address(core), from, lanes, Integer.BYTES);
    }
}
