package dev.wok.bench;

import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Processor;
import dev.wok.kernel.Processor.InstructionSet;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// What a figure was measured with.
///
/// @param backend of the kernels
/// @param instructionSet that they are written in, `vector` where it is the Vector API's matter
/// @param precision of matrix products
/// @param threads that computed
public record Setup(String backend, String instructionSet, String precision, int threads) {
    static Setup of(Kernels kernels, Processor processor, int threads) {
        Backend backend = kernels.choice().backend();
        String isa = backend == Backend.X86
                ? processor.used().map(InstructionSet::name).orElse("none")
                : "vector";
        return new Setup(backend.text(), isa, kernels.precision().text(), threads);
    }

    SequencedMap<String, Object> values() {
        SequencedMap<String, Object> values = new LinkedHashMap<>();
        values.put("backend", backend);
        values.put("instruction_set", instructionSet);
        values.put("precision", precision);
        values.put("threads", threads);
        return values;
    }
}
