package dev.wok.model;

import dev.wok.kernel.Routing;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/// The training loss of one document as the papers write it, token by token, with arrays of doubles and nothing of the
/// model's own layers: DeepSeek-V2 eq. 9-19, DeepSeek-V3 eq. 12-25. As in transformers, angles are float32.
final class Plain {
    /// @param main sum of the cross-entropy of the next tokens
    /// @param further the same per depth of multi-token prediction
    /// @param balance sum over the layers of `sum_i f_i P_i`, of the main model and of the further depths
    record Losses(double main, double[] further, double balance) {}

    private final ModelConfig config;
    private final Map<String, Tensor> weights;
    private double balance;

    Plain(Model model) {
        config = model.config();
        weights = model.tensors();
    }

    /// @return what the head makes logits of, for each token
    double[][] hidden(int... ids) {
        double[][] h = embed(ids, 0);
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            h = layer(layer, h);
        }
        return each(h, x -> norm("model.norm", x));
    }

    Losses losses(int... ids) {
        balance = 0;
        double[][] hidden = hidden(ids);
        double main = crossEntropy(hidden, ids, 1);
        double[] further = new double[config.numNextnPredictLayers()];
        for (int k = 1; k <= further.length; k++) {
            String prefix = "model.layers.%d.".formatted(config.numHiddenLayers() + k - 1);
            double[][] following = embed(ids, k);
            double[][] joined = new double[ids.length][];
            for (int i = 0; i < ids.length; i++) {
                double[] both = Arrays.copyOf(norm(prefix + "enorm", following[i]), 2 * config.hiddenSize());
                double[] second = norm(prefix + "hnorm", hidden[i]);
                System.arraycopy(second, 0, both, second.length, second.length);
                joined[i] = linear(prefix + "eh_proj", both);
            }
            hidden = layer(config.numHiddenLayers() + k - 1, joined);
            further[k - 1] = crossEntropy(each(hidden, x -> norm(prefix + "shared_head.norm", x)), ids, k + 1);
        }
        return new Losses(main, further, balance);
    }

    /// Zeros where the text has ended.
    private double[][] embed(int[] ids, int ahead) {
        Tensor table = weight("model.embed_tokens");
        int width = config.hiddenSize();
        return IntStream.range(0, ids.length)
                .mapToObj(i -> IntStream.range(0, width)
                        .mapToDouble(j -> i + ahead < ids.length ? table.get((long) ids[i + ahead] * width + j) : 0)
                        .toArray())
                .toArray(double[][]::new);
    }

    private double crossEntropy(double[][] hidden, int[] ids, int ahead) {
        String head = config.tieWordEmbeddings() ? "model.embed_tokens" : "lm_head";
        double sum = 0;
        for (int i = 0; i + ahead < ids.length; i++) {
            double[] logits = linear(head, hidden[i]);
            sum += Math.log(Arrays.stream(logits).map(Math::exp).sum()) - logits[ids[i + ahead]];
        }
        return sum;
    }

    private double[][] layer(int index, double[][] x) {
        String prefix = "model.layers.%d.".formatted(index);
        double[][] middle = add(x, attention(prefix, each(x, row -> norm(prefix + "input_layernorm", row))));
        double[][] normed = each(middle, row -> norm(prefix + "post_attention_layernorm", row));
        MoeConfig moe = config.moe();
        if (moe == null || !config.isMoe(index)) {
            return add(middle, each(normed, row -> mlp(prefix + "mlp.", row)));
        }
        return add(middle, experts(prefix + "mlp.", moe, normed));
    }

    private double[][] attention(String layer, double[][] x) {
        String prefix = layer + "self_attn.";
        MlaConfig mla = (MlaConfig) config.attention();
        int nope = mla.qkNopeHeadDim();
        int heads = config.numAttentionHeads();
        double scale = config.rope().softmaxScale(mla.qkHeadDim());
        List<double[]> queries = new ArrayList<>();
        List<double[]> keyValues = new ArrayList<>();
        List<double[]> turned = new ArrayList<>();
        double[][] out = new double[x.length][];
        for (int t = 0; t < x.length; t++) {
            double[] q = mla.qLoraRank() == 0
                    ? linear(prefix + "q_proj", x[t])
                    : linear(prefix + "q_b_proj", norm(prefix + "q_a_layernorm", linear(prefix + "q_a_proj", x[t])));
            for (int head = 0; head < heads; head++) {
                rotate(q, head * mla.qkHeadDim() + nope, t);
            }
            double[] row = linear(prefix + "kv_a_proj_with_mqa", x[t]);
            rotate(row, mla.kvLoraRank(), t);
            double[] latent = norm(prefix + "kv_a_layernorm", Arrays.copyOf(row, mla.kvLoraRank()));
            queries.add(q);
            turned.add(Arrays.copyOfRange(row, mla.kvLoraRank(), row.length));
            keyValues.add(linear(prefix + "kv_b_proj", latent));
            double[] values = new double[heads * mla.vHeadDim()];
            for (int head = 0; head < heads; head++) {
                int from = head * mla.qkHeadDim();
                int at = head * (nope + mla.vHeadDim());
                double[] weight = new double[t + 1];
                for (int s = 0; s <= t; s++) {
                    double score = 0;
                    for (int i = 0; i < nope; i++) {
                        score += q[from + i] * keyValues.get(s)[at + i];
                    }
                    for (int i = 0; i < mla.qkRopeHeadDim(); i++) {
                        score += q[from + nope + i] * turned.get(s)[i];
                    }
                    weight[s] = Math.exp(score * scale);
                }
                double sum = Arrays.stream(weight).sum();
                for (int s = 0; s <= t; s++) {
                    for (int i = 0; i < mla.vHeadDim(); i++) {
                        values[head * mla.vHeadDim() + i] +=
                                weight[s] / sum * keyValues.get(s)[at + nope + i];
                    }
                }
            }
            out[t] = linear(prefix + "o_proj", values);
        }
        return out;
    }

    private void rotate(double[] x, int from, int position) {
        float[] frequencies = config.rope().frequencies(config.attention().rotaryDim());
        for (int i = 0; i < frequencies.length; i++) {
            float angle = position * frequencies[i];
            double cos = Math.cos(angle) * config.rope().attentionScaling();
            double sin = Math.sin(angle) * config.rope().attentionScaling();
            double a = x[from + 2 * i];
            double b = x[from + 2 * i + 1];
            x[from + 2 * i] = a * cos - b * sin;
            x[from + 2 * i + 1] = a * sin + b * cos;
        }
    }

    private double[][] experts(String prefix, MoeConfig moe, double[][] x) {
        int experts = moe.nRoutedExperts();
        double[] often = new double[experts];
        double[] mean = new double[experts];
        double[][] out = new double[x.length][];
        for (int t = 0; t < x.length; t++) {
            double[] s = scores(moe, linear(prefix + "gate", x[t]));
            double total = Arrays.stream(s).sum();
            List<Integer> best = best(s, moe.numExpertsPerTok());
            for (int e = 0; e < experts; e++) {
                mean[e] += s[e] / total / x.length;
                often[e] += best.contains(e) ? (double) experts / moe.numExpertsPerTok() / x.length : 0;
            }
            List<Integer> chosen = chosen(prefix, moe, s);
            double sum =
                    moe.normTopkProb() ? chosen.stream().mapToDouble(e -> s[e]).sum() : 1;
            double[] y = moe.nSharedExperts() == 0 ? new double[x[t].length] : mlp(prefix + "shared_experts.", x[t]);
            for (int e : chosen) {
                double[] part = mlp(prefix + "experts.%d.".formatted(e), x[t]);
                for (int i = 0; i < y.length; i++) {
                    y[i] += moe.routedScalingFactor() * s[e] / sum * part[i];
                }
            }
            out[t] = y;
        }
        balance +=
                IntStream.range(0, experts).mapToDouble(e -> often[e] * mean[e]).sum();
        return out;
    }

    private static double[] scores(MoeConfig moe, double[] logits) {
        double[] e = Arrays.stream(logits).map(Math::exp).toArray();
        double sum = Arrays.stream(e).sum();
        return Arrays.stream(e)
                .map(v -> moe.scoringFunc() == Routing.Scoring.SOFTMAX ? v / sum : v / (1 + v))
                .toArray();
    }

    private List<Integer> chosen(String prefix, MoeConfig moe, double[] scores) {
        Tensor bias = weights.get(prefix + "gate.e_score_correction_bias");
        int size = moe.nRoutedExperts() / moe.nGroup();
        double[] choice = scores.clone();
        for (int e = 0; e < choice.length; e++) {
            choice[e] += bias == null ? 0 : bias.get(e);
        }
        double[] groups = new double[moe.nGroup()];
        for (int g = 0; g < groups.length; g++) {
            double[] members = Arrays.copyOfRange(choice, g * size, (g + 1) * size);
            int counted = moe.scoringFunc() == Routing.Scoring.SOFTMAX ? 1 : 2;
            groups[g] =
                    best(members, counted).stream().mapToDouble(i -> members[i]).sum();
        }
        List<Integer> kept = best(groups, moe.topkGroup());
        for (int e = 0; e < choice.length; e++) {
            choice[e] = kept.contains(e / size) ? choice[e] : Double.NEGATIVE_INFINITY;
        }
        return best(choice, moe.numExpertsPerTok());
    }

    private static List<Integer> best(double[] values, int count) {
        return IntStream.range(0, values.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> -values[i]))
                .limit(count)
                .toList();
    }

    private double[] mlp(String prefix, double[] x) {
        double[] gate = linear(prefix + "gate_proj", x);
        double[] up = linear(prefix + "up_proj", x);
        double[] inner = IntStream.range(0, gate.length)
                .mapToDouble(i -> gate[i] / (1 + Math.exp(-gate[i])) * up[i])
                .toArray();
        return linear(prefix + "down_proj", inner);
    }

    private double[] linear(String name, double[] x) {
        Tensor w = weight(name);
        return IntStream.range(0, w.size(0))
                .mapToDouble(row -> IntStream.range(0, x.length)
                        .mapToDouble(i -> w.get((long) row * x.length + i) * x[i])
                        .sum())
                .toArray();
    }

    private double[] norm(String name, double[] x) {
        Tensor w = weight(name);
        double eps = name.endsWith("_a_layernorm") ? 1e-6 : config.rmsNormEps();
        double square = Arrays.stream(x).map(v -> v * v).sum() / x.length;
        return IntStream.range(0, x.length)
                .mapToDouble(i -> w.get(i) * x[i] / Math.sqrt(square + eps))
                .toArray();
    }

    private Tensor weight(String name) {
        return Objects.requireNonNull(weights.get(name + ".weight"), name);
    }

    private static double[][] each(double[][] x, UnaryOperator<double[]> function) {
        return Arrays.stream(x).map(function).toArray(double[][]::new);
    }

    private static double[][] add(double[][] a, double[][] b) {
        double[][] sum = new double[a.length][];
        for (int t = 0; t < a.length; t++) {
            double[] row = a[t].clone();
            for (int i = 0; i < row.length; i++) {
                row[i] += b[t][i];
            }
            sum[t] = row;
        }
        return sum;
    }
}
