package dev.wok.tune;

import dev.wok.generate.Engine;
import dev.wok.generate.Generation;
import dev.wok.generate.Generation.FinishReason;
import dev.wok.generate.Request;
import dev.wok.generate.Sampling;
import dev.wok.model.ModelConfig;
import dev.wok.notice.BadInput;
import dev.wok.text.Tokenizer;
import java.util.Set;

/// A model of this process that answers questions, many at once; to one that is as long as its
/// context it has none: an answer depends on the question, the options, its seed and the model alone.
/// For any number of threads.
public final class Answerer implements Teacher {
    private static final int AT_ONCE = 256;

    private final Engine engine;
    private final Tokenizer tokenizer;
    private final Set<Integer> stopIds;
    private final int context;
    private final Options options;
    private final String name;

    /// How it is asked.
    ///
    /// @param form what it reads before its answer
    /// @param maxTokens of an answer, at most; 1 or more
    /// @param sampling how tokens are picked; its seed is not used
    public record Options(Prompts.Form form, int maxTokens, Sampling sampling) {
        public Options {
            if (maxTokens < 1) {
                throw new BadInput(
                        "answers of at most %d tokens are asked for, expected 1 or more.".formatted(maxTokens));
            }
        }
    }

    /// @param engine stays the caller's, and is not closed before the last answer has come
    /// @param config of the engine's model
    /// @param name what people call the model, such as its folder; the options are added
    public Answerer(Engine engine, ModelConfig config, Tokenizer tokenizer, Options options, String name) {
        this.engine = engine;
        this.tokenizer = tokenizer;
        this.options = options;
        this.name = "%s, %s".formatted(name, options);
        context = config.maxPositionEmbeddings();
        stopIds = Rollouts.stopIds(config, tokenizer);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public int atOnce() {
        return AT_ONCE;
    }

    @Override
    public Completion answer(String question, long seed) {
        int[] prompt = Prompts.ids(tokenizer, options.form, question);
        if (prompt.length >= context) {
            return new Completion("", 0, true);
        }
        Request request = Request.of(prompt)
                .withMaxTokens(options.maxTokens)
                .withSampling(options.sampling.withSeed(seed))
                .withStopIds(stopIds);
        Generation generation = engine.submit(request).await();
        if (generation.finishReason() == FinishReason.CANCELLED) {
            throw new IllegalStateException("an answer was interrupted");
        }
        int[] ids = generation.ids();
        boolean stopped = generation.finishReason() == FinishReason.STOP;
        return new Completion(tokenizer.decode(ids, true), ids.length + (stopped ? 1 : 0), !stopped);
    }
}
