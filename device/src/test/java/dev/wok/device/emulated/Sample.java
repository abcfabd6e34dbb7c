package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Launch;
import dev.wok.device.PtxFault;
import dev.wok.device.TensorMap;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntUnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;

/// A kernel that runs clean, and ways to break it, each with the fault that it must give.
///
/// The kernel has the buffers `a` (32-bit numbers 0, 1, 2, …), `b` (zeros) and `c` (zeros) of 4096 numbers each, their
/// addresses in `%A`, `%B`, `%C`, and registers `%t` (`%tid.x`), `%cta`, `%r0-39`, `%d0-39` (64 bits), `%f0-39`,
/// `%p0-15`.
final class Sample {
    static final int COUNT = 4096;

    private static final String HEAD = """
            .version 8.6
            .target sm_90a
            .address_size 64
            """;
    private static final String ENTRY = """
            .visible .entry k(.param .u64 pa, .param .u64 pb, .param .u64 pc)
            {
            .reg .u32 %t, %cta, %r<40>;
            .reg .u64 %A, %B, %C, %d<40>;
            .reg .f32 %f<40>;
            .reg .pred %p<16>;
            ld.param.u64 %A, [pa];
            ld.param.u64 %B, [pb];
            ld.param.u64 %C, [pc];
            mov.u32 %t, %tid.x;
            mov.u32 %cta, %ctaid.x;
            """;

    private record Variant(
            String name, List<String> changes, PtxFault.Kind kind, String marker, String lanes, String message) {}

    final String name;
    private final Launch launch;
    private final String globals;
    private final String body;
    private final List<Variant> variants = new ArrayList<>();
    private @Nullable Function<Tensor, TensorMap> map;
    private int expected;
    private IntUnaryOperator values = i -> 0;
    private IntUnaryOperator input = i -> i;

    private Sample(String name, Launch launch, String globals, String body) {
        this.name = name;
        this.launch = launch;
        this.globals = globals;
        this.body = body;
    }

    static Sample of(String name, Launch launch, String body) {
        return new Sample(name, launch, "", body);
    }

    /// @param globals what stands before the kernel
    static Sample of(String name, Launch launch, String globals, String body) {
        return new Sample(name, launch, globals, body);
    }

    /// Gives the kernel a tensor map of `a` as its parameter `pm`.
    Sample withMap(Function<Tensor, TensorMap> made) {
        map = made;
        return this;
    }

    /// Says what `a` holds instead of 0, 1, 2, …
    Sample on(IntUnaryOperator value) {
        input = value;
        return this;
    }

    /// Says what `b` holds at the end.
    Sample gives(int count, IntUnaryOperator value) {
        expected = count;
        values = value;
        return this;
    }

    /// A variant that is broken.
    ///
    /// @param what is wrong with it
    /// @param marker a comment in the line that is to blame, such as `//1`; empty for no line
    /// @param lanes a part of what the fault says of the lanes
    /// @param message a part of it
    /// @param changes text and what stands in its place, in turn
    Sample breaks(String what, PtxFault.Kind kind, String marker, String lanes, String message, String... changes) {
        variants.add(new Variant(what, List.of(changes), kind, marker, lanes, message));
        return this;
    }

    String text() {
        String entry = map == null ? ENTRY : ENTRY.replace("pc)", "pc, .param .align 64 .b8 pm[128])");
        return HEAD + globals + entry + body + "ret;\n}\n";
    }

    /// @return the texts of the variants too, those that PTX allows
    List<String> texts() {
        List<String> texts = new ArrayList<>(List.of(text()));
        for (Variant variant : variants) {
            if (variant.kind != PtxFault.Kind.SYNTAX) {
                texts.add(changed(variant));
            }
        }
        return texts;
    }

    private String changed(Variant variant) {
        String text = text();
        for (int i = 0; i < variant.changes.size(); i += 2) {
            String from = variant.changes.get(i);
            assertTrue(text.contains(from), () -> name + ": no " + from);
            text = text.replace(from, variant.changes.get(i + 1));
        }
        return text;
    }

    Stream<DynamicTest> tests() {
        return Stream.concat(
                Stream.of(dynamicTest(name, this::runsClean)),
                variants.stream().map(v -> dynamicTest(name + ": " + v.name, () -> fails(v))));
    }

    private void runsClean() {
        try (EmulatedGpu gpu = Device.emulated()) {
            Tensor[] buffers = run(gpu, text());
            for (int i = 0; i < expected; i++) {
                int at = i;
                assertEquals(values.applyAsInt(i), buffers[1].getInt(i), () -> name + " at " + at);
            }
        }
    }

    private void fails(Variant variant) {
        String text = changed(variant);
        try (EmulatedGpu gpu = Device.emulated()) {
            PtxFault fault = assertThrows(PtxFault.class, () -> run(gpu, text));
            String all = fault.getMessage() + "\n" + text;
            assertEquals(variant.kind, fault.kind(), all);
            if (!variant.marker.isEmpty()) {
                assertEquals(lineOf(text, variant.marker), fault.line(), all);
            }
            assertTrue(fault.lanes().contains(variant.lanes), () -> "lanes " + fault.lanes() + " of\n" + all);
            assertTrue(String.valueOf(fault.getMessage()).contains(variant.message), all);
        }
    }

    private static int lineOf(String text, String marker) {
        String[] lines = text.split("\n", -1);
        for (int i = 0; i < lines.length; i++) {
            if (lines[i].endsWith(marker)) {
                return i + 1;
            }
        }
        throw new AssertionError("no line with " + marker);
    }

    private Tensor[] run(EmulatedGpu gpu, String text) {
        Tensor[] buffers = new Tensor[3];
        for (int i = 0; i < 3; i++) {
            buffers[i] = gpu.pinned().tensor(DType.I32, COUNT);
        }
        for (int i = 0; i < COUNT; i++) {
            buffers[0].setInt(i, input.applyAsInt(i));
        }
        List<Object> arguments = new ArrayList<>(List.of((Object[]) buffers));
        if (map != null) {
            arguments.add(map.apply(buffers[0]));
        }
        gpu.stream().launch(gpu.load(text).function("k"), launch, arguments.toArray());
        return buffers;
    }
}
