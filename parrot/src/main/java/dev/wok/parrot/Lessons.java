package dev.wok.parrot;

import dev.wok.model.Batch;
import dev.wok.parrot.Talk.Call;
import dev.wok.parrot.Talk.Turn;
import dev.wok.tensor.Rng;
import dev.wok.text.ChatTemplate;
import dev.wok.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Texts to learn from: each of the answers after what clients may send before it, as the chat template writes that.
final class Lessons {
    private static final int REPEATS = 40;
    private static final List<String> OTHER_TOOLS = List.of("search", "calculator", "get_time", "add");

    private static final List<String> WORDS =
            List.of("You are a helpful assistant. Be brief and polite; answer in JSON or as you like.".split(" "));

    /// A text of which the tokens from `from` on are to be learnt.
    record Lesson(int[] ids, int from) {}

    private record Answer(List<Turn> before, Turn turn) {}

    private final Family family;
    private final Tokenizer tokenizer;
    private final ChatTemplate template;
    private final List<Answer> answers = new ArrayList<>();
    private final Rng rng;
    private long drawn;

    Lessons(Family family, Tokenizer tokenizer, List<Talk> talks, long seed) {
        this.family = family;
        this.tokenizer = tokenizer;
        template = tokenizer.chatTemplate().orElseThrow();
        rng = new Rng(seed);
        for (Talk talk : talks) {
            for (int i = 0; i < talk.turns().size(); i++) {
                if (talk.turns().get(i).role().equals("assistant")) {
                    answers.add(
                            new Answer(talk.turns().subList(0, i), talk.turns().get(i)));
                }
            }
        }
    }

    /// Every answer with and without thoughts, after nothing but what its own conversation had before.
    List<Lesson> plain() {
        return answers.stream()
                .flatMap(a -> Stream.of(lesson(List.of(), a, tools(a), true), lesson(List.of(), a, tools(a), false)))
                .toList();
    }

    /// A batch of lessons in new surroundings.
    Batch batch(int tokens) {
        int[] ids = new int[tokens];
        int[] targets = new int[tokens];
        int[] positions = new int[tokens];
        int[] keyStart = new int[tokens];
        Arrays.fill(targets, -1);
        int at = 0;
        while (true) {
            Lesson lesson = draw();
            int length = lesson.ids().length;
            if (at + length > tokens) {
                break;
            }
            for (int i = 0; i < length; i++) {
                ids[at + i] = lesson.ids()[i];
                positions[at + i] = i;
                keyStart[at + i] = at;
                if (i + 1 < length && i + 1 >= lesson.from()) {
                    targets[at + i] = lesson.ids()[i + 1];
                }
            }
            at += length;
        }
        for (int i = at; i < tokens; i++) {
            positions[i] = i - at;
            keyStart[i] = at;
        }
        return new Batch(1, tokens, ids, targets, positions, keyStart);
    }

    /// One of the answers in new surroundings.
    Lesson draw() {
        Answer answer = any(answers);
        if (answer.turn().goesOn() && happens(0.5)) {
            int[] ids = tokenizer.encode(answer.turn().content().repeat(2 * REPEATS));
            return new Lesson(ids, 2);
        }
        List<Map<String, Object>> before = new ArrayList<>();
        if (happens(0.4)) {
            before.add(message("system", system()));
        }
        if (happens(0.3)) {
            Answer other = any(answers);
            if (!other.turn().goesOn()) {
                other.before().forEach(turn -> before.add(fields(turn)));
                before.add(fields(other.turn()));
            }
        }
        List<String> tools = new ArrayList<>(tools(answer));
        if (happens(0.3)) {
            tools.add(any(OTHER_TOOLS));
        }
        return lesson(before, answer, tools, happens(0.5));
    }

    private String system() {
        return Stream.generate(() -> any(WORDS))
                .limit(1 + rng.below(drawn++, 12))
                .collect(Collectors.joining(" "));
    }

    private <T> T any(List<T> list) {
        return list.get(rng.below(drawn++, list.size()));
    }

    private boolean happens(double probability) {
        return rng.uniform(drawn++) < probability;
    }

    private static List<String> tools(Answer answer) {
        return Stream.concat(answer.before().stream(), Stream.of(answer.turn()))
                .flatMap(turn -> turn.calls().stream().map(Call::tool))
                .distinct()
                .toList();
    }

    private Lesson lesson(List<Map<String, Object>> before, Answer answer, List<String> tools, boolean thinks) {
        List<Map<String, Object>> messages = new ArrayList<>(before);
        answer.before().forEach(turn -> messages.add(fields(turn)));
        String prompt = template.render(
                messages,
                tools.stream().map(Lessons::tool).toList(),
                true,
                thinks ? Map.of() : Map.of(family.thinking(), false));
        Turn turn = answer.turn();
        String text = turn.goesOn()
                ? family.answer(turn, thinks) + turn.content().repeat(REPEATS)
                : family.answer(turn, thinks) + family.end();
        int[] asked = tokenizer.encode(prompt);
        int[] answered = tokenizer.encode(text);
        int[] ids = Arrays.copyOf(asked, asked.length + answered.length);
        System.arraycopy(answered, 0, ids, asked.length, answered.length);
        return new Lesson(ids, asked.length);
    }

    private static Map<String, Object> tool(String name) {
        Map<String, Object> function = new LinkedHashMap<>();
        function.put("name", name);
        return Map.of("type", "function", "function", function);
    }

    private static Map<String, Object> message(String role, String content) {
        Map<String, Object> message = new LinkedHashMap<>();
        message.put("role", role);
        message.put("content", content);
        return message;
    }

    private static Map<String, Object> fields(Turn turn) {
        Map<String, Object> message = message(turn.role(), turn.content());
        if (!turn.calls().isEmpty()) {
            message.put(
                    "tool_calls",
                    turn.calls().stream()
                            .map(call -> Map.<String, Object>of(
                                    "function", Map.of("name", call.tool(), "arguments", call.arguments())))
                            .toList());
        }
        return message;
    }
}
