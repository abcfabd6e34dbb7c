package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.EOFException;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChatDataTest {
    @TempDir
    private Path folder;

    static Path resource(String name) {
        try {
            return Path.of(Objects.requireNonNull(ChatDataTest.class.getResource("/" + name), name)
                    .toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private Path file(String name, String... lines) {
        try {
            return Files.writeString(folder.resolve(name), String.join("\n", lines));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<Sample.Of<Sample>> read(Path... files) {
        return ChatData.demonstrations(List.of(files), Progress.silent());
    }

    private static List<Sample.Of<Sample.Pair>> pairs(Path... files) {
        return ChatData.preferences(List.of(files), Progress.silent());
    }

    private static Map<String, Object> says(String role, String content) {
        return Map.of("role", role, "content", content);
    }

    private static String refused(Path... files) {
        return String.valueOf(assertThrows(BadInput.class, () -> read(files)).getMessage())
                .replace(files[0].toString(), "FILE");
    }

    @Test
    void readsConversationsInBothForms() {
        var openAi = read(file(
                "a.jsonl",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"Grüße\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"Hal\"},"
                        + "{\"type\":\"text\",\"text\":\"lo\"}],\"name\":null}]}"));
        var shareGpt = read(file(
                "b.jsonl",
                "",
                "{\"conversations\":[{\"from\":\"human\",\"value\":\"Grüße\"},{\"from\":\"gpt\",\"value\":\"Hallo\"}]}\r",
                "  "));
        var expected = new Sample.Chat(List.of(says("user", "Grüße"), says("assistant", "Hallo")), List.of(), 0, null);
        assertEquals(expected, openAi.getFirst().what());
        assertEquals(expected, shareGpt.getFirst().what());
        assertEquals(folder.resolve("b.jsonl") + ": line 2", shareGpt.getFirst().where());
    }

    @Test
    void keepsCallsAndTools() {
        var read = read(
                file(
                        "a.jsonl",
                        "{\"conversations\":[{\"from\":\"human\",\"value\":\"?\"},{\"from\":\"function_call\",\"value\":\"{\\\"name\\\": \\\"f\\\", \\\"arguments\\\": {\\\"x\\\": 1}}\"},"
                                + "{\"from\":\"observation\",\"value\":\"2\"},{\"from\":\"gpt\",\"value\":\"two\"}],\"system\":\"S\",\"tools\":\"[{\\\"name\\\": \\\"f\\\"}]\"}"));
        Sample.Chat chat = assertInstanceOf(Sample.Chat.class, read.getFirst().what());
        assertEquals(says("system", "S"), chat.messages().getFirst());
        assertEquals(
                List.of(Map.of("type", "function", "function", Map.of("name", "f", "arguments", Map.of("x", 1)))),
                chat.messages().get(2).get("tool_calls"));
        assertEquals(says("tool", "2"), chat.messages().get(3));
        assertEquals(List.of(Map.of("name", "f")), chat.tools());
    }

    @Test
    void readsPlainForms() {
        assertEquals(
                List.of(new Sample.Plain("a", " b"), new Sample.Plain("", "")),
                read(
                                file(
                                        "a.json",
                                        "[{\"prompt\":\"a\",\"completion\":\" b\"},{\"prompt\":\"\",\"completion\":\"\",\"more\":1}]"))
                        .stream()
                        .map(Sample.Of::what)
                        .toList());
        assertEquals(
                new Sample.Plain("", "whole"),
                read(file("b.jsonl", "{\"text\":\"whole\"}")).getFirst().what());
        Sample.Chat taught = assertInstanceOf(
                Sample.Chat.class,
                read(file("c.jsonl", "{\"instruction\":\"Add\",\"input\":\"1 2\",\"output\":\"3\"}"))
                        .getFirst()
                        .what());
        assertEquals(List.of(says("user", "Add\n\n1 2"), says("assistant", "3")), taught.messages());
        assertEquals(new Sample.Plain("Add\n\n1 2\n\n", "3"), taught.plain());
        Sample.Chat asked = assertInstanceOf(
                Sample.Chat.class,
                read(file(
                                "d.jsonl",
                                "{\"prompt\":[{\"role\":\"user\",\"content\":\"a\"}],\"completion\":[{\"role\":\"assistant\",\"content\":\"b\"}]}"))
                        .getFirst()
                        .what());
        assertEquals(1, asked.from());
        assertNull(asked.plain());
    }

    @Test
    void readsPreferences() {
        assertEquals(
                new Sample.Pair(new Sample.Plain("p", "good"), new Sample.Plain("p", "bad")),
                pairs(file("a.jsonl", "{\"prompt\":\"p\",\"chosen\":\"good\",\"rejected\":\"bad\"}"))
                        .getFirst()
                        .what());
        assertEquals(
                new Sample.Pair(new Sample.Plain("H: hi A: ", "good"), new Sample.Plain("H: hi A: ", "great")),
                pairs(file("b.jsonl", "{\"chosen\":\"H: hi A: good\",\"rejected\":\"H: hi A: great\"}"))
                        .getFirst()
                        .what());
        for (String prompt : List.of(
                "\"prompt\":\"q\",\"chosen\":[{\"role\":\"user\",\"content\":\"q\"},",
                "\"chosen\":[{\"role\":\"user\",\"content\":\"q\"},",
                "\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}],\"chosen\":[",
                "\"prompt\":\"q\",\"chosen\":[")) {
            String other = prompt.contains("\"chosen\":[{") ? "{\"role\":\"user\",\"content\":\"q\"}," : "";
            Sample.Pair pair = pairs(file(
                            "c.jsonl",
                            "{" + prompt + "{\"role\":\"assistant\",\"content\":\"good\"}],\"rejected\":[" + other
                                    + "{\"role\":\"assistant\",\"content\":\"bad\"}]}"))
                    .getFirst()
                    .what();
            assertEquals(
                    new Sample.Chat(List.of(says("user", "q"), says("assistant", "good")), List.of(), 1, null),
                    pair.chosen(),
                    prompt);
            assertEquals(
                    new Sample.Chat(List.of(says("user", "q"), says("assistant", "bad")), List.of(), 1, null),
                    pair.rejected());
        }
    }

    /// Lists of structs as pyarrow writes them, in what the Hub compresses with.
    @Test
    void readsParquet() {
        List<Sample.Of<Sample>> chats = read(resource("data/chats-zstd.parquet"));
        assertEquals(3, chats.size());
        Sample.Chat called = assertInstanceOf(Sample.Chat.class, chats.get(2).what());
        assertEquals(
                List.of("user", "assistant", "tool", "assistant"),
                called.messages().stream().map(message -> message.get("role")).toList());
        assertEquals(Optional.empty(), called.messages().get(1).get("content"));
        assertEquals(says("tool", "sun"), called.messages().get(2));
        assertTrue(chats.get(2).where().endsWith("chats-zstd.parquet: row 3"));
        List<Sample.Of<Sample.Pair>> pairs = pairs(resource("data/pairs-snappy.parquet"));
        assertEquals(40, pairs.size());
        assertEquals(
                List.of(says("user", "Say A39"), says("assistant", "A39")),
                assertInstanceOf(Sample.Chat.class, pairs.get(39).what().chosen())
                        .messages());
        assertEquals(3, pairs(resource("data/pairs-gzip.parquet")).size());
    }

    @Test
    void foldersAreReadByName() {
        file("b.jsonl", "{\"text\":\"second\"}");
        file("a.json", "{\"text\":\"first\"}");
        file("read.me", "nothing");
        assertEquals(
                List.of(new Sample.Plain("", "first"), new Sample.Plain("", "second")),
                read(folder).stream().map(Sample.Of::what).toList());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{\"a\": 1}|FILE: line 2 has the fields [a]; expected messages, conversations, prompt and completion, instruction and output, or text.",
                "[1]|FILE: line 2 is no JSON object; expected one such as {\"messages\": [...]}.",
                "{\"text\": 5}|FILE: line 2: field 'text' holds a number, expected a text.",
                "{\"messages\": []}|FILE: line 2: field 'messages' holds none, expected a list of messages.",
                "{\"messages\": \"x\"}|FILE: line 2: field 'messages' holds a text, expected a list of messages.",
                "{\"messages\": [7]}|FILE: line 2: field 'messages', message 1 is no object; expected one such as {\"role\": \"user\", \"content\": \"...\"}.",
                "{\"messages\": [{\"content\": \"a\"}]}|FILE: line 2: field 'messages', message 1 has nothing as 'role', expected a text such as user.",
                "{\"messages\": [{\"role\": \"user\"}]}|FILE: line 2: field 'messages', message 1 has no 'content'.",
                "{\"messages\": [{\"role\": \"user\", \"content\": {}}]}|FILE: line 2: field 'messages', message 1 has an object as 'content', expected a text.",
                "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image\"}]}]}|FILE: line 2: field 'messages', message 1 has a part that is no text; only texts can be learnt.",
                "{\"conversations\": [{\"from\": \"cat\", \"value\": \"\"}]}|FILE: line 2: field 'conversations', turn 1 is from \"cat\"; expected human, gpt, system, tool, function_call or observation.",
                "{\"conversations\": [{\"from\": \"gpt\"}]}|FILE: line 2: field 'conversations', turn 1 has nothing as 'value', expected a text.",
                "{\"conversations\": [{\"from\": \"function_call\", \"value\": \"[]\"}]}|FILE: line 2: field 'conversations', turn 1 holds JSON of another kind; expected an object.",
            })
    void refusesRecordsByLineAndField(String record, String message) {
        assertEquals(message, refused(file("a.jsonl", "", record)));
    }

    @Test
    void refusesFiles() {
        assertTrue(refused(file("a.jsonl", "{\"text\": ")).startsWith("FILE: line 1 is not JSON: "));
        assertTrue(refused(file("a.json", "[{\"text\": \"a\"},")).startsWith("FILE is not JSON: "));
        assertEquals("FILE: there is no record.", refused(file("b.jsonl", " ", "")));
        assertEquals("FILE is no .jsonl, .json or .parquet file.", refused(file("a.csv", "a,b")));
        assertEquals("there is no file FILE.", refused(folder.resolve("none.jsonl")));
        assertTrue(refused(file("a.parquet", "PAR1 and no more"))
                .startsWith("FILE is no Parquet file that can be read: "));
        assertEquals(
                "FILE: line 2: field 'text' holds nothing, expected a text.",
                refused(file("c.jsonl", "{\"text\":\"a\"}", "{\"prompt\":\"a\",\"completion\":\"b\"}")));
        BadInput same = assertThrows(
                BadInput.class, () -> pairs(file("d.jsonl", "{\"prompt\":\"a\",\"chosen\":[],\"rejected\":\"b\"}")));
        assertTrue(String.valueOf(same.getMessage())
                .endsWith("line 1: of chosen and rejected one is a text and the other is not."));
    }

    /// A length of 10 bytes may be less than 0: this one leads back to the page's header.
    @Test
    @Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void aParquetFileThatLeadsBackwardsIsRefused() throws IOException {
        byte[] bytes = Files.readAllBytes(resource("data/chats-zstd.parquet"));
        byte[] text = new byte[12];
        Arrays.fill(text, (byte) 0xFF);
        text[0] = 0x18;
        text[1] = (byte) 0xF5;
        text[10] = 1;
        text[11] = 0;
        System.arraycopy(text, 0, bytes, 4, text.length);
        Path damaged = Files.write(folder.resolve("backwards.parquet"), bytes);
        String message =
                String.valueOf(assertThrows(BadInput.class, () -> read(damaged)).getMessage());
        assertTrue(message.contains("do not fit it"), message);
    }

    /// Mapped memory would be gone with the file's end, and the virtual machine with it.
    @Test
    void aParquetFileCutShortWhileItIsReadIsNamed() throws IOException {
        Path file = Files.copy(resource("data/chats-zstd.parquet"), folder.resolve("cut.parquet"));
        try (ParquetBytes bytes = new ParquetBytes(file)) {
            bytes.open();
            int length = (int) bytes.length();
            ByteBuffer whole = bytes.readRange(0, length);
            Files.write(file, new byte[5]);
            assertEquals(ByteBuffer.wrap(Files.readAllBytes(resource("data/chats-zstd.parquet"))), whole);
            assertEquals(
                    "it has 5 bytes, not the %d from 4 on".formatted(length - 4),
                    assertThrows(EOFException.class, () -> bytes.readRange(4, length - 4))
                            .getMessage());
        }
    }

    /// Whatever is changed in a file, there is one line about it or it is read.
    @ParameterizedTest
    @ValueSource(strings = {"chats-zstd", "pairs-gzip"})
    @Timeout(120)
    void damagedParquetIsRefusedInOneLine(String name) throws IOException {
        byte[] whole = Files.readAllBytes(resource("data/" + name + ".parquet"));
        Path damaged = folder.resolve("damaged.parquet");
        for (int i = 0; i < 120; i++) {
            byte[] bytes = whole.clone();
            bytes[(i * 7919) % bytes.length] ^= (byte) (1 + i % 255);
            Files.write(damaged, i % 5 == 0 ? Arrays.copyOf(bytes, bytes.length * i / 120) : bytes);
            try {
                read(damaged);
            } catch (BadInput e) {
                assertTrue(String.valueOf(e.getMessage()).startsWith(damaged.toString()), e.getMessage());
            }
        }
    }
}
