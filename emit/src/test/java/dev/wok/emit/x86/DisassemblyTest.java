package dev.wok.emit.x86;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/// What is written is what a disassembler reads.
class DisassemblyTest {
    private static final int ROUNDS = 12;
    private static final List<Forms.Form> FORMS = Forms.all();
    private static final int[] IMMEDIATES = {0, 1, 3, 7, 0x1B, 0x7F, 0x80, 0xFF};

    private final X86 x = new X86();
    private final Numbers numbers = new Numbers("disassembly");

    /// An instruction that was written, and the text that it should read as, known once everything has its place.
    private record Written(int at, int bytes, Supplier<String> text) {}

    private final List<Written> written = new ArrayList<>();
    private final Map<Integer, Forms.Form> vectors = new HashMap<>();

    private static final class Numbers {
        private final Rng rng;
        private long next;

        Numbers(String id) {
            rng = Seeds.rng(id);
        }

        int below(int bound) {
            return rng.below(next++, bound);
        }

        int of(int... values) {
            return values[below(values.length)];
        }

        Reg register() {
            return Reg.values()[below(16)];
        }
    }

    private void write(Supplier<String> text, Runnable instruction) {
        int at = x.size();
        instruction.run();
        written.add(new Written(at, x.size() - at, text));
    }

    private void write(String text, Runnable instruction) {
        write(() -> text, instruction);
    }

    private void assertReadsAsWritten(int least) {
        byte[] code = x.bytes();
        Map<Integer, String> read = Disassembler.read(code);
        List<String> faults = new ArrayList<>();
        for (Written one : written) {
            String text = one.text.get();
            String given = read.get(one.at);
            if (!text.equals(given)) {
                StringBuilder bytes = new StringBuilder();
                for (int i = 0; i < one.bytes; i++) {
                    bytes.append("%02x ".formatted(code[one.at + i]));
                }
                faults.add("%x: %s is %sand reads as %s".formatted(one.at, text, bytes, given));
            }
        }
        assertEquals("", String.join("\n", faults.subList(0, Math.min(20, faults.size()))), faults.size() + " faults");
        assertTrue(written.size() >= least, written.size() + " instructions");
    }

    // ---------------------------------------------------------------------------------------------- vectors

    @Test
    void everyFormOfEveryRow() {
        Set<Op> ops = EnumSet.noneOf(Op.class);
        for (Forms.Form form : FORMS) {
            ops.add(form.op());
            for (int round = 0; round < ROUNDS; round++) {
                vector(form);
            }
        }
        assertEquals(EnumSet.allOf(Op.class), ops);
        assertReadsAsWritten(10_000);
        byte[] code = x.bytes();
        vectors.forEach((at, form) -> assertEquals(form.evex(), code[at] == 0x62, form.toString()));
    }

    private void vector(Forms.Form form) {
        Operand[] operands = new Operand[form.kinds().size()];
        List<Supplier<String>> texts = new ArrayList<>();
        for (int i = 0; i < operands.length; i++) {
            texts.add(operand(operands, i, form));
        }
        // The shorter encoding is taken where there is one, so these operands would not be written in the longer.
        if (form.evex() && hasVex(form) && Arrays.stream(operands).noneMatch(DisassemblyTest::needsEvex)) {
            return;
        }
        vectors.put(x.size(), form);
        write(
                () -> form.name() + " " + texts.stream().map(Supplier::get).collect(Collectors.joining(",")),
                () -> x.op(form.op(), operands));
    }

    private static boolean hasVex(Forms.Form form) {
        return FORMS.stream()
                .anyMatch(f ->
                        !f.evex() && f.op() == form.op() && f.bytes() == form.bytes() && plain(f).equals(plain(form)));
    }

    private static boolean needsEvex(Operand operand) {
        return switch (operand) {
            case Vec v -> v.number() > 15 || v.mask() > 0;
            case Mem m -> m.mask() > 0 || m.isBroadcast();
            case Reg _, Mask _, Imm _ -> false;
        };
    }

    private static String plain(Forms.Form form) {
        return String.join(" ", form.kinds()).replaceAll("[*+]", "");
    }

    private Supplier<String> operand(Operand[] operands, int i, Forms.Form form) {
        String kind = form.kinds().get(i);
        boolean masked = form.evex() && (kind.endsWith("*") || kind.endsWith("+")) && numbers.below(2) == 0;
        boolean zeroing = masked && kind.endsWith("*") && numbers.below(2) == 0;
        String plain = kind.replaceAll("[*+]", "");
        int bytes = form.bytes();
        switch (plain) {
            case "v", "h", "q", "x", "y" -> {
                int width = switch (plain) {
                    case "v" -> bytes;
                    case "h" -> Math.max(16, bytes / 2);
                    case "q" -> Math.max(16, bytes / 4);
                    case "x" -> 16;
                    default -> 32;
                };
                Mask mask = new Mask(1 + numbers.below(7));
                Vec v = new Vec(numbers.below(form.evex() ? 32 : 16), width, 0, false);
                operands[i] = !masked ? v : zeroing ? v.zeroed(mask) : v.under(mask);
                return operands[i]::toString;
            }
            case "k" -> {
                operands[i] = new Mask(numbers.below(8));
                return operands[i]::toString;
            }
            case "r4", "r8" -> {
                Reg register = numbers.register();
                operands[i] = register;
                return () -> plain.equals("r8") ? register.toString() : half(register);
            }
            case "i" -> {
                // Objdump reads VPCMPD's predicate 0 as the other instruction that compares for equality.
                int value = Math.max(form.op() == Op.VPCMPD ? 1 : 0, numbers.of(IMMEDIATES));
                operands[i] = Imm.imm(value);
                return () -> "0x%x".formatted(value);
            }
            default -> {
                int size = switch (plain) {
                    case "m" -> bytes;
                    case "mh" -> bytes / 2;
                    case "mq" -> bytes / 4;
                    default -> Integer.parseInt(plain.substring(1));
                };
                Mem m = memory(size);
                Mem place = plain.startsWith("b") ? m.broadcast() : m;
                Mem result = masked ? place.under(new Mask(1 + numbers.below(7))) : place;
                operands[i] = result;
                return () -> text(result, size);
            }
        }
    }

    // ---------------------------------------------------------------------------------------------- addresses

    /// @param size that displacements may be counted in
    private Mem memory(int size) {
        int displacement = displacement(size, numbers.below(12));
        Reg base = numbers.register();
        return switch (numbers.below(4)) {
            case 0 -> x.constant(numbers.below(1 << 20), 1, 2, 3).plus(numbers.of(0, 4, 8));
            case 1 -> Mem.at(base, displacement);
            default -> {
                Reg index = numbers.register();
                yield index == Reg.RSP ? Mem.at(base) : Mem.at(base, index, numbers.of(1, 2, 4, 8), displacement);
            }
        };
    }

    private static int displacement(int size, int choice) {
        return switch (choice) {
            case 0 -> 0;
            case 1 -> size;
            case 2 -> -size;
            case 3 -> 127 * size;
            case 4 -> 128 * size;
            case 5 -> -128 * size;
            case 6 -> -129 * size;
            case 7 -> size + 1;
            case 8 -> 127;
            case 9 -> -128;
            case 10 -> Integer.MAX_VALUE;
            default -> Integer.MIN_VALUE;
        };
    }

    private static String text(Mem m, int size) {
        String unit = switch (size) {
            case 1 -> "BYTE";
            case 2 -> "WORD";
            case 4 -> "DWORD";
            case 8 -> "QWORD";
            case 16 -> "XMMWORD";
            case 32 -> "YMMWORD";
            case 64 -> "ZMMWORD";
            default -> throw new AssertionError(size);
        };
        String mask = m.mask() == 0 ? "" : "{k%d}".formatted(m.mask());
        return unit + (m.isBroadcast() ? " BCST " : " PTR ") + address(m) + mask;
    }

    private static String address(Mem m) {
        Reg base = m.base();
        if (base == null) {
            Label label = m.label();
            return "[0x%x]".formatted((label == null ? 0 : label.position) + m.displacement());
        }
        StringBuilder text = new StringBuilder("[").append(base);
        if (m.index() != null) {
            text.append('+').append(m.index()).append('*').append(m.scale());
        }
        // These two cannot be encoded without a displacement.
        boolean always = base == Reg.RBP || base == Reg.R13;
        long displacement = m.displacement();
        if (displacement != 0 || always) {
            text.append(displacement < 0 ? "-" : "+").append("0x%x".formatted(Math.abs(displacement)));
        }
        return text.append(']').toString();
    }

    private static String half(Reg register) {
        String name = register.toString();
        return register.number() > 7 ? name + "d" : "e" + name.substring(1);
    }

    private static String low16(Reg register) {
        String name = register.toString();
        return register.number() > 7 ? name + "w" : name.substring(1);
    }

    /// Every base with every index and every way to hold a displacement, in the three encodings.
    @Test
    void everyAddress() {
        Vec low = Vec.ymm(3);
        Vec high = Vec.ymm(30);
        for (Reg base : Reg.values()) {
            for (Reg index : Reg.values()) {
                for (int choice = 0; choice < 12; choice++) {
                    int displacement = displacement(32, choice);
                    // rsp cannot be an index, so its turn is the address without one.
                    Mem m = index == Reg.RSP
                            ? Mem.at(base, displacement)
                            : Mem.at(base, index, 1 << choice % 4, displacement);
                    write("vmulps ymm3,ymm3," + text(m, 32), () -> x.op(Op.VMULPS, low, low, m));
                    write("vmulps ymm30,ymm30," + text(m, 32), () -> x.op(Op.VMULPS, high, high, m));
                    write("mov r9," + text(m, 8), () -> x.mov(Reg.R9, m));
                }
            }
        }
        assertReadsAsWritten(9_000);
    }

    // ---------------------------------------------------------------------------------------------- general registers

    private interface OnMemory {
        void write(Reg register, Mem memory);
    }

    /// @param pattern has `R` for the register and `M` for the memory
    private void withMemory(String pattern, int size, OnMemory instruction) {
        for (Reg register : Reg.values()) {
            for (int round = 0; round < ROUNDS; round++) {
                Mem m = memory(size);
                String shape = pattern.replace("32", half(register)).replace("16", low16(register));
                write(
                        () -> shape.replace("R", register.toString())
                                .replace("M", shape.startsWith("lea") ? address(m) : text(m, size)),
                        () -> instruction.write(register, m));
            }
        }
    }

    @Test
    void generalRegistersAndMemory() {
        withMemory("mov R,M", 8, x::mov);
        withMemory("mov M,R", 8, (r, m) -> x.mov(m, r));
        withMemory("mov 32,M", 4, x::mov32);
        withMemory("mov M,32", 4, (r, m) -> x.mov32(m, r));
        withMemory("mov M,16", 2, (r, m) -> x.mov16(m, r));
        withMemory("movsxd R,M", 4, x::movsxd);
        withMemory("movzx R,M", 2, x::movzx16);
        withMemory("lea R,M", 8, x::lea);
        withMemory("add R,M", 8, x::add);
        withMemory("cmp R,M", 8, x::cmp);
        withMemory("imul R,M", 8, x::imul);
        withMemory("prefetcht0 M", 1, (_, m) -> x.prefetch(m));
        withMemory("prefetcht1 M", 1, (_, m) -> x.prefetch2(m));
        withMemory("prefetchnta M", 1, (_, m) -> x.prefetchOnce(m));
        assertReadsAsWritten(2_000);
    }

    private interface OnTwo {
        void write(Reg to, Reg from);
    }

    private void withTwo(String name, OnTwo instruction) {
        for (Reg to : Reg.values()) {
            for (Reg from : Reg.values()) {
                write("%s %s,%s".formatted(name, to, from), () -> instruction.write(to, from));
            }
        }
    }

    private interface OnValue {
        void write(Reg to, int value);
    }

    private void withValues(String name, OnValue instruction, int... values) {
        for (Reg to : Reg.values()) {
            for (int value : values) {
                write("%s %s,0x%x".formatted(name, to, (long) value), () -> instruction.write(to, value));
            }
        }
    }

    private void withOne(String name, Consumer<Reg> instruction) {
        for (Reg register : Reg.values()) {
            write("%s %s".formatted(name, register), () -> instruction.accept(register));
        }
    }

    @Test
    void generalRegisters() {
        withTwo("mov", x::mov);
        withTwo("add", x::add);
        withTwo("sub", x::sub);
        withTwo("or", x::or);
        withTwo("xor", x::xor);
        withTwo("cmp", x::cmp);
        withTwo("test", x::test);
        withTwo("imul", x::imul);
        for (Condition condition : Condition.values()) {
            withTwo("cmov" + condition.suffix, (to, from) -> x.cmov(condition, to, from));
        }
        int[] values = {0, 1, -1, 127, 128, -128, -129, Integer.MAX_VALUE, Integer.MIN_VALUE};
        withValues("mov", x::mov, values);
        withValues("add", x::add, values);
        withValues("sub", x::sub, values);
        withValues("and", x::and, values);
        withValues("cmp", x::cmp, values);
        withValues("shl", x::shl, 1, 2, 31, 63);
        withValues("shr", x::shr, 1, 2, 31, 63);
        withValues("sar", x::sar, 1, 2, 31, 63);
        withOne("push", x::push);
        withOne("pop", x::pop);
        for (Reg count : Reg.values()) {
            for (Reg to : Reg.values()) {
                Reg from = numbers.register();
                write("bzhi %s,%s,%s".formatted(to, from, count), () -> x.bzhi(to, from, count));
            }
        }
        write("vzeroupper", x::vzeroupper);
        write("ret", x::ret);
        write("cpuid", x::cpuid);
        write("xgetbv", x::xgetbv);
        assertReadsAsWritten(5_000);
    }

    @Test
    void jumps() {
        for (int round = 0; round < 40; round++) {
            Label before = x.here();
            Label after = x.label();
            for (Condition condition : Condition.values()) {
                for (Label target : List.of(before, after)) {
                    write(
                            () -> "j%s 0x%x".formatted(condition.suffix, target.position),
                            () -> x.jump(condition, target));
                }
            }
            write(() -> "jmp 0x%x".formatted(before.position), () -> x.jump(before));
            write(() -> "jmp 0x%x".formatted(after.position), () -> x.jump(after));
            for (int i = numbers.below(30); i > 0; i--) {
                x.ret();
            }
            x.bind(after);
        }
        assertReadsAsWritten(1_000);
    }

    @Test
    void alignmentIsFilledWithInstructionsThatDoNothing() {
        List<Integer> places = new ArrayList<>();
        for (int bytes = 1; bytes <= 64; bytes *= 2) {
            for (int offset = 0; offset < 64; offset++) {
                x.align(64);
                for (int i = 0; i < offset; i++) {
                    x.ret();
                }
                x.align(bytes);
                assertEquals(0, x.size() % bytes);
                places.add(x.size());
                write("cpuid", x::cpuid);
            }
        }
        Map<Integer, String> read = Disassembler.read(x.bytes());
        read.forEach((at, text) -> assertTrue(
                text.equals("ret")
                        || text.equals("cpuid")
                        || text.toLowerCase(Locale.ROOT).matches("(nop|xchg ax,ax).*"),
                at + ": " + text));
        places.forEach(place -> assertEquals("cpuid", read.get(place)));
        assertReadsAsWritten(400);
    }
}
