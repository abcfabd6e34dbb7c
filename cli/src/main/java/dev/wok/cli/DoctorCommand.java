package dev.wok.cli;

import dev.wok.device.Device;
import dev.wok.device.GpuFacts;
import dev.wok.device.Gpus;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Processor;
import dev.wok.kernel.Processor.InstructionSet;
import dev.wok.kernel.Tuning;
import dev.wok.notice.BadInput;
import dev.wok.text.Corpus;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `wok doctor`: what Wok finds on this machine, and what it makes of it.
@Command(
        name = "doctor",
        description = "Says what Wok finds on this machine: Java, processor, memory, kernels, corpus.",
        sortOptions = false,
        footer = {"", "Example:", "  wok doctor --json"})
final class DoctorCommand implements Callable<Integer> {
    private final Console console;

    @Option(names = "--json", description = "Print one JSON object.")
    boolean json;

    DoctorCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        SequencedMap<String, Object> facts = new LinkedHashMap<>();
        facts.put("wok", Wok.Version.text());
        facts.put(
                "java",
                "%s (%s), %s"
                        .formatted(
                                Runtime.version(), System.getProperty("java.vendor"), System.getProperty("java.home")));
        facts.put("system", "%s %s".formatted(System.getProperty("os.name"), System.getProperty("os.arch")));
        facts.put("processors", Runtime.getRuntime().availableProcessors());
        facts.put("memory_bytes", Device.hostMemory());
        facts.put("heap_bytes", Runtime.getRuntime().maxMemory());
        processor(facts);
        boolean healthy = kernels(facts);
        gpus(facts, Gpus.find());
        facts.put(
                "corpus",
                Corpus.jdkSources()
                        .map(Path::toString)
                        .orElse("no JDK here has its sources (lib/src.zip): name files or folders with --data"));
        print(facts);
        return healthy ? 0 : 1;
    }

    private static void processor(Map<String, Object> facts) {
        try (HostDevice device = Device.host(1)) {
            Processor processor = Processor.describe(device);
            facts.put("processor", processor.name());
            facts.put(
                    "instruction_sets",
                    processor.found().stream().map(InstructionSet::name).toList());
            facts.put(
                    "instruction_set",
                    processor.used().map(InstructionSet::name).orElse("none"));
            facts.put("instruction_set_reason", processor.reason());
        }
    }

    private static boolean kernels(Map<String, Object> facts) {
        try (HostDevice device = Device.host(Runtime.getRuntime().availableProcessors())) {
            Kernels.Choice choice = Kernels.on(device.stream()).choice();
            facts.put("kernels", choice.backend().text());
            facts.put("kernels_reason", choice.reason());
            Tuning.describe(device).ifPresent(tuning -> tiles(facts, tuning));
            return true;
        } catch (BadInput e) {
            facts.put("kernels", "none");
            facts.put("kernels_reason", String.valueOf(e.getMessage()));
            return false;
        }
    }

    static void gpus(Map<String, Object> facts, Gpus gpus) {
        switch (gpus) {
            case Gpus.Found found ->
                facts.put("gpus", found.gpus().stream().map(DoctorCommand::gpu).toList());
            case Gpus.Absent(String reason) -> facts.put("gpu", reason);
        }
    }

    private static Map<String, Object> gpu(GpuFacts gpu) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("name", gpu.name());
        facts.put("capability", gpu.capability().toString());
        facts.put("memory_bytes", gpu.memoryBytes());
        facts.put("multiprocessors", gpu.multiprocessors());
        facts.put("driver", gpu.driver().toString());
        facts.put("ptx", gpu.ptx().toString());
        return facts;
    }

    private static void tiles(Map<String, Object> facts, Tuning tuning) {
        facts.put("tiles", tuning.tiles());
        facts.put("tiles_reason", tuning.found() ? "found by trying" : "the usual ones");
        facts.put("tiles_file", tuning.file().toString());
    }

    private void print(SequencedMap<String, Object> facts) {
        if (json) {
            console.out().println(Json.text(facts));
            return;
        }
        facts.forEach((name, value) -> {
            console.out().printf("%-24s%s%n", label(name), text(name, value));
        });
    }

    private static String part(String name, Object value) {
        Object text = text(name, value);
        return name.equals("name") ? text.toString() : "%s %s".formatted(label(name), text);
    }

    private static String label(String name) {
        return name.replace("_bytes", "").replace('_', ' ');
    }

    static Object text(String name, Object value) {
        return switch (value) {
            case Number bytes when name.endsWith("_bytes") -> Amounts.of(bytes.doubleValue(), "bytes");
            case List<?> none when none.isEmpty() -> "none";
            case List<?> values ->
                values.stream()
                        .map(one -> text(name, one).toString())
                        .collect(Collectors.joining(values.getFirst() instanceof Map ? "; " : ", "));
            case Map<?, ?> parts ->
                parts.entrySet().stream()
                        .map(part -> part(String.valueOf(part.getKey()), part.getValue()))
                        .collect(Collectors.joining(", "));
            default -> value;
        };
    }
}
