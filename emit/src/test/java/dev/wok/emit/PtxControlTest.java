package dev.wok.emit;

import static dev.wok.emit.ptx.Compare.GE;
import static dev.wok.emit.ptx.Compare.LT;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;
import static dev.wok.emit.ptx.Type.B64;
import static dev.wok.emit.ptx.Type.F32;
import static dev.wok.emit.ptx.Type.PRED;
import static dev.wok.emit.ptx.Type.U32;
import static dev.wok.emit.ptx.Type.U64;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.emit.ptx.Label;
import dev.wok.emit.ptx.Ptx;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Target;
import dev.wok.testkit.Ptxas;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/// Loops and conditions become labels and branches.
class PtxControlTest {
    private final Ptx module = Ptx.module(Target.SM_90);
    private final PtxKernel k = module.kernel("k");
    private final Reg at = k.reg(U64, "at");
    private final Reg a = k.reg(U32, "a");
    private final Reg x = k.reg(F32, "x");
    private final Reg p = k.reg(PRED, "p");

    /// @return the lines between the declarations and the end
    private static String code(Ptx module) {
        String text = module.text();
        return text.substring(text.lastIndexOf(".reg "))
                .replaceFirst(".*\n", "")
                .replaceFirst(" +ret;\n}\n", "");
    }

    private void assertCode(String expected) {
        assertEquals(expected, code(module));
    }

    @Test
    void oneInstructionIsGuardedAndSeveralAreBranchedAround() {
        k.when(p, () -> k.st(GLOBAL, at, x));
        k.when(p.not(), () -> {
            k.add(a, a, 1);
            k.st(GLOBAL, at, a);
        });
        assertCode("""
                    @%p st.global.f32 [%at], %x;
                    @%p bra $endif;
                        add.u32 %a, %a, 1;
                        st.global.u32 [%at], %a;
                $endif:
                """);
    }

    @Test
    void otherwiseIsTheOtherBranch() {
        k.when(p, () -> k.add(a, a, 1), () -> k.add(a, a, 2));
        assertCode("""
                    @!%p bra $else;
                        add.u32 %a, %a, 1;
                    bra $endif;
                $else:
                        add.u32 %a, %a, 2;
                $endif:
                """);
    }

    @Test
    void aLoopOverConstantsIsEnteredUnasked() {
        k.loop("i", 0, 4, 1, i -> k.add(a, a, i));
        assertCode("""
                    mov.u32 %i, 0;
                $i_loop:
                        add.u32 %a, %a, %i;
                        add.u32 %i, %i, 1;
                        setp.lt.u32 %i_goes_on, %i, 4;
                    @%i_goes_on bra $i_loop;
                """);
    }

    @Test
    void loopsAreLeftAndGoOnFromWithin() {
        k.loop("i", 0, a, 1, i -> {
            k.continueIf(p);
            k.breakIf(p.not());
            k.st(GLOBAL, at, i);
        });
        assertCode("""
                    mov.u32 %i, 0;
                    setp.ge.u32 %i_ends, %i, %a;
                    @%i_ends bra $i_end;
                $i_loop:
                        @%p bra $next;
                        @!%p bra $i_end;
                        st.global.u32 [%at], %i;
                    $next:
                        add.u32 %i, %i, 1;
                        setp.lt.u32 %i_goes_on, %i, %a;
                    @%i_goes_on bra $i_loop;
                $i_end:
                """);
    }

    @Test
    void aLoopAsksBeforeARoundOrAfterIt() {
        k.loopWhile(() -> k.compare(LT, a, 9), () -> k.add(a, a, 1));
        Symbol arrived = k.shared("arrived", B64, 1, 8);
        k.repeatWhile(() -> {
            k.op("mbarrier.try_wait.parity.shared.b64", p, arrived, 0);
            return p.not();
        });
        assertEquals("""
                    .shared .align 8 .b64 arrived[1];
                $while:
                        setp.lt.u32 %p_1, %a, 9;
                    @!%p_1 bra $while_end;
                        add.u32 %a, %a, 1;
                    bra $while;
                $while_end:
                $repeat:
                        mbarrier.try_wait.parity.shared.b64 %p, [arrived], 0;
                    @!%p bra $repeat;
                """, code(module));
    }

    @Test
    void guardsAndLabelsAreThereToWriteByHand() {
        Label again = k.label("again");
        k.bind(again);
        k.onlyIf(p, () -> {
            k.ld(SHARED, x, k.reg(U32, "s"));
            k.st(GLOBAL, at.at(-4), x);
        });
        k.unroll(2, u -> k.st(GLOBAL, at.at(8 + 4 * u), x));
        k.braIf(p, again);
        k.comment("over\nand out");
        k.ret();
        assertCode("""
                $again:
                    @%p ld.shared.f32 %x, [%s];
                    @%p st.global.f32 [%at+-4], %x;
                    st.global.f32 [%at+8], %x;
                    st.global.f32 [%at+12], %x;
                    @%p bra $again;

                    // over
                    // and out
                    ret;
                """);
    }

    @Test
    void anAssemblerTakesAllOfThem() {
        assumeTrue(Ptxas.missing().isEmpty(), () -> Ptxas.missing().orElse(""));
        for (Consumer<PtxControlTest> test : List.<Consumer<PtxControlTest>>of(
                PtxControlTest::oneInstructionIsGuardedAndSeveralAreBranchedAround,
                PtxControlTest::otherwiseIsTheOtherBranch,
                PtxControlTest::aLoopOverConstantsIsEnteredUnasked,
                PtxControlTest::loopsAreLeftAndGoOnFromWithin,
                PtxControlTest::aLoopAsksBeforeARoundOrAfterIt,
                PtxControlTest::guardsAndLabelsAreThereToWriteByHand)) {
            PtxControlTest fresh = new PtxControlTest();
            test.accept(fresh);
            assertEquals(Map.of(), Ptxas.assemble(fresh.module.text(), "sm_90"), fresh.module::text);
        }
    }

    private static void assertSays(String message, Runnable wrong) {
        IllegalArgumentException e = assertThrows(IllegalArgumentException.class, wrong::run);
        assertEquals(message, String.valueOf(e.getMessage()).replaceFirst("PtxControlTest.java:\\d+: ", ""));
    }

    @Test
    void whatIsOutOfPlaceIsRefused() {
        Label lost = k.label("lost");
        k.bra(lost);
        assertSays("$lost has no place; expected bind in k", module::text);
        k.bind(lost);
        assertSays("$lost has a place already; expected to be put once", () -> k.bind(lost));
        assertSays("the guard is %a, a .u32 register; expected a .pred register", () -> k.when(a, () -> {}));
        assertSays("%a is a .u32 register; expected a predicate to negate", () -> a.not());
        assertSays(
                "loop is under a predicate; expected instructions alone in onlyIf",
                () -> k.onlyIf(p, () -> k.loop("i", 0, 4, 1, i -> {})));
        assertSays(
                "breakIf is in no loop; expected one of loop, loopWhile or repeatWhile around it", () -> k.breakIf(p));
        assertSays(
                "continueIf in repeatWhile: expected breakIf, or another kind of loop",
                () -> k.repeatWhile(() -> {
                    k.continueIf(p);
                    return k.compare(GE, a, 1);
                }));
        Reg other = module.kernel("other").reg(U32, "b");
        assertSays("%b is of the kernel other; expected one of k", () -> k.add(a, a, other));
    }
}
