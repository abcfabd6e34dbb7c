package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class PtxCheckCommandTest {
    @TempDir
    Path folder;

    @Test
    void aGoodKernelIsFine() {
        Captured run = PtxSamples.run("check", "saxpy");
        assertEquals(0, run.code(), run.err());
        assertEquals("""
                saxpy: fine, 576 warp instructions, no bank conflicts
                  launched with grid 4, block 256; n = 1000, a = 2.0, x = f32[1000]=iota, y = f32[1000]=1.0
                """, run.out());
        assertEquals("", run.err());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "out-of-bounds | out_of_bounds | st.global.u32 [%rd3], %r3; | block (7,0,0) warp 3 lanes 8-31",
                "race | race | ld.global.u32 %r2, [%rd1]; | block (1,0,0) warp 0 lane 0",
                "uninitialized | uninitialized | ld.shared.u32 %r3, [%r2]; | block (0,0,0) warp 1 lanes 8-31",
                "missing-barrier | race | st.shared.u32 [%r2], %r1; | block (0,0,0) warp 1 lane 0",
                "misaligned | misaligned | ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd3];"
                        + " | block (0,0,0) warp 0 lanes 1-3, 5-7",
                "unreached-barrier | barrier | bar.sync 0, 64; | block (0,0,0) warp 0 lanes 0-31",
            })
    void aFaultyKernelIsShownWithItsLineAndItsLanes(String sample, String kind, String text, String lanes)
            throws IOException {
        Captured json = PtxSamples.run("check", sample, "--json");
        assertEquals(1, json.code(), json.err());
        JsonNode fault = JsonMapper.shared().readTree(json.out()).get("fault");
        assertEquals(kind, fault.get("kind").asString());
        assertEquals(text, fault.get("text").asString());
        assertTrue(fault.get("lanes").asString().startsWith(lanes), fault.toString());
        int line = fault.get("line").asInt();
        assertEquals(
                text, PtxSamples.text(sample).lines().toList().get(line - 1).strip());

        Captured people = PtxSamples.run("check", sample);
        assertEquals(1, people.code());
        assertTrue(people.out().contains("line %d: ".formatted(line)), people.out());
        assertTrue(people.out().contains(text), people.out());
        assertTrue(people.out().contains("  " + lanes), people.out());
        assertTrue(people.out().contains("\n  launched with grid "), people.out());
        assertEquals("", people.err());
    }

    @Test
    void whatIsGuessedIsSaid() {
        assertTrue(PtxSamples.run("check", "missing-barrier")
                .out()
                .endsWith("\n  launched with grid 2 (guessed), block 64 (from .maxntid), 49152 bytes of dynamic"
                        + " shared memory (guessed); y = 1 MiB of zeros (guessed);"
                        + " say otherwise with --grid, --block, --shared, --arg\n"));
        JsonNode launch = JsonMapper.shared()
                .readTree(PtxSamples.run("check", "missing-barrier", "--json").out())
                .get("launch");
        assertEquals("""
                {"grid":[2,1,1],"block":[64,1,1],"cluster":[1,1,1],"shared_bytes":49152,\
                "arguments":{"y":"f32[262144]=zeros"},"guessed":["grid","block","shared","y"]}""", launch.toString());
    }

    @Test
    void bankConflictsAreCountedByLine() throws IOException {
        Path file = folder.resolve("strided.ptx");
        Files.writeString(
                file,
                PtxSamples.text("uninitialized")
                        .replace("shl.b32 %r2, %r1, 2;", "shl.b32 %r2, %r1, 3;")
                        .replace("tile[256]", "tile[512]")
                        .replace("setp.lt.u32 %p, %r1, 40;", "setp.lt.u32 %p, %r1, 64;"));
        Captured run = PtxSamples.run("check", file, "--grid", "1");
        assertEquals(0, run.code(), run.out());
        assertTrue(
                run.out().startsWith("copy: fine, 26 warp instructions, bank conflicts: 2 in line 22, 2 in line 24\n"),
                run.out());
        assertEquals(
                "{\"22\":2,\"24\":2}",
                JsonMapper.shared()
                        .readTree(PtxSamples.run("check", file, "--grid", "1", "--json")
                                .out())
                        .get("bank_conflicts")
                        .toString());
    }

    /// Each kernel has its line, and one that is wrong decides.
    @Test
    void allKernelsOfAFileAreChecked() throws IOException {
        String saxpy = PtxSamples.text("saxpy").replace("// wok: --grid 4 --block 256 --arg n=1000 --arg a=2", "");
        String fill = PtxSamples.text("out-of-bounds");
        Path file = folder.resolve("two.ptx");
        Files.writeString(
                file, "// wok: --kernel fill --arg x=u8[8]\n" + saxpy + fill.substring(fill.indexOf(".visible")));
        Captured both = PtxSamples.run("check", file, "--json");
        assertEquals(1, both.code());
        String[] lines = both.out().lines().toArray(String[]::new);
        assertEquals(2, lines.length, both.out());
        assertTrue(JsonMapper.shared().readTree(lines[0]).get("fault").isNull(), lines[0]);
        assertFalse(JsonMapper.shared().readTree(lines[1]).get("fault").isNull(), lines[1]);
        assertEquals(0, PtxSamples.run("check", file, "--kernel", "saxpy").code());
        Captured mended = PtxSamples.run("check", file, "--kernel", "fill", "--arg", "x=u32[1024]");
        assertEquals(0, mended.code(), mended.out());
        assertEquals(
                "wok: --arg: %s holds 2 kernels, name one with --kernel: saxpy, fill.\n".formatted(file),
                PtxSamples.run("check", file, "--arg", "n=3").err());
        assertEquals(
                "wok: --kernel axpy: %s holds saxpy, fill.\n".formatted(file),
                PtxSamples.run("check", file, "--kernel", "axpy").err());
    }

    /// As nvcc -lineinfo writes it.
    @Test
    void theLineOfTheSourceIsNamed() throws IOException {
        String text = PtxSamples.text("out-of-bounds")
                .replace(
                        "    st.global",
                        "    .loc 2 31 7, function_name $L__info_string0, inlined_at 1 12 3\n    st.global");
        Path file = folder.resolve("fill.ptx");
        Files.writeString(file, text + ".file 1 \"/home/me/fill.cu\"\n.file 2 \"store.h\"\n");
        String from = "store.h, line 31, inlined in fill.cu, line 12";
        Captured people = PtxSamples.run("check", file);
        assertTrue(people.out().contains("lanes 8-31\n  from " + from + "\n  launched"), people.out());
        assertEquals(
                from,
                JsonMapper.shared()
                        .readTree(PtxSamples.run("check", file, "--json").out())
                        .get("fault")
                        .get("source")
                        .asString());
        assertTrue(JsonMapper.shared()
                .readTree(PtxSamples.run("check", "race", "--json").out())
                .get("fault")
                .get("source")
                .isNull());
    }

    @Test
    void memoryThatIsUnsetMayNotBeRead() {
        Captured run = PtxSamples.run("check", "saxpy", "--arg", "x=f32[1000]=unset");
        assertEquals(1, run.code());
        assertTrue(run.out().contains("uninitialized: threads read byte 0 of x, which nobody has written."), run.out());
    }

    @Test
    void helpStandsForEachCommand() {
        for (String command : new String[] {"check", "run"}) {
            Captured run = Captured.run("ptx", command, "--help");
            assertEquals(0, run.code());
            String[] lines = run.out().lines().toArray(String[]::new);
            assertEquals("Example:", lines[lines.length - 2].strip());
            assertTrue(lines[lines.length - 1].startsWith("  wok ptx " + command + " "), lines[lines.length - 1]);
            assertEquals(1, run.out().lines().filter("Example:"::equals).count());
            assertTrue(Captured.run("ptx").out().contains("\n  " + command + " "));
        }
    }
}
