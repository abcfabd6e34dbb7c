package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.testkit.Ptxas;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// NVIDIA's tools, where they are installed.
final class Assembler {
    private Assembler() {}

    /// Checks that NVIDIA's assembler takes a text.
    static void requireAccepted(String name, String ptx) {
        assumeTrue(Ptxas.missing().isEmpty(), () -> Ptxas.missing().orElse(""));
        assertEquals(Map.of(), Ptxas.assemble(ptx, "sm_90a"), name);
    }

    /// @return the PTX that NVIDIA's compiler makes of a file
    static String compiled(Path cuda, String target, Path folder) throws IOException, InterruptedException {
        Path to = folder.resolve("compiled.ptx");
        String said =
                run(folder, "nvcc", "-ptx", "-arch=" + target, "-std=c++17", "-o", to.toString(), cuda.toString());
        assertEquals("", said, cuda.toString());
        return Files.readString(to);
    }

    /// @return what a tool says, empty where it is content
    private static String run(Path folder, String... command) throws IOException, InterruptedException {
        Process process;
        Path log = folder.resolve("log");
        try {
            process = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
        } catch (IOException e) {
            assumeTrue(false, command[0] + " is not installed");
            throw e;
        }
        boolean isOver = process.waitFor(300, TimeUnit.SECONDS);
        List<String> lines = new ArrayList<>(Files.readAllLines(log));
        lines.removeIf(line -> line.contains(": warning") || line.startsWith("warning") || line.isBlank());
        if (!isOver) {
            process.destroyForcibly();
            lines.add("it does not end");
        } else if (process.exitValue() != 0 && lines.isEmpty()) {
            lines.add("it ends with " + process.exitValue());
        }
        return process.isAlive() || process.exitValue() != 0 ? String.join("\n", lines) : "";
    }
}
