package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.text.ChatTemplate;
import dev.wok.text.ChatTemplate.Span;
import dev.wok.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;

/// Writes conversations by a model's template, and finds the parts that the model writes itself.
///
/// A template with `generation` blocks says it. Of any other, an assistant's turn is what the
/// conversation up to this turn has more than the conversation before it with the beginning of an
/// answer, as far as both are beginnings of the whole text. Where these part within a token, such as
/// `<think>` and `<tool_call>`, the turn has all of it. Templates may rewrite earlier turns, such
/// as by leaving thoughts out; a turn that does not say what was given, or that depends on what
/// follows, is not learnt. A last answer that the template rewrites is put as it is after what a model
/// reads before its answer.
final class Turns {
    private static final String MARK = "WHAT_THE_MODEL_ANSWERS";

    /// A conversation.
    ///
    /// @param tokens of the text
    /// @param spans what is learnt, ascending
    /// @param exact whether the template itself said where these begin and end
    /// @param leftOut how many of the assistant's turns cannot be learnt
    record Written(Tokenizer.Located tokens, List<Span> spans, boolean exact, int leftOut) {}

    private final Tokenizer tokenizer;
    private final ChatTemplate template;

    /// @param template the tokenizer's
    Turns(Tokenizer tokenizer, ChatTemplate template) {
        this.tokenizer = tokenizer;
        this.template = template;
    }

    /// @throws BadInput where the template refuses the conversation
    Written write(Sample.Chat chat) {
        Sample.Chat parsed = new Sample.Chat(withArguments(chat.messages()), chat.tools(), chat.from(), null);
        if (parsed.messages().equals(chat.messages())) {
            return written(chat);
        }
        // Templates write the arguments of calls as objects, or put them as texts between others.
        try {
            return written(parsed);
        } catch (BadInput _) {
            return written(chat);
        }
    }

    private static List<Map<String, Object>> withArguments(List<Map<String, Object>> messages) {
        List<Map<String, Object>> all = new ArrayList<>();
        for (Map<String, Object> message : messages) {
            Map<String, Object> copy = new LinkedHashMap<>(message);
            if (message.get("tool_calls") instanceof List<?> calls) {
                copy.put("tool_calls", calls.stream().map(Turns::withArguments).toList());
            }
            all.add(copy);
        }
        return all;
    }

    private static Object withArguments(Object call) {
        if (call instanceof Map<?, ?> fields
                && fields.get("function") instanceof Map<?, ?> function
                && function.get("arguments") instanceof String text) {
            try {
                if (Records.JSON.readValue(text, Object.class) instanceof Map<?, ?> arguments) {
                    Map<Object, Object> parsed = new LinkedHashMap<>(function);
                    parsed.put("arguments", arguments);
                    Map<Object, Object> copy = new LinkedHashMap<>(fields);
                    copy.put("function", parsed);
                    return copy;
                }
            } catch (JacksonException _) {
                // Models also write what is no JSON; it stays a text.
                return call;
            }
        }
        return call;
    }

    private Written written(Sample.Chat chat) {
        ChatTemplate.Rendering whole = template.rendering(chat.messages(), chat.tools(), false, Map.of());
        return whole.generated().isEmpty() ? compared(chat, whole.text()) : told(chat, whole);
    }

    private Written told(Sample.Chat chat, ChatTemplate.Rendering whole) {
        List<Integer> turns = turns(chat, 0);
        List<Span> spans = new ArrayList<>();
        if (turns.size() == whole.generated().size()) {
            for (int i = 0; i < turns.size(); i++) {
                if (isLearnt(chat, turns.get(i))) {
                    spans.add(whole.generated().get(i));
                }
            }
            return new Written(tokenizer.locate(whole.text()), spans, true, 0);
        }
        int before = chat.from() == 0
                ? 0
                : template.rendering(chat.messages().subList(0, chat.from()), chat.tools(), false, Map.of())
                        .generated()
                        .size();
        spans.addAll(whole.generated()
                .subList(
                        Math.min(before, whole.generated().size()),
                        whole.generated().size()));
        return new Written(tokenizer.locate(whole.text()), spans, true, 0);
    }

    private Written compared(Sample.Chat chat, String rendered) {
        String text = withLastAnswer(chat, rendered);
        Tokenizer.Located tokens = tokenizer.locate(text);
        List<Span> spans = new ArrayList<>();
        int leftOut = 0;
        for (int turn : turns(chat, chat.from())) {
            if (!isLearnt(chat, turn)) {
                continue;
            }
            Span span = span(chat, text, tokens.starts(), turn);
            if (span.from() < span.to()) {
                spans.add(span);
            } else {
                leftOut++;
            }
        }
        return new Written(tokens, spans, false, leftOut);
    }

    private static List<Integer> turns(Sample.Chat chat, int from) {
        List<Integer> turns = new ArrayList<>();
        for (int i = from; i < chat.messages().size(); i++) {
            if ("assistant".equals(chat.messages().get(i).get("role"))) {
                turns.add(i);
            }
        }
        return turns;
    }

    /// OpenAI's data may give a message the weight 0.
    private static boolean isLearnt(Sample.Chat chat, int turn) {
        Object weight = chat.messages().get(turn).get("weight");
        return turn >= chat.from() && !(weight instanceof Number number && number.doubleValue() == 0);
    }

    /// @return empty where the turn cannot be learnt
    private Span span(Sample.Chat chat, String text, int[] starts, int turn) {
        int last = chat.messages().size() - 1;
        String before;
        String asked;
        try {
            String through = turn == last ? text : render(chat, turn + 1, false);
            before = render(chat, turn, false);
            asked = render(chat, turn, true);
            int mismatch = Arrays.mismatch(text.toCharArray(), asked.toCharArray());
            int start = mismatch < 0 ? text.length() : mismatch;
            if (start < asked.length()) {
                start = wholeToken(starts, before.length(), start);
            }
            boolean holds = text.startsWith(through)
                    && text.startsWith(before)
                    && start >= before.length()
                    && start <= through.length()
                    && says(through.substring(start), chat.messages().get(turn), asked);
            return holds ? new Span(start, through.length()) : new Span(0, 0);
        } catch (BadInput _) {
            return new Span(0, 0);
        }
    }

    /// @return where the token that is at a place begins; the place itself where that is too early
    private static int wholeToken(int[] starts, int earliest, int place) {
        int found = Arrays.binarySearch(starts, place);
        int token = found >= 0 ? found : -found - 2;
        return token >= 0 && starts[token] >= earliest ? starts[token] : place;
    }

    private String render(Sample.Chat chat, int messages, boolean asks) {
        return messages == 0 && !asks ? "" : template.render(chat.messages().subList(0, messages), chat.tools(), asks);
    }

    /// @param asked what may end with the tag that the content begins with
    /// @return whether a text has a message's content, whatever its blanks
    private static boolean says(String text, Map<String, Object> message, String asked) {
        return !(message.get("content") instanceof String content)
                || squeezed(text).contains(squeezed(withoutBegun(asked, content)));
    }

    private static String squeezed(String text) {
        StringBuilder out = new StringBuilder();
        text.chars().filter(c -> !Character.isWhitespace(c)).forEach(c -> out.append((char) c));
        return out.toString();
    }

    private String withLastAnswer(Sample.Chat chat, String rendered) {
        int last = chat.messages().size() - 1;
        Map<String, Object> message = chat.messages().get(last);
        if (!"assistant".equals(message.get("role"))
                || !(message.get("content") instanceof String content)
                || message.containsKey("tool_calls")
                || says(rendered, message, "")) {
            return rendered;
        }
        String asked = render(chat, last, true);
        Map<String, Object> marked = new LinkedHashMap<>(message);
        marked.put("content", MARK);
        List<Map<String, Object>> messages = new ArrayList<>(chat.messages().subList(0, last));
        messages.add(marked);
        String ended = template.render(messages, chat.tools(), false);
        int mark = ended.lastIndexOf(MARK);
        return mark < 0 ? rendered : asked + withoutBegun(asked, content) + ended.substring(mark + MARK.length());
    }

    /// An answer without the tag that the template has begun it with, such as `<think>`.
    private static String withoutBegun(String asked, String content) {
        String tag = content.substring(0, content.indexOf('>') + 1);
        return tag.startsWith("<") && asked.stripTrailing().endsWith(tag)
                ? content.substring(tag.length()).stripLeading()
                : content;
    }
}
