package dev.wok.text;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Learns a byte-level BPE vocabulary from text.
///
/// Words are counted by all threads; then, again and again, the most frequent pair of neighbours in them becomes a
/// token (of equals the pair with the smaller ids), until the vocabulary is full or no pair comes up twice. The outcome
/// depends on the text alone. Ids: begin, end and padding as DeepSeek-V3 spells them, the 256 bytes, the merges.
public final class BpeTrainer {
    private static final List<String> SPECIAL = List.of("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>");
    private static final int BYTES = 256;
    private static final int MAX_VOCABULARY = 1 << 20;
    private static final long LEAST_COUNT = 2;
    private static final int ADVANCE_EVERY = 1 << 16;

    private BpeTrainer() {}

    /// @throws BadInput where no vocabulary of this size can be trained
    public static void requireSize(int vocabSize) {
        int least = SPECIAL.size() + BYTES;
        if (vocabSize < least || vocabSize > MAX_VOCABULARY) {
            throw new BadInput(("a vocabulary of %d tokens cannot be trained; give a size from %d"
                            + " (%d special tokens and the bytes) to %d.")
                    .formatted(vocabSize, least, SPECIAL.size(), MAX_VOCABULARY));
        }
    }

    /// Trains a tokenizer.
    ///
    /// @param documents gives the text, once
    /// @param vocabSize how many tokens to have, special tokens and bytes included; small texts give fewer
    /// @param threads how many threads count words
    /// @return the tokenizer, to be saved
    /// @throws BadInput where the vocabulary is too small or too large, or there is no text
    public static Tokenizer train(Supplier<Stream<String>> documents, int vocabSize, int threads, Progress progress) {
        return train(documents, vocabSize, threads, progress, Patterns.TRAINED);
    }

    static Tokenizer train(
            Supplier<Stream<String>> documents, int vocabSize, int threads, Progress progress, List<String> patterns) {
        requireSize(vocabSize);
        WordCounts words = count(documents, threads, progress, patterns);
        if (words.size() == 0) {
            throw new BadInput("there is no text to train a tokenizer on; give documents that are not empty.");
        }
        return new Learning(words).learn(vocabSize, progress, patterns);
    }

    private static WordCounts count(
            Supplier<Stream<String>> documents, int threads, Progress progress, List<String> patterns) {
        List<PreTokenizer.Step> steps = new ArrayList<>();
        for (String pattern : patterns) {
            steps.add(new PreTokenizer.Split(Regex.of(pattern), PreTokenizer.Behavior.ISOLATED, false));
        }
        PreTokenizer preTokenizer = new PreTokenizer(steps);
        try (Stream<String> stream = documents.get();
                Progress.Task task = progress.start("counting words", -1, "characters");
                ExecutorService pool = Executors.newFixedThreadPool(Math.max(1, threads))) {
            Iterator<String> source = stream.iterator();
            List<Future<WordCounts>> parts = new ArrayList<>();
            for (int i = 0; i < Math.max(1, threads); i++) {
                parts.add(pool.submit(() -> count(source, preTokenizer, task)));
            }
            WordCounts all = new WordCounts();
            for (Future<WordCounts> part : parts) {
                all.addAll(part.get());
            }
            return all;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while counting words", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(e.getCause());
        }
    }

    private static WordCounts count(Iterator<String> source, PreTokenizer preTokenizer, Progress.Task task) {
        WordCounts counts = new WordCounts();
        long done = 0;
        for (String text = next(source); text != null; text = next(source)) {
            if (!text.isEmpty()) {
                char[] chars = text.toCharArray();
                Tokenizer.replaceLoneSurrogates(chars);
                preTokenizer.split(chars, 0, chars.length, counts);
            }
            done += text.length();
            if (done >= ADVANCE_EVERY) {
                task.advance(done);
                done = 0;
            }
        }
        task.advance(done);
        return counts;
    }

    private static @Nullable String next(Iterator<String> source) {
        synchronized (source) {
            return source.hasNext() ? source.next() : null;
        }
    }

    /// The second half: merges from words.
    private static final class Learning {
        private final PairCounts pairs;
        private final List<String> tokens = new ArrayList<>(SPECIAL);
        private final Map<String, Integer> ids = new LinkedHashMap<>();
        private final List<String[]> merges = new ArrayList<>();

        Learning(WordCounts words) {
            char[] alphabet = new char[BYTES];
            for (int b = 0; b < BYTES; b++) {
                alphabet[b] = ByteAlphabet.symbol(b);
            }
            Arrays.sort(alphabet);
            for (char c : alphabet) {
                tokens.add(String.valueOf(c));
            }
            tokens.forEach(token -> ids.put(token, ids.size()));
            int[] byteIds = new int[BYTES];
            for (int b = 0; b < BYTES; b++) {
                byteIds[b] = ids.getOrDefault(String.valueOf(ByteAlphabet.symbol(b)), -1);
            }
            List<int[]> rows = new ArrayList<>();
            long[] frequencies = new long[words.size()];
            for (int w = 0; w < words.size(); w++) {
                byte[] utf8 = words.word(w).getBytes(StandardCharsets.UTF_8);
                int[] row = new int[utf8.length];
                for (int i = 0; i < row.length; i++) {
                    row[i] = byteIds[utf8[i] & 0xFF];
                }
                rows.add(row);
                frequencies[w] = words.count(w);
            }
            pairs = new PairCounts(rows, frequencies);
        }

        Tokenizer learn(int vocabSize, Progress progress, List<String> patterns) {
            int wanted = vocabSize - tokens.size();
            try (Progress.Task task = progress.start("training the tokenizer", wanted, "merges")) {
                for (int size = tokens.size(); size < vocabSize; size = tokens.size()) {
                    int pair = pairs.best(LEAST_COUNT);
                    if (pair < 0) {
                        progress.say(("the text is too small for %d tokens: the tokenizer has %d,"
                                        + " after which no two tokens stand side by side twice.")
                                .formatted(vocabSize, size));
                        break;
                    }
                    String left = tokens.get(pairs.left(pair));
                    String right = tokens.get(pairs.right(pair));
                    merges.add(new String[] {left, right});
                    Integer known = ids.putIfAbsent(left + right, size);
                    if (known == null) {
                        tokens.add(left + right);
                        task.advance(1);
                    }
                    pairs.merge(pair, known == null ? size : known);
                }
            }
            return tokenizer(patterns);
        }

        private Tokenizer tokenizer(List<String> patterns) {
            Map<String, byte[]> files = new LinkedHashMap<>();
            files.put(Tokenizer.FILE, TokenizerJson.bytes(TrainedFiles.tokenizer(ids, merges, SPECIAL, patterns)));
            files.put(Tokenizer.CONFIG_FILE, TokenizerJson.bytes(TrainedFiles.config(SPECIAL)));
            return TokenizerReader.read("just trained", "just trained", files);
        }
    }
}
