package dev.wok.cli;

import dev.wok.generate.Generation;
import dev.wok.generate.Generator;
import dev.wok.generate.Request;
import dev.wok.generate.Sampling;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/// A model with its tokenizer, which continues text.
final class Speaker implements AutoCloseable {
    private static final String TOKENIZER = "tokenizer.json";

    private final Model model;
    private final boolean ownsModel;
    private final Optional<Tokenizer> tokenizer;
    private final Generator generator;
    private final Set<Integer> stops = new HashSet<>();

    /// What was said.
    ///
    /// @param text of the new tokens alone, empty where the model has no tokenizer
    record Said(Generation generation, String text) {}

    private Speaker(Model model, boolean ownsModel, Optional<Tokenizer> tokenizer) {
        this.model = model;
        this.ownsModel = ownsModel;
        this.tokenizer = tokenizer;
        generator = new Generator(model);
        stops.addAll(model.config().eosTokenIds());
        tokenizer.ifPresent(t -> t.eosId().ifPresent(stops::add));
    }

    /// @param folder a model folder; without a tokenizer it works on ids alone
    /// @throws BadInput where the folder cannot be loaded or its parts do not fit together
    static Speaker load(Path folder, ComputeOptions.Compute on, Progress progress) {
        Optional<Tokenizer> tokenizer =
                Files.exists(folder.resolve(TOKENIZER)) ? Optional.of(Tokenizer.load(folder)) : Optional.empty();
        Model model = on.load(folder, progress);
        try {
            int vocabulary = model.config().vocabSize();
            if (tokenizer.isPresent() && tokenizer.get().size() > vocabulary) {
                throw new BadInput(
                        "%s has %d ids, the model in the same folder knows %d; one of them is of another model."
                                .formatted(
                                        folder.resolve(TOKENIZER),
                                        tokenizer.get().size(),
                                        vocabulary));
            }
            return new Speaker(model, true, tokenizer);
        } catch (RuntimeException e) {
            model.close();
            throw e;
        }
    }

    /// @param model stays the caller's
    static Speaker of(Model model, Tokenizer tokenizer) {
        return new Speaker(model, false, Optional.of(tokenizer));
    }

    /// @throws BadInput where the folder has none
    Tokenizer tokenizer() {
        return tokenizer.orElseThrow(() -> new BadInput(
                "the model folder has no %s; give token ids (--ids) instead of text.".formatted(TOKENIZER)));
    }

    /// @return the ids of a text as the model saw texts begin in training
    int[] prompt(String text) {
        int[] ids = tokenizer().encode(text, true);
        int bos = tokenizer().bosId().orElse(-1);
        if (bos < 0 || ids.length > 0 && ids[0] == bos) {
            return ids;
        }
        int[] begun = new int[ids.length + 1];
        begun[0] = bos;
        System.arraycopy(ids, 0, begun, 1, ids.length);
        return begun;
    }

    /// Lets nothing but the limit end a text.
    void ignoreStops() {
        stops.clear();
    }

    /// Continues a text.
    ///
    /// @param onText hears the new text in pieces of whole characters
    Said say(int[] prompt, int maxTokens, Sampling sampling, Consumer<String> onText) {
        StringBuilder text = new StringBuilder();
        Consumer<String> hear = piece -> {
            if (!piece.isEmpty()) {
                text.append(piece);
                onText.accept(piece);
            }
        };
        Optional<Tokenizer.Decoder> decoder = tokenizer.map(t -> t.decoder(true));
        Request request = Request.of(prompt)
                .withMaxTokens(maxTokens)
                .withSampling(sampling)
                .withStopIds(stops);
        Generation generation = generator.generate(request, token -> {
            decoder.ifPresent(d -> hear.accept(d.append(token.id())));
            return true;
        });
        decoder.ifPresent(d -> hear.accept(d.finish()));
        return new Said(generation, text.toString());
    }

    @Override
    public void close() {
        generator.close();
        if (ownsModel) {
            model.close();
        }
    }
}
