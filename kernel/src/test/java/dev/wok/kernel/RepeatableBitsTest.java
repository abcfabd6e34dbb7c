package dev.wok.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.x86.Isa;
import dev.wok.notice.BadInput;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/* A run that is resumed, or repeated, starts with interpreted kernels and goes on with compiled ones from some moment
 * on: the bits must not show which. So the same digest is taken in processes of their own: interpreted throughout, by
 * the first compiler alone, and repeated until the optimising compiler has replaced everything.
 */
class RepeatableBitsTest {
    private static String digest(Backend backend, int repetitions, String... options)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(options));
        if (backend == Backend.VECTOR) {
            command.addAll(List.of("--add-modules", "jdk.incubator.vector"));
        }
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Xmx256m", "-cp", classPath()));
        command.addAll(List.of(Digest.class.getName(), String.valueOf(repetitions), backend.name()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output;
        try (var lines = process.inputReader(StandardCharsets.UTF_8)) {
            output = lines.lines().filter(line -> !line.startsWith("WARNING")).collect(Collectors.joining("\n"));
        }
        assertEquals(0, process.waitFor(), output);
        assertTrue(output.startsWith("digest "), output);
        return output;
    }

    private static String classPath() {
        return Stream.of(
                        Digest.class,
                        Kernels.class,
                        X86.class,
                        Device.class,
                        Tensor.class,
                        BadInput.class,
                        Tensors.class)
                .map(type -> {
                    try {
                        return Path.of(type.getProtectionDomain()
                                        .getCodeSource()
                                        .getLocation()
                                        .toURI())
                                .toString();
                    } catch (URISyntaxException e) {
                        throw new AssertionError(e);
                    }
                })
                .distinct()
                .collect(Collectors.joining(java.io.File.pathSeparator));
    }

    @Test
    void interpretedAndCompiledKernelsGiveTheSameBits() throws IOException, InterruptedException {
        String interpreted = digest(Backend.VECTOR, 1, "-Xint");
        assertEquals(interpreted, digest(Backend.VECTOR, 60, "-XX:TieredStopAtLevel=1"));
        assertEquals(interpreted, digest(Backend.VECTOR, 250));
        assertEquals(interpreted, "digest " + Digest.of(Contract.VECTOR));
    }

    /// Without the Vector API's module.
    @Test
    void machineCodeGivesTheSameBits() throws IOException, InterruptedException {
        Assumptions.assumeFalse(Isa.found(Device.host(1)).isEmpty(), "no machine code for this processor");
        String interpreted = digest(Backend.X86, 1, "-Xint");
        assertEquals(interpreted, digest(Backend.X86, 250));
    }
}
