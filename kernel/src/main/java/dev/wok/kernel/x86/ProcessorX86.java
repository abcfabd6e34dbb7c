package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.kernel.Processor;
import dev.wok.kernel.Processor.InstructionSet;
import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Finds what the processor runs and chooses the instruction set that kernels are written in.
public final class ProcessorX86 {
    private static final String VECTOR = "vector";

    private ProcessorX86() {}

    /// @param asked an instruction set, `vector` for none, or null for the most that there is
    /// @throws BadInput where what was asked for is not there
    public static Processor describe(HostDevice device, @Nullable String asked) {
        if (!Cpu.isX86()) {
            String name = "%s on %s".formatted(System.getProperty("os.arch"), System.getProperty("os.name"));
            return choose(name, List.of(), asked);
        }
        Cpu cpu = Cpu.ask(device);
        return choose(cpu.name(), cpu.isas(), asked);
    }

    static Processor choose(String name, List<Isa> found, @Nullable String asked) {
        List<InstructionSet> sets = found.stream().map(ProcessorX86::described).toList();
        if (asked == null || asked.isBlank()) {
            return found.isEmpty()
                    ? new Processor(
                            name, sets, Optional.empty(), "kernels in machine code need an x86-64 processor with AVX2")
                    : new Processor(name, sets, Optional.of(sets.getLast()), "the most that this processor runs");
        }
        if (asked.equals(VECTOR)) {
            String none = "%s=%s asks for none".formatted(Processor.VARIABLE, asked);
            return new Processor(name, sets, Optional.empty(), none);
        }
        String reason = "%s=%s asks for it".formatted(Processor.VARIABLE, asked);
        for (Isa isa : found) {
            if (isa.text().equals(asked)) {
                return new Processor(name, sets, Optional.of(described(isa)), reason);
            }
        }
        throw refused(name, found, asked);
    }

    private static BadInput refused(String name, List<Isa> found, String asked) {
        boolean known = Arrays.stream(Isa.values()).anyMatch(isa -> isa.text().equals(asked));
        return new BadInput("%s=%s: %s, expected %s; or leave it unset for the fastest."
                .formatted(
                        Processor.VARIABLE,
                        asked,
                        known ? "this processor (%s) does not run it".formatted(name) : "no such instruction set",
                        anyOf(Stream.concat(found.reversed().stream().map(Isa::text), Stream.of(VECTOR))
                                .collect(Collectors.toCollection(ArrayList::new)))));
    }

    private static String anyOf(List<String> names) {
        String last = names.removeLast();
        return names.isEmpty() ? last : String.join(", ", names) + " or " + last;
    }

    private static InstructionSet described(Isa isa) {
        return new InstructionSet(isa.text(), isa.bytes(), isa.hasBf16(), isa.hasByteDots());
    }

    /// @return what kernels are written in, or empty for none
    static Optional<Isa> used(Processor processor) {
        return processor
                .used()
                .flatMap(set -> Arrays.stream(Isa.values())
                        .filter(isa -> isa.text().equals(set.name()))
                        .findFirst());
    }
}
