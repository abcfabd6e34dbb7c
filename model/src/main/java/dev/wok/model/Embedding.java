package dev.wok.model;

import dev.wok.notice.BadInput;
import java.util.Arrays;

/// A text's vector, which its tokens' states are added to as they come.
final class Embedding {
    private final Pooling pooling;
    private final int tokens;
    private final double[] sum;

    /// @param tokens of the text
    /// @param width of a state
    Embedding(Pooling pooling, int tokens, int width) {
        this.pooling = pooling;
        this.tokens = tokens;
        sum = new double[width];
    }

    /// @param position of a token
    /// @param states of which its own are some
    /// @param from the first of them
    void add(int position, float[] states, int from) {
        if (pooling.takes(position, tokens)) {
            for (int i = 0; i < sum.length; i++) {
                sum[i] += states[from + i];
            }
        }
    }

    /// @return the vector, made 1 long
    /// @throws BadInput where it has no direction
    float[] direction() {
        double length = Math.sqrt(Arrays.stream(sum).map(v -> v * v).sum());
        if (!(length > 0 && length < Double.POSITIVE_INFINITY)) {
            throw new BadInput(("the model gave no numbers: a text's state is %s long. Its weights are damaged, or"
                            + " overflow in this precision; try float32.")
                    .formatted(length));
        }
        float[] direction = new float[sum.length];
        for (int i = 0; i < sum.length; i++) {
            direction[i] = (float) (sum[i] / length);
        }
        return direction;
    }
}
