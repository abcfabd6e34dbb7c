package dev.wok.model;

import dev.wok.kernel.Activations;
import dev.wok.kernel.Packed.Element;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// How a model that only infers holds its weights. Norms and biases are float32, so is the router; the
/// embedding's rows are bfloat16 where the matrices are no float32.
///
/// @param matrices elements of all matrices but the router's
/// @param group how many neighbours of a row share a scale, where elements have scales: a multiple of 32
/// @param activations how tokens enter products with whole numbers, FLOAT with others
/// @param cache F32 or BF16: what caches hold, beside float32 products; with bfloat16 ones they hold that
public record Storage(Element matrices, int group, Activations activations, DType cache) {
    /// Fine enough for 4 bits, coarse enough for scales to be a sixteenth of the weights.
    public static final int USUAL_GROUP = 64;

    /// The blocks of checkpoints in E4M3 are as wide: their scales can stay.
    private static final int E4M3_GROUP = 128;

    private static final int GROUP_MOST = 1 << 16;

    public Storage {
        if (group < 32 || group > GROUP_MOST || group % 32 != 0) {
            throw new BadInput("a group of %d neighbours is asked for, expected a multiple of 32 up to %d."
                    .formatted(group, GROUP_MOST));
        }
        if (activations == Activations.INT8 && !matrices.isWhole()) {
            throw new BadInput(
                    "tokens rounded to 8 bits are asked for beside %s, expected whole numbers.".formatted(matrices));
        }
        if (cache != DType.F32 && cache != DType.BF16) {
            throw new BadInput("caches of %s are asked for, expected F32 or BF16.".formatted(cache));
        }
    }

    /// With caches of float32 beside float32 weights, else of bfloat16.
    public Storage(Element matrices, int group, Activations activations) {
        this(matrices, group, activations, matrices == Element.F32 ? DType.F32 : DType.BF16);
    }

    /// @return this with caches that hold something else
    public Storage withCache(DType value) {
        return new Storage(matrices, group, activations, value);
    }

    /// @return weights as they are
    public static Storage float32() {
        return new Storage(Element.F32, USUAL_GROUP, Activations.FLOAT);
    }

    /// @return weights rounded to bfloat16
    public static Storage bfloat16() {
        return new Storage(Element.BF16, USUAL_GROUP, Activations.FLOAT);
    }

    /// @return weights rounded to whole numbers of 8 bits, which meet tokens rounded alike
    public static Storage int8() {
        return new Storage(Element.INT8, USUAL_GROUP, Activations.INT8);
    }

    /// @return weights rounded to E4M3
    public static Storage fp8() {
        return new Storage(Element.FP8, E4M3_GROUP, Activations.FLOAT);
    }

    /// @return weights rounded to whole numbers of 4 bits, which meet tokens rounded to 8
    public static Storage int4() {
        return new Storage(Element.INT4, USUAL_GROUP, Activations.INT8);
    }

    /// @return one for each name, in the order of their size
    public static SequencedMap<String, Storage> byName() {
        SequencedMap<String, Storage> storages = new LinkedHashMap<>();
        storages.put("f32", float32());
        storages.put("bf16", bfloat16());
        storages.put("int8", int8());
        storages.put("fp8", fp8());
        storages.put("int4", int4());
        return storages;
    }

    /// @return whether weights are the same bytes
    boolean packsAs(Storage other) {
        return equals(other.withCache(cache));
    }

    /// @return what the matrices of the absorbed latents are: too small a part for fewer bits to pay
    Element latent() {
        return matrices == Element.F32 ? Element.F32 : Element.BF16;
    }
}
