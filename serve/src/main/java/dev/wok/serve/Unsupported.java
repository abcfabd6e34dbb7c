package dev.wok.serve;

import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// Fields that would change an answer and that this server does not honour: they are refused, save
/// where their value changes nothing.
final class Unsupported {
    /// @param name of the field
    /// @param neutral values, as JSON, that change nothing
    /// @param instead what to do
    private record Field(String name, Set<String> neutral, String instead) {}

    private static final String LEAVE_OUT = "leave it out";
    private static final String USE_FORMAT = "use response_format with a json_schema";
    private static final Set<String> NOTHING = Set.of("[]", "{}", "false");
    private static final Set<String> ONE = Set.of("1", "1.0");
    private static final Set<String> ZERO = Set.of("0", "0.0");

    private static final List<Field> FIELDS = List.of(
            new Field("functions", NOTHING, "use tools"),
            new Field("function_call", NOTHING, "use tool_choice"),
            new Field("modalities", Set.of("[\"text\"]", "[]"), "answers are text"),
            new Field("audio", Set.of(), "answers are text"),
            new Field("prediction", Set.of(), LEAVE_OUT),
            new Field("web_search_options", Set.of(), "declare a tool that searches"),
            new Field("verbosity", Set.of("\"medium\""), LEAVE_OUT),
            new Field("use_beam_search", NOTHING, LEAVE_OUT),
            new Field("length_penalty", ONE, LEAVE_OUT),
            new Field("min_tokens", ZERO, LEAVE_OUT),
            new Field("typical_p", ONE, "use top_p or min_p"),
            new Field("mirostat", ZERO, "use top_p or min_p"),
            new Field("top_a", ZERO, "use min_p"),
            new Field("xtc_probability", ZERO, LEAVE_OUT),
            new Field("dry_multiplier", ZERO, "use repetition_penalty"),
            new Field("bad_words", NOTHING, "use logit_bias"),
            new Field("allowed_token_ids", NOTHING, "use logit_bias"),
            new Field("guided_json", NOTHING, USE_FORMAT),
            new Field("guided_choice", NOTHING, USE_FORMAT),
            new Field("guided_regex", NOTHING, USE_FORMAT),
            new Field("guided_grammar", NOTHING, USE_FORMAT),
            new Field("structured_outputs", NOTHING, USE_FORMAT),
            new Field("json_schema", NOTHING, USE_FORMAT),
            new Field("grammar", Set.of("\"\""), USE_FORMAT),
            new Field("include_stop_str_in_output", NOTHING, "the text that stopped an answer is left out of it"),
            new Field("skip_special_tokens", Set.of("true"), "special tokens are left out of answers"),
            new Field("truncate_prompt_tokens", Set.of(), "shorten the prompt"),
            new Field("prompt_logprobs", NOTHING, "use /v1/completions with echo and logprobs"));

    private Unsupported() {}

    /// @throws Refusal where one of them is there and would change the answer
    static void refuse(Fields fields) {
        for (Field field : FIELDS) {
            fields.any(field.name).filter(value -> !isNeutral(field, value)).ifPresent(_ -> {
                throw refusal(fields.path(field.name), field.instead);
            });
        }
    }

    private static boolean isNeutral(Field field, JsonNode value) {
        return field.neutral.contains(value.toString());
    }

    /// @param path of a field that is not honoured
    /// @param instead what to do
    static Refusal refusal(String path, String instead) {
        return new Refusal(
                400,
                "invalid_request_error",
                "%s is not supported here; %s.".formatted(path, instead),
                path,
                "unsupported_parameter");
    }
}
