package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/// What no kernel contains. Results are the same in every run: no numbers are added in the order in which threads come.
/// Every access says which memory it is to, and what orders it says so.
class EmittedRulesTest {
    private static final String START = "^\\s*(@!?\\S+ )?";

    private static final Map<String, Pattern> RULES = new LinkedHashMap<>();

    static {
        rule("adds floats in the order in which threads come", "(atom|red)\\.\\S*\\.(b?f16|b?f16x2|f32|f64)\\b");
        rule("may add floats in the order in which threads come", "(atom|red)\\.\\S*\\b(cas|exch)\\b");
        rule("adds floats in the order in which copies come", "cp\\.reduce\\.");
        rule("orders nothing by a volatile access", "(ld|st)\\.volatile\\b");
        rule(
                "does not say which memory it is to",
                "(ld|ldu|st|atom|red)\\.(?!\\S*\\b(global|shared|local|param|const)\\b)|cvta\\.(?!param\\b)");
    }

    private static void rule(String name, String instruction) {
        RULES.put(name, Pattern.compile(START + "(" + instruction + ")"));
    }

    private static List<String> broken(String name, String line) {
        List<String> broken = new ArrayList<>();
        RULES.forEach((rule, pattern) -> {
            if (pattern.matcher(line).find()) {
                broken.add("%s: %s: %s".formatted(rule, name, line.strip()));
            }
        });
        return broken;
    }

    @Test
    void noKernelBreaksARule() {
        List<String> broken = Emitted.all().stream()
                .flatMap(module -> module.text().lines().flatMap(line -> broken(module.name(), line).stream()))
                .toList();
        assertEquals(List.of(), broken);
    }

    /// The rules find what they are about.
    @Test
    void rulesFindWhatTheyForbid() {
        for (String line : List.of(
                "    atom.add.f32 %f, [%at], %f_1;",
                "    @%p red.global.add.f32 [%at], %f;",
                "    red.shared.add.noftz.bf16x2 [%at], %pair;",
                "    atom.global.cas.b32 %old, [%at], %old, %new;",
                "    cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%to], [%from], %bytes;",
                "    ld.volatile.global.u32 %x, [%at];",
                "    st.f32 [%at], %f;",
                "    ld.acquire.gpu.u32 %x, [%at];",
                "    cvta.to.global.u64 %at, %at_1;")) {
            assertFalse(broken("sample", line).isEmpty(), line);
        }
        for (String line : List.of(
                "    bar.red.or.pred %p, 0, %p;",
                "    red.shared.add.u32 [%at], 1;",
                "    atom.acq_rel.gpu.global.inc.u32 %arrived, [%state+4], %greatest;",
                "    ld.param.u64 %x, [x];",
                "    cvta.param.u64 %map, map;",
                "    st.shared.v4.b32 [%at], {%a, %b, %c, %d};",
                "    ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%a, %b, %c, %d}, [%at];")) {
            assertEquals(List.of(), broken("sample", line));
        }
    }
}
