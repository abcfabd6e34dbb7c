package dev.wok.train;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.text.BpeTrainer;
import dev.wok.text.Corpus;
import dev.wok.text.TokenShards;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// Text made ready: the tokenizer, the training tokens, and the held-out tokens that evaluations read. A preparation
/// that was cut off begins anew.
///
/// @param tokenizer of the run
/// @param train tokens to learn from
/// @param heldOut tokens to measure on: of the first held-out documents, `evaluate_bytes` or a little more
/// @param gzipBitsPerByte what gzip -9 needs for the same held-out text
/// @param summary lines for people about the corpus
record Preparation(
        Tokenizer tokenizer, TokenShards train, TokenShards heldOut, double gzipBitsPerByte, List<String> summary)
        implements AutoCloseable {

    /// @param first whether nothing was learned yet; else the run keeps its tokenizer
    static Preparation of(RunFolder folder, RunFile run, boolean first, int threads, Progress progress) {
        Path corpusFile = folder.data().resolve("corpus.json");
        if (!Files.exists(corpusFile)) {
            prepare(folder, run, first, threads, corpusFile, progress);
        }
        try {
            JsonNode root = facts(corpusFile);
            requireWhole(folder.data(), root.required("data"), progress);
            requireWhole(folder.tokenizer(), root.required("tokenizer"), progress);
            List<String> summary = new ArrayList<>();
            root.required("summary").forEach(line -> summary.add(line.asString()));
            Tokenizer tokenizer = Tokenizer.load(folder.tokenizer());
            TokenShards train = TokenShards.open(folder.data().resolve("train.tokens"));
            try {
                TokenShards heldOut = TokenShards.open(folder.data().resolve("held_out.tokens"));
                double gzip = root.required("gzip_bits_per_byte").asDouble();
                return new Preparation(tokenizer, train, heldOut, gzip, summary);
            } catch (BadInput e) {
                train.close();
                throw e;
            }
        } catch (IOException e) {
            throw BadInput.reading(corpusFile, e);
        } catch (JacksonException e) {
            throw new BadInput(
                    "%s is damaged: %s. Remove it to read the corpus again."
                            .formatted(corpusFile, e.getOriginalMessage()),
                    e);
        }
    }

    private static JsonNode facts(Path corpusFile) throws IOException {
        try {
            return Seal.read(corpusFile);
        } catch (BadInput e) {
            throw new BadInput("%s. Remove it to read the corpus again.".formatted(e.getMessage()), e);
        }
    }

    private static void requireWhole(Path folder, JsonNode sums, Progress progress) throws IOException {
        Optional<String> broken = Seal.broken(folder, sums, progress);
        if (broken.isPresent()) {
            throw new BadInput("%s is missing or damaged; put it back or start another run."
                    .formatted(folder.resolve(broken.get())));
        }
    }

    private static void prepare(
            RunFolder folder, RunFile run, boolean first, int threads, Path corpusFile, Progress progress) {
        Settings.Text text = run.settings().text();
        Corpus.Settings settings = new Corpus.Settings(
                run.data().isEmpty() ? List.of(jdkSources()) : run.data(),
                text.jsonlField(),
                text.include(),
                text.exclude(),
                text.corpusBytes(),
                text.heldOut(),
                run.settings().compute().seed());
        try (Corpus corpus = Corpus.open(settings, progress)) {
            corpus.summary().forEach(progress::say);
            Files.createDirectories(folder.data());
            Tokenizer tokenizer =
                    first ? tokenizer(folder, run, corpus, threads, progress) : Tokenizer.load(folder.tokenizer());
            Path train = folder.data().resolve("train.tokens");
            TokenShards.write(
                    train, tokenizer, corpus.train(), corpus.trainBytes(), corpus.fingerprint(), threads, progress);
            long heldOutBytes = Math.min(text.evaluateBytes(), corpus.heldOutBytes());
            TokenShards.write(
                    folder.data().resolve("held_out.tokens"),
                    tokenizer,
                    first(corpus.heldOut(), text.evaluateBytes()),
                    heldOutBytes,
                    corpus.fingerprint(),
                    threads,
                    progress);
            Map<String, Object> facts = new LinkedHashMap<>();
            facts.put("summary", corpus.summary());
            facts.put("gzip_bits_per_byte", Corpus.gzipBitsPerByte(first(corpus.heldOut(), text.evaluateBytes())));
            facts.put("data", Seal.files(folder.data()));
            facts.put("tokenizer", Seal.files(folder.tokenizer()));
            Durable.write(corpusFile, Seal.json(facts));
        } catch (IOException e) {
            throw BadInput.writing(folder.data(), e);
        }
    }

    private static Path jdkSources() {
        return Corpus.jdkSources()
                .orElseThrow(
                        () -> new BadInput(
                                "no JDK here has its sources (lib/src.zip), which are the text where none is given; give some with --data PATH (files, folders, .zip, .gz, .jsonl)."));
    }

    private static Tokenizer tokenizer(RunFolder folder, RunFile run, Corpus corpus, int threads, Progress progress) {
        Tokenizer tokenizer = run.init() != null
                ? Tokenizer.load(run.init())
                : BpeTrainer.train(
                        () -> first(corpus.train(), run.settings().text().tokenizerBytes())
                                .map(Corpus.Document::text),
                        run.settings().architecture().vocabSize(),
                        threads,
                        progress);
        Path part = Durable.part(folder.tokenizer());
        try {
            Durable.delete(part);
            Files.createDirectories(part);
            tokenizer.save(part);
            Durable.delete(folder.tokenizer());
            Durable.publish(part, folder.tokenizer());
        } catch (IOException e) {
            throw BadInput.writing(folder.tokenizer(), e);
        }
        return tokenizer;
    }

    /// Documents from the first on until they have so many bytes in UTF-8; 0 for all.
    private static Stream<Corpus.Document> first(Stream<Corpus.Document> documents, long bytes) {
        if (bytes == 0) {
            return documents;
        }
        long[] seen = {0};
        return documents.takeWhile(document -> {
            boolean more = seen[0] < bytes;
            seen[0] += utf8Length(document.text());
            return more;
        });
    }

    private static long utf8Length(String text) {
        long bytes = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            // Each half of a surrogate pair stands for two of its four bytes.
            bytes += c < 0x80 ? 1 : c < 0x800 || Character.isSurrogate(c) ? 2 : 3;
        }
        return bytes;
    }

    @Override
    public void close() {
        train.close();
        heldOut.close();
    }
}
