package dev.wok.api;

import dev.wok.text.ChatTemplate;
import dev.wok.text.Tokenizer;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// What the answers of a family of models look like, told from the model's chat template and tokens.
///
/// @param thoughts how thoughts are marked, where the model knows any
/// @param calls how tools are called, where the template knows it
/// @param declaresTools whether the template tells the model what tools there are
record Dialect(Optional<Thoughts> thoughts, Optional<CallFormat> calls, boolean declaresTools) {
    /// What stands around thoughts.
    record Thoughts(String open, String close) {}

    private static final Thoughts THINK = new Thoughts("<think>", "</think>");
    private static final Pattern DECLARES = Pattern.compile("\\btools\\b");

    /// Members of objects as they stand in texts of templates, perhaps with a backslash before the
    /// quote.
    private static final Pattern ARGUMENTS = Pattern.compile("arguments\\\\?\": ?");

    private static final Pattern PARAMETERS = Pattern.compile("parameters\\\\?\": ?");

    static Dialect of(Tokenizer tokenizer, ChatTemplate template) {
        String source = template.source();
        boolean thinks = source.contains(THINK.close)
                || Stream.of(THINK.open, THINK.close)
                        .allMatch(tag -> tokenizer.id(tag).isPresent());
        return new Dialect(
                thinks ? Optional.of(THINK) : Optional.empty(),
                calls(source),
                DECLARES.matcher(source).find());
    }

    private static Optional<CallFormat> calls(String template) {
        if (template.contains(CallFormat.DeepSeek.SEPARATOR)) {
            return Optional.of(new CallFormat.DeepSeek(template.contains("```json")));
        }
        if (template.contains(CallFormat.Hermes.OPEN)) {
            return ARGUMENTS.matcher(template).find() ? Optional.of(new CallFormat.Hermes()) : Optional.empty();
        }
        boolean bare =
                template.contains("ipython") && PARAMETERS.matcher(template).find();
        return bare ? Optional.of(new CallFormat.Bare()) : Optional.empty();
    }

    /// @return texts that are no text of the answer's, wherever they stand as tokens
    Stream<String> tags() {
        return Stream.concat(
                thoughts.stream().flatMap(t -> Stream.of(t.open, t.close)),
                calls.stream().flatMap(format -> Stream.concat(format.opens().stream(), format.closes().stream())));
    }
}
