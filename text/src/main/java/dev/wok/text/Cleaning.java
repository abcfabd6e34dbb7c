package dev.wok.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What pass one found, decided: which licence comments go, and which documents are duplicates.
///
/// A leading comment goes where it mentions a copyright or licence and its letters open at least [#threshold]
/// documents; comments before it go with it where they recur as often. Of documents with the same cleaned text the
/// first stays.
final class Cleaning {
    private static final int FEWEST = 3;
    private static final int ENOUGH = 10;

    final List<Doc> documents = new ArrayList<>();
    final Tally dropped = new Tally();
    long bytes;
    private long stripped;
    private long strippedBytes;
    private final Map<Long, Integer> recurring = new HashMap<>();

    /// @param scans of the entries in their order; emptied on the way
    Cleaning(@Nullable Scan[] scans) {
        long threshold = threshold(count(scans));
        List<Doc> all = new ArrayList<>();
        for (int entry = 0; entry < scans.length; entry++) {
            Scan scan = scans[entry];
            if (scan == null) {
                continue;
            }
            bytes += scan.bytes;
            dropped.add(scan.dropped);
            for (Scan.Found found : scan.found) {
                decide(entry, found, threshold, all);
            }
            scans[entry] = null;
        }
        keepFirsts(all);
    }

    /// @return how many documents a comment must open to be boilerplate: a tenth of them, between 3 and 10
    static long threshold(long documents) {
        return Math.clamp(documents / 10, FEWEST, ENOUGH);
    }

    private long count(@Nullable Scan[] scans) {
        long documents = 0;
        for (Scan scan : scans) {
            if (scan != null) {
                documents += scan.found.size();
                for (Scan.Found found : scan.found) {
                    if (found.comments() != null) {
                        Arrays.stream(found.comments().keys())
                                .distinct()
                                .forEach(key -> recurring.merge(key, 1, Integer::sum));
                    }
                }
            }
        }
        return documents;
    }

    private void decide(int entry, Scan.Found found, long threshold, List<Doc> all) {
        Comments comments = found.comments();
        int gone = 0;
        int ends = 0;
        if (comments != null) {
            ends = comments.ends().length;
            for (int i = 0; i < ends && recurring.getOrDefault(comments.keys()[i], 0) >= threshold; i++) {
                gone = comments.legal()[i] ? i + 1 : gone;
            }
        }
        int from = gone == 0 || comments == null ? found.from() : comments.ends()[gone - 1];
        if (gone == ends && found.bodyBlank()) {
            dropped.add(Dropped.EMPTY, found.to());
            return;
        }
        if (gone > 0) {
            stripped++;
            strippedBytes += from - found.from();
        }
        Hash head = gone == ends ? Hash.EMPTY : found.heads()[gone];
        all.add(new Doc(
                entry,
                found.line(),
                found.piece(),
                from,
                found.to(),
                head.then(found.body()),
                found.body().high()));
    }

    private void keepFirsts(List<Doc> all) {
        Doc[] byHash = all.toArray(Doc[]::new);
        Arrays.parallelSort(
                byHash,
                Comparator.comparingLong((Doc doc) -> doc.hash().high())
                        .thenComparingLong(doc -> doc.hash().low()));
        for (int i = 0; i < byHash.length; i++) {
            if (i > 0 && byHash[i].hash().equals(byHash[i - 1].hash())) {
                dropped.add(Dropped.DUPLICATE, byHash[i].bytes());
            } else {
                documents.add(byHash[i]);
            }
        }
        documents.sort(ORDER);
    }

    /// By place: entry, line, piece.
    static final Comparator<Doc> ORDER =
            Comparator.comparingInt(Doc::entry).thenComparingLong(Doc::line).thenComparingInt(Doc::piece);

    /// @return lines for people
    List<String> summary(int files) {
        List<String> lines = new ArrayList<>();
        lines.add(String.format(Locale.ROOT, "%,d %s, %s", files, files == 1 ? "file" : "files", Tally.size(bytes)));
        String drops = dropped.toString();
        if (!drops.isEmpty()) {
            lines.add("dropped: " + drops);
        }
        if (stripped > 0) {
            lines.add(String.format(
                    Locale.ROOT,
                    "stripped licence headers from %,d documents (%s)",
                    stripped,
                    Tally.size(strippedBytes)));
        }
        return lines;
    }
}
