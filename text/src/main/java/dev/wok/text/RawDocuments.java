package dev.wok.text;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.function.LongConsumer;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// The documents of one entry as they lie there, one after another, each as a slice of a buffer that the next one
/// overwrites: the whole of a text, or a field of each line of a `.jsonl`. Texts longer than a limit come in
/// pieces, cut at line borders (where there are none, between characters), so that an entry of any length needs
/// little memory.
///
/// The same entry and limit give the same documents each time.
final class RawDocuments implements AutoCloseable {
    private static final int LONGEST_LINE = 256 << 20;
    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(LONGEST_LINE)
                    .build())
            .build());

    private final Entry entry;
    private final String field;
    private final int limit;
    private final InputStream in;

    private byte[] buffer;
    private int filled;
    private int consumed;
    private boolean ended;

    /* The text being cut: for plain text the buffer itself, for .jsonl the field of the current line. */
    private byte[] text = new byte[0];
    private int from;
    private int to;
    private int textEnd;
    private long line;
    private int piece = -1;

    /// @param field of a `.jsonl`
    /// @param limit bytes of the longest document that is not cut
    /// @param packed told how many more packed bytes were read
    RawDocuments(Entry entry, String field, int limit, LongConsumer packed) throws IOException {
        this.entry = entry;
        this.field = field;
        this.limit = limit;
        this.in = entry.open(packed);
        long hint = entry.jsonl() || entry.hintBytes() < 0 ? limit : entry.hintBytes();
        this.buffer = new byte[(int) Math.min(limit, hint) + 1];
    }

    /// Moves to the next document.
    ///
    /// @return whether there is one
    /// @throws BadInput where a line is no JSON object with the field
    boolean next() throws IOException {
        return entry.jsonl() ? nextOfLines() : nextOfText();
    }

    private boolean nextOfText() throws IOException {
        consumed = to;
        fill(limit + 1);
        if (consumed == filled) {
            return false;
        }
        text = buffer;
        from = consumed;
        to = cut(buffer, from, filled);
        piece++;
        return true;
    }

    private boolean nextOfLines() throws IOException {
        boolean taken = to < textEnd;
        while (!taken) {
            int end = lineEnd();
            if (end < 0) {
                return false;
            }
            line++;
            taken = take(consumed, end);
            consumed = end;
        }
        from = to;
        to = cut(text, from, textEnd);
        piece++;
        return true;
    }

    /// Makes at least so many unconsumed bytes available, fewer only at the end.
    private void fill(int wanted) throws IOException {
        while (!ended && filled - consumed < wanted) {
            if (consumed > 0) {
                System.arraycopy(buffer, consumed, buffer, 0, filled - consumed);
                filled -= consumed;
                consumed = 0;
            }
            if (filled == buffer.length) {
                buffer =
                        Arrays.copyOf(buffer, (int) Math.min(2L * buffer.length, Math.max(wanted, buffer.length + 1L)));
            }
            int n = in.read(buffer, filled, buffer.length - filled);
            if (n < 0) {
                ended = true;
            } else {
                filled += n;
            }
        }
    }

    /// @return the end of the line that begins at the first unconsumed byte, its line feed included; -1 at the end
    private int lineEnd() throws IOException {
        int seen = 0;
        while (true) {
            for (int i = consumed + seen; i < filled; i++) {
                if (buffer[i] == '\n') {
                    return i + 1;
                }
            }
            seen = filled - consumed;
            if (ended) {
                return seen == 0 ? -1 : filled;
            }
            if (seen >= LONGEST_LINE) {
                throw new BadInput("%s: line %d is longer than %d MB; a .jsonl file has one object per line."
                        .formatted(entry.where(), line + 1, LONGEST_LINE >> 20));
            }
            fill(seen + Math.max(seen, 1 << 16));
        }
    }

    /// Makes the field of a line the text. A line that is not UTF-8 becomes the text itself, to be dropped as such.
    ///
    /// @return whether the line holds anything
    private boolean take(int begin, int end) {
        piece = -1;
        from = 0;
        to = 0;
        int start = line == 1 ? Utf8.skipMark(buffer, begin, end) : begin;
        if (Utf8.isBlank(buffer, start, end)) {
            return false;
        }
        if (!Utf8.isValid(buffer, start, end)) {
            text = Arrays.copyOfRange(buffer, start, end);
            textEnd = text.length;
            return true;
        }
        JsonNode node;
        try {
            node = JSON.readTree(buffer, start, end - start);
        } catch (JacksonException e) {
            throw BadInput.notJson("%s: line %d".formatted(entry.where(), line), e);
        }
        if (!node.isObject()) {
            throw new BadInput("%s: line %d is no JSON object but %s; expected {\"%s\": \"...\"}."
                    .formatted(entry.where(), line, kind(node), field));
        }
        JsonNode value = node.get(field);
        if (value == null) {
            throw new BadInput("%s: line %d has no field '%s'; its fields are %s. Name the one that holds the text."
                    .formatted(entry.where(), line, field, node.propertyNames()));
        }
        if (!value.isString() && !value.isNull()) {
            throw new BadInput("%s: field '%s' of line %d holds %s, expected a string; the fields are %s."
                    .formatted(entry.where(), field, line, kind(value), node.propertyNames()));
        }
        text = value.isNull() ? new byte[0] : Utf8.encode(value.stringValue());
        textEnd = text.length;
        return true;
    }

    private static String kind(JsonNode node) {
        return switch (node.getNodeType()) {
            case ARRAY -> "an array";
            case OBJECT -> "an object";
            case NUMBER -> "a number";
            case BOOLEAN -> "true or false";
            case STRING -> "a string";
            case NULL -> "null";
            case BINARY, MISSING, POJO -> "something else";
        };
    }

    /// @return where the document that begins at `from` ends: at `to` where that is near enough, else after the
    ///     last line feed in the second third of the limit, else at a character's border
    private int cut(byte[] bytes, int from, int to) {
        if (to - from <= limit) {
            return to;
        }
        int farthest = from + limit / 3 * 2;
        for (int i = farthest; i > from + limit / 3; i--) {
            if (bytes[i - 1] == '\n') {
                return i;
            }
        }
        int border = farthest;
        while (border > farthest - 3 && (bytes[border] & 0xC0) == 0x80) {
            border--;
        }
        return border;
    }

    /// @return the buffer that holds the document until the next call of [#next]
    byte[] bytes() {
        return text;
    }

    int from() {
        return from;
    }

    int to() {
        return to;
    }

    /// @return the number of the line in a `.jsonl`, from 1; 0 for plain text
    long line() {
        return line;
    }

    /// @return which piece of its text this document is, from 0
    int piece() {
        return piece;
    }

    @Override
    public void close() throws IOException {
        in.close();
    }
}
