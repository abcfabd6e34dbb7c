package dev.wok.fabric;

import dev.wok.tensor.Bf16;
import dev.wok.tensor.E4m3;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Dispatch and combine in plain loops over all ranks' arrays: what [Exchange] is held against.
final class PlainExchange {
    /// One choice of one token, where its expert is.
    ///
    /// @param part that the expert is of
    record Row(int slot, int source, int token, int choice, int part) {
        Token home() {
            return new Token(source, token);
        }
    }

    /// A token, and the rank that it comes from.
    private record Token(int source, int index) {}

    private final Exchange.Desc desc;
    private final int[] tokens;
    private final List<List<Row>> rows = new ArrayList<>();

    /// @param chosen `[ranks][tokens][topK]`
    PlainExchange(Exchange.Desc desc, Shape shape, int[][][] chosen) {
        this.desc = desc;
        this.tokens = new int[chosen.length];
        Placement placement = desc.placement();
        int[] first = placement.firstSlots();
        for (int rank = 0; rank < chosen.length; rank++) {
            rows.add(new ArrayList<>());
        }
        for (int source = 0; source < chosen.length; source++) {
            tokens[source] = chosen[source].length;
            Replicas replicas = Replicas.of(placement, shape, source);
            for (int token = 0; token < tokens[source]; token++) {
                for (int choice = 0; choice < desc.topK(); choice++) {
                    int expert = chosen[source][token][choice];
                    int slot = replicas.slotFor(expert, token);
                    int rank = 0;
                    while (first[rank + 1] <= slot) {
                        rank++;
                    }
                    rows.get(rank).add(new Row(slot - first[rank], source, token, choice, part(expert)));
                }
            }
        }
        for (List<Row> of : rows) {
            of.sort(Comparator.comparingInt(Row::slot)
                    .thenComparingInt(Row::source)
                    .thenComparingInt(Row::token)
                    .thenComparingInt(Row::choice));
        }
    }

    private int part(int expert) {
        int[] first = Placement.even(desc.placement().experts(), desc.parts()).firstSlots();
        int part = 0;
        while (first[part + 1] <= expert) {
            part++;
        }
        return part;
    }

    List<Row> rows(int rank) {
        return rows.get(rank);
    }

    int[] offsets(int rank) {
        int[] offsets = new int[desc.placement().slots()[rank].length + 1];
        for (Row row : rows.get(rank)) {
            for (int slot = row.slot + 1; slot < offsets.length; slot++) {
                offsets[slot]++;
            }
        }
        return offsets;
    }

    /// @return the tokens that come to a rank
    private List<Token> arrivals(int rank) {
        return rows.get(rank).stream()
                .map(Row::home)
                .distinct()
                .sorted(Comparator.comparingInt(Token::source).thenComparingInt(Token::index))
                .toList();
    }

    int[] rowToken(int rank) {
        List<Token> arrivals = arrivals(rank);
        return rows.get(rank).stream()
                .mapToInt(row -> arrivals.indexOf(row.home()))
                .toArray();
    }

    /// @param x `[ranks][tokens][hidden]`
    float[][] dispatch(float[][][] x, int rank) {
        return arrivals(rank).stream()
                .map(token -> rounded(desc.dispatch(), x[token.source][token.index]))
                .toArray(float[][]::new);
    }

    /// @param y `[ranks][rows][hidden]`
    /// @return `[tokens * topK][hidden]`
    float[][] combine(float[][][] y, int home) {
        return combine(y, home, desc.combine());
    }

    private float[][] combine(float[][][] y, int home, Exchange.Payload payload) {
        float[][] slots = new float[tokens[home] * desc.topK()][];
        for (int rank = 0; rank < rows.size(); rank++) {
            for (int i = 0; i < rows.get(rank).size(); i++) {
                Row row = rows.get(rank).get(i);
                if (row.source == home) {
                    slots[row.token * desc.topK() + row.choice] = rounded(payload, y[rank][i]);
                }
            }
        }
        return slots;
    }

    /// @param y `[ranks][rows][hidden]`
    /// @param weights `[tokens * topK]`, or null for ones
    /// @param sums `[tokens][hidden]`, added to
    void add(float[][][] y, int home, float @Nullable [] weights, float[][] sums) {
        float[][] slots = combine(y, home, desc.parts() == 1 ? desc.combine() : Exchange.Payload.F32);
        int[] parts = parts(home);
        for (int part = 0; part < desc.parts(); part++) {
            for (int token = 0; token < sums.length; token++) {
                float[] sum = desc.parts() == 1 ? sums[token] : new float[desc.hidden()];
                boolean any = false;
                for (int slot = token * desc.topK(); slot < (token + 1) * desc.topK(); slot++) {
                    for (int column = 0; column < sum.length && parts[slot] == part; column++) {
                        any = true;
                        sum[column] = Math.fma(weights == null ? 1 : weights[slot], slots[slot][column], sum[column]);
                    }
                }
                float[] rounded = rounded(desc.combine(), sum);
                for (int column = 0; column < sum.length && any && desc.parts() > 1; column++) {
                    sums[token][column] += rounded[column];
                }
            }
        }
    }

    /// @return `[tokens * topK]`: of which part each choice is
    private int[] parts(int home) {
        int[] parts = new int[tokens[home] * desc.topK()];
        for (List<Row> of : rows) {
            for (Row row : of) {
                if (row.source == home) {
                    parts[row.token * desc.topK() + row.choice] = row.part;
                }
            }
        }
        return parts;
    }

    static float[] rounded(Exchange.Payload payload, float[] row) {
        float[] rounded = row.clone();
        switch (payload) {
            case F32 -> {}
            case BF16 -> {
                for (int i = 0; i < row.length; i++) {
                    rounded[i] = Bf16.round(row[i]);
                }
            }
            case FP8 -> {
                for (int first = 0; first < row.length; first += 128) {
                    int end = Math.min(row.length, first + 128);
                    float scale = scale(row, first, end);
                    for (int i = first; i < end; i++) {
                        rounded[i] = E4m3.value(E4m3.bits(row[i] / scale)) * scale;
                    }
                }
            }
        }
        return rounded;
    }

    private static float scale(float[] row, int first, int end) {
        float greatest = 0;
        for (int i = first; i < end; i++) {
            if (!Float.isFinite(row[i])) {
                return Float.NaN;
            }
            greatest = Math.max(greatest, Math.abs(row[i]));
        }
        return Math.max(greatest / 448, Float.MIN_NORMAL);
    }
}
