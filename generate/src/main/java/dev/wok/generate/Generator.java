package dev.wok.generate;

import dev.wok.model.Cache;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import java.util.Arrays;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// Continues one text with a model: the door of this room. What it has read stays in the cache, so that
/// a longer text that begins the same, as a conversation's does, is read only where it differs. One
/// thread at a time.
public final class Generator implements AutoCloseable {
    private static final int FIRST_CAPACITY = 1024;

    private final Model model;
    private final Turns turns;
    private @Nullable Cache cache;
    private @Nullable Decoding current;

    /// Its first tokens, as many as the cache holds, are what was read.
    private int[] text = new int[0];

    /// @param model stays the caller's
    public Generator(Model model) {
        this(model, Runnable::run);
    }

    /// @param model stays the caller's
    /// @param turns how this generator and others take turns with the model
    public Generator(Model model, Turns turns) {
        this.model = model;
        this.turns = turns;
    }

    /// Generates until a stop token, the limit, or the end of the model's context.
    ///
    /// @param onToken hears each new token as it is picked, stop tokens left out; false ends the
    ///     generation
    /// @throws BadInput where the request does not fit the model, or the model gives no numbers
    public Generation generate(Request request, Predicate<Token> onToken) {
        Decoding decoding = begin(request);
        for (Optional<Token> token = decoding.next(); token.isPresent(); token = decoding.next()) {
            if (!onToken.test(token.get())) {
                decoding.stop();
            }
        }
        return decoding.result();
    }

    /// Begins what [#generate] does, for a caller that asks for one token after the other. It ends what
    /// was begun before.
    ///
    /// @throws BadInput where the request does not fit the model
    public Decoding begin(Request request) {
        check(model, request);
        int context = model.config().maxPositionEmbeddings();
        int limit = (int) Math.min(context, (long) request.prompt().length + request.maxTokens());
        Sampler sampler = new Sampler(request.sampling(), model.config().vocabSize());
        Decoding decoding = new Decoding(this, request, limit, sampler);
        current = decoding;
        return decoding;
    }

    /// Refuses what [#begin] would refuse.
    ///
    /// @throws BadInput where the request does not fit the model
    public static void check(Model model, Request request) {
        int context = model.config().maxPositionEmbeddings();
        int vocabulary = model.config().vocabSize();
        if (request.prompt().length > context) {
            throw new BadInput("the prompt has %d tokens, the model's context holds %d."
                    .formatted(request.prompt().length, context));
        }
        for (int id : request.prompt()) {
            if (id < 0 || id >= vocabulary) {
                throw new BadInput("token id %d is not in the model's vocabulary of %d.".formatted(id, vocabulary));
            }
        }
        for (int id : new TreeSet<>(request.sampling().logitBias().keySet())) {
            if (id >= vocabulary) {
                throw new BadInput("a logit bias is for token %d, which is not in the model's vocabulary of %d."
                        .formatted(id, vocabulary));
            }
        }
    }

    boolean isCurrent(Decoding decoding) {
        return current == decoding;
    }

    Turns turns() {
        return turns;
    }

    /// Makes room for a text and keeps what the cache holds of its prompt, but for the last token, whose
    /// logits are wanted.
    ///
    /// @return how many tokens need not be read
    int prepare(int[] prompt, int limit) {
        Cache holding = reserve(limit);
        int common = Arrays.mismatch(prompt, 0, prompt.length, text, 0, holding.length());
        int known = Math.min(common < 0 ? prompt.length : common, prompt.length - 1);
        holding.truncate(known);
        text = Arrays.copyOf(prompt, limit);
        return known;
    }

    private Cache reserve(int tokens) {
        Cache holding = cache;
        if (holding != null && tokens <= holding.capacity()) {
            return holding;
        }
        long least = holding == null ? FIRST_CAPACITY : 2L * holding.capacity();
        int capacity = (int) Math.min(model.config().maxPositionEmbeddings(), Math.max(tokens, least));
        Cache larger = model.cache(capacity);
        close();
        cache = larger;
        return larger;
    }

    /// Reads tokens of the text.
    ///
    /// @return the logits that predict the one after
    float[] read(int from, int to) {
        if (cache == null) {
            throw new IllegalStateException("the generator is closed, or nothing was prepared");
        }
        return model.extend(cache, Arrays.copyOfRange(text, from, to));
    }

    void append(int index, int id) {
        text[index] = id;
    }

    /// @return the bytes of what it keeps
    public long bytes() {
        return cache == null ? 0 : cache.bytes();
    }

    /// Gives the cache back.
    @Override
    public void close() {
        if (cache != null) {
            cache.close();
            cache = null;
        }
    }
}
