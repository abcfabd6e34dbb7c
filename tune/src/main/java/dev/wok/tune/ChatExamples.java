package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.text.ChatTemplate.Span;
import dev.wok.text.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// Encodes texts, and says which of their tokens are learnt: of conversations what the assistant says,
/// the token that ends its turn included; of other texts what follows the prompt and the token that
/// ends a text.
///
/// A token that reaches over the border of an answer belongs to it where it begins inside. What does
/// not fit and what has nothing to learn is counted, and said.
final class ChatExamples {
    /// Encoded answers to the same.
    record Pair(Example chosen, Example rejected) {}

    private final Tokenizer tokenizer;
    private final @Nullable Turns turns;
    private final boolean all;
    private final int longest;
    private final boolean cuts;
    private final LongAdder cut = new LongAdder();
    private final LongAdder tooLong = new LongAdder();
    private final LongAdder empty = new LongAdder();
    private final LongAdder leftOut = new LongAdder();

    /// @param all whether all of a text is learnt, not only answers
    /// @param longest most tokens of an example
    /// @param cuts whether those that are longer are cut, and not dropped
    ChatExamples(Tokenizer tokenizer, boolean all, int longest, boolean cuts) {
        this.tokenizer = tokenizer;
        this.turns = tokenizer
                .chatTemplate()
                .map(template -> new Turns(tokenizer, template))
                .orElse(null);
        this.all = all;
        this.longest = longest;
        this.cuts = cuts;
    }

    /// @return those that can be learnt from, in order
    /// @throws BadInput where none can, or a conversation cannot be written
    List<Example> examples(List<Sample.Of<Sample>> samples, Progress progress) {
        try (Progress.Task task = progress.start("encoding the data", samples.size(), "texts")) {
            List<Example> examples = samples.parallelStream()
                    .map(one -> {
                        task.advance(1);
                        return example(one.where(), one.what());
                    })
                    .flatMap(Optional::stream)
                    .toList();
            return told(examples, samples.size(), progress);
        }
    }

    /// @return those of which both answers can be learnt from, in order
    /// @throws BadInput as above
    List<Pair> pairs(List<Sample.Of<Sample.Pair>> samples, Progress progress) {
        try (Progress.Task task = progress.start("encoding the data", samples.size(), "pairs")) {
            List<Pair> pairs = samples.parallelStream()
                    .map(one -> {
                        task.advance(1);
                        Optional<Example> rejected =
                                example(one.where(), one.what().rejected());
                        return example(one.where(), one.what().chosen())
                                .flatMap(chosen -> rejected.map(other -> new Pair(chosen, other)));
                    })
                    .flatMap(Optional::stream)
                    .toList();
            return told(pairs, samples.size(), progress);
        }
    }

    private <T> List<T> told(List<T> kept, int given, Progress progress) {
        say(progress, cut, "%,d texts are longer than sequence_length %d and were cut.");
        say(progress, tooLong, "%,d texts are longer than sequence_length %d and were dropped.");
        say(progress, empty, "%,d texts have no answer within sequence_length %d and were dropped.");
        if (leftOut.sum() > 0) {
            progress.say(
                    "%,d of the assistant's turns are NOT LEARNT: the chat template rewrites them once the conversation goes on."
                            .formatted(leftOut.sum()));
        }
        if (kept.isEmpty()) {
            throw new BadInput(
                    "none of the %,d records has anything to learn within sequence_length %d; raise it, or look at the data."
                            .formatted(given, longest));
        }
        return kept;
    }

    private void say(Progress progress, LongAdder count, String line) {
        if (count.sum() > 0) {
            progress.say(line.formatted(count.sum(), longest));
        }
    }

    /// @return nothing where it does not fit or has nothing to learn
    private Optional<Example> example(String where, Sample sample) {
        try {
            return fitted(
                    switch (sample) {
                        case Sample.Plain plain -> plain(plain);
                        case Sample.Chat chat -> turns == null ? plain(where, chat) : chat(turns.write(chat));
                    });
        } catch (BadInput e) {
            String message = String.valueOf(e.getMessage());
            throw message.startsWith(where) ? e : new BadInput(where + ": " + message, e);
        }
    }

    private Optional<Example> fitted(Example example) {
        Example whole = example;
        if (example.ids().length > longest) {
            if (!cuts) {
                tooLong.increment();
                return Optional.empty();
            }
            cut.increment();
            whole = new Example(Arrays.copyOf(example.ids(), longest), Arrays.copyOf(example.learn(), longest));
        }
        if (whole.targets() == 0) {
            empty.increment();
            return Optional.empty();
        }
        return Optional.of(whole);
    }

    private Example plain(String where, Sample.Chat chat) {
        if (chat.plain() == null) {
            throw new BadInput(
                    "%s: a conversation needs a model with a chat template; this one has none. Give prompt and completion."
                            .formatted(where));
        }
        return plain(chat.plain());
    }

    /// The prompt is encoded by itself, as it is when the model is asked.
    private Example plain(Sample.Plain plain) {
        int[] prompt = tokenizer.encode(plain.prompt(), true);
        int[] completion = tokenizer.encode(plain.completion());
        int end = tokenizer.eosId().isPresent() ? 1 : 0;
        int[] ids = Arrays.copyOf(prompt, prompt.length + completion.length + end);
        System.arraycopy(completion, 0, ids, prompt.length, completion.length);
        tokenizer.eosId().ifPresent(eos -> ids[ids.length - 1] = eos);
        boolean[] learn = new boolean[ids.length];
        Arrays.fill(learn, Math.min(ids.length, Math.max(1, all ? 1 : prompt.length)), ids.length, true);
        return new Example(ids, learn);
    }

    private Example chat(Turns.Written written) {
        leftOut.add(written.leftOut());
        Tokenizer.Located tokens = written.tokens();
        boolean[] learn = new boolean[tokens.ids().length];
        if (all) {
            Arrays.fill(learn, true);
        } else {
            written.spans().forEach(span -> mark(tokens, span, written.exact(), learn));
        }
        learn[0] = false;
        return new Example(tokens.ids(), learn);
    }

    private void mark(Tokenizer.Located tokens, Span span, boolean exact, boolean[] learn) {
        int from = first(tokens.starts(), span.from());
        int to = first(tokens.starts(), span.to());
        Arrays.fill(learn, from, exact ? to : end(tokens.ids(), from, to), true);
    }

    /// Where a turn ends: with the token that says so. What a template writes after it, such as a line
    /// end, no model has to write; and where the template leaves it to what follows, it belongs to the
    /// turn all the same.
    private int end(int[] ids, int from, int to) {
        int end = to;
        while (end > from && !tokenizer.isSpecial(ids[end - 1])) {
            end--;
        }
        String rest = tokenizer.decode(Arrays.copyOfRange(ids, end, to), false);
        if (end > from && rest.isBlank()) {
            return end;
        }
        return to < ids.length && tokenizer.eosId().orElse(-1) == ids[to] ? to + 1 : to;
    }

    /// @return the first token that begins at or after a place
    private static int first(int[] starts, int place) {
        int low = 0;
        int high = starts.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (starts[middle] < place) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }
}
