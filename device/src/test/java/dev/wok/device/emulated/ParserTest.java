package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.PtxFault;
import dev.wok.testkit.Fuzz;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Texts that are no PTX.
class ParserTest {
    private static final String HEAD = ".version 8.5\n.target sm_90a\n.address_size 64\n";

    private static final List<String> WORDS = List.of(
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            ";",
            ",",
            "@%p1 ",
            ".reg .b32 %r<65536>;",
            ".reg .pred %p<4000000000>;",
            ".shared .b8 big[4294967295];",
            ".local .b64 l[99999999999];",
            ".global .b8 g[2][4294967296];",
            "ld.global.u32 %r1, [%rd1];",
            "bra L;",
            "L:",
            "L: .branchtargets L, L;",
            "call f, (a);",
            ".func f() { call f; }",
            "0f",
            "0d1",
            "0x",
            "99999999999999999999",
            "1e999",
            "-",
            "+",
            "|",
            "!",
            "_",
            "%tid.x",
            "%r1|%p1",
            "{%r1, %r2}",
            ".param .b32 a;",
            ".align 3 ",
            ".v4 ",
            "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {",
            "mma.sync.aligned.m16n8k16",
            "tensor.5d",
            "cvt.rn.",
            ".e4m3x2",
            "/*",
            "*/",
            "//",
            "\"",
            "\0",
            "\uD800",
            ".extern .shared .b8 e[];",
            ".entry k() {}",
            ".version 1",
            ".maxntid 0",
            "brx.idx %r1, L;");

    private static PtxFault refused(String text) {
        return assertThrows(PtxFault.class, () -> Module.load(text, new Allocations()));
    }

    private static void readOrRefused(String text) {
        try {
            Module.load(text, new Allocations()).close();
        } catch (PtxFault fault) {
            assertEquals(PtxFault.Kind.SYNTAX, fault.kind());
            assertTrue(fault.line() >= 1, () -> "line " + fault.line() + " of " + fault.getMessage());
        }
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = Objects.requireNonNull(ParserTest.class.getResourceAsStream("/cuda/" + name + ".ptx"))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"calls", "halves", "matrices", "pipelines"})
    void damagedTextsAreReadOrRefused(String name) throws Exception {
        String intact = resource(name);
        Fuzz.of("ptx " + name).memory(4000, 64 << 20).check(400, damage -> {
            String text = damage.text(intact, WORDS);
            return new Fuzz.Input(text.length(), () -> readOrRefused(text));
        });
    }

    @Test
    void shortTextsAreReadOrRefused() throws InterruptedException {
        String intact = HEAD + """
                .visible .entry k(.param .u64 a)
                {
                .reg .b32 %r<8>; .reg .b64 %rd<8>; .reg .pred %p<4>; .shared .align 16 .b8 s[64];
                ld.param.u64 %rd1, [a];
                L:
                @%p1 mul.wide.u32 %rd2, %r1, 4;
                ld.global.v2.u32 {%r1, %r2}, [%rd1+8];
                setp.lt.and.s32 %p1|%p2, %r1, -5, !%p3;
                shfl.sync.idx.b32 %r3|%p1, %r1, %r2, 31, 0xffffffff;
                cvt.rn.satfinite.e4m3x2.f32 %r4, 0f3f800000, 0f40000000;
                cp.async.ca.shared.global [%r5], [%rd1], 16, %r6;
                lop3.b32 %r1, %r2, %r3, %r4, 0x96;
                @!%p1 bra L;
                ret;
                }
                """;
        Fuzz.of("short ptx").memory(4000, 64 << 20).check(3000, damage -> {
            String text = damage.text(intact, WORDS);
            return new Fuzz.Input(text.length(), () -> readOrRefused(text));
        });
    }

    @Test
    void everyTruncationIsRefused() {
        String text =
                HEAD + ".visible .entry k(.param .u64 a)\n{\n.reg .b32 %r<3>;\nL: mov.u32 %r1, 5;\nbra L;\nret;\n}\n";
        readOrRefused(text);
        for (int i = HEAD.length() + 1; i < text.length() - 2; i++) {
            assertEquals(PtxFault.Kind.SYNTAX, refused(text.substring(0, i)).kind());
        }
    }

    @Test
    void nestingHasAnEnd() {
        for (String open : List.of("{", "mov.b64 %d, {", "call (", "@")) {
            PtxFault fault = refused(HEAD + ".entry k() {\n" + open.repeat(20_000) + "\n");
            assertEquals(PtxFault.Kind.SYNTAX, fault.kind());
            assertTrue(fault.line() >= 4);
        }
        assertTrue(String.valueOf(refused(HEAD + ".global .b32 g[1] = " + "{".repeat(20_000))
                        .getMessage())
                .contains("nested deeper than"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '#',
            value = {
                ".global .b8 g[4294967296]; # line 4: g is larger than can be",
                ".global .b8 g[4294967295][4294967295]; # line 4: g is larger than can be",
                ".entry k() { .reg .b32 %r<70000>; } # line 4: no number of registers: 70000",
                ".entry k() { .reg .b32 %r<60000>; .reg .b32 %q<60000>; } # line 4: more registers than can be",
                ".entry k() { .reg .b32 %r; .reg .b32 %r; } # line 4: %r is declared twice",
                ".entry k() { L: L: ret; } # line 4: the label L stands twice",
                ".global .b32 g; .global .b32 g; # line 4: g is declared twice",
                ".entry k() { ret; } .entry k() { ret; } # line 4: k is declared twice",
                ".entry k(.param .u32 a, .param .u32 a) { ret; } # line 4: a is declared twice",
                ".entry k() { .reg .bf16 %h; } # line 4: no registers are .bf16: .b16 holds such numbers",
                ".entry k() { .reg .v2 .b32 %r; } # line 4: vector registers are not supported",
                ".func f(.reg .b32 %a) { ret; } # line 4: parameters in registers are not supported",
                ".entry k() { .reg .b32 %r; add.u32 %r, %r; } # line 4: add.u32 has 3 operands, not 2",
                ".entry k() { .reg .f32 %f; add.u32 %f, 1, 2; } # line 4: %f is a .f32 register, and add.u32 needs .u32",
                ".entry k() { .reg .b32 %r; add.u32 %r, 1, %q; } # line 4: no register %q is declared",
                ".entry k() { .reg .b32 %r; add.u32 %q, 1, 2; } # line 4: no register %q is declared",
                ".entry k() { .reg .b32 %r; add.u32 %r, 1, q; } # line 4: nothing is called q here",
                ".entry k() { .reg .b32 %r; frob.u32 %r, 1; } # line 4: the emulator does not know frob.u32",
                ".entry k() { .reg .b32 %r; add.u32.frob %r, 1, 2; } # line 4: '.frob' is not known here, in add.u32.frob",
                ".entry k() { .reg .b32 %r; and.u32 %r, 1, 2; } # line 4: and does not come in .u32",
                ".entry k() { .reg .b32 %r; shl.u32 %r, 1, 2; } # line 4: the emulator does not know shl.u32",
                ".entry k() { .reg .b32 %r; @%p mov.u32 %r, 1; } # line 4: no predicate %p is declared",
                ".entry k() { .reg .b32 %r; @%r mov.u32 %r, 1; } # line 4: no predicate %r is declared",
                ".entry k() { bra M; } # line 4: no label M",
                ".entry k() { bra 5; } # line 4: a label is expected",
                ".entry k() { .reg .b32 %r; brx.idx %r, L; } # line 4: a list of .branchtargets is expected",
                ".entry k() { .reg .b16 %h; ld.global.u32 %h, [0]; } # line 4: %h is a .b16 register, and ld.global.u32 needs .u32",
                ".entry k() { .reg .b32 %r; ld.global.u32 %r, [%r]; } # line 4: %r is a .b32 register; an address has 64 bits, in shared memory 32 too",
                ".entry k() { .reg .b32 %r; ld.global.u32 %r, %r; } # line 4: an address in brackets is expected",
                ".entry k() { .reg .b64 %d; .shared .b32 s; ld.global.b64 %d, [s]; } # line 4: s lies in .shared memory",
                ".entry k() { .reg .b64 %d; ld.global.b64 %d, [%d-4]; } # line 4: an address is less than another one as in [%rd1+-4]",
                ".entry k(.param .u32 a) { st.param.u32 [a], 1; } # line 4: a kernel's parameters cannot be written",
                ".entry k() { .reg .b32 %r; ld.global.v2.u32 %r, [0]; } # line 4: ld.global.v2.u32 needs 2 registers between braces, not 1",
                ".entry k() { .reg .b16 %h; ld.global.f16 %h, [0]; } # line 4: .f16 numbers are read and written as .b16",
                ".entry k() { .reg .b32 %r; vote.ballot.b32 %r, 1; } # line 4: vote without .sync has been withdrawn",
                ".entry k() { .reg .b32 %r; .reg .f32 %f; cvt.u32.f32 %r, %f; } # line 4: a conversion to whole numbers names its rounding: .rni, .rzi, .rmi or .rpi",
                ".entry k() { .reg .b16 %h; .reg .f32 %f; cvt.f16.f32 %h, %f; } # line 4: a conversion to fewer digits names its rounding: .rn, .rz, .rm or .rp",
                ".entry k() { .reg .pred %p; setp.lt.b32 %p, 1, 2; } # line 4: bits are equal or not; .b32 has no order",
                ".entry k() { .reg .pred %p; setp.ltu.u32 %p, 1, 2; } # line 4: .ltu compares floating-point numbers",
                ".entry k() { .reg .pred %p; setp.lo.f32 %p, 0f00000000, 0f00000000; } # line 4: .lo compares whole numbers",
                ".entry k() { .reg .b16 %h; atom.global.add.f16 %h, [0], %h; } # line 4: sums of .f16 need .noftz",
                ".entry k() { setmaxnreg.inc.sync.aligned.u32 100; } # line 4: setmaxnreg takes a multiple of 8 from 24 to 256, not 100",
                ".entry k() { bar.arrive 0; } # line 4: who arrives says how many threads the barrier expects",
                ".entry k() { cp.async.cg.shared.global [0], [0], 8; } # line 4: cp.async copies 4, 8 or 16 bytes, with .cg 16 alone, not 8",
                ".entry k() { mov.u32 5, 6; } # line 4: a register is expected for the result",
                ".entry k() { mov.u32 %tid.x, 6; } # line 4: no register %tid.x is declared",
                ".entry k() { .reg .b32 %r; mov.b32 %r, 0f12; } # line 4: '0f12' has not the 8 digits of a number's bits",
                ".entry k() { .reg .b32 %r; mov.b32 %r, 0x123456789abcdef01; } # line 4: '0x123456789abcdef01' is no number",
                ".entry k() { .reg .b32 %r; mov.b32 %r, 08; } # line 4: '08' is no number",
                "} # line 4: '}' is not known here",
                ".entry k() { § } # line 4: a character that PTX does not have: '§'",
                ".entry k() { /* } # line 4: a comment that does not end",
                ".address_size 32 # line 4: addresses of 64 bits are expected, not of 32",
                ".shared .align 3 .b8 s[4]; # line 4: an alignment is a power of two, not 3",
                ".global .b32 g = x; # line 4: only numbers can initialise g",
                ".global .b32 g[1] = {1, 2}; # line 4: g has room for 4 bytes, not for 8",
                ".extern .func f(); # ",
            })
    void messagesNameLineAndRule(String text, String message) {
        if (message == null || message.isBlank()) {
            readOrRefused(HEAD + text);
            return;
        }
        PtxFault fault = refused(HEAD + text.strip());
        assertEquals(PtxFault.Kind.SYNTAX, fault.kind());
        assertEquals(4, fault.line());
        assertEquals("", fault.lanes());
        String first = String.valueOf(fault.getMessage()).lines().findFirst().orElse("");
        assertEquals(message.strip() + ".", first);
    }

    @Test
    void theHeadIsNeeded() {
        assertEquals(
                "line 1: a PTX text begins with .version and .target.",
                String.valueOf(refused("").getMessage()));
    }
}
