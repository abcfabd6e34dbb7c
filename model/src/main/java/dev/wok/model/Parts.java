package dev.wok.model;

import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// Consecutive rows of a pass, whose gradients are summed apart where all ranks have a weight
/// alike. Who sums them in order has the same bits whichever ranks the parts are on.
///
/// @param bounds rows `bounds[i]` to `bounds[i + 1]` are part `i`
/// @param further for each part but the first, where what belongs into a tensor of the first one's
///     gradients goes
record Parts(int[] bounds, List<Map<Tensor, Tensor>> further) {
    /// Something that sums over the rows of a part.
    interface Sum {
        void over(int part, int from, int to);
    }

    /// @return all rows in one part
    static Parts whole(int rows) {
        return new Parts(new int[] {0, rows}, List.of());
    }

    /// Does something for each part that has rows.
    void each(Sum sum) {
        for (int part = 0; part + 1 < bounds.length; part++) {
            if (bounds[part] < bounds[part + 1]) {
                sum.over(part, bounds[part], bounds[part + 1]);
            }
        }
    }

    /// @param first a tensor of the first part's gradients
    /// @return the same of a part's
    Tensor of(int part, Tensor first) {
        return part == 0 ? first : Objects.requireNonNull(further.get(part - 1).get(first), "a part lacks a gradient");
    }
}
