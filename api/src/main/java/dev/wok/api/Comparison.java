package dev.wok.api;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Tensor;
import dev.wok.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// How far a converted model is from its source, on one text.
///
/// @param tokens how many were predicted
/// @param sourceLoss the source's mean cross-entropy, in nats a token
/// @param loss the converted model's
/// @param divergence the mean Kullback-Leibler divergence of the converted model's distributions from
///     the source's, in nats a token
/// @param agreement the share of tokens for which both hold the same one for the likeliest
public record Comparison(int tokens, double sourceLoss, double loss, double divergence, double agreement) {
    /// Tokens that are read at once, each of which is predicted from those before it.
    private static final int WINDOW = 512;

    /// Compares two models, one after the other in memory.
    ///
    /// @param text is read in pieces of at most 512 tokens, which know nothing of each other
    /// @param tokens how much of it at most: the source's distributions are kept, 4 bytes for each
    ///     token and each entry of the vocabulary
    /// @param options how the source is loaded; the converted one is held as it is stored
    /// @throws BadInput where a model cannot be loaded, or the text is too short
    public static Comparison of(Path source, Path converted, String text, int tokens, Model.Options options) {
        List<int[]> windows = new ArrayList<>();
        List<Tensor> expected = new ArrayList<>();
        try (Model model = Model.load(source, options)) {
            windows.addAll(windows(model, text, tokens));
            read(model, windows, "reading with " + source.getFileName(), options.progress(), expected::add);
        }
        Sums sums = new Sums();
        Model.Options held = options.withoutText().withStoredWeights();
        try (Model model = Model.load(converted, held)) {
            read(model, windows, "reading with " + converted.getFileName(), options.progress(), logits -> {
                int index = sums.windows++;
                sums.add(windows.get(index), expected.get(index), logits);
            });
        }
        return sums.means();
    }

    private interface Each {
        void take(Tensor logits);
    }

    private static void read(Model model, List<int[]> windows, String what, Progress progress, Each each) {
        try (Progress.Task task = progress.start(what, windows.size(), "pieces")) {
            for (int[] window : windows) {
                each.take(model.logits(window));
                task.advance(1);
            }
        }
    }

    private static List<int[]> windows(Model model, String text, int tokens) {
        Tokenizer tokenizer =
                model.tokenizer().orElseThrow(() -> new BadInput("the source has no tokenizer to read a text with."));
        int[] ids = tokenizer.encode(text);
        int bos = tokenizer.bosId().orElse(-1);
        int begin = bos < 0 ? 0 : 1;
        int width = Math.min(WINDOW, model.config().maxPositionEmbeddings());
        int all = Math.min(ids.length, tokens);
        List<int[]> windows = new ArrayList<>();
        for (int from = 0; from < all; from += width - begin) {
            int[] piece = Arrays.copyOfRange(ids, from, Math.min(all, from + width - begin));
            int[] window = piece;
            if (bos >= 0) {
                window = new int[piece.length + 1];
                window[0] = bos;
                System.arraycopy(piece, 0, window, 1, piece.length);
            }
            if (window.length > 1) {
                windows.add(window);
            }
        }
        if (windows.isEmpty()) {
            throw new BadInput("the text has %d tokens, expected 2 or more to compare on.".formatted(ids.length));
        }
        return windows;
    }

    private static final class Sums {
        private int windows;
        private int tokens;
        private int agreed;
        private double sourceLoss;
        private double loss;
        private double divergence;

        void add(int[] ids, Tensor expected, Tensor found) {
            for (int t = 0; t + 1 < ids.length; t++) {
                float[] p = expected.select(0, t).toFloats();
                float[] q = found.select(0, t).toFloats();
                double shiftP = logSum(p);
                double shiftQ = logSum(q);
                int next = ids[t + 1];
                sourceLoss += shiftP - p[next];
                loss += shiftQ - q[next];
                for (int v = 0; v < p.length; v++) {
                    double logP = p[v] - shiftP;
                    divergence += Math.exp(logP) * (logP - (q[v] - shiftQ));
                }
                agreed += likeliest(p) == likeliest(q) ? 1 : 0;
                tokens++;
            }
        }

        private static double logSum(float[] logits) {
            double most = logits[likeliest(logits)];
            double sum = 0;
            for (float logit : logits) {
                sum += Math.exp(logit - most);
            }
            return most + Math.log(sum);
        }

        private static int likeliest(float[] logits) {
            int best = 0;
            for (int v = 1; v < logits.length; v++) {
                best = logits[v] > logits[best] ? v : best;
            }
            return best;
        }

        Comparison means() {
            return new Comparison(
                    tokens, sourceLoss / tokens, loss / tokens, divergence / tokens, agreed / (double) tokens);
        }
    }
}
