package dev.wok.text;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/// Pass one over one entry: what each of its documents is, without its text.
final class Scan {
    /// A document that was not dropped by itself. What follows its licence is hashed apart from what precedes it,
    /// so that whether the licence goes can be decided when all documents are known.
    ///
    /// @param line of a `.jsonl`, else 0
    /// @param piece which piece of the text
    /// @param from where the text begins in the raw document (after a byte order mark)
    /// @param to the raw document's length
    /// @param comments those up to the last licence, offsets in the raw document; null where there is none
    /// @param heads hash of the text from the beginning, from the first comment's end, … to the body
    /// @param body hash of the text after the comments
    /// @param bodyBlank whether the text after the comments is only white space
    record Found(
            long line,
            int piece,
            int from,
            int to,
            @Nullable Comments comments,
            Hash[] heads,
            Hash body,
            boolean bodyBlank) {}

    private static final Hash[] NO_HEADS = {};
    private static final int BINARY_WITHIN = 1 << 16;

    final List<Found> found = new ArrayList<>();
    final Tally dropped = new Tally();
    long bytes;

    private Scan() {}

    /// @throws BadInput where the entry cannot be read to its end
    static Scan of(Entry entry, String field, int limit, LongConsumer packed) {
        Scan scan = new Scan();
        try (RawDocuments raw = new RawDocuments(entry, field, limit, packed)) {
            boolean more = true;
            while (more && raw.next()) {
                more = scan.take(entry, raw);
            }
        } catch (Entry.Bomb e) {
            scan.found.clear();
            scan.dropped.add(Dropped.BOMB, scan.bytes);
        } catch (IOException e) {
            throw entry.failed(e);
        }
        return scan;
    }

    /// @return whether the rest of the entry is worth reading
    private boolean take(Entry entry, RawDocuments raw) {
        byte[] text = raw.bytes();
        int from = raw.from();
        int to = raw.to();
        boolean wholeEntry = !entry.jsonl() && raw.piece() == 0;
        Dropped reason = judge(text, from, to, raw.piece() == 0, !entry.jsonl());
        if (wholeEntry && (reason == Dropped.BINARY || reason == Dropped.GENERATED)) {
            long all = Math.max(entry.hintBytes(), to - from);
            bytes += all;
            dropped.add(reason, all);
            return false;
        }
        bytes += to - from;
        if (reason != null) {
            dropped.add(reason, to - from);
        } else {
            found.add(found(raw, Utf8.skipMark(text, from, to)));
        }
        return true;
    }

    /// @param file whether it is a file or a part of one; what a line of a .jsonl holds was chosen to
    ///     be read
    private static @Nullable Dropped judge(byte[] text, int from, int to, boolean first, boolean file) {
        for (int i = from; i < Math.min(to, from + BINARY_WITHIN); i++) {
            if (text[i] == 0) {
                return Dropped.BINARY;
            }
        }
        if (!Utf8.isValid(text, from, to)) {
            return Dropped.NOT_UTF8;
        }
        if (Utf8.isBlank(text, from, to)) {
            return Dropped.EMPTY;
        }
        if (file && first && Tables.isDeclared(text, from, to)) {
            return Dropped.GENERATED;
        }
        return file && Tables.isTable(text, from, to) ? Dropped.TABLE : null;
    }

    private static Found found(RawDocuments raw, int start) {
        byte[] text = raw.bytes();
        int begin = raw.from();
        int to = raw.to();
        Comments comments = raw.piece() == 0 ? Comments.read(text, start, to) : null;
        int bodyStart = comments == null ? start : comments.bodyStart();
        Hash[] heads = NO_HEADS;
        if (comments != null) {
            heads = new Hash[comments.ends().length];
            for (int i = 0; i < heads.length; i++) {
                heads[i] = Hash.of(text, i == 0 ? start : comments.ends()[i - 1], bodyStart);
            }
        }
        return new Found(
                raw.line(),
                raw.piece(),
                start - begin,
                to - begin,
                comments == null ? null : comments.from(begin),
                heads,
                Hash.of(text, bodyStart, to),
                Utf8.isBlank(text, bodyStart, to));
    }
}
