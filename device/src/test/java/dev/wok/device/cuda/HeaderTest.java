package dev.wok.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.testkit.Ptxas;
import java.io.IOException;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.StructLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What is taken from `cuda.h`: sizes, places, numbers and declarations.
class HeaderTest {
    private static final List<StructLayout> STRUCTURES = List.of(
            Structures.LAUNCH_CONFIG,
            Structures.LAUNCH_ATTRIBUTE,
            Structures.POOL_PROPERTIES,
            Structures.TENSOR_MAP,
            Structures.IPC_HANDLE);

    @TempDir
    private Path folder;

    private static List<String> members(StructLayout structure) {
        return structure.memberLayouts().stream()
                .map(MemoryLayout::name)
                .flatMap(name -> name.stream())
                .toList();
    }

    /// Sizes and places, by the name that they have in C.
    private static Map<String, Long> places() {
        Map<String, Long> places = new LinkedHashMap<>();
        for (StructLayout structure : STRUCTURES) {
            String name = structure.name().orElseThrow();
            places.put("sizeof(%s)".formatted(name), structure.byteSize());
            for (String member : members(structure)) {
                places.put(
                        "offsetof(%s, %s)".formatted(name, member),
                        structure.byteOffset(PathElement.groupElement(member)));
            }
        }
        return places;
    }

    @Test
    void structuresLieAsInCuda13() {
        Map<String, Long> expected = new LinkedHashMap<>();
        expected.put("sizeof(CUlaunchConfig)", 56L);
        expected.put("offsetof(CUlaunchConfig, gridDimX)", 0L);
        expected.put("offsetof(CUlaunchConfig, gridDimY)", 4L);
        expected.put("offsetof(CUlaunchConfig, gridDimZ)", 8L);
        expected.put("offsetof(CUlaunchConfig, blockDimX)", 12L);
        expected.put("offsetof(CUlaunchConfig, blockDimY)", 16L);
        expected.put("offsetof(CUlaunchConfig, blockDimZ)", 20L);
        expected.put("offsetof(CUlaunchConfig, sharedMemBytes)", 24L);
        expected.put("offsetof(CUlaunchConfig, hStream)", 32L);
        expected.put("offsetof(CUlaunchConfig, attrs)", 40L);
        expected.put("offsetof(CUlaunchConfig, numAttrs)", 48L);
        expected.put("sizeof(CUlaunchAttribute)", 72L);
        expected.put("offsetof(CUlaunchAttribute, id)", 0L);
        expected.put("offsetof(CUlaunchAttribute, value)", 8L);
        expected.put("sizeof(CUmemPoolProps)", 88L);
        expected.put("offsetof(CUmemPoolProps, allocType)", 0L);
        expected.put("offsetof(CUmemPoolProps, handleTypes)", 4L);
        expected.put("offsetof(CUmemPoolProps, location)", 8L);
        expected.put("offsetof(CUmemPoolProps, win32SecurityAttributes)", 16L);
        expected.put("offsetof(CUmemPoolProps, maxSize)", 24L);
        expected.put("offsetof(CUmemPoolProps, usage)", 32L);
        expected.put("offsetof(CUmemPoolProps, reserved)", 34L);
        expected.put("sizeof(CUtensorMap)", 128L);
        expected.put("offsetof(CUtensorMap, opaque)", 0L);
        expected.put("sizeof(CUipcMemHandle)", 64L);
        expected.put("offsetof(CUipcMemHandle, reserved)", 0L);
        assertEquals(expected, places());
    }

    @Test
    @Tag("slow")
    void theCompilerSeesTheSameSizesPlacesAndNumbers() throws IOException, InterruptedException {
        Path headers = header();
        Map<String, Long> expected = places();
        String version = Files.readString(headers.resolve("cuda.h"));
        List<String> newer = new ArrayList<>();
        for (Constant constant : Constant.values()) {
            if (version.contains(constant.name())) {
                expected.put(constant.name(), (long) constant.value);
            } else {
                newer.add(constant.name());
            }
        }
        assertEquals(List.of(), newer);
        StringBuilder source = new StringBuilder("#include <stddef.h>\n#include <stdio.h>\n#include <cuda.h>\n");
        source.append("int main(void) {\n");
        for (String expression : expected.keySet()) {
            source.append("printf(\"%s=%%ld\\n\", (long) %s);%n".formatted(expression, expression));
        }
        Path program = Compiler.compile(folder, source.append("}\n").toString(), "-I" + headers);
        List<String> lines = expected.entrySet().stream()
                .map(entry -> entry.getKey() + "=" + entry.getValue())
                .toList();
        assertEquals(
                String.join("\n", lines),
                Compiler.run(folder, List.of(program.toString())).output().strip());
    }

    /// A declaration that differs from the header's does not compile, nor does the name of what is not
    /// there.
    @Test
    @Tag("slow")
    void theCompilerTakesTheDeclarations() throws IOException, InterruptedException {
        Path headers = header();
        StringBuilder source = new StringBuilder("#include <stddef.h>\n#include <cuda.h>\n");
        for (DriverFunction function : DriverFunction.values()) {
            source.append("extern __typeof__(%s) *seen_%s;%n".formatted(function.symbol(), function.symbol()));
            source.append(function.signature()).append(";\n");
        }
        Path _ = Compiler.compile(folder, source.toString(), "-c", "-I" + headers);
        String wrong = source + "CUresult cuMemFree_v2(int dptr);\n";
        AssertionError refused = null;
        try {
            Path _ = Compiler.compile(folder, wrong, "-c", "-I" + headers);
        } catch (AssertionError e) {
            refused = e;
        }
        assertTrue(refused != null && String.valueOf(refused.getMessage()).contains("conflicting types"));
    }

    private static Path header() {
        Compiler.assume("cc");
        return Compiler.assumeHeader();
    }

    @Test
    void functionsKnowTheirArguments() {
        assertEquals(12, DriverFunction.TENSOR_MAP_ENCODE_TILED.arity());
        assertEquals(11, DriverFunction.LAUNCH_KERNEL.arity());
        assertEquals(0, DriverFunction.CTX_SYNCHRONIZE.arity());
        assertEquals("cuMemAlloc_v2(dptr=0xfff0, bytesize=1024)", DriverFunction.MEM_ALLOC.text(0xfff0, 1024));
        assertEquals("cuCtxSynchronize()", DriverFunction.CTX_SYNCHRONIZE.text());
        assertEquals(
                "cuMemsetD8Async(dstDevice=0x10, uc=255, N=64, hStream=0x20)",
                DriverFunction.MEMSET_D8_ASYNC.text(16, 255, 64, 32));
        assertEquals(
                List.of(DriverFunction.LAUNCH_KERNEL_EX, DriverFunction.TENSOR_MAP_ENCODE_TILED),
                Stream.of(DriverFunction.values())
                        .filter(DriverFunction::isOptional)
                        .toList());
    }

    @Test
    @Tag("slow")
    void thePtxOfTheseTestsAssembles() {
        assumeTrue(Ptxas.missing().isEmpty(), () -> Ptxas.missing().orElse(""));
        for (String target : List.of("sm_90a", "sm_100a")) {
            assertAssembles(target, Ptx.SAXPY);
            assertAssembles(target, Ptx.boxes(target));
        }
        Map<Integer, String> bad = Ptxas.assemble(Ptx.BAD, "sm_80");
        assertTrue(bad.containsKey(6), bad::toString);
    }

    private static void assertAssembles(String target, String ptx) {
        assertEquals(Map.of(), Ptxas.assemble(ptx.replace(".version 8.0", ".version 8.6"), target));
    }
}
