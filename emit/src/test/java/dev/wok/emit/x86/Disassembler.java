package dev.wok.emit.x86;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Binutils' `objdump`, which reads machine code without knowing how it was written.
final class Disassembler {
    private static final Pattern LINE = Pattern.compile("\\s*([0-9a-f]+):\\s+(.*)");
    private static final Pattern BROADCAST = Pattern.compile("PTR (\\[[^]]*])\\{1to\\d+}");
    private static final Pattern RELATIVE = Pattern.compile("\\[rip[+-]0x[0-9a-f]+](.*) # (0x[0-9a-f]+)");
    private static final Pattern COMPARISON = Pattern.compile("vcmp(\\w+)ps (.*)");
    private static final Pattern INTEGER_COMPARISON = Pattern.compile("vpcmp(eq|lt|le|neq|nlt|nle)d (k.*)");
    private static final List<String> PREDICATES = List.of(
            ("eq lt le unord neq nlt nle ord eq_uq nge ngt false neq_oq ge gt true eq_os lt_oq le_oq unord_s neq_us nlt_uq "
                            + "nle_uq ord_s eq_us nge_uq ngt_uq false_os neq_os ge_oq gt_oq true_us")
                    .split(" "));
    private static final List<String> INTEGER_PREDICATES = List.of("eq", "lt", "le", "", "neq", "nlt", "nle");

    private Disassembler() {}

    /// Reads code whose first byte has address 0. The calling test is skipped where there is no objdump. What objdump
    /// spells in several ways has one here: a relative place is its address, a predicate its number.
    ///
    /// @return each instruction's text in Intel's syntax by its address
    static Map<Integer, String> read(byte[] code) {
        Map<Integer, String> instructions = new HashMap<>();
        for (String line : run(code).split("\n")) {
            Matcher parts = LINE.matcher(line);
            if (parts.matches()) {
                instructions.put(Integer.parseInt(parts.group(1), 16), oneSpelling(parts.group(2)));
            }
        }
        return instructions;
    }

    private static String run(byte[] code) {
        try {
            // Other tools of this name do not read plain bytes.
            assumeTrue(output("--version").contains("GNU objdump"), "the objdump here is not that of GNU binutils");
            Path file = Files.createTempFile("wok", ".bin");
            try {
                Files.write(file, code);
                return output("-D -w --no-show-raw-insn -b binary -m i386:x86-64 -M intel " + file);
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String output(String arguments) throws IOException {
        try (InputStream output = start("objdump " + arguments).getInputStream()) {
            return new String(output.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static Process start(String command) {
        try {
            return new ProcessBuilder(command.split(" "))
                    .redirectErrorStream(true)
                    .start();
        } catch (IOException e) {
            assumeTrue(false, "no objdump (binutils) here: " + e.getMessage());
            throw new AssertionError(e);
        }
    }

    private static String oneSpelling(String text) {
        String one = text.strip().replaceAll("\\s+", " ").replace("{evex} ", "");
        one = RELATIVE.matcher(one).replaceFirst("[$2]$1");
        one = BROADCAST.matcher(one).replaceFirst("BCST $1").replaceFirst("\\{1to\\d+}", "");
        Matcher comparison = COMPARISON.matcher(one);
        if (comparison.matches() && PREDICATES.contains(comparison.group(1))) {
            one = "vcmpps %s,0x%x".formatted(comparison.group(2), PREDICATES.indexOf(comparison.group(1)));
        }
        Matcher integers = INTEGER_COMPARISON.matcher(one);
        if (integers.matches()
                && integers.group(2).chars().filter(c -> c == ',').count() == 2
                && !integers.group(1).equals("eq")) {
            one = "vpcmpd %s,0x%x".formatted(integers.group(2), INTEGER_PREDICATES.indexOf(integers.group(1)));
        }
        return one;
    }
}
