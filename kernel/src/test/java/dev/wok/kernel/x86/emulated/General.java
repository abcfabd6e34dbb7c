package dev.wok.kernel.x86.emulated;

/// The instructions on general registers.
final class General {
    private static final int ADD = 0;
    private static final int OR = 1;
    private static final int AND = 4;
    private static final int SUB = 5;
    private static final int XOR = 6;
    private static final int CMP = 7;

    private General() {}

    /// @param opcode with 0x100 for the second map
    static int immediateBytes(int opcode) {
        return switch (opcode) {
            case 0x83, 0xC1 -> 1;
            case 0x81, 0xC7 -> 4;
            default -> 0;
        };
    }

    static Step step(Instruction i) {
        return switch (i.opcode()) {
            case 0x89 -> i.place() == null ? copy(i, i.other(), i.register()) : store(i);
            case 0x8B -> i.place() == null ? copy(i, i.register(), i.other()) : load(i);
            case 0xC7 -> constant(i);
            case 0x63 -> extended(i);
            case 0x1B7 -> zeroExtended(i);
            case 0x8D -> address(i);
            case 0x01, 0x09, 0x21, 0x29, 0x31, 0x39 -> withRegister(i, i.opcode() >> 3, i.other(), i.register());
            case 0x03, 0x0B, 0x23, 0x2B, 0x33, 0x3B -> withOther(i, i.opcode() >> 3);
            case 0x81, 0x83 -> withConstant(i, i.register() & 7);
            case 0x85 -> test(i);
            case 0x1AF -> product(i);
            case 0xC1 -> shift(i);
            case 0x90, 0x11F, 0x118 -> nothing(i);
            case 0x1AE -> fence(i);
            default -> other(i);
        };
    }

    private static void require(boolean condition) {
        Core.require(condition, "no such form");
    }

    private static void requireWide(Instruction i) {
        Core.require(i.operandBytes() == 8, "works on fewer than 64 bits");
    }

    private static Step copy(Instruction i, int to, int from) {
        requireWide(i);
        return core -> core.r[to] = core.r[from];
    }

    private static Step store(Instruction i) {
        Place to = i.memory();
        int from = i.register();
        return switch (i.operandBytes()) {
            case 8 -> core -> Core.MEMORY.set(Core.LONG, to.address(core), core.r[from]);
            case 4 -> core -> Core.MEMORY.set(Core.INT, to.address(core), (int) core.r[from]);
            default -> core -> Core.MEMORY.set(Core.SHORT, to.address(core), (short) core.r[from]);
        };
    }

    private static Step load(Instruction i) {
        Place from = i.memory();
        int to = i.register();
        require(i.operandBytes() >= 4);
        return i.operandBytes() == 8
                ? core -> core.r[to] = Core.MEMORY.get(Core.LONG, from.address(core))
                : core -> core.r[to] = Integer.toUnsignedLong(Core.MEMORY.get(Core.INT, from.address(core)));
    }

    private static Step constant(Instruction i) {
        requireWide(i);
        i.requireMemory(false);
        require((i.register() & 7) == 0);
        int to = i.other();
        long value = i.immediate();
        return core -> core.r[to] = value;
    }

    private static Step extended(Instruction i) {
        requireWide(i);
        Place from = i.memory();
        int to = i.register();
        return core -> core.r[to] = Core.MEMORY.get(Core.INT, from.address(core));
    }

    private static Step zeroExtended(Instruction i) {
        Place from = i.memory();
        int to = i.register();
        return core -> core.r[to] = Short.toUnsignedLong(Core.MEMORY.get(Core.SHORT, from.address(core)));
    }

    private static Step address(Instruction i) {
        requireWide(i);
        Place place = i.memory();
        int to = i.register();
        return core -> core.r[to] = place.address(core);
    }

    private static Step withRegister(Instruction i, int operation, int to, int from) {
        requireWide(i);
        i.requireMemory(false);
        return switch (operation) {
            case ADD -> core -> core.r[to] = Flags.add(core, core.r[to], core.r[from]);
            case OR -> core -> core.r[to] = Flags.logic(core, core.r[to] | core.r[from]);
            case AND -> core -> core.r[to] = Flags.logic(core, core.r[to] & core.r[from]);
            case SUB -> core -> core.r[to] = Flags.subtract(core, core.r[to], core.r[from]);
            case XOR -> core -> core.r[to] = Flags.logic(core, core.r[to] ^ core.r[from]);
            default -> core -> Flags.subtract(core, core.r[to], core.r[from]);
        };
    }

    private static Step withOther(Instruction i, int operation) {
        if (i.place() == null) {
            return withRegister(i, operation, i.register(), i.other());
        }
        requireWide(i);
        Place from = i.memory();
        int to = i.register();
        require(operation == ADD || operation == CMP);
        return operation == ADD
                ? core -> core.r[to] = Flags.add(core, core.r[to], Core.MEMORY.get(Core.LONG, from.address(core)))
                : core -> Flags.subtract(core, core.r[to], Core.MEMORY.get(Core.LONG, from.address(core)));
    }

    private static Step withConstant(Instruction i, int operation) {
        requireWide(i);
        i.requireMemory(false);
        int to = i.other();
        long value = i.immediate();
        return switch (operation) {
            case ADD -> core -> core.r[to] = Flags.add(core, core.r[to], value);
            case AND -> core -> core.r[to] = Flags.logic(core, core.r[to] & value);
            case SUB -> core -> core.r[to] = Flags.subtract(core, core.r[to], value);
            case CMP -> core -> Flags.subtract(core, core.r[to], value);
            default -> throw new IllegalStateException("no such form");
        };
    }

    private static Step test(Instruction i) {
        requireWide(i);
        i.requireMemory(false);
        int left = i.other();
        int right = i.register();
        return core -> Flags.logic(core, core.r[left] & core.r[right]);
    }

    private static Step product(Instruction i) {
        requireWide(i);
        Place place = i.place();
        int to = i.register();
        int from = i.other();
        return place == null
                ? core -> core.r[to] = multiply(core, core.r[to], core.r[from])
                : core -> core.r[to] = multiply(core, core.r[to], Core.MEMORY.get(Core.LONG, place.address(core)));
    }

    private static long multiply(Core core, long a, long b) {
        core.overflow = Math.multiplyHigh(a, b) != a * b >> 63;
        core.carry = core.overflow;
        return a * b;
    }

    private static Step shift(Instruction i) {
        requireWide(i);
        i.requireMemory(false);
        int to = i.other();
        int count = i.immediate();
        require(count >= 1 && count <= 63);
        return switch (i.register() & 7) {
            case 4 ->
                core -> {
                    long value = core.r[to];
                    core.r[to] = Flags.shifted(core, value << count, (value >>> 64 - count & 1) == 1);
                };
            case 5 ->
                core -> {
                    long value = core.r[to];
                    core.r[to] = Flags.shifted(core, value >>> count, (value >>> count - 1 & 1) == 1);
                };
            case 7 ->
                core -> {
                    long value = core.r[to];
                    core.r[to] = Flags.shifted(core, value >> count, (value >> count - 1 & 1) == 1);
                };
            default -> throw new IllegalStateException("no such form");
        };
    }

    private static Step nothing(Instruction i) {
        require(i.opcode() == 0x90 || i.place() != null);
        return _ -> {};
    }

    private static Step fence(Instruction i) {
        i.requireMemory(false);
        require(i.register() == 7 && i.other() == 0);
        return _ -> {};
    }

    private static Step other(Instruction i) {
        int register = i.other();
        int opcode = i.opcode();
        if (opcode >> 3 == 0x50 >> 3) {
            return core -> core.push(core.r[register]);
        }
        if (opcode >> 3 == 0x58 >> 3) {
            return core -> core.r[register] = core.pop();
        }
        require(opcode >> 4 == 0x14);
        requireWide(i);
        i.requireMemory(false);
        int to = i.register();
        int condition = opcode & 15;
        return core -> {
            if (Flags.holds(core, condition)) {
                core.r[to] = core.r[register];
            }
        };
    }

    /// The instruction `bzhi`.
    static Step clearHighBits(Instruction i) {
        i.requireMemory(false);
        require(i.bytes() == 16);
        int to = i.register();
        int from = i.other();
        int count = i.extra();
        return core -> {
            int bits = (int) core.r[count] & 0xFF;
            long value = core.r[from];
            core.r[to] = Flags.shifted(core, bits > 63 ? value : value & (1L << bits) - 1, bits > 63);
        };
    }
}
