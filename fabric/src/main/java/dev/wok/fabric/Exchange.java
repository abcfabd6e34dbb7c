package dev.wok.fabric;

import dev.wok.tensor.Tensor;
import java.util.function.IntFunction;

/// Tokens of a mixture-of-experts layer to the ranks of their experts, and back (DeepSeek-V3 §3.2.2). Counts travel
/// first, then payload. Ranks hold consecutive tokens of a batch: all of rank 0 precede all of rank 1.
///
/// Tensors lie in host memory. A row is one choice of one token, seen where its expert is; a slot, where its token is:
/// `token * topK + rank of the choice`.
public interface Exchange {
    /// What a value travels as.
    enum Payload {
        F32,
        /// Rounded to nearest even.
        BF16,
        /// E4M3, a float32 scale for each 128 values of a row (DeepSeek-V3 §3.3.2).
        FP8
    }

    /// @param hidden width of a token
    /// @param topK experts that a token chooses
    /// @param parts in how many parts a token's results are summed. Wherever experts lie, they are of parts
    ///     as they would lie on so many ranks by [Placement#even(int, int)], and sums have the same bits.
    ///     What a token is given by experts of a part that all lie on one rank travels as one sum, so as many
    ///     parts as ranks save most. In one part nothing is summed before it is home
    /// @param dispatch what tokens travel as on their way to experts
    /// @param combine what results travel as on their way back: in several parts their sums, while those whose sum
    ///     is not made before it is home travel as float32
    record Desc(int hidden, int topK, Placement placement, int parts, Payload dispatch, Payload combine) {
        /// @return what a result that is not summed before it is home travels as
        Payload alone() {
            return parts == 1 ? combine : Payload.F32;
        }
    }

    /// Where the tokens of a batch go in one layer, known on both sides; for one forward and one backward pass.
    interface Route {
        /// @return tokens of this rank
        int tokens();

        /// @return tokens that come to this rank, each once: by the rank that they come from, and then in
        ///     their order there
        int arrivals();

        /// @return rows of this rank's experts, one for each choice
        int rows();

        /// @return `[rows]`: which of the [#arrivals] each row is
        int[] rowToken();

        /// @return `[rows]`: what each choice weighs
        float[] weights();

        /// @return `[slots of this rank + 1]`: rows `offsets[s]` to `offsets[s + 1]` belong to the expert in slot `s`;
        ///     among them earlier ranks come first, and of a rank earlier tokens
        int[] offsets();
    }

    /// Tokens on their way to their experts while it is being found out how many come.
    interface Arriving extends Transfer {
        /// Waits until it is known how many come from everywhere.
        Route route();

        /// @return `[arrivals, hidden]`, here after [#await]
        Tensor tokens();
    }

    /// [#route] and [#dispatch] at once: tokens leave without waiting for what others have counted.
    ///
    /// @param chosen `[tokens, topK]`, I32: each token's experts
    /// @param weights `[tokens, topK]`, F32: theirs
    /// @param x `[tokens, hidden]`, F32
    /// @param room makes `[arrivals, hidden]`, F32, for so many tokens as come, before
    ///     [Arriving#route] returns: once, on any thread
    Arriving begin(Tensor chosen, Tensor weights, Tensor x, IntFunction<Tensor> room);

    /// Counts and tells where tokens go.
    ///
    /// @param chosen `[tokens, topK]`, I32: each token's experts
    /// @param weights `[tokens, topK]`, F32: theirs
    Route route(Tensor chosen, Tensor weights);

    /// Brings tokens to the ranks of their experts. What stays on this rank is rounded like what
    /// travels.
    ///
    /// @param x `[tokens, hidden]`, F32
    /// @param tokens `[arrivals, hidden]`, F32, written
    Transfer dispatch(Route route, Tensor x, Tensor tokens);

    /// Rows on their way home, where they are added to the tokens that they were made for.
    interface Results extends Transfer {
        /// Says what they are added to, from now on until [#await] returns. Once, before this rank waits
        /// for anything of the exchange: what comes stays with who sends it until then.
        ///
        /// In one part rows are added in the order of a token's choices, `y_t = fma(w_tk, row, y_t)` in
        /// float32. In several, those of each part that way to zero, and then each part's sum, rounded to
        /// what it travels as, in the order of the parts.
        ///
        /// @param y `[tokens, hidden]`, F32, added to
        void addTo(Tensor y);
    }

    /// Brings rows home and adds them up. What stays on this rank is rounded like what travels.
    ///
    /// @param rows `[rows, hidden]`, F32
    /// @param weighs whether they are multiplied by the route's weights; all ranks say the same
    Results combine(Route route, Tensor rows, boolean weighs);

    /// Brings rows back to the slots that they were made for, for who adds them up in another way
    /// than [#combine].
    ///
    /// @param rows `[rows, hidden]`, F32
    /// @param slots `[tokens * topK, hidden]`, F32, written
    Transfer combineSlots(Route route, Tensor rows, Tensor slots);

    /// Brings one number per row back to its slot, exactly.
    ///
    /// @param rows `[rows]`, F32
    /// @param slots `[tokens, topK]`, F32, written
    Transfer combineScalars(Route route, Tensor rows, Tensor slots);
}
