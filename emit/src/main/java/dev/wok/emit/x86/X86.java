package dev.wok.emit.x86;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Writes x86-64 machine code: instructions in, bytes out. Nothing here needs such a processor.
///
/// Vector instructions are the rows of [Op] and take the shorter VEX form where registers, widths and masks allow it,
/// the EVEX form otherwise. The general ones that loops need are methods. Constants gather behind the code, aligned to
/// 64 bytes, and are addressed relative to it, so the bytes run wherever they are put.
public final class X86 {
    private static final int ALIGNMENT = 64;

    /// REX.W: a general instruction works on 64 bits.
    private static final int WIDE = 8;

    private record Fixup(int at, Label target) {}

    private record Line(int position, String name, List<Object> operands) {}

    private byte[] code = new byte[1024];
    private int size;
    private final List<Fixup> fixups = new ArrayList<>();
    private final List<Line> lines = new ArrayList<>();
    private final Map<ByteBuffer, Label> constants = new LinkedHashMap<>();

    // ---------------------------------------------------------------------------------------------- places

    /// @return a place that is not yet put
    public Label label() {
        return new Label();
    }

    /// Puts a place here.
    public void bind(Label label) {
        if (label.position != Label.UNBOUND) {
            throw new IllegalStateException("the label is bound already");
        }
        label.position = size;
    }

    /// @return a new place, put here
    public Label here() {
        Label label = label();
        bind(label);
        return label;
    }

    /// @return memory that holds these 32-bit values, aligned to 64 bytes where it is that long
    public Mem constant(int... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(values);
        return Mem.of(constants.computeIfAbsent(bytes, _ -> label()));
    }

    /// @return memory that holds these values
    public Mem constant(float... values) {
        int[] bits = new int[values.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = Float.floatToRawIntBits(values[i]);
        }
        return constant(bits);
    }

    // ---------------------------------------------------------------------------------------------- vectors

    /// Writes a vector or mask instruction.
    ///
    /// @param operands in the manuals' order, the result first, an immediate last
    /// @throws IllegalArgumentException where the instruction has no such form
    public void op(Op op, Operand... operands) {
        int at = size;
        try {
            encode(op, operands);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("%s %s: %s".formatted(op, Arrays.toString(operands), e.getMessage()), e);
        }
        note(at, op.name().toLowerCase(java.util.Locale.ROOT), operands);
    }

    private void encode(Op op, Operand... operands) {
        int count = operands.length;
        require(count == op.form.operands(), "expected %d operands".formatted(op.form.operands()));
        boolean stores = op.store >= 0 && (operands[0] instanceof Mem || operands[0] instanceof Reg);
        int opcode = stores ? op.store : op.opcode;
        require(opcode >= 0, "only stores");
        int register;
        Operand other;
        int extra = 0;
        switch (op.form) {
            case RM, RMI -> {
                register = number(operands[stores ? 1 : 0]);
                other = operands[stores ? 0 : 1];
            }
            case MR, MRI -> {
                register = number(operands[1]);
                other = operands[0];
            }
            case RVM, RVMI, RVMR -> {
                register = number(operands[stores ? 2 : 0]);
                extra = number(operands[1]);
                other = operands[stores ? 0 : 2];
            }
            case VMI -> {
                register = op.extension;
                extra = number(operands[0]);
                other = operands[1];
            }
            default -> throw new IllegalStateException();
        }
        requireKind(op, other);
        int suffix = -1;
        if (op.form.hasImmediate()) {
            require(operands[count - 1] instanceof Imm, "expected an immediate last");
            suffix = ((Imm) operands[count - 1]).value() & 0xFF;
        } else if (op.form == Op.Form.RVMR) {
            suffix = number(operands[3]) << 4;
        }
        Shape shape = Shape.of(op, operands);
        if (!op.has(Op.EVEX) && !shape.needsEvex) {
            vex(op, opcode, register, extra, other, shape, suffix);
        } else {
            require(!op.has(Op.VEX), "has no EVEX form");
            require(op.has(Op.COMPARES) == operands[0] instanceof Mask, "expected a mask for the result");
            evex(op, opcode, register, extra, other, shape, suffix);
        }
    }

    private static void requireKind(Op op, Operand other) {
        boolean fits = switch (other) {
            case Mem m -> op.tuple != Op.Tuple.NONE && (!m.isBroadcast() || op.tuple.broadcasts());
            case Reg _ -> op.has(Op.GENERAL);
            case Mask _ -> op.has(Op.MASK);
            case Vec _ -> !op.has(Op.MEMORY | Op.GENERAL | Op.MASK);
            case Imm _ -> false;
        };
        require(fits, "does not take " + other);
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }

    private static int number(Operand operand) {
        return switch (operand) {
            case Vec v -> v.number();
            case Reg r -> r.number();
            case Mask k -> k.number();
            case Mem _, Imm _ -> throw new IllegalArgumentException("expected a register, not " + operand);
        };
    }

    /// What the operands together say about an instruction.
    ///
    /// @param bytes the vector length
    /// @param mask the write mask's number
    private record Shape(int bytes, int mask, boolean zeroing, boolean broadcast, boolean needsEvex) {
        static Shape of(Op op, Operand... operands) {
            int bytes = 16;
            int mask = 0;
            boolean zeroing = false;
            boolean broadcast = false;
            boolean high = false;
            boolean memory = false;
            boolean toMask = false;
            for (int i = 0; i < operands.length; i++) {
                switch (operands[i]) {
                    case Vec v -> {
                        bytes = Math.max(bytes, v.bytes());
                        high |= v.number() > 15;
                        if (v.mask() > 0) {
                            require(i == 0, "only the result has a write mask");
                            mask = v.mask();
                            zeroing = v.zeroing();
                        }
                    }
                    case Mem m -> {
                        memory = true;
                        broadcast |= m.isBroadcast();
                        if (m.mask() > 0) {
                            require(i == 0, "only the result has a write mask");
                            mask = m.mask();
                        }
                    }
                    case Mask _ -> toMask |= op.has(Op.COMPARES);
                    case Reg _, Imm _ -> {}
                }
            }
            if (op.has(Op.NARROWS) && memory) {
                bytes *= 2;
            }
            boolean shiftsMemory = op.form == Op.Form.VMI && memory;
            boolean needsEvex = bytes == 64 || high || mask > 0 || broadcast || toMask || shiftsMemory;
            return new Shape(bytes, mask, zeroing, broadcast, needsEvex);
        }

        int length() {
            return bytes == 64 ? 2 : bytes == 32 ? 1 : 0;
        }
    }

    private void vex(Op op, int opcode, int register, int extra, Operand other, Shape s, int suffix) {
        int r = register >> 3 & 1;
        int x = indexBit(other);
        int b = highBit(other);
        int length = op.has(Op.LONG) ? 1 : s.length();
        int last = (~extra & 15) << 3 | length << 2 | op.prefix;
        int w = op.has(Op.VEX_W0) ? 0 : op.w;
        if (x == 0 && b == 0 && op.map == 1 && w == 0) {
            put(0xC5, (r ^ 1) << 7 | last);
        } else {
            put(0xC4, (r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | op.map, w << 7 | last);
        }
        put(opcode);
        operand(register & 7, other, 1, suffix);
    }

    private void evex(Op op, int opcode, int register, int extra, Operand other, Shape s, int suffix) {
        // A register's highest bit stands where an index has its own.
        int x = other instanceof Vec v ? v.number() >> 4 : indexBit(other);
        put(
                0x62,
                (~register >> 3 & 1) << 7
                        | (x ^ 1) << 6
                        | (highBit(other) ^ 1) << 5
                        | (~register >> 4 & 1) << 4
                        | op.map,
                op.w << 7 | (~extra & 15) << 3 | 4 | op.prefix,
                (s.zeroing ? 0x80 : 0) | s.length() << 5 | (s.broadcast ? 0x10 : 0) | (~extra >> 4 & 1) << 3 | s.mask);
        put(opcode);
        operand(register & 7, other, op.tuple.bytes(s.bytes, s.broadcast), suffix);
    }

    private static int indexBit(Operand operand) {
        return operand instanceof Mem m && m.index() != null ? m.index().number() >> 3 : 0;
    }

    private static int highBit(Operand operand) {
        return switch (operand) {
            case Mem m -> m.base() == null ? 0 : m.base().number() >> 3;
            case Vec v -> v.number() >> 3 & 1;
            case Reg r -> r.number() >> 3;
            case Mask _, Imm _ -> 0;
        };
    }

    /// The ModRM byte and what follows it.
    ///
    /// @param unit what a short displacement counts
    /// @param suffix a byte behind it, or -1
    private void operand(int register, Operand operand, int unit, int suffix) {
        if (operand instanceof Mem m) {
            address(register, m, unit, suffix >= 0 ? 1 : 0);
        } else {
            put(0xC0 | register << 3 | number(operand) & 7);
        }
        if (suffix >= 0) {
            put(suffix);
        }
    }

    /// @param behind how many bytes of the instruction follow the displacement
    private void address(int register, Mem m, int unit, int behind) {
        Reg base = m.base();
        if (base == null) {
            put(register << 3 | 5);
            relative(m.label(), m.displacement() - behind);
            return;
        }
        int displacement = m.displacement();
        boolean none = displacement == 0 && (base.number() & 7) != 5;
        boolean isShort = displacement % unit == 0 && displacement / unit == (byte) (displacement / unit);
        int mode = none ? 0 : isShort ? 1 : 2;
        if (m.index() != null || (base.number() & 7) == 4) {
            int index = m.index() == null ? 4 : m.index().number() & 7;
            put(mode << 6 | register << 3 | 4);
            put(Integer.numberOfTrailingZeros(m.scale()) << 6 | index << 3 | base.number() & 7);
        } else {
            put(mode << 6 | register << 3 | base.number() & 7);
        }
        if (mode == 1) {
            put(displacement / unit);
        } else if (mode == 2) {
            put32(displacement);
        }
    }

    /// A distance from the end of these four bytes to a label, plus an offset.
    private void relative(@Nullable Label label, int offset) {
        if (label == null) {
            throw new IllegalStateException("an address without base and label");
        }
        fixups.add(new Fixup(size, label));
        put32(offset);
    }

    /// Leaves the upper halves of all vector registers clean, as callers expect.
    public void vzeroupper() {
        simple("vzeroupper", 0xC5, 0xF8, 0x77);
    }

    // ---------------------------------------------------------------------------------------------- general registers

    public void mov(Reg to, Reg from) {
        store("mov", WIDE, to, from, 0x89);
    }

    /// @param value sign-extended to 64 bits
    public void mov(Reg to, int value) {
        int at = size;
        encode(WIDE, 0, to, 0xC7);
        put32(value);
        note(at, "mov", to, value);
    }

    public void mov(Reg to, Mem from) {
        load("mov", WIDE, to, from, 0x8B);
    }

    public void mov(Mem to, Reg from) {
        store("mov", WIDE, to, from, 0x89);
    }

    /// Loads 32 bits, the upper half becomes zero.
    public void mov32(Reg to, Mem from) {
        load("mov32", 0, to, from, 0x8B);
    }

    public void mov32(Mem to, Reg from) {
        store("mov32", 0, to, from, 0x89);
    }

    /// Loads 32 bits and extends their sign.
    public void movsxd(Reg to, Mem from) {
        load("movsxd", WIDE, to, from, 0x63);
    }

    /// Loads 16 bits, the rest becomes zero.
    public void movzx16(Reg to, Mem from) {
        load("movzx16", WIDE, to, from, 0x0F, 0xB7);
    }

    /// Stores the lowest 16 bits.
    public void mov16(Mem to, Reg from) {
        int at = size;
        put(0x66);
        encode(0, from.number(), to, 0x89);
        note(at, "mov16", to, from);
    }

    public void lea(Reg to, Mem from) {
        load("lea", WIDE, to, from, 0x8D);
    }

    public void add(Reg to, Reg value) {
        store("add", WIDE, to, value, 0x01);
    }

    public void add(Reg to, int value) {
        immediate("add", 0, to, value);
    }

    public void add(Reg to, Mem value) {
        load("add", WIDE, to, value, 0x03);
    }

    public void sub(Reg to, Reg value) {
        store("sub", WIDE, to, value, 0x29);
    }

    public void sub(Reg to, int value) {
        immediate("sub", 5, to, value);
    }

    public void and(Reg to, int value) {
        immediate("and", 4, to, value);
    }

    public void or(Reg to, Reg value) {
        store("or", WIDE, to, value, 0x09);
    }

    public void xor(Reg to, Reg value) {
        store("xor", WIDE, to, value, 0x31);
    }

    public void cmp(Reg left, Reg right) {
        store("cmp", WIDE, left, right, 0x39);
    }

    public void cmp(Reg left, int right) {
        immediate("cmp", 7, left, right);
    }

    public void cmp(Reg left, Mem right) {
        load("cmp", WIDE, left, right, 0x3B);
    }

    public void test(Reg left, Reg right) {
        store("test", WIDE, left, right, 0x85);
    }

    public void imul(Reg to, Reg value) {
        load("imul", WIDE, to, value, 0x0F, 0xAF);
    }

    public void imul(Reg to, Mem value) {
        load("imul", WIDE, to, value, 0x0F, 0xAF);
    }

    public void shl(Reg to, int count) {
        shift("shl", 4, to, count);
    }

    public void shr(Reg to, int count) {
        shift("shr", 5, to, count);
    }

    public void sar(Reg to, int count) {
        shift("sar", 7, to, count);
    }

    /// `to = from` with all bits from number `count` on cleared (BMI2).
    public void bzhi(Reg to, Reg from, Reg count) {
        int at = size;
        int r = to.number() >> 3;
        int b = from.number() >> 3;
        put(0xC4, (r ^ 1) << 7 | 1 << 6 | (b ^ 1) << 5 | 2, 0x80 | (~count.number() & 15) << 3, 0xF5);
        put(0xC0 | (to.number() & 7) << 3 | from.number() & 7);
        note(at, "bzhi", to, from, count);
    }

    /// `to = from` where the flags say so.
    public void cmov(Condition condition, Reg to, Reg from) {
        load("cmov" + condition.suffix, WIDE, to, from, 0x0F, 0x40 | condition.code);
    }

    public void push(Reg register) {
        int at = size;
        if (register.number() > 7) {
            put(0x41);
        }
        put(0x50 | register.number() & 7);
        note(at, "push", register);
    }

    public void pop(Reg register) {
        int at = size;
        if (register.number() > 7) {
            put(0x41);
        }
        put(0x58 | register.number() & 7);
        note(at, "pop", register);
    }

    public void jump(Label target) {
        int at = size;
        put(0xE9);
        relative(target, 0);
        note(at, "jmp", target);
    }

    public void jump(Condition condition, Label target) {
        int at = size;
        put(0x0F, 0x80 | condition.code);
        relative(target, 0);
        note(at, "j" + condition.suffix, target);
    }

    public void ret() {
        simple("ret", 0xC3);
    }

    /// Fills `eax`, `ebx`, `ecx` and `edx` with what the processor says about itself.
    public void cpuid() {
        simple("cpuid", 0x0F, 0xA2);
    }

    /// Fills `edx:eax` with the extended control register that `ecx` names.
    public void xgetbv() {
        simple("xgetbv", 0x0F, 0x01, 0xD0);
    }

    /// Asks for a line of memory in the first-level cache.
    public void prefetch(Mem line) {
        prefetch("prefetcht0", 1, line);
    }

    /// Asks for a line of memory in the second-level cache.
    public void prefetch2(Mem line) {
        prefetch("prefetcht1", 2, line);
    }

    /// Asks for a line of memory that is used once.
    public void prefetchOnce(Mem line) {
        prefetch("prefetchnta", 0, line);
    }

    /// Makes stores past the caches visible before later ones.
    public void sfence() {
        simple("sfence", 0x0F, 0xAE, 0xF8);
    }

    private void prefetch(String name, int hint, Mem line) {
        int at = size;
        encode(0, hint, line, 0x0F, 0x18);
        note(at, name, line);
    }

    private void shift(String name, int extension, Reg to, int count) {
        int at = size;
        encode(WIDE, extension, to, 0xC1);
        put(count);
        note(at, name, to, count);
    }

    private void immediate(String name, int extension, Reg to, int value) {
        int at = size;
        boolean isShort = value == (byte) value;
        encode(WIDE, extension, to, isShort ? 0x83 : 0x81);
        if (isShort) {
            put(value);
        } else {
            put32(value);
        }
        note(at, name, to, value);
    }

    /// An instruction whose result or left side is a register.
    private void load(String name, int w, Reg to, Operand from, int... opcode) {
        int at = size;
        encode(w, to.number(), from, opcode);
        note(at, name, to, from);
    }

    /// An instruction whose result or left side may be memory.
    private void store(String name, int w, Operand to, Reg from, int... opcode) {
        int at = size;
        encode(w, from.number(), to, opcode);
        note(at, name, to, from);
    }

    /// @param w [#WIDE], or 0 for 32 bits
    /// @param register the register field: a register's number, or more of the opcode
    private void encode(int w, int register, Operand other, int... opcode) {
        int rex = w | register >> 3 << 2 | indexBit(other) << 1 | highBit(other);
        if (rex != 0) {
            put(0x40 | rex);
        }
        put(opcode);
        operand(register & 7, other, 1, -1);
    }

    private void simple(String name, int... bytes) {
        int at = size;
        put(bytes);
        note(at, name);
    }

    // ---------------------------------------------------------------------------------------------- bytes

    private void put(int... bytes) {
        for (int b : bytes) {
            if (size == code.length) {
                code = Arrays.copyOf(code, 2 * size);
            }
            code[size++] = (byte) b;
        }
    }

    private void put32(int value) {
        put(value, value >> 8, value >> 16, value >> 24);
    }

    private void note(int position, String name, Object... operands) {
        lines.add(new Line(position, name, List.of(operands)));
    }

    /// @return where the next instruction goes: the bytes so far, constants not counted
    public int size() {
        return size;
    }

    /// Starts the next instruction at a multiple of some bytes, as loops like it.
    ///
    /// @param bytes a power of two
    public void align(int bytes) {
        while (size % bytes != 0) {
            int gap = bytes - size % bytes;
            switch (Math.min(gap, 8)) {
                case 1 -> put(0x90);
                case 2 -> put(0x66, 0x90);
                case 3 -> put(0x0F, 0x1F, 0x00);
                case 4 -> put(0x0F, 0x1F, 0x40, 0x00);
                case 5 -> put(0x0F, 0x1F, 0x44, 0x00, 0x00);
                case 6 -> put(0x66, 0x0F, 0x1F, 0x44, 0x00, 0x00);
                case 7 -> put(0x0F, 0x1F, 0x80, 0x00, 0x00, 0x00, 0x00);
                default -> put(0x0F, 0x1F, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00);
            }
        }
    }

    /// @return the finished code with its constants
    /// @throws IllegalStateException where a place is used and not put
    public byte[] bytes() {
        ByteArrayOutputStream pool = new ByteArrayOutputStream();
        int start = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        constants.forEach((bytes, label) -> {
            while (pool.size() % Math.min(ALIGNMENT, bytes.capacity()) != 0) {
                pool.write(0);
            }
            label.position = start + pool.size();
            pool.writeBytes(bytes.array());
        });
        byte[] all = Arrays.copyOf(code, pool.size() == 0 ? size : start + pool.size());
        System.arraycopy(pool.toByteArray(), 0, all, all.length - pool.size(), pool.size());
        ByteBuffer buffer = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN);
        for (Fixup fixup : fixups) {
            if (fixup.target.position == Label.UNBOUND) {
                throw new IllegalStateException("a label is used and not bound");
            }
            int distance = fixup.target.position - (fixup.at + Integer.BYTES) + buffer.getInt(fixup.at);
            buffer.putInt(fixup.at, distance);
        }
        return all;
    }

    /// @return the instructions as text, a line each, with their positions
    public String listing() {
        return lines.stream().map(X86::text).collect(Collectors.joining("\n"));
    }

    private static String text(Line line) {
        String operands = line.operands.stream()
                .map(o -> o instanceof Label l ? "-> %x".formatted(l.position) : o.toString())
                .collect(Collectors.joining(", "));
        return "%5x  %s %s".formatted(line.position, line.name, operands).stripTrailing();
    }
}
