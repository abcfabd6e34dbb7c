package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Memory;
import dev.wok.kernel.AdamW;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// Memory for weights, or for their gradients, in which what all ranks have alike lies in one
/// tensor, and experts apart.
final class FlatMemory implements Weights.Supply {
    private final Tensor values;
    private final Weights.Supply others;
    private final Map<String, Long> from = new HashMap<>();
    private final Map<String, Tensor> apart = new HashMap<>();
    private long next;

    private FlatMemory(Tensor values, Weights.Supply others) {
        this.values = values;
        this.others = others;
    }

    static FlatMemory of(ModelConfig config, Ranks ranks, Memory memory, DType dtype) {
        return new FlatMemory(memory.tensor(dtype, elements(config, ranks)), Weights.Supply.of(memory));
    }

    /// @return memory of the same layout, which has what lies apart in common with this one
    FlatMemory another(Memory memory) {
        return new FlatMemory(
                memory.tensor(values.dtype(), values.dim(0)), (name, _, _) -> Objects.requireNonNull(apart.get(name)));
    }

    private static long elements(ModelConfig config, Ranks ranks) {
        try (DryDevice device = Device.dry();
                Memory memory = device.memory()) {
            return new Weights(config, Weights.Supply.of(memory), DType.F32, null, ranks)
                    .parameters().stream()
                            .filter(parameter -> !Weights.isRouted(parameter.name()))
                            .mapToLong(parameter -> padded(parameter.value().elements()))
                            .sum();
        }
    }

    private static long padded(long elements) {
        return Math.ceilDiv(elements, AdamW.BLOCK) * AdamW.BLOCK;
    }

    @Override
    public Tensor tensor(String name, DType dtype, long... shape) {
        if (Weights.isRouted(name) || Weights.isCorrection(name)) {
            Tensor tensor = others.tensor(name, dtype, shape);
            apart.put(name, tensor);
            return tensor;
        }
        long elements = Shape.elements(shape);
        Tensor tensor = values.slice(0, next, next + elements).reshape(shape);
        from.put(name, next);
        next += padded(elements);
        return tensor;
    }

    Tensor values() {
        return values;
    }

    /// @param parameters that have their memory from here
    Flat flat(List<Parameter> parameters) {
        List<Flat.Piece> pieces = new ArrayList<>();
        for (Parameter parameter : parameters) {
            Long at = from.get(parameter.name());
            if (at != null) {
                pieces.add(new Flat.Piece(parameter, at));
            }
        }
        return new Flat(values, pieces);
    }
}
