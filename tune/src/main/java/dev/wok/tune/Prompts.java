package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.text.ChatTemplate;
import dev.wok.text.Tokenizer;
import java.util.List;
import java.util.Map;

/// How a question becomes what a model reads before its answer.
public final class Prompts {
    /// The forms.
    public enum Form {
        /// The question as it is.
        PLAIN,
        /// What the model's template makes of a user's message.
        CHAT,
        /// A preamble that names the tags to think and to answer in, for base models (DeepSeek-R1,
        /// Table 1).
        R1_ZERO;

        /// @param name such as `r1_zero`
        /// @throws BadInput where there is no such form
        public static Form of(String name) {
            return switch (name) {
                case "plain" -> PLAIN;
                case "chat" -> CHAT;
                case "r1_zero" -> R1_ZERO;
                default ->
                    throw new BadInput(
                            "a prompt form %s is asked for, expected plain, chat or r1_zero.".formatted(name));
            };
        }
    }

    private static final String PREAMBLE = """
            A user asks a question and an assistant solves it. The assistant first works it out, step by step, and \
            then says the result. The work stands between <think> and </think>, the result between <answer> and \
            </answer>.
            User: %s
            Assistant:""";

    private Prompts() {}

    /// @return ids, the beginning token included where the model has one
    /// @throws BadInput where the model has no template
    static int[] ids(Tokenizer tokenizer, Form form, String question) {
        return switch (form) {
            case PLAIN, R1_ZERO -> tokenizer.encode(plain(form, question), true);
            case CHAT -> {
                ChatTemplate template = tokenizer
                        .chatTemplate()
                        .orElseThrow(() ->
                                new BadInput("the model has no chat template; ask in the form plain or r1_zero."));
                yield tokenizer.encode(
                        template.render(List.of(Map.of("role", "user", "content", question)), List.of(), true), false);
            }
        };
    }

    /// @return the text itself, where no template makes it
    static String plain(Form form, String question) {
        return form == Form.R1_ZERO ? PREAMBLE.formatted(question) : question;
    }
}
