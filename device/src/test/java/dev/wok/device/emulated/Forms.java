package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Launch;
import dev.wok.device.PtxProgram;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/// Instructions to be compared with what they must give: for each a kernel that loads operands, executes it once and
/// stores the result. Values are passed as 64 bits; an instruction sees the lower ones.
final class Forms {
    /// What an instruction must give.
    interface Truth {
        /// @param in the operands' bits, zero-extended
        long of(long[] in);
    }

    /// Whether a result may be.
    interface Check {
        boolean holds(long[] in, long result);
    }

    /// @param code with `%z` for the result, `%a`, `%b`, `%c`, `%e` for operands, `%q` for a predicate that `%z`
    /// becomes
    /// @param result its type, such as `s32`; `pred` for `%q`
    private record Form(String code, String result, List<String> operands, List<long[]> values, Check check) {}

    private static final int BLOCK = 256;
    private static final int SLOTS = 4;
    private static final String NAMES = "abce";

    private final List<Form> forms = new ArrayList<>();
    private final SplittableRandom random = new SplittableRandom(11);

    /// An instruction on chosen operands, in every combination or, where those are many, some of them, and random ones.
    void add(String code, String result, List<String> operands, Truth truth) {
        addChecked(code, result, operands, exactly(result, truth));
    }

    void addChecked(String code, String result, List<String> operands, Check check) {
        List<long[]> choices = new ArrayList<>();
        operands.forEach(type -> choices.add(Values.of(type)));
        List<long[]> values = new ArrayList<>();
        long all = choices.stream().mapToLong(c -> c.length).reduce(1, (a, b) -> a * b);
        int most = 3000;
        for (int i = 0; i < Math.min(all, most); i++) {
            long at = all <= most ? i : random.nextLong(all);
            long[] in = new long[operands.size()];
            for (int j = 0; j < in.length; j++) {
                long[] of = choices.get(j);
                in[j] = of[(int) (at % of.length)];
                at /= of.length;
            }
            values.add(in);
        }
        for (int i = 0; i < 500; i++) {
            long[] in = new long[operands.size()];
            for (int j = 0; j < in.length; j++) {
                in[j] = Values.random(operands.get(j), random);
            }
            values.add(in);
        }
        forms.add(new Form(code, result, operands, values, check));
    }

    /// An instruction on given operands.
    void addOn(String code, String result, List<String> operands, List<long[]> values, Truth truth) {
        forms.add(new Form(code, result, operands, values, exactly(result, truth)));
    }

    private static Check exactly(String result, Truth truth) {
        return (in, z) -> {
            long expected = truth.of(in);
            long mask = Values.mask(result);
            return (expected & mask) == (z & mask);
        };
    }

    int size() {
        return forms.size();
    }

    /// @return one text with a kernel for each form
    String text() {
        StringBuilder text = new StringBuilder(".version 8.5\n.target sm_90a\n.address_size 64\n");
        for (int i = 0; i < forms.size(); i++) {
            text.append(kernel("k" + i, forms.get(i)));
        }
        return text.toString();
    }

    private static String kernel(String name, Form form) {
        StringBuilder text =
                new StringBuilder("""
                .visible .entry %s(.param .u64 pin, .param .u64 pout, .param .u32 pn)
                {
                .reg .u32 %%i, %%n, %%t, %%cta; .reg .u64 %%in, %%out, %%o; .reg .pred %%over, %%q;
                ld.param.u64 %%in, [pin]; ld.param.u64 %%out, [pout]; ld.param.u32 %%n, [pn];
                mov.u32 %%t, %%tid.x; mov.u32 %%cta, %%ctaid.x; mad.lo.u32 %%i, %%cta, %d, %%t;
                setp.ge.u32 %%over, %%i, %%n;
                @%%over ret;
                mul.wide.u32 %%o, %%i, %d; add.u64 %%in, %%in, %%o;
                mul.wide.u32 %%o, %%i, 8; add.u64 %%out, %%out, %%o;
                """.formatted(name, BLOCK, 8 * SLOTS).replace("%%", "%"));
        for (int j = 0; j < form.operands.size(); j++) {
            String type = form.operands.get(j);
            char letter = NAMES.charAt(j);
            if (type.equals("pred")) {
                text.append(".reg .pred %" + letter + "; .reg .b32 %p" + letter + ";\n");
                text.append("ld.global.b32 %p" + letter + ", [%in+" + 8 * j + "];\n");
                text.append("setp.ne.s32 %" + letter + ", %p" + letter + ", 0;\n");
                continue;
            }
            text.append(".reg .")
                    .append(register(type))
                    .append(" %")
                    .append(letter)
                    .append(";\n");
            text.append("ld.global.").append(memory(type)).append(" %").append(letter);
            text.append(", [%in+").append(8 * j).append("];\n");
        }
        boolean isFlag = form.result.equals("pred");
        String held = isFlag ? "b32" : register(form.result);
        text.append(".reg .").append(held).append(" %z;\n");
        text.append(form.code).append('\n');
        text.append(isFlag ? "selp.b32 %z, 1, 0, %q;\n" : "");
        text.append("st.global.").append(isFlag ? "b32" : memory(form.result)).append(" [%out], %z;\nret;\n}\n");
        return text.toString();
    }

    /// @return the type of a register for a type
    private static String register(String type) {
        int bits = Values.bits(type);
        if (type.equals("size")) {
            return "u32";
        }
        if (type.endsWith("x2")) {
            return "b" + Values.bits(type);
        }
        return type.startsWith("f32") || type.startsWith("f64") && bits == 64
                ? type
                : type.startsWith("s") || type.startsWith("u")
                        ? type.charAt(0) + "" + Math.max(16, bits)
                        : "b" + Math.max(16, bits);
    }

    private static String memory(String type) {
        return type.equals("size")
                ? "u32"
                : type.endsWith("x2")
                        ? "b" + Values.bits(type)
                        : (type.charAt(0) == 's' || type.charAt(0) == 'u' ? type.charAt(0) : 'b') + ""
                                + Values.bits(type);
    }

    /// Runs all of them.
    void check() {
        List<String> wrong = new ArrayList<>();
        try (EmulatedGpu gpu = Device.emulated()) {
            PtxProgram program = gpu.load(text());
            for (int i = 0; i < forms.size(); i++) {
                check(gpu, program, i, wrong);
            }
        }
        assertTrue(
                wrong.isEmpty(),
                () -> wrong.size() + " wrong:\n" + String.join("\n", wrong.subList(0, Math.min(20, wrong.size()))));
    }

    private void check(EmulatedGpu gpu, PtxProgram program, int index, List<String> wrong) {
        Form form = forms.get(index);
        int count = form.values.size();
        Tensor in = gpu.pinned().tensor(DType.I64, count, SLOTS);
        Tensor out = gpu.pinned().tensor(DType.I64, count);
        for (int i = 0; i < count; i++) {
            for (int j = 0; j < form.operands.size(); j++) {
                in.memory()
                        .setAtIndex(
                                ValueLayout.JAVA_LONG,
                                (long) i * SLOTS + j,
                                form.values.get(i)[j]);
            }
        }
        gpu.stream()
                .launch(program.function("k" + index), Launch.of((count + BLOCK - 1) / BLOCK, BLOCK), in, out, count);
        int shown = 0;
        for (int i = 0; i < count && shown < 3; i++) {
            long[] values = form.values.get(i);
            long z = out.memory().getAtIndex(ValueLayout.JAVA_LONG, i);
            if (!form.check.holds(values, z)) {
                shown++;
                wrong.add("%s on %s gives 0x%x"
                        .formatted(
                                form.code,
                                Arrays.stream(values)
                                        .mapToObj(v -> "0x" + Long.toHexString(v))
                                        .toList(),
                                z));
            }
        }
    }

    static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
