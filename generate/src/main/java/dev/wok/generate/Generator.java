package dev.wok.generate;

import dev.wok.model.Cache;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import java.util.Arrays;
import java.util.Set;
import java.util.function.IntPredicate;

/// Continues one text with a model: the door of this room. What it has read stays in the cache, so that a longer text
/// that begins the same, as a conversation's does, is read only where it differs. One thread at a time.
public final class Generator implements AutoCloseable {
    private static final int FIRST_CAPACITY = 1024;

    private final Model model;
    private Cache cache;
    private int[] read = new int[0];

    /// @param model stays the caller's
    public Generator(Model model) {
        this.model = model;
        cache = model.cache(Math.min(FIRST_CAPACITY, model.config().maxPositionEmbeddings()));
    }

    /// Generates until a stop token, the limit, or the end of the model's context.
    ///
    /// @param prompt one or more ids
    /// @param maxTokens how many new tokens at most
    /// @param sampling how tokens are picked
    /// @param stopIds tokens that end the text
    /// @param onToken hears each new token as it is picked, stop tokens left out; false ends the generation
    /// @throws BadInput where the prompt is empty, too long, or not of this model's vocabulary
    public Generation generate(
            int[] prompt, int maxTokens, Sampling sampling, Set<Integer> stopIds, IntPredicate onToken) {
        int context = model.config().maxPositionEmbeddings();
        if (prompt.length == 0) {
            throw new BadInput("the prompt is empty, expected one token or more.");
        }
        if (prompt.length > context) {
            throw new BadInput(
                    "the prompt has %d tokens, the model's context holds %d.".formatted(prompt.length, context));
        }
        if (maxTokens < 0) {
            throw new BadInput("max tokens is %d, expected 0 or more.".formatted(maxTokens));
        }
        int limit = (int) Math.min(context, (long) prompt.length + maxTokens);
        reserve(limit);
        Sampler sampler = new Sampler(sampling);
        for (int id : prompt) {
            sampler.see(id);
        }
        long begin = System.nanoTime();
        int known = keepCommonPrefix(prompt);
        float[] logits = model.extend(cache, Arrays.copyOfRange(prompt, known, prompt.length));
        int[] text = Arrays.copyOf(prompt, limit);
        int length = prompt.length;
        int steps = 0;
        long prefilled = System.nanoTime();

        Generation.FinishReason reason = Generation.FinishReason.LENGTH;
        while (length < limit) {
            int id = sampler.pick(logits);
            if (stopIds.contains(id)) {
                reason = Generation.FinishReason.STOP;
                break;
            }
            sampler.see(id);
            text[length++] = id;
            if (!onToken.test(id)) {
                reason = Generation.FinishReason.STOP;
                break;
            }
            if (length < limit) {
                logits = model.extend(cache, id);
                steps++;
            }
        }
        double decoding = (System.nanoTime() - prefilled) * 1e-9;
        read = Arrays.copyOf(text, cache.length());
        return new Generation(
                Arrays.copyOfRange(text, prompt.length, length),
                reason,
                prompt.length - known,
                (prefilled - begin) * 1e-9,
                steps,
                decoding);
    }

    private void reserve(int tokens) {
        if (tokens > cache.capacity()) {
            int capacity =
                    (int) Math.min(model.config().maxPositionEmbeddings(), Math.max(tokens, 2L * cache.capacity()));
            Cache larger = model.cache(capacity);
            cache.close();
            cache = larger;
            read = new int[0];
        }
    }

    /// Keeps what the cache holds of the prompt, but for the last token, whose logits are wanted.
    private int keepCommonPrefix(int[] prompt) {
        int common = Arrays.mismatch(prompt, read);
        int known = common < 0 ? prompt.length : common;
        known = Math.min(known, prompt.length - 1);
        cache.truncate(known);
        read = Arrays.copyOf(prompt, known);
        return known;
    }

    @Override
    public void close() {
        cache.close();
    }
}
