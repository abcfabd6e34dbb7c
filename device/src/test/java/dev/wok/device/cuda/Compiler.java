package dev.wok.device.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/// Programs that this machine may have or not: a C compiler, NVIDIA's assembler, NVIDIA's header.
final class Compiler {
    private Compiler() {}

    /// What a program said, and how it ended.
    record Ended(int status, String output) {}

    static Ended run(Path folder, List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        try (InputStream output = process.getInputStream()) {
            String text = new String(output.readAllBytes(), StandardCharsets.UTF_8);
            return new Ended(process.waitFor(), text);
        }
    }

    static void assume(String program) {
        try {
            int _ = run(Path.of("."), List.of(program, "--version")).status;
        } catch (IOException _) {
            Assumptions.abort("no %s here".formatted(program));
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /// @return the folder that has `cuda.h`
    static Path assumeHeader() {
        Optional<Path> folder = Stream.of(
                        Path.of(System.getenv().getOrDefault("CUDA_HOME", "/usr/local/cuda"), "include"),
                        Path.of("/usr/include"))
                .filter(candidate -> Files.exists(candidate.resolve("cuda.h")))
                .findFirst();
        return folder.orElseGet(() -> Assumptions.abort("no cuda.h here"));
    }

    /// Compiles C.
    ///
    /// @return what came of it
    static Path compile(Path folder, String source, String... options) throws IOException, InterruptedException {
        Path file = Files.writeString(folder.resolve("test.c"), source);
        Path result = folder.resolve("compiled");
        List<String> command = new ArrayList<>(List.of("cc", file.toString(), "-std=gnu11", "-o", result.toString()));
        command.addAll(List.of(options));
        Ended ended = run(folder, command);
        if (ended.status != 0) {
            throw new AssertionError(ended.output + source);
        }
        return result;
    }
}
