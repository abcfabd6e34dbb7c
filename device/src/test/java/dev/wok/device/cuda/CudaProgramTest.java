package dev.wok.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.wok.device.CudaException;
import dev.wok.device.PtxProgram;
import dev.wok.device.PtxRejected;
import dev.wok.device.cuda.FakeDriver.Chip;
import dev.wok.testkit.Thrown;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CudaProgramTest {
    private final FakeDriver driver = new FakeDriver(Chip.hopper());
    private final CudaGpu gpu = Opened.of(driver);

    @AfterEach
    void close() {
        gpu.close();
        assertEquals(List.of(), driver.alive());
    }

    @Test
    void functionsAndVariablesAreFoundByName() {
        PtxProgram program = gpu.load(Ptx.SAXPY);
        assertEquals("saxpy", program.function("saxpy").name());
        assertSame(program.function("saxpy"), program.function("saxpy"));
        assertEquals(64, program.variable("table").bytes());
        assertEquals("ptxas info    : Used 10 registers", program.log());
        assertEquals(
                "no entry sapxy in this program, which has saxpy, nothing",
                Thrown.message(IllegalArgumentException.class, () -> program.function("sapxy")));
        assertEquals(
                "no entry f in this program, which has none",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> gpu.load(".version 7.0").function("f")));
        assertEquals(
                "no variable tabel in this program: declare it as .visible .global or .const",
                Thrown.message(IllegalArgumentException.class, () -> program.variable("tabel")));
    }

    @Test
    void whatDoesNotAssembleIsShownWithItsLines() {
        assertEquals("""
                PTX does not assemble for sm_90a
                ptxas application ptx input, line 6; error   : Not a name of any known instruction: 'bad'
                    6 | bad.f32 %x, %y;
                ptxas fatal   : Ptx assembly aborted due to errors""", Thrown.message(PtxRejected.class, () -> gpu.load(Ptx.BAD)));
    }

    @Test
    void aRejectionWithoutWordsNamesTheStatus() {
        driver.failingFunction = DriverFunction.MODULE_LOAD_DATA_EX;
        driver.failure = 218;
        assertEquals("""
                PTX does not assemble for sm_90a
                CUDA_ERROR_INVALID_PTX (218), a PTX JIT compilation failed; this driver reads PTX up to 8.4""", Thrown.message(PtxRejected.class, () -> gpu.load(Ptx.SAXPY)));
        driver.failure = 2;
        String message = Thrown.message(CudaException.class, () -> gpu.load(Ptx.SAXPY));
        assertEquals(
                "CUDA_ERROR_OUT_OF_MEMORY (2), out of memory: cuModuleLoadDataEx(module=0x",
                message.substring(0, message.indexOf("0x") + 2));
    }

    @Test
    void aHeadThatIsNotUnderstoodLeavesNoModule() {
        assertEquals(
                "not a parameter of a PTX entry: .param .texref t",
                Thrown.message(IllegalArgumentException.class, () -> gpu.load(".entry f(.param .texref t) { ret; }")));
        assertEquals(0, driver.count("module"));
    }

    @Test
    void headsOfEntriesAreRead() {
        assertEquals(
                "[.param .b8 map[128], .param .u64 out, .param .u32 column, .param .u32 row]",
                parameters(Ptx.boxes("sm_90a")).toString());
        assertEquals(
                List.of("box", "ranks", "large"),
                List.copyOf(PtxEntry.of(Ptx.boxes("sm_90a")).keySet()));
        assertEquals(
                List.of(),
                List.copyOf(PtxEntry.of("// .entry f(.param .u32 x)\n/* .entry\n g() */")
                        .keySet()));
        assertEquals(
                "_Z1f$3",
                PtxEntry.of(".visible .entry _Z1f$3 { ret; }").firstEntry().getKey());
        assertEquals(List.of(), parameters(".visible .entry _Z1f$3 { ret; }"));
        assertEquals(
                12,
                parameters(".entry f(.param .align 16 .b32 a[3])").getFirst().bytes());
    }

    private static List<PtxEntry.Parameter> parameters(String ptx) {
        return PtxEntry.of(ptx).firstEntry().getValue().parameters();
    }
}
