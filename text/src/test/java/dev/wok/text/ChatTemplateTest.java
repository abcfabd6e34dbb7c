package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;

class ChatTemplateTest {
    private static final TypeReference<List<Map<String, Object>>> MESSAGES = new TypeReference<>() {};
    private static final TypeReference<Map<String, Object>> VARIABLES = new TypeReference<>() {};

    @ParameterizedTest
    @MethodSource("dev.wok.text.Fixtures#names")
    void rendersEveryFixture(String name) {
        requireChats(Fixtures.tokenizer(name), Fixtures.expected(name));
    }

    static void requireChats(Tokenizer tokenizer, JsonNode expected) {
        ChatTemplate template = tokenizer.chatTemplate().orElseThrow();
        JsonNode chats = expected.path("chats");
        assertTrue(chats.size() >= 8);
        for (JsonNode chat : chats.values()) {
            String text = template.render(
                    Fixtures.JSON.convertValue(chat.path("messages"), MESSAGES),
                    List.of(),
                    chat.path("add_generation_prompt").asBoolean());
            assertEquals(chat.path("text").asString(), text);
            assertArrayEquals(Fixtures.ids(chat.path("ids")), tokenizer.encode(text));
        }
    }

    /// One small template per thing that templates do, and what jinja2 makes of it.
    @Test
    void rendersWhatJinjaRenders() {
        JsonNode expected = Fixtures.resource("templates_expected.json");
        Map<String, Object> variables = Fixtures.JSON.convertValue(expected.path("variables"), VARIABLES);
        assertTrue(expected.path("cases").size() > 70);
        for (JsonNode example : expected.path("cases").values()) {
            String source = example.path("template").asString();
            ChatTemplate template = new ChatTemplate("test", source, source, Map.of());
            if (example.has("error")) {
                assertThrows(BadInput.class, () -> template.render(List.of(), List.of(), false, variables), source);
            } else {
                assertEquals(
                        example.path("text").asString(),
                        template.render(messages(variables), List.of(), false, variables),
                        source);
            }
        }
    }

    @Test
    void tellsWhatStandsInGenerationBlocks() {
        String source = "{% for m in messages %}{{ m.role }}:{% generation %}{% if m.role == 'assistant' %}"
                + "{{ m.content }}{% endif %}{% endgeneration %};{% endfor %}"
                + "{% set aside %}{% generation %}no{% endgeneration %}{% endset %}{{ aside }}";
        ChatTemplate template = new ChatTemplate("test", source, source, Map.of());
        List<Map<String, Object>> messages = List.of(
                Map.of("role", "user", "content", "hi"),
                Map.of("role", "assistant", "content", "hello"),
                Map.of("role", "assistant", "content", "you"));
        ChatTemplate.Rendering rendering = template.rendering(messages, List.of(), false, Map.of());
        assertEquals("user:;assistant:hello;assistant:you;no", rendering.text());
        assertEquals(
                List.of("hello", "you"),
                rendering.generated().stream()
                        .map(span -> rendering.text().substring(span.from(), span.to()))
                        .toList());
    }

    /// Whole conversations, of all that clients send, in the families' templates.
    @Test
    void rendersWhatTransformersRenders() throws IOException {
        JsonNode goldens = Fixtures.resource("chat_goldens/goldens.json");
        assertTrue(goldens.path("cases").size() > 200);
        for (JsonNode golden : goldens.path("cases").values()) {
            String family = golden.path("family").asString();
            String source = Files.readString(Fixtures.file("chat_goldens/" + family + ".jinja"));
            Map<String, Object> tokens =
                    Fixtures.JSON.convertValue(goldens.path("families").path(family), VARIABLES);
            ChatTemplate template = new ChatTemplate(family, source, source, tokens);
            JsonNode conversation = goldens.path("conversations")
                    .path(golden.path("form").asString())
                    .path(golden.path("name").asString());
            String title = "%s: %s".formatted(family, golden.path("name").asString());
            if (golden.has("refused")) {
                assertThrows(BadInput.class, () -> render(template, conversation, golden), title);
            } else {
                assertEquals(golden.path("text").asString(), render(template, conversation, golden), title);
            }
        }
    }

    private static String render(ChatTemplate template, JsonNode conversation, JsonNode golden) {
        List<Map<String, Object>> messages = Fixtures.JSON.convertValue(conversation.path("messages"), MESSAGES);
        JsonNode declared = conversation.path("tools");
        List<Map<String, Object>> tools =
                declared.isNull() ? List.of() : Fixtures.JSON.convertValue(declared, MESSAGES);
        Map<String, Object> variables = Fixtures.JSON.convertValue(golden.path("variables"), VARIABLES);
        return conversation.path("begun").asBoolean()
                ? template.renderBeginning(messages, tools, variables)
                : template.render(messages, tools, conversation.path("prompt").asBoolean(), variables);
    }

    @Test
    void aBeginningMustBeWrittenAsItIs() {
        ChatTemplate loud =
                new ChatTemplate("test", "{% for m in messages %}{{ m.content | upper }}{% endfor %}", "", Map.of());
        assertEquals(
                "the chat template of test does not write the last message as it is, so that the answer cannot go on"
                        + " from there.",
                Fixtures.message(assertThrows(
                        BadInput.class,
                        () -> loud.renderBeginning(
                                List.of(Map.of("role", "assistant", "content", "abc")), List.of(), Map.of()))));
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> messages(Map<String, Object> variables) {
        return (List<Map<String, Object>>) Objects.requireNonNull(variables.get("messages"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '!', quoteCharacter = '`', textBlock = """
            {% if x %}                     ! end of the template
            {% for a in b %}{% endif %}    ! endif
            {% include 'x' %}              ! statement 'include'
            {{ 1 | unheard_of }}           ! filter 'unheard_of'
            {{ 1 is unheard_of }}          ! test 'unheard_of'
            {{ messages.append(1) }}       ! no 'append'
            {{ missing.content }}          ! 'missing' is undefined
            {{ 'a' + 1 }}                  ! str and int
            {{ range(10000000) }}          ! range of more than
            {{ 'a' * 100000000 }}          ! repetition
            {{ raise_exception('no') }}   ! refuses this conversation: no
            {% macro m() %}{{ m() }}{% endmacro %}{{ m() }} ! without end
            {{ (                           ! tag without its end
            {{ 1 + }}                      ! ends too early
            {{ 'a                          ! character '
            {% break %}                    ! outside of a loop
            {% for a in [1] recursive %}{% endfor %} ! recursive
            """)
    void refusesInOneLine(String source, String reason) {
        ChatTemplate template = new ChatTemplate("folder/tokenizer_config.json", source, source, Map.of());
        BadInput refusal = assertThrows(BadInput.class, () -> template.render(List.of(), List.of(), false));
        assertTrue(Fixtures.message(refusal).contains(reason), Fixtures.message(refusal));
        assertTrue(Fixtures.message(refusal).contains("folder/tokenizer_config.json"), Fixtures.message(refusal));
        assertEquals(1, Fixtures.message(refusal).lines().count());
    }

    /// A template is a program: it may neither run without end nor pile up more than memory holds.
    @ParameterizedTest
    @Timeout(60)
    @ValueSource(
            strings = {
                "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
                "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
                "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
                "PILE('ab', x + x)",
                "PILE('ab', x ~ x)",
                "PILE(['ab'], x + x)",
                "PILE('ab', [x, x]){{ ns.x }}",
                "PILE('ab', [x, x]){{ ns.x | tojson }}",
                "PILE('ab', [x, x]){{ ns.x == ns.y }}",
                "PILE('ab', [x, x]){{ ns.x in [ns.y] }}",
                "PILE('ab', [x, x]){{ [ns.x, ns.y] | sort }}",
                "PILE('ab', [x, x]){{ {ns.x: 1} }}",
                "PILE('ab', [x, x]){{ {}.get(ns.x) }}",
                "PILE('ab', {'a': x, 'b': x}){{ ns.x | string }}",
                "PILE('ab', (x, x)){{ {ns.x: 1} }}",
                "{{ ('a' * 1000000) | replace('', 'b' * 100000) }}",
                "{{ ('a' * 1000000).replace('a', 'b' * 100000) }}",
                "{{ ('a' * 1000000).replace('a', 'b' * 100000, 999999) }}",
                "{{ range(100000) | join('a' * 1000000) }}",
                "{{ ('a' * 1000000).join(range(100000) | map('string')) }}",
                "{{ ('\\n' * 1000000) | indent('a' * 100000, blank=true) }}",
                "{{ range(100000) | list | tojson(indent='a' * 1000000) }}",
                "{{ range(100000) | list | tojson(separators=('a' * 1000000, 'b')) }}",
                "{% for a in range(100000) %}{{ (('a' * 1000000) ~ a) | length }}{% endfor %}",
                "{% set s = 'a' * 9000000 %}{{ (s ~ 'c').count('a' * 4000000 ~ 'b') }}",
                "{% set s = 'a' * 9000000 %}{{ ('a' * 4000000 ~ 'b') in s }}",
                "{% set s = 'a ' * 4000000 %}{% for a in range(100) %}{{ s.split() | length }}{% endfor %}",
                "{{ strftime_now('%Y' * 5000000) }}",
            })
    void refusesToWorkWithoutEnd(String given) {
        String source = given.replaceFirst(
                "PILE\\((.*?), (.*?)\\)(\\{\\{|$)",
                "{% set ns = namespace(x=$1, y=$1) %}{% for i in range(60) %}{% set x = ns.x %}{% set ns.x = $2 %}"
                        + "{% set x = ns.y %}{% set ns.y = $2 %}{% endfor %}$3");
        ChatTemplate template = new ChatTemplate("test", source, source, Map.of());
        assertThrows(BadInput.class, () -> template.render(List.of(), List.of(), false), source);
    }

    @ParameterizedTest
    @MethodSource("dev.wok.text.Fixtures#names")
    void rendersLongConversations(String name) {
        ChatTemplate template = Fixtures.tokenizer(name).chatTemplate().orElseThrow();
        List<Map<String, Object>> messages = new ArrayList<>();
        for (int i = 0; i < 20_000; i++) {
            messages.add(Map.of("role", i % 2 == 0 ? "user" : "assistant", "content", "word and ".repeat(25)));
        }
        assertTrue(template.render(messages, List.of(), true).length() > 4_000_000);
    }

    @Test
    void takesTheTemplateForToolsOnlyWithTools() {
        ChatTemplate template = new ChatTemplate("test", "usual", "tools: {{ tools | length }}", Map.of());
        assertEquals("usual", template.render(List.of(), List.of(), false));
        assertEquals("tools: 1", template.render(List.of(), List.of(Map.of("name", "x")), false));
    }

    @Test
    void tellsTheTimeInTheWordsOfC() {
        LocalDateTime time = LocalDateTime.of(2026, 3, 5, 15, 4, 9);
        assertEquals("05 Mar 2026", JinjaGlobals.time("%d %b %Y", time));
        assertEquals(
                "Thursday, March 5, 26 3:04:09 PM 064 100%",
                JinjaGlobals.time("%A, %B %-d, %y %-I:%M:%S %p %j 100%%", time));
    }
}
