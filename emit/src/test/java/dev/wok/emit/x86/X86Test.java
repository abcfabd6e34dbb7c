package dev.wok.emit.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Reg.*;
import static dev.wok.emit.x86.Vec.xmm;
import static dev.wok.emit.x86.Vec.ymm;
import static dev.wok.emit.x86.Vec.zmm;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.wok.testkit.Thrown;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/// Encodings as the GNU assembler writes them, and what is refused.
class X86Test {
    private static final HexFormat HEX = HexFormat.ofDelimiter(" ");

    private final X86 x = new X86();

    private static void assertBytes(String expected, Op op, Operand... operands) {
        X86 x = new X86();
        x.op(op, operands);
        assertEquals(expected, HEX.formatHex(x.bytes()), x.listing());
    }

    private void assertBytes(String expected) {
        assertEquals(expected, HEX.formatHex(x.bytes()), x.listing());
    }

    private static String refused(Op op, Operand... operands) {
        return Thrown.message(IllegalArgumentException.class, () -> new X86().op(op, operands));
    }

    // ---------------------------------------------------------------------------------------------- encodings

    @Test
    void shortVex() {
        assertBytes("c5 ec 58 cb", Op.VADDPS, ymm(1), ymm(2), ymm(3));
        assertBytes("c5 68 58 48 10", Op.VADDPS, xmm(9), xmm(2), Mem.at(RAX, 16));
        assertBytes("c5 f5 72 d2 10", Op.VPSRLD, ymm(1), ymm(2), imm(16));
        assertBytes("c5 cc c2 ef 02", Op.VCMPPS, ymm(5), ymm(6), ymm(7), imm(2));
        assertBytes("c5 f9 7e da", Op.VMOVD, RDX, xmm(3));
    }

    @Test
    void longVex() {
        assertBytes("c4 02 35 b8 44 9a e0", Op.VFMADD231PS, ymm(8), ymm(9), Mem.at(R10, R11, 4, -32));
        assertBytes("c4 e3 69 4a 09 c0", Op.VBLENDVPS, xmm(1), xmm(2), Mem.at(RCX), xmm(12));
        assertBytes("c4 c1 78 92 c9", Op.KMOVW, Mask.K1, R9);
    }

    @Test
    void evexCountsShortDisplacementsInOperands() {
        assertBytes("62 f1 6c 48 59 4f 01", Op.VMULPS, zmm(1), zmm(2), Mem.at(RDI, 64));
        assertBytes("62 f1 6c 48 59 8f 41 00 00 00", Op.VMULPS, zmm(1), zmm(2), Mem.at(RDI, 65));
        assertBytes("62 f2 7d 48 21 58 01", Op.VPMOVSXBD, zmm(3), Mem.at(RAX, 16));
    }

    @Test
    void evexBroadcasts() {
        assertBytes(
                "62 e1 6c 58 59 4f 80",
                Op.VMULPS,
                zmm(17),
                zmm(2),
                Mem.at(RDI, -512).broadcast());
        assertBytes(
                "62 52 36 58 52 45 00",
                Op.VDPBF16PS,
                zmm(8),
                zmm(9),
                Mem.at(R13).broadcast());
    }

    @Test
    void evexMasks() {
        assertBytes("62 61 7c 49 11 3e", Op.VMOVUPS, Mem.at(RSI).under(Mask.K1), zmm(31));
        assertBytes("62 61 7c ca 10 3c 24", Op.VMOVUPS, zmm(31).zeroed(Mask.K2), Mem.at(RSP));
        assertBytes("62 f1 74 48 c2 da 01", Op.VCMPPS, Mask.K3, zmm(1), zmm(2), imm(1));
    }

    @Test
    void evexRegisters() {
        assertBytes("62 b2 7e 48 72 e4", Op.VCVTNEPS2BF16, ymm(4), zmm(20));
        assertBytes("62 e3 fd 48 1b c1 01", Op.VEXTRACTF64X4, ymm(1), zmm(16), imm(1));
        assertBytes("62 d2 7d 48 7c d0", Op.VPBROADCASTD_R, zmm(2), R8);
    }

    @Test
    void generalRegisters() {
        x.mov(RAX, Mem.at(RSP, 8));
        x.lea(R12, Mem.at(R13, RCX, 8, 0));
        x.bzhi(RAX, R9, RDX);
        assertBytes("48 8b 44 24 08 4d 8d 64 cd 00 c4 c2 e8 f5 c1");
    }

    @Test
    void jumpsCountFromTheirEnd() {
        Label back = x.here();
        Label ahead = x.label();
        x.jump(ahead);
        x.jump(Condition.LESS, back);
        x.bind(ahead);
        x.ret();
        assertBytes("e9 06 00 00 00 0f 8c f5 ff ff ff c3");
    }

    @Test
    void constantsLieBehindTheCode() {
        x.op(Op.VBROADCASTSS, xmm(1), x.constant(1f));
        x.op(Op.VSHUFPS, xmm(1), xmm(1), x.constant(1, 2, 3, 4), imm(5));
        byte[] code = x.bytes();
        assertEquals(64 + 4 + 12 + 16, code.length);
        // 64 behind the start of the code is 55 behind the end of the first instruction.
        assertEquals("c4 e2 79 18 0d 37 00 00 00", HEX.formatHex(code, 0, 9));
        assertEquals("c5 f0 c6 0d 3e 00 00 00 05", HEX.formatHex(code, 9, 18));
        assertEquals("00 00 80 3f", HEX.formatHex(code, 64, 68));
        assertEquals("01 00 00 00 02 00 00 00", HEX.formatHex(code, 80, 88));
    }

    @Test
    void equalConstantsAreOne() {
        Mem one = x.constant(1f);
        assertEquals(one, x.constant(1f));
        assertEquals(one, x.constant(0x3F800000));
        assertNotEquals(one, x.constant(2f));
        assertNotEquals(x.constant(0f), x.constant(-0f));
        assertNotEquals(one, x.constant(1f, 1f));
        // The payload of what is no number counts too.
        assertNotEquals(x.constant(0x7FC00001), x.constant(0x7FC00002));
    }

    @Test
    void longConstantsAreAligned() {
        int[] values = new int[16];
        Mem one = x.constant(7);
        for (int i = 0; i < 5; i++) {
            values[0] = i;
            x.op(Op.VMOVUPS, zmm(i), x.constant(values));
            x.op(Op.VBROADCASTSS, zmm(i), one);
        }
        ByteBuffer code = ByteBuffer.wrap(x.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < 5; i++) {
            values[0] = i;
            Label label = x.constant(values).label();
            int position = label == null ? -1 : label.position;
            assertEquals(0, position % 64);
            assertEquals(i, code.getInt(position));
        }
        assertEquals(6 * 64 + 128, code.capacity());
    }

    @Test
    void codeAndConstantsGrow() {
        for (int i = 0; i < 3000; i++) {
            x.op(Op.VBROADCASTSS, xmm(1), x.constant(i));
        }
        ByteBuffer code = ByteBuffer.wrap(x.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < 3000; i++) {
            int end = 9 * (i + 1);
            assertEquals(i, code.getInt(end + code.getInt(end - 4)));
        }
    }

    // ---------------------------------------------------------------------------------------------- what is refused

    @Test
    void operandsAreCounted() {
        assertEquals("VADDPS [ymm1, ymm2]: expected 3 operands", refused(Op.VADDPS, ymm(1), ymm(2)));
        assertEquals("VADDPS []: expected 3 operands", refused(Op.VADDPS));
        assertEquals("VSHUFPS [xmm1, xmm2, xmm3]: expected 4 operands", refused(Op.VSHUFPS, xmm(1), xmm(2), xmm(3)));
        assertEquals("VMOVUPS [xmm1, xmm2, 3]: expected 2 operands", refused(Op.VMOVUPS, xmm(1), xmm(2), imm(3)));
        assertEquals(
                "VSHUFPS [xmm1, xmm2, xmm3, xmm4]: expected an immediate last",
                refused(Op.VSHUFPS, xmm(1), xmm(2), xmm(3), xmm(4)));
        assertEquals("VADDPS [xmm1, xmm2, 3]: does not take 3", refused(Op.VADDPS, xmm(1), xmm(2), imm(3)));
    }

    @Test
    void onlyTheResultHasAWriteMask() {
        assertEquals(
                "VADDPS [zmm1, zmm2{k1}, zmm3]: only the result has a write mask",
                refused(Op.VADDPS, zmm(1), zmm(2).under(Mask.K1), zmm(3)));
        assertEquals(
                "VMOVUPS [zmm1, [rax]{k2}]: only the result has a write mask",
                refused(Op.VMOVUPS, zmm(1), Mem.at(RAX).under(Mask.K2)));
    }

    @Test
    void instructionsWithoutEvexTakeNeitherItsRegistersNorItsMasks() {
        assertEquals(
                "VBLENDPS [xmm16, xmm1, xmm2, 3]: has no EVEX form",
                refused(Op.VBLENDPS, xmm(16), xmm(1), xmm(2), imm(3)));
        assertEquals(
                "VPSIGNB [xmm1{k1}{z}, xmm1, xmm2]: has no EVEX form",
                refused(Op.VPSIGNB, xmm(1).zeroed(Mask.K1), xmm(1), xmm(2)));
        assertEquals(
                "VPERM2F128 [zmm1, zmm1, zmm2, 3]: has no EVEX form",
                refused(Op.VPERM2F128, zmm(1), zmm(1), zmm(2), imm(3)));
    }

    /// Each of these would have bytes, and mean something else.
    @Test
    void operandsOfTheWrongKindAreRefused() {
        assertEquals("VMOVSS [xmm1, xmm2]: does not take xmm2", refused(Op.VMOVSS, xmm(1), xmm(2)));
        assertEquals("VMOVQ [xmm1, xmm2]: does not take xmm2", refused(Op.VMOVQ, xmm(1), xmm(2)));
        assertEquals("VPBROADCASTD [xmm1, rax]: does not take rax", refused(Op.VPBROADCASTD, xmm(1), RAX));
        assertEquals("KMOVW [k1, [rax]]: does not take [rax]", refused(Op.KMOVW, Mask.K1, Mem.at(RAX)));
        assertEquals(
                "VMOVHLPS [xmm1, xmm2, [rax]]: does not take [rax]", refused(Op.VMOVHLPS, xmm(1), xmm(2), Mem.at(RAX)));
        assertEquals(
                "VPADDW [zmm1, zmm2, [rax]{1toN}]: does not take [rax]{1toN}",
                refused(Op.VPADDW, zmm(1), zmm(2), Mem.at(RAX).broadcast()));
        assertEquals("VMOVNTPS [xmm1, [rax]]: only stores", refused(Op.VMOVNTPS, xmm(1), Mem.at(RAX)));
        assertEquals(
                "VCMPPS [zmm1, zmm2, zmm3, 1]: expected a mask for the result",
                refused(Op.VCMPPS, zmm(1), zmm(2), zmm(3), imm(1)));
    }

    @Test
    void addressesThatDoNotExist() {
        assertEquals(
                "no address rax + rsp * 1",
                Thrown.message(IllegalArgumentException.class, () -> Mem.at(RAX, RSP, 1, 0)));
        assertEquals(
                "no address rax + rcx * 3",
                Thrown.message(IllegalArgumentException.class, () -> Mem.at(RAX, RCX, 3, 0)));
        assertEquals(
                "no address null + rcx * 1",
                Thrown.message(IllegalArgumentException.class, () -> new Mem(null, RCX, 1, 0, x.label(), false, 0)));
        assertEquals(
                "no vector register 32 of 64 bytes", Thrown.message(IllegalArgumentException.class, () -> zmm(32)));
        assertEquals("k8: expected k0 to k7", Thrown.message(IllegalArgumentException.class, () -> new Mask(8)));
    }

    @Test
    void labelsAreBoundOnce() {
        Label label = x.here();
        assertEquals("the label is bound already", Thrown.message(IllegalStateException.class, () -> x.bind(label)));
        x.jump(x.label());
        assertEquals("a label is used and not bound", Thrown.message(IllegalStateException.class, x::bytes));
    }

    // ---------------------------------------------------------------------------------------------- text

    @Test
    void listing() {
        Label loop = x.label();
        x.xor(RAX, RAX);
        x.bind(loop);
        x.op(Op.VMOVUPS, zmm(1).zeroed(Mask.K1), Mem.at(RDI, RAX, 4, -64));
        x.op(Op.VMULPS, zmm(1), zmm(1), x.constant(2f).broadcast());
        x.op(Op.VMOVUPS, Mem.at(RSI).under(Mask.K1), zmm(1));
        x.op(Op.VPSLLD, ymm(2), ymm(3), imm(16));
        x.mov(RCX, Mem.at(RSP, 8));
        x.lea(RDX, Mem.at(RCX, 8));
        x.cmp(RAX, RDX);
        x.jump(Condition.LESS, loop);
        x.ret();
        assertEquals("""
             0  xor rax, rax
             3  vmovups zmm1{k1}{z}, [rdi+rax*4-64]
             b  vmulps zmm1, zmm1, [constant]{1toN}
            15  vmovups [rsi]{k1}, zmm1
            1b  vpslld ymm2, ymm3, 16
            20  mov rcx, [rsp+8]
            25  lea rdx, [rcx+8]
            29  cmp rax, rdx
            2c  jl -> 3
            32  ret
            """.indent(3), x.listing() + "\n");
    }
}
