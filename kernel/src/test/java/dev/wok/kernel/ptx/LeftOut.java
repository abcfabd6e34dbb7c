package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.device.PtxFault;
import dev.wok.device.PtxFault.Kind;
import dev.wok.device.PtxProgram;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Explanation;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.DynamicTest;

/// Leaves out what orders a kernel's threads, copies and tensor cores, one line after the other: the emulator must name
/// a fault each time.
///
/// @param name of what runs
/// @param kernels the names of those whose lines are left out
/// @param target that they are written for
/// @param work launches them, with sizes that use every line
/// @param needless lines that the emulator does not miss, and why they are there: an instruction, and its number
///     among those of the same text
record LeftOut(String name, List<String> kernels, Target target, Work work, Map<String, String> needless) {
    LeftOut(String name, String kernel, Target target, Work work) {
        this(name, List.of(kernel), target, work, Map.of());
    }

    /// @return the same, with a line that the emulator does not miss
    LeftOut but(String line, String reason) {
        Map<String, String> more = new TreeMap<>(needless);
        more.put(line, reason);
        return new LeftOut(name, kernels, target, work, more);
    }

    /// @return the same, whose barriers the copy engine sees: that of the emulator sees them at once
    LeftOut butBarriersForCopies() {
        String reason = "on a chip the copy engine sees barriers that are made before these";
        return but("fence.mbarrier_init.release.cluster; #1", reason).but("fence.proxy.async; #1", reason);
    }

    /// What runs.
    @FunctionalInterface
    interface Work {
        /// @param memory that the host and the GPU see
        void on(Programs programs, Memory memory);
    }

    /// What a line is an order by: barriers, fences, waits, and what they wait for.
    private static final Pattern ORDERS = Pattern.compile(
            "\\s*(?:@!?\\S+ )?(bar|barrier|fence|membar|mbarrier\\.(?!init)|cp\\.async\\.(?:commit|wait)\\w*"
                    + "|cp\\.async\\.bulk\\.(?:commit|wait)\\w*|wgmma\\.(?:fence|commit_group|wait_group)).*;");

    private static final Pattern TRY_WAIT = Pattern.compile("mbarrier\\.try_wait\\S* (%\\w+),.*");
    private static final Pattern EXPECT = Pattern.compile("mbarrier\\.arrive\\.expect_tx(\\S* _, \\[[^]]*\\]), .*");

    /// A line of a module that is replaced by another one.
    ///
    /// @param number of those of the same text, from 1
    private record Edit(String module, int line, String code, int number, String instead) {
        String apply(String text) {
            if (!text.equals(module)) {
                return text;
            }
            List<String> lines = new ArrayList<>(text.lines().toList());
            lines.set(line, instead);
            return String.join("\n", lines) + "\n";
        }

        @Override
        public String toString() {
            return "%s #%d%s".formatted(code, number, instead.isEmpty() ? "" : " -> " + instead);
        }
    }

    DynamicTest test() {
        return DynamicTest.dynamicTest(name, this::check);
    }

    private void check() {
        List<Edit> edits = new ArrayList<>();
        run(Optional.empty()).stream()
                .filter(module -> kernels.contains(module.name()))
                .forEach(module -> edits.addAll(edits(module.source())));
        assertFalse(edits.isEmpty(), "nothing to leave out");
        TreeSet<String> unnamed = new TreeSet<>();
        for (Edit edit : edits) {
            try {
                run(Optional.of(edit));
                unnamed.add(edit.toString());
            } catch (PtxFault named) {
                assertNotEquals(Kind.SYNTAX, named.kind(), named::getMessage);
            }
        }
        assertEquals(needless.keySet(), unnamed);
    }

    private List<Explanation> run(Optional<Edit> edit) {
        try (EmulatedGpu gpu = Device.emulated()) {
            Programs programs = new Programs(gpu, target) {
                @Override
                PtxProgram load(String text) {
                    return gpu.load(edit.map(e -> e.apply(text)).orElse(text));
                }
            };
            work.on(programs, gpu.pinned());
            gpu.stream().synchronize();
            return programs.explanations();
        }
    }

    private static List<Edit> edits(String module) {
        List<String> lines = module.lines().toList();
        List<Edit> edits = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            if (!ORDERS.matcher(lines.get(i)).matches()) {
                continue;
            }
            String code = lines.get(i).strip();
            int number = 1
                    + (int) lines.subList(0, i).stream()
                            .map(String::strip)
                            .filter(code::equals)
                            .count();
            Matcher wait = TRY_WAIT.matcher(code);
            if (wait.matches()) {
                edits.add(new Edit(module, i, code, number, "setp.eq.u32 %s, 0, 0;".formatted(wait.group(1))));
                continue;
            }
            edits.add(new Edit(module, i, code, number, ""));
            Matcher expect = EXPECT.matcher(code);
            if (expect.matches()) {
                edits.add(new Edit(module, i, code, number, "mbarrier.arrive" + expect.group(1) + ";"));
            }
        }
        return edits;
    }
}
