package dev.wok.serve;

import dev.wok.api.Answer;
import dev.wok.generate.Request;
import dev.wok.notice.BadInput;
import dev.wok.text.Tokenizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/// Texts that are to be continued, or filled in the middle.
///
/// @param prompts one or more
/// @param suffix what comes after the answer
/// @param options for each answer
/// @param choices answers to each prompt
/// @param echo whether answers begin with their prompts
record CompletionRequest(
        Models.Named model,
        List<Prompt> prompts,
        Optional<String> suffix,
        Answer.Options options,
        int choices,
        boolean echo) {
    private static final int MOST_PROMPTS = 2048;
    private static final int MOST_ALTERNATIVES = 20;

    /// As OpenAI has it for this endpoint.
    private static final int USUAL_MAX_TOKENS = 16;

    /// A text to be continued.
    ///
    /// @param ids it as the model reads it; empty where the model shall put before it what texts begin
    ///     with
    record Prompt(String text, Optional<int[]> ids) {}

    static CompletionRequest read(Fields fields, Models.Named model) {
        Unsupported.refuse(fields);
        boolean echo = fields.flag("echo", false);
        Answer.Options options = Generating.options(fields, model);
        if (options.maxTokens() == Request.ALL) {
            options = options.withMaxTokens(USUAL_MAX_TOKENS);
        }
        if (fields.has("logprobs")) {
            int alternatives = fields.count("logprobs", 0, MOST_ALTERNATIVES).getAsInt();
            options = options.withLogprobs(alternatives).withPromptLogprobs(echo);
        }
        var form = ToolFields.form(fields, "response_format", "json_schema");
        if (form.isPresent()) {
            options = options.withConstraint(form.get());
        }
        Optional<String> suffix = fields.text("suffix").filter(text -> !text.isEmpty());
        CompletionRequest request =
                new CompletionRequest(model, prompts(fields, model), suffix, options, Generating.choices(fields), echo);
        if ((long) request.prompts.size() * request.choices > MOST_PROMPTS) {
            throw fields.wrong("prompt", "%d prompts at most, times n".formatted(MOST_PROMPTS));
        }
        if (suffix.isPresent()
                && (request.prompts.size() > 1
                        || !fields.any("prompt").orElseThrow().isString())) {
            throw fields.wrong("prompt", "one text where there is a suffix");
        }
        if (suffix.isPresent() && options.promptLogprobs()) {
            throw Unsupported.refusal("logprobs", "with a suffix leave out echo or logprobs");
        }
        return request;
    }

    private static List<Prompt> prompts(Fields fields, Models.Named model) {
        JsonNode given = fields.any("prompt").orElseThrow(() -> fields.missing("prompt", "text or a list of texts"));
        Tokenizer tokenizer = TokenTexts.tokenizer(model);
        boolean special = fields.flag("add_special_tokens", true);
        boolean several = given.isArray() && !given.isEmpty();
        List<Prompt> prompts = new ArrayList<>();
        if (several && given.get(0).isNumber()) {
            prompts.add(ofIds(fields.ids("prompt"), model, tokenizer));
        } else if (several && given.get(0).isArray()) {
            fields.listsOfIds("prompt").forEach(ids -> prompts.add(ofIds(ids, model, tokenizer)));
        } else {
            fields.textOrTexts("prompt")
                    .forEach(text -> prompts.add(
                            new Prompt(text, special ? Optional.empty() : Optional.of(tokenizer.encode(text, false)))));
        }
        if (prompts.isEmpty()) {
            throw fields.wrong("prompt", "one text or more");
        }
        return prompts;
    }

    private static Prompt ofIds(int[] ids, Models.Named model, Tokenizer tokenizer) {
        TokenTexts.requireKnown(ids, model.model().config().vocabSize(), "prompt");
        return new Prompt(tokenizer.decode(ids, false), Optional.of(ids));
    }

    /// @param deadline after which they end
    /// @return the answers, of which nothing is computed yet: those to the first prompt, those to the
    ///     second, ...
    /// @throws Refusal where a prompt is too long
    List<Answer> answers(Duration deadline) {
        List<Answer> answers = new ArrayList<>();
        Answer.Options timely = options.withDeadline(deadline);
        for (Prompt prompt : prompts) {
            for (int i = 0; i < choices; i++) {
                answers.add(answer(prompt, timely.withSampling(Generating.choice(options.sampling(), i))));
            }
        }
        return answers;
    }

    private Answer answer(Prompt prompt, Answer.Options choice) {
        try {
            if (suffix.isPresent()) {
                return model.model().fill(prompt.text(), suffix.get(), choice);
            }
            return prompt.ids().isPresent()
                    ? model.model().generate(prompt.ids().get(), choice)
                    : model.model().generate(prompt.text(), choice);
        } catch (BadInput e) {
            throw Context.refusal(e, model, () -> tokens(prompt), "prompt");
        }
    }

    private int tokens(Prompt prompt) {
        Tokenizer tokenizer = TokenTexts.tokenizer(model);
        return prompt.ids().orElseGet(() -> tokenizer.encode(prompt.text() + suffix.orElse(""), true)).length;
    }
}
