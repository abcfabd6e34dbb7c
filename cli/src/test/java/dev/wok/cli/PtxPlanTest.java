package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.Fuzz;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PtxPlanTest {
    private static final String HEAD = """
            .version 8.0
            .target sm_90
            .address_size 64
            """;

    @TempDir
    Path folder;

    private Path write(String text) throws IOException {
        Path file = folder.resolve("k.ptx");
        Files.writeString(file, text);
        return file;
    }

    /// A kernel that does nothing.
    private Path empty(String parameters, String directives) throws IOException {
        return write(HEAD + ".visible .entry k(" + parameters + ") " + directives + " { ret; }\n");
    }

    private static String refused(Path file, String... options) {
        Captured run = PtxSamples.run("check", file, options);
        assertEquals(2, run.code(), run.out() + run.err());
        assertEquals("", run.out());
        assertEquals(1, run.err().lines().count(), run.err());
        return run.err().strip().replace(file.toString(), "FILE").replaceFirst("^wok: ", "");
    }

    private String launched(Path file, String... options) {
        Captured run = PtxSamples.run("check", file, options);
        assertEquals(0, run.code(), run.out() + run.err());
        return run.out().lines().toList().get(1).replaceFirst("^  launched with ", "");
    }

    // ------------------------------------------------------------------------------------------------ the file

    @Test
    void aFileThatIsNoPtxIsRefused() throws IOException {
        assertEquals("there is no file none.ptx.", refused(Path.of("none.ptx")).replace("FILE", "none.ptx"));
        assertEquals("FILE is a folder, expected a file of PTX.", refused(folder));
        Path binary = folder.resolve("k.cubin");
        Files.write(binary, new byte[] {0x7F, 'E', 'L', 'F', 0, 1, (byte) 0xC3, 0x28});
        String noText = "FILE is no text, expected PTX: nvcc -ptx writes it, cuobjdump -ptx takes it out of a program.";
        assertEquals(noText, refused(binary));
        Files.write(binary, new byte[] {'E', 'L', 'F', 0, 1});
        assertEquals(noText, refused(binary));
        assertEquals("FILE holds no kernel, expected an .entry.", refused(write(HEAD)));
        assertEquals("FILE, line 1: a PTX text begins with .version and .target.", refused(write("")));
    }

    @Test
    void aTextThatIsWrongIsRefusedWithItsLine() throws IOException {
        assertEquals(
                "FILE, line 4: the emulator does not know frobnicate.u32. 4 | frobnicate.u32 %r, %r; ret; }",
                refused(write(HEAD + ".entry k() { .reg .b32 %r; frobnicate.u32 %r, %r; ret; }\n"))
                        .replace(".entry k() { .reg .b32 %r; ", ""));
        String type = refused(write(HEAD + ".entry k() {\n.reg .b64 %r;\nadd.u32 %r, %r, 1;\nret; }\n"));
        assertTrue(type.startsWith("FILE, line 6: ") && type.endsWith(" 6 | add.u32 %r, %r, 1;"), type);
        String end = refused(write(HEAD + ".entry k() {\nret;\n"));
        assertTrue(end.startsWith("FILE, line 6: expected '}'"), end);
    }

    /// Programs have zeros behind the texts that they hold.
    @Test
    void aZeroAtTheEndIsNoHarm() throws IOException {
        assertEquals(
                0,
                PtxSamples.run("check", write(PtxSamples.text("saxpy") + "\0")).code());
    }

    @Test
    void damagedTextsAreReadOrRefused() throws IOException, InterruptedException {
        String intact = PtxSamples.text("tensor-map");
        List<String> words = Stream.of(intact.split("\\s+")).distinct().toList();
        Fuzz.Outcome outcome = Fuzz.of("ptx").memory(1000, 64 << 20).check(400, damage -> {
            String text = damage.text(intact, words);
            Path file = write(text);
            return new Fuzz.Input(text.length(), () -> {
                List<PtxPlan> _ = PtxPlan.of(PtxSource.read(file), new PtxLaunchOptions(), 227 << 10);
            });
        });
        assertTrue(outcome.refused() > 50 && outcome.read() > 5, outcome.toString());
    }

    // ------------------------------------------------------------------------------------------------ guesses

    @Test
    void everyKindOfParameterHasItsGuess() throws IOException {
        assertEquals(
                "grid 2 (guessed), block 128 (guessed); a = 1 MiB of zeros (guessed), b = 1 MiB of zeros (guessed),"
                        + " c = 64 (guessed), d = 64 (guessed), e = 1.0 (guessed), f = 1.0 (guessed), g = 64 (guessed),"
                        + " h = 64 (guessed); say otherwise with --grid, --block, --arg",
                launched(empty(
                        ".param .u64 a, .param .u64 .ptr .global .align 16 b, .param .u32 c, .param .b32 d,"
                                + " .param .f32 e, .param .f64 f, .param .u16 g, .param .u8 h",
                        "")));
    }

    @Test
    void theTextsOwnSizesAreTaken() throws IOException {
        assertEquals(
                "grid 2 (guessed), block 128 (from .maxntid); say otherwise with --grid, --block",
                launched(empty("", ".maxntid 1024, 1, 1")));
        assertEquals(
                "grid 2 (guessed), block 4,8,2 (from .reqntid); say otherwise with --grid",
                launched(empty("", ".reqntid 4, 8, 2")));
        assertEquals(
                "cluster 2,3 (from .reqnctapercluster), grid 4,3 (guessed), block 96 (from .maxntid);"
                        + " say otherwise with --grid, --block",
                launched(empty("", ".maxntid 96 .reqnctapercluster 2, 3")));
        assertEquals("cluster 4, grid 8, block 32", launched(empty("", ""), "--grid=8", "--block=32", "--cluster=4"));
    }

    @Test
    void aTensorMapIsAskedFor() throws IOException {
        Path file = empty(".param .align 64 .b8 m[128]", "");
        assertEquals(
                "m of k looks like a tensor map, which cannot be guessed: give --arg m=map:TYPE[ROWS,COLUMNS]/BOXROWS,"
                        + "BOXCOLUMNS, then /32, /64 or /128 for a swizzle, then =INIT:"
                        + " map:bf16[256,64]/64,64/128=random.",
                refused(file));
        assertEquals(
                "grid 2 (guessed), block 128 (guessed); m = map:bf16[256,64]/64,64/128=random;"
                        + " say otherwise with --grid, --block",
                launched(file, "--arg", "map:bf16[256,64]/64,64/128=random"));
        assertTrue(
                refused(file, "--arg", "m=f32[10]").startsWith("--arg m: 'f32[10]' is no tensor map, expected map:"));
        assertEquals(
                "--arg m: the box has 1 dimension, bf16[8,64] has 2 dimensions; expected as many.",
                refused(file, "--arg", "m=map:bf16[8,64]/8"));
        assertEquals(
                "--arg m: map:f32[8,5]/8,4=zeros: TensorMap: stride 1 is 20 bytes, expected a multiple of 16 below 2^40:"
                        + " pad the rows.",
                refused(file, "--arg", "m=map:f32[8,5]/8,4"));
        assertEquals(
                "s of k has 24 bytes by value, which cannot be given: make its parts parameters, or name another kernel"
                        + " with --kernel.",
                refused(empty(".param .align 8 .b8 s[24]", "")));
    }

    /// As nvcc names them, which also says of an int that it is unsigned.
    @Test
    void aParameterCanBeNamedWithoutItsKernel() throws IOException {
        Path file = empty(".param .u32 k_param_0, .param .u64 k_param_1, .param .u8 k_param_2", "");
        assertEquals(
                "grid 2 (guessed), block 128 (guessed); param_0 = -5, param_1 = i8[3]=zeros, param_2 = 1;"
                        + " say otherwise with --grid, --block",
                launched(file, "--arg=param_0=-5", "--arg=k_param_1=i8[3]", "--arg=param_2=1"));
        assertEquals(
                "--arg param_3: k has no parameter param_3; it has param_0, param_1, param_2.",
                refused(file, "--arg=param_3=1"));
        assertEquals("--arg param_0: given twice.", refused(file, "--arg=k_param_0=1", "--arg=param_0=1"));
    }

    // ------------------------------------------------------------------------------------------------ what is said

    @Test
    void theCommandLineWinsOverTheFile() {
        Path file = PtxSamples.file("saxpy");
        assertEquals(
                "grid 4, block 256; n = 7, a = 2.0, x = f32[1000]=iota, y = f64[8]=0.5",
                launched(file, "--arg", "n=7", "--arg", "y=f64[8]=0.5"));
        assertEquals(
                "grid 2,1,2, block 8; n = 0, a = NaN, x = 0, y = 0",
                launched(file, "--grid=2,1,2", "--block=8", "--arg=0", "--arg=nan", "--arg=0", "--arg=0"));
    }

    /// Lines for one kernel win over lines for all, later lines over earlier ones.
    @Test
    void theFilesLinesAreLayers() throws IOException {
        String text = HEAD + ".entry k(.param .u32 n) { ret; }\n.entry l(.param .u32 n) { ret; }\n";
        Path file = write("//wok: --kernel k --grid 3 --block 32\n\n// a remark\n// wok: --grid 5 --arg 1\n"
                + "// wok: --grid 6\n" + text);
        assertEquals("grid 3, block 32; n = 1", launched(file, "--kernel", "k"));
        assertEquals("grid 6, block 128 (guessed); n = 1; say otherwise with --block", launched(file, "--kernel", "l"));
        assertEquals(
                "FILE, line 1: there is no kernel z; there is k, l.", refused(write("// wok: --kernel z\n" + text)));
        assertEquals(
                "FILE, line 2: Unknown option: '--gird=5'; expected options as wok ptx check has them.",
                refused(write("\n// wok: --gird=5\n" + text)));
        assertEquals(
                "FILE, line 1: --arg q: k has no parameter q; it has n.",
                refused(write("// wok: --arg q=5\n" + text), "--kernel", "k"));
        assertEquals(
                "grid 2 (guessed), block 128 (guessed); n = 9; say otherwise with --grid, --block",
                launched(write(text + "// wok: --grid 5\n"), "--kernel", "k", "--arg", "9"));
    }

    @Test
    void bytesOfAFileThatTheTextNamesLieBesideIt() throws IOException {
        Files.write(folder.resolve("x.bin"), new byte[8]);
        Path file = write("// wok: --arg x=i64[1]=@x.bin\n" + HEAD + ".entry k(.param .u64 x) { ret; }\n");
        assertTrue(launched(file).contains("x = i64[1]=@" + folder.resolve("x.bin")));
        assertEquals("there is no file x.bin.", refused(file, "--arg", "x=f32[2]=@x.bin"));
        String place = folder.resolve("x.bin").toString();
        assertEquals(
                "--arg x: %s has 8 bytes, the buffer 12; expected the same.".formatted(place),
                refused(file, "--arg", "x=f32[3]=@" + place));
        assertEquals(
                "--arg x: %s is no file of bytes.".formatted(folder), refused(file, "--arg", "x=f32[3]=@" + folder));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "--grid=x | --grid x: expected X, X,Y or X,Y,Z, such as --grid 4,2.",
                "--block=1,2,3,4 | --block 1,2,3,4: expected X, X,Y or X,Y,Z, such as --block 4,2.",
                "--grid=0 | saxpy cannot be launched: grid x is 0, expected 1 to 2147483647.",
                "--block=64,64 | saxpy cannot be launched: a block of 64x64x1 has 4096 threads, expected at most 1024:"
                        + " make the block smaller, the grid larger.",
                "--cluster=3 | saxpy cannot be launched: cluster x is 3, expected a divisor of grid x, 4: round the grid"
                        + " up to whole clusters.",
                "--grid=2000000000,2 | --grid 2000000000,2: expected 2147483647 blocks at most.",
                "--shared=300000 | --shared 300000: expected 0 to 232448; a block has 232448 bytes, of which saxpy"
                        + " declares 0.",
                "--kernel=axpy | --kernel axpy: FILE holds saxpy.",
                "--arg=1 | saxpy: 1 argument, expected 4: n, a, x, y. With names (--arg NAME=VALUE) some can be left out.",
                "--arg=z=1 | --arg z: saxpy has no parameter z; it has n, a, x, y.",
                "--arg=n=1.5 | --arg n: '1.5' is no whole number.",
                "--arg=n=-2147483649 | --arg n: -2147483649 does not fit .u32, expected -2147483648 to 4294967295.",
                "--arg=n=4294967296 | --arg n: 4294967296 does not fit .u32, expected -2147483648 to 4294967295.",
                "--arg=n=f32[4] | --arg n: n is a .u32, expected a number, not 'f32[4]'.",
                "--arg=a=one | --arg a: 'one' is no number.",
                "--arg=x=f32[ | --arg x: 'f32[' is no buffer, expected TYPE[COUNT], TYPE[COUNT]=INIT: f32[1000]=iota.",
                "--arg=x=f31[4] | --arg x: there is no type f31; there are f64, f32, bf16, f16, e4m3, i64, s64, u64, i32,"
                        + " s32, u32, i8, s8, u8.",
                "--arg=x=f32[0] | --arg x: a size is 0, expected 1 or more, and what fits memory.",
                "--arg=x=f32[4]=ones | --arg x: 'ones' is nothing that a buffer can hold, expected zeros, unset, iota,"
                        + " random, a number or @FILE.",
                "--arg=x=i8[4]=200 | --arg x: 200 does not fit i8, expected -128 to 127.",
                "--arg=x=f32[1,1,1,1,1,1] | --arg x: [1,1,1,1,1,1] has 6 dimensions, expected 1 to 5.",
                "--arg=x=f64[999999999999,999999999999] | --arg x: f64[999999999999,999999999999] is larger than any"
                        + " memory.",
            })
    void whatIsWrongIsSaidInOneLine(String option, String message) {
        assertEquals(message, refused(PtxSamples.file("saxpy"), option));
    }

    @Test
    void moreThanMemoryIsRefused() {
        String said = refused(PtxSamples.file("saxpy"), "--arg=x=f32[999999999999]");
        assertTrue(
                Pattern.matches(
                        "saxpy: buffers up to x take 4000\\.0 GB, expected [0-9.]+ [GM]B at most: make them smaller.*\\.",
                        said),
                said);
    }

    @Test
    void whatTheTextDemandsIsHeeded() throws IOException {
        assertEquals("--block 64: k demands 32 (.reqntid).", refused(empty("", ".reqntid 32"), "--block=64"));
        assertEquals("--block 64: k allows 32 threads (.maxntid).", refused(empty("", ".maxntid 32"), "--block=64"));
        assertEquals(
                "--cluster 1: k demands 2 (.reqnctapercluster).",
                refused(empty("", ".reqnctapercluster 2"), "--cluster=1"));
        assertEquals("--arg n: given twice.", refused(empty(".param .u32 n", ""), "--arg=n=1", "--arg=n=2"));
        assertEquals(
                "k: 1 argument, expected 0: none. With names (--arg NAME=VALUE) some can be left out.",
                refused(empty("", ""), "--arg=1"));
    }
}
