package dev.wok.kernel.x86.emulated;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Reads the instructions that can be reached from the first byte.
final class Decoder {
    private static final int WIDE = 8;
    private static final int NO_INDEX = 4;

    private final byte[] code;
    private final long address;
    /// The number of the step that begins at each byte.
    private final int[] numbers;
    private int at;

    /// @param address where the code lies
    Decoder(byte[] code, long address) {
        this.code = code;
        this.address = address;
        numbers = new int[code.length];
    }

    List<Step> steps() {
        TreeMap<Integer, Step> steps = new TreeMap<>();
        Deque<Integer> open = new ArrayDeque<>(List.of(0));
        Map<Integer, Integer> ends = new TreeMap<>();
        while (!open.isEmpty()) {
            int start = open.pop();
            if (!steps.containsKey(start)) {
                Read read = read(start);
                steps.put(start, read.step);
                if (read.target >= 0) {
                    open.push(read.target);
                }
                if (!read.ends) {
                    ends.put(start, at);
                    open.push(at);
                }
            }
        }
        List<Step> all = new ArrayList<>();
        steps.forEach((start, step) -> {
            numbers[start] = all.size();
            all.add(step);
        });
        ends.forEach((start, end) -> Core.require(numbers[end] == numbers[start] + 1, "instructions overlap"));
        return all;
    }

    /// @param target where it may jump to, or -1
    /// @param ends whether the instruction behind it is not run after it
    private record Read(Step step, int target, boolean ends) {
        static Read of(Step step) {
            return new Read(step, -1, false);
        }
    }

    private Read read(int start) {
        at = start;
        try {
            return switch (code[at] & 0xFF) {
                case 0xC4, 0xC5 -> Read.of(vex(start));
                case 0x62 -> Read.of(evex(start));
                case 0xC3 -> {
                    at++;
                    yield new Read(Core::leave, -1, true);
                }
                case 0xE9 -> {
                    at++;
                    int target = target();
                    yield new Read(core -> core.next = numbers[target], target, true);
                }
                default -> general(start);
            };
        } catch (IllegalStateException | ArrayIndexOutOfBoundsException e) {
            throw new IllegalStateException(
                    Emulator.unknown(code, start, e.getMessage() + "").getMessage(), e);
        }
    }

    private int next() {
        return code[at++] & 0xFF;
    }

    private int next32() {
        return next() | next() << 8 | next() << 16 | next() << 24;
    }

    private int target() {
        int distance = next32();
        return at + distance;
    }

    // ---------------------------------------------------------------------------------------------- general registers

    private Read general(int start) {
        boolean narrow = code[at] == 0x66;
        at += narrow ? 1 : 0;
        int rex = (code[at] & 0xF0) == 0x40 ? next() : 0;
        int operandBytes = (rex & WIDE) != 0 ? 8 : narrow ? 2 : 4;
        int opcode = next();
        if (opcode == 0x0F) {
            opcode = 0x100 | next();
        }
        if (opcode >= 0x180 && opcode <= 0x18F) {
            int target = target();
            int condition = opcode & 15;
            return new Read(
                    core -> {
                        if (Flags.holds(core, condition)) {
                            core.next = numbers[target];
                        }
                    },
                    target,
                    false);
        }
        if ((opcode & 0xF0) == 0x50 || opcode == 0x90) {
            int register = opcode & 7 | (rex & 1) << 3;
            return Read.of(General.step(
                    new Instruction(start, at, opcode, operandBytes, 0, 0, 0, register, null, 0, false, false, 0)));
        }
        Operands operands = operands(rex >> 2 & 1, rex >> 1 & 1, rex & 1, 1, General.immediateBytes(opcode));
        return Read.of(General.step(new Instruction(
                start,
                at,
                opcode,
                operandBytes,
                0,
                operands.register,
                0,
                operands.other,
                operands.place,
                0,
                false,
                false,
                operands.immediate)));
    }

    // ---------------------------------------------------------------------------------------------- vectors

    private Step vex(int start) {
        boolean isLong = next() == 0xC4;
        int first = next();
        int second = isLong ? next() : first;
        int r = ~first >> 7 & 1;
        int x = isLong ? ~first >> 6 & 1 : 0;
        int b = isLong ? ~first >> 5 & 1 : 0;
        int map = isLong ? first & 31 : 1;
        int w = isLong ? second >> 7 : 0;
        int extra = ~second >> 3 & 15;
        int length = second >> 2 & 1;
        int prefix = second & 3;
        int opcode = next();
        if (map == 1 && prefix == 0 && length == 0 && opcode == 0x77) {
            return Core::cleanUppers;
        }
        boolean bits = map == 2 && prefix == 0 && opcode == 0xF5 && w == 1;
        boolean masks = map == 1 && MaskSteps.isOne(opcode);
        Row row = bits || masks ? null : Row.of(false, prefix, map, opcode, w, (code[at] >> 3 & 7) | r << 3);
        Operands operands = operands(r, x, b, 1, row != null && row.hasSuffix() ? 1 : 0);
        Instruction instruction = new Instruction(
                start,
                at,
                map << 8 | opcode,
                w == 1 ? 8 : 4,
                16 << length,
                operands.register,
                extra,
                operands.other,
                operands.place,
                0,
                false,
                false,
                operands.immediate);
        return row != null
                ? VectorStep.of(row, instruction, false)
                : bits ? General.clearHighBits(instruction) : MaskSteps.of(instruction, prefix);
    }

    private Step evex(int start) {
        next();
        int first = next();
        int second = next();
        int third = next();
        int length = third >> 5 & 3;
        Core.require((first & 8) == 0 && (second & 4) == 4 && length < 3, "reserved bits");
        int r = (~first >> 7 & 1) | (~first >> 4 & 1) << 1;
        int x = ~first >> 6 & 1;
        int b = ~first >> 5 & 1;
        int extra = (~second >> 3 & 15) | (~third >> 3 & 1) << 4;
        int bytes = 16 << length;
        boolean broadcast = (third >> 4 & 1) == 1;
        int opcode = next();
        Row row = Row.of(true, second & 3, first & 7, opcode, second >> 7, (code[at] >> 3 & 7) | r << 3);
        Core.require(!broadcast || row.element() > 0, "reads no element for all lanes");
        int unit = broadcast ? row.element() : row.memoryBytes(bytes);
        Operands operands = operands(r, x, b, unit, row.hasSuffix() ? 1 : 0);
        Core.require(!broadcast || operands.place != null, "rounds in its own way");
        boolean isVector = operands.place == null && !row.has('g');
        Core.require((third & 0x87) != 0x80, "zeroes under no mask");
        return VectorStep.of(
                row,
                new Instruction(
                        start,
                        at,
                        (first & 7) << 8 | opcode,
                        second >> 7 == 1 ? 8 : 4,
                        bytes,
                        operands.register,
                        extra,
                        operands.other | (isVector ? x << 4 : 0),
                        operands.place,
                        third & 7,
                        third >> 7 == 1,
                        broadcast,
                        operands.immediate),
                true);
    }

    // ---------------------------------------------------------------------------------------------- operands

    private record Operands(
            int register, int other, @Nullable Place place, int immediate) {}

    /// The ModRM byte and all that follows it.
    ///
    /// @param r further bits of ModRM.reg
    /// @param x a further bit of the index
    /// @param b a further bit of the base or register
    /// @param unit what a short displacement counts
    private Operands operands(int r, int x, int b, int unit, int immediateBytes) {
        int modrm = next();
        int mode = modrm >> 6;
        int register = modrm >> 3 & 7 | r << 3;
        int low = modrm & 7;
        if (mode == 3) {
            return new Operands(register, low | b << 3, null, immediate(immediateBytes));
        }
        int base = low | b << 3;
        int index = Core.ZERO;
        int scale = 1;
        if (low == 4) {
            int sib = next();
            scale = 1 << (sib >> 6);
            index = sib >> 3 & 7 | x << 3;
            index = index == NO_INDEX ? Core.ZERO : index;
            base = sib & 7 | b << 3;
            Core.require((sib & 7) != 5 || mode != 0, "an address without base");
        }
        boolean relative = mode == 0 && low == 5;
        long displacement = relative || mode == 2 ? next32() : mode == 1 ? (long) unit * (byte) next() : 0;
        int immediate = immediate(immediateBytes);
        if (relative) {
            base = Core.ZERO;
            displacement += address + at;
        }
        return new Operands(register, 0, new Place(base, index, scale, displacement), immediate);
    }

    private int immediate(int bytes) {
        return switch (bytes) {
            case 0 -> 0;
            case 1 -> (byte) next();
            default -> next32();
        };
    }
}
