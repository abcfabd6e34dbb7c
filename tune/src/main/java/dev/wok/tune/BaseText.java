package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import dev.wok.train.Durable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.json.JsonMapper;

/// What a small base model is pre-trained on: questions with answers of mixed quality, as the web has
/// them. A document is a question, a blank, an answer in one of the [styles][Style]; all questions are
/// of the tasks' part to train on.
///
/// Of a model that has read it about as many answers are right as were careful, and each style is a
/// whole that a reward can make it prefer.
///
/// @param tasks asked in turn, all generated
/// @param shares of the styles, adding up to 1
/// @param seed the same one gives the same text
record BaseText(List<GeneratedTask> tasks, Map<Style, Double> shares, long seed) {
    private static final double ROUNDING = 1e-9;

    BaseText {
        tasks = List.copyOf(tasks);
        shares = Map.copyOf(shares);
        double sum = shares.values().stream().mapToDouble(Double::doubleValue).sum();
        boolean negative = shares.values().stream().anyMatch(share -> !(share >= 0));
        if (tasks.isEmpty() || negative || Math.abs(sum - 1) > ROUNDING) {
            throw new BadInput("the shares of the styles are %s; expected numbers from 0 that add up to 1."
                    .formatted(words(shares)));
        }
    }

    private static Map<String, Double> words(Map<Style, Double> shares) {
        Map<String, Double> words = new TreeMap<>();
        shares.forEach((style, share) -> words.put(Words.of(style), share));
        return words;
    }

    /// @param parameters shares by style, such as `careful=0.2,careless=0.8`; none at all for the usual
    ///     ones
    static Map<Style, Double> shares(Parameters parameters) {
        parameters.only(Arrays.stream(Style.values()).map(Words::of).toArray(String[]::new));
        if (parameters.values().isEmpty()) {
            return usualShares();
        }
        Map<Style, Double> shares = new EnumMap<>(Style.class);
        for (Style style : Style.values()) {
            shares.put(style, parameters.number(Words.of(style), 0, 0, 1));
        }
        return shares;
    }

    /// @return the shares that [Style] has
    static Map<Style, Double> usualShares() {
        Map<Style, Double> shares = new EnumMap<>(Style.class);
        for (Style style : Style.values()) {
            shares.put(style, style.share());
        }
        return shares;
    }

    /// @return the text of a document
    String document(long index) {
        GeneratedTask task = tasks.get((int) (index % tasks.size()));
        Rng rng = new Rng(seed).split("base text").split(index);
        Problem problem = task.problem(Task.Split.TRAIN, index, seed);
        return problem.question() + " " + task.write(problem, style(rng.uniform(0)), rng.bits(1));
    }

    private Style style(double place) {
        double end = 0;
        Style last = Style.CAREFUL;
        for (Style style : Style.values()) {
            double share = shares.getOrDefault(style, 0.0);
            if (share > 0) {
                last = style;
                end += share;
                if (place < end) {
                    return style;
                }
            }
        }
        return last;
    }

    /// Writes a `.jsonl` of documents, each with its `text`.
    ///
    /// @throws BadInput where the disk is full or the folder cannot be written
    void write(Path file, long count, Progress progress) {
        try (Progress.Task task = progress.start("writing text", count, "documents")) {
            Durable.write(file, out -> {
                for (long i = 0; i < count; i++) {
                    line(out, document(i));
                    task.advance(1);
                }
            });
        }
    }

    private static void line(OutputStream out, String text) throws IOException {
        String json = JsonMapper.shared().writeValueAsString(Map.of("text", text));
        out.write((json + "\n").getBytes(StandardCharsets.UTF_8));
    }
}
