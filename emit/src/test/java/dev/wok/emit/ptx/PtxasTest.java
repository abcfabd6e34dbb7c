package dev.wok.emit.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.emit.ptx.OperandForm.Chosen;
import dev.wok.testkit.Ptxas;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The table says what `ptxas` says. `./test slow -Dtest=PtxasTest` assembles all of it for every
/// processor.
class PtxasTest {
    private static final int PER_MODULE = 400;
    private static final int LEAST_INSTRUCTIONS = 20_000;

    private record Instruction(Form form, Chosen chosen, boolean everyShape) {
        String words() {
            return String.join(".", chosen.words());
        }
    }

    /// Every form with all its words, or all pairs of them where they are very many, and each
    /// operand in each of its shapes; modules are of the least version of PTX that the table asks
    /// for.
    @ParameterizedTest
    @EnumSource
    @Tag("slow")
    void everythingThatIsWrittenAssembles(Target target) {
        assumeTrue(Ptxas.missing().isEmpty(), () -> Ptxas.missing().orElse(""));
        Map<Integer, List<Instruction>> byVersion = new TreeMap<>();
        for (Form form : Table.ALL.forms()) {
            Set<Map<String, String>> seen = new HashSet<>();
            for (Chosen chosen : Expansion.of(form)) {
                Need need = Table.ALL.need(form, chosen.words());
                if (need.isMetBy(target)) {
                    byVersion
                            .computeIfAbsent(need.version(), _ -> new ArrayList<>())
                            .add(new Instruction(form, chosen, seen.add(chosen.names())));
                }
            }
        }
        List<List<Instruction>> modules = new ArrayList<>();
        for (List<Instruction> all : byVersion.values()) {
            for (int i = 0; i < all.size(); i += PER_MODULE) {
                modules.add(all.subList(i, Math.min(all.size(), i + PER_MODULE)));
            }
        }
        List<String> faults = new ArrayList<>();
        int count = modules.parallelStream()
                .mapToInt(m -> assemble(m, target, faults))
                .sum();
        assertTrue(
                faults.isEmpty(),
                () -> faults.size() + " of " + count + ":\n"
                        + String.join("\n", faults.subList(0, Math.min(50, faults.size()))));
        assertTrue(count >= LEAST_INSTRUCTIONS, count + " instructions");
    }

    private static int assemble(List<Instruction> instructions, Target target, List<String> faults) {
        Ptx module = Ptx.module(target);
        Samples samples = new Samples(module, module.kernel("k"));
        int count = 0;
        for (Instruction one : instructions) {
            for (Object[] operands : samples.of(one.form, one.chosen, one.everyShape)) {
                if (isForOtherProcessors(target, operands)) {
                    continue;
                }
                samples.kernel().op(one.words(), operands);
                count++;
            }
        }
        String text = module.text();
        String[] lines = text.split("\n");
        Ptxas.assemble(text, target.toString()).forEach((line, error) -> {
            synchronized (faults) {
                faults.add("%s: %s: %s".formatted(target, line == 0 ? "" : lines[line - 1].strip(), error));
            }
        });
        return count;
    }

    private static boolean isForOtherProcessors(Target target, Object... operands) {
        return Arrays.stream(operands).anyMatch(o -> o instanceof Special s && !s.need.isMetBy(target));
    }

    @Test
    void whatPtxasRefusesIsRefused() {
        List<NearMisses> both = List.of(NearMisses.ofEveryProcessor(), NearMisses.ofHopper());
        assumeTrue(Ptxas.missing().isEmpty(), () -> Ptxas.missing().orElse(""));
        for (NearMisses misses : both) {
            List<String> lines = misses.texts();
            Map<Integer, String> errors =
                    Ptxas.assemble(misses.module(), misses.target().toString());
            List<String> accepted = new ArrayList<>();
            for (int i = 0; i < lines.size(); i++) {
                if (!errors.containsKey(misses.firstLine() + i)) {
                    accepted.add(misses.target() + ": " + lines.get(i));
                }
            }
            assertFalse(errors.containsKey(0), errors::toString);
            assertEquals(List.of(), accepted, "ptxas takes these");
        }
    }
}
