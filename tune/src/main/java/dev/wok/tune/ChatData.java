package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/// Data sets for fine-tuning, in the forms that they are published in. The first record of a file tells
/// its form; all others must have the same.
///
/// | form | fields |
/// |---|---|
/// | OpenAI's | `messages` of `role`, `content`, `tool_calls`; `tools` |
/// | ShareGPT's | `conversations` of `from`, `value`; `system`, `tools` |
/// | prompt and completion | `prompt`, `completion`: texts, or lists of messages |
/// | instructions | `instruction`, `input`, `output` |
/// | text | `text` |
/// | preferences | `chosen`, `rejected`: texts, or lists of messages; `prompt` likewise, absent where both begin alike
/// |
final class ChatData {
    /// The forms.
    private enum Form {
        MESSAGES("messages"),
        CONVERSATIONS("conversations"),
        COMPLETION("prompt", "completion"),
        INSTRUCTION("instruction", "output"),
        TEXT("text");

        private final List<String> fields;

        Form(String... fields) {
            this.fields = List.of(fields);
        }

        private boolean fits(Map<String, @Nullable Object> record) {
            return record.keySet().containsAll(fields);
        }
    }

    private static final Map<String, String> ROLES = Map.ofEntries(
            Map.entry("human", "user"),
            Map.entry("user", "user"),
            Map.entry("gpt", "assistant"),
            Map.entry("chatgpt", "assistant"),
            Map.entry("model", "assistant"),
            Map.entry("assistant", "assistant"),
            Map.entry("function_call", "assistant"),
            Map.entry("system", "system"),
            Map.entry("tool", "tool"),
            Map.entry("function", "tool"),
            Map.entry("function_response", "tool"),
            Map.entry("observation", "tool"));

    private ChatData() {}

    /// Reads texts to learn from.
    ///
    /// @param paths files and folders
    /// @throws BadInput where there is none, or a record is not of its file's form
    static List<Sample.Of<Sample>> demonstrations(List<Path> paths, Progress progress) {
        List<Sample.Of<Sample>> all = new ArrayList<>();
        Map<String, Form> forms = new LinkedHashMap<>();
        Records.read(paths, progress, (String where, Map<String, @Nullable Object> record) -> {
            Form form = forms.computeIfAbsent(file(where), _ -> form(where, record));
            all.add(new Sample.Of<>(where, sample(where, form, record)));
        });
        return some(paths, all);
    }

    /// Reads pairs of a better and a worse answer.
    ///
    /// @throws BadInput as above
    static List<Sample.Of<Sample.Pair>> preferences(List<Path> paths, Progress progress) {
        List<Sample.Of<Sample.Pair>> all = new ArrayList<>();
        Records.read(paths, progress, (where, record) -> all.add(new Sample.Of<>(where, pair(where, record))));
        return some(paths, all);
    }

    private static <T> List<T> some(List<Path> paths, List<T> all) {
        if (all.isEmpty()) {
            throw new BadInput("%s: there is no record."
                    .formatted(
                            String.join(", ", paths.stream().map(Path::toString).toList())));
        }
        return all;
    }

    private static String file(String where) {
        return where.substring(0, where.lastIndexOf(": "));
    }

    private static Form form(String where, Map<String, @Nullable Object> record) {
        for (Form form : Form.values()) {
            if (form.fits(record)) {
                return form;
            }
        }
        throw new BadInput(
                ("%s has the fields %s; expected messages, conversations, prompt and completion, instruction and "
                                + "output, or text.")
                        .formatted(where, record.keySet()));
    }

    private static Sample sample(String where, Form form, Map<String, @Nullable Object> record) {
        return switch (form) {
            case MESSAGES -> chat(messages(where, "messages", record), tools(where, record));
            case CONVERSATIONS -> chat(turns(where, record), tools(where, record));
            case COMPLETION -> completed(where, record, "completion");
            case INSTRUCTION -> instruction(where, record);
            case TEXT -> new Sample.Plain("", text(where, "text", record));
        };
    }

    private static Sample.Chat chat(List<Map<String, Object>> messages, List<Map<String, Object>> tools) {
        return new Sample.Chat(messages, tools, 0, null);
    }

    /// What stands in `prompt`, and how it goes on.
    private static Sample completed(String where, Map<String, @Nullable Object> record, String field) {
        if (record.get("prompt") instanceof List<?>) {
            List<Map<String, Object>> messages = new ArrayList<>(messages(where, "prompt", record));
            int from = messages.size();
            messages.addAll(
                    record.get(field) instanceof String answer
                            ? List.of(Map.of("role", "assistant", "content", answer))
                            : messages(where, field, record));
            return new Sample.Chat(messages, tools(where, record), from, null);
        }
        return new Sample.Plain(text(where, "prompt", record), text(where, field, record));
    }

    private static Sample instruction(String where, Map<String, @Nullable Object> record) {
        String question = text(where, "instruction", record);
        if (record.get("input") != null) {
            String input = text(where, "input", record);
            question += input.isBlank() ? "" : "\n\n" + input;
        }
        String answer = text(where, "output", record);
        List<Map<String, Object>> messages =
                List.of(Map.of("role", "user", "content", question), Map.of("role", "assistant", "content", answer));
        return new Sample.Chat(messages, List.of(), 0, new Sample.Plain(question + "\n\n", answer));
    }

    private static Sample.Pair pair(String where, Map<String, @Nullable Object> record) {
        Object chosen = record.get("chosen");
        Object rejected = record.get("rejected");
        if (chosen == null || rejected == null) {
            throw new BadInput("%s has the fields %s; expected chosen and rejected, and prompt."
                    .formatted(where, record.keySet()));
        }
        if (chosen instanceof String != rejected instanceof String) {
            throw new BadInput("%s: of chosen and rejected one is a text and the other is not.".formatted(where));
        }
        if (chosen instanceof String better && rejected instanceof String worse) {
            return record.get("prompt") == null
                    ? common(better, worse)
                    : new Sample.Pair(completed(where, record, "chosen"), completed(where, record, "rejected"));
        }
        return conversations(where, record);
    }

    /// Two texts that begin alike, cut after a blank or line end.
    private static Sample.Pair common(String chosen, String rejected) {
        int at = 0;
        int cut = 0;
        while (at < Math.min(chosen.length(), rejected.length()) && chosen.charAt(at) == rejected.charAt(at)) {
            cut = Character.isWhitespace(chosen.charAt(at++)) ? at : cut;
        }
        String prompt = chosen.substring(0, cut);
        return new Sample.Pair(
                new Sample.Plain(prompt, chosen.substring(cut)), new Sample.Plain(prompt, rejected.substring(cut)));
    }

    /// Answers as messages: after a prompt of messages, or whole conversations that begin alike, beside
    /// which a text in `prompt` only repeats their question.
    private static Sample.Pair conversations(String where, Map<String, @Nullable Object> record) {
        List<Map<String, Object>> chosen = new ArrayList<>(messages(where, "chosen", record));
        List<Map<String, Object>> rejected = new ArrayList<>(messages(where, "rejected", record));
        int from = 0;
        while (from < Math.min(chosen.size(), rejected.size())
                && chosen.get(from).equals(rejected.get(from))) {
            from++;
        }
        List<Map<String, Object>> prompt = List.of();
        if (record.get("prompt") instanceof List<?>) {
            prompt = messages(where, "prompt", record);
        } else if (from == 0 && record.get("prompt") != null) {
            prompt = List.of(Map.of("role", "user", "content", text(where, "prompt", record)));
        }
        if (prompt.size() <= from && prompt.equals(chosen.subList(0, prompt.size()))) {
            prompt = List.of();
        }
        chosen.addAll(0, prompt);
        rejected.addAll(0, prompt);
        from += prompt.size();
        if (from == 0 || from >= Math.min(chosen.size(), rejected.size())) {
            throw new BadInput("%s: chosen and rejected are to begin alike and to end differently.".formatted(where));
        }
        List<Map<String, Object>> tools = tools(where, record);
        return new Sample.Pair(
                new Sample.Chat(chosen, tools, from, null), new Sample.Chat(rejected, tools, from, null));
    }

    private static String text(String where, String field, Map<String, @Nullable Object> record) {
        if (record.get(field) instanceof String text) {
            return text;
        }
        throw new BadInput("%s: field '%s' holds %s, expected a text.".formatted(where, field, kind(record, field)));
    }

    private static String kind(Map<?, ?> record, String field) {
        return switch (record.get(field)) {
            case null -> record.containsKey(field) ? "null" : "nothing";
            case String _ -> "a text";
            case List<?> _ -> "a list";
            case Map<?, ?> _ -> "an object";
            case Boolean _ -> "a truth value";
            case Number _ -> "a number";
            default -> "something else";
        };
    }

    private static List<?> list(String where, String field, Map<String, @Nullable Object> record) {
        if (record.get(field) instanceof List<?> list && !list.isEmpty()) {
            return list;
        }
        throw new BadInput("%s: field '%s' holds %s, expected a list of messages."
                .formatted(where, field, record.get(field) instanceof List<?> ? "none" : kind(record, field)));
    }

    private static List<Map<String, Object>> messages(
            String where, String field, Map<String, @Nullable Object> record) {
        List<Map<String, Object>> messages = new ArrayList<>();
        for (Object one : list(where, field, record)) {
            String place = "%s: field '%s', message %d".formatted(where, field, messages.size() + 1);
            if (!(one instanceof Map<?, ?> message)) {
                throw new BadInput("%s is no object; expected one such as {\"role\": \"user\", \"content\": \"...\"}."
                        .formatted(place));
            }
            messages.add(message(place, message));
        }
        return messages;
    }

    private static Map<String, Object> message(String place, Map<?, ?> given) {
        if (!(given.get("role") instanceof String role) || role.isEmpty()) {
            throw new BadInput(
                    "%s has %s as 'role', expected a text such as user.".formatted(place, kind(given, "role")));
        }
        Map<String, Object> message = new LinkedHashMap<>();
        given.forEach((name, value) -> {
            if (value != null) {
                message.put(String.valueOf(name), plain(value));
            }
        });
        switch (given.get("content")) {
            case String _ -> {}
            case List<?> parts -> message.put("content", joined(place, parts));
            case null -> {
                if (!given.containsKey("content") && !message.containsKey("tool_calls")) {
                    throw new BadInput("%s has no 'content'.".formatted(place));
                }
                message.put("content", message.containsKey("tool_calls") ? Optional.empty() : "");
            }
            default ->
                throw new BadInput("%s has %s as 'content', expected a text.".formatted(place, kind(given, "content")));
        }
        if (message.get("tool_calls") instanceof List<?> calls && calls.isEmpty()) {
            message.remove("tool_calls");
        }
        return message;
    }

    /// The texts among a message's parts; what is no text is refused.
    private static String joined(String place, List<?> parts) {
        StringBuilder text = new StringBuilder();
        for (Object part : parts) {
            if (!(part instanceof Map<?, ?> fields) || !(fields.get("text") instanceof String one)) {
                throw new BadInput("%s has a part that is no text; only texts can be learnt.".formatted(place));
            }
            text.append(one);
        }
        return text.toString();
    }

    /// A value as templates take it: without nulls, and with numbers and texts of no other kinds than
    /// JSON's.
    private static Object plain(Object value) {
        return switch (value) {
            case Map<?, ?> map -> {
                Map<String, Object> fields = new LinkedHashMap<>();
                map.forEach((name, one) -> {
                    if (one != null) {
                        fields.put(String.valueOf(name), plain(one));
                    }
                });
                yield fields;
            }
            case List<?> list -> {
                List<Object> items = new ArrayList<>();
                list.forEach(one -> items.add(one == null ? Optional.empty() : plain(one)));
                yield items;
            }
            case Boolean one -> one;
            case Integer one -> one;
            case Long one -> one;
            case Number one -> one.doubleValue();
            default -> String.valueOf(value);
        };
    }

    private static List<Map<String, Object>> turns(String where, Map<String, @Nullable Object> record) {
        List<Map<String, Object>> messages = new ArrayList<>();
        if (record.get("system") instanceof String system && !system.isEmpty()) {
            messages.add(Map.of("role", "system", "content", system));
        }
        int number = 0;
        for (Object one : list(where, "conversations", record)) {
            String place = "%s: field 'conversations', turn %d".formatted(where, ++number);
            if (!(one instanceof Map<?, ?> turn)) {
                throw new BadInput("%s is no object; expected one such as {\"from\": \"human\", \"value\": \"...\"}."
                        .formatted(place));
            }
            messages.add(turn.containsKey("from") ? turn(place, turn) : message(place, turn));
        }
        return messages;
    }

    private static Map<String, Object> turn(String place, Map<?, ?> turn) {
        String from = String.valueOf(turn.get("from"));
        String role = ROLES.get(from);
        if (role == null) {
            throw new BadInput("%s is from \"%s\"; expected human, gpt, system, tool, function_call or observation."
                    .formatted(place, from));
        }
        if (!(turn.get("value") instanceof String value)) {
            throw new BadInput("%s has %s as 'value', expected a text.".formatted(place, kind(turn, "value")));
        }
        if (!from.equals("function_call")) {
            return Map.of("role", role, "content", value);
        }
        return Map.of(
                "role",
                role,
                "content",
                "",
                "tool_calls",
                List.of(Map.of("type", "function", "function", parsed(place, value, Map.class))));
    }

    private static List<Map<String, Object>> tools(String where, Map<String, @Nullable Object> record) {
        String place = where + ": field 'tools'";
        Object given = record.get("tools");
        Object value = given instanceof String text && !text.isBlank() ? parsed(place, text, List.class) : given;
        List<Map<String, Object>> tools = new ArrayList<>();
        if (value instanceof List<?> list) {
            for (Object one : list) {
                Object tool = one instanceof String text ? parsed(place, text, Map.class) : one;
                if (!(tool instanceof Map<?, ?> schema)) {
                    throw new BadInput(
                            "%s holds what is no object; expected descriptions of functions.".formatted(place));
                }
                Map<String, Object> fields = new LinkedHashMap<>();
                schema.forEach((name, part) ->
                        fields.put(String.valueOf(name), part == null ? Optional.empty() : plain(part)));
                tools.add(fields);
            }
        } else if (value != null && !(value instanceof String)) {
            throw new BadInput("%s holds %s, expected a list.".formatted(place, kind(record, "tools")));
        }
        return tools;
    }

    private static Object parsed(String place, String json, Class<?> type) {
        try {
            Object value = Records.JSON.readValue(json, Object.class);
            if (type.isInstance(value)) {
                return plain(value);
            }
        } catch (JacksonException e) {
            throw BadInput.notJson(place, e);
        }
        throw new BadInput("%s holds JSON of another kind; expected %s."
                .formatted(place, type == List.class ? "a list" : "an object"));
    }
}
