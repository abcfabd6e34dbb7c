package dev.wok.text;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/// The documents of a corpus, sampled and divided by hashes of their own text, so that other documents move none
/// from one side to the other.
///
/// @param train documents to train on, by place
/// @param heldOut documents to measure on, by place
/// @param found how many there were before sampling
/// @param foundBytes bytes of text before sampling
record Split(List<Doc> train, List<Doc> heldOut, long found, long foundBytes) {
    private static final long SAMPLE = 1;
    private static final long HOLD_OUT = 2;
    private static final int FEWEST = 2;

    /// @param maxBytes of text, 0 for all
    /// @param share of the documents to hold out; where it is positive, at least one is, and at least one is not
    static Split of(List<Doc> documents, long maxBytes, double share, long seed) {
        List<Doc> sample = maxBytes == 0 ? documents : sample(documents, maxBytes, Mix.of(seed, SAMPLE));
        List<Doc> train = new ArrayList<>();
        List<Doc> heldOut = new ArrayList<>();
        long salt = Mix.of(seed, HOLD_OUT);
        for (Doc doc : sample) {
            (Mix.unit(Mix.of(salt, doc.key())) < share ? heldOut : train).add(doc);
        }
        if (share > 0) {
            if (sample.size() < FEWEST) {
                throw new BadInput(
                        "the corpus is too small to hold out a part: after cleaning it is 1 document of %s; give at least 2 documents, or one of more than %d bytes in several lines."
                                .formatted(Tally.size(bytes(sample)), 2 * Corpus.SHORTEST_PIECE));
            }
            Comparator<Doc> byHash = Comparator.comparingDouble(doc -> Mix.unit(Mix.of(salt, doc.key())));
            if (heldOut.isEmpty()) {
                move(train, heldOut, train.stream().min(byHash).orElseThrow());
            } else if (train.isEmpty()) {
                move(heldOut, train, heldOut.stream().max(byHash).orElseThrow());
            }
        }
        return new Split(List.copyOf(train), List.copyOf(heldOut), documents.size(), bytes(documents));
    }

    private static void move(List<Doc> from, List<Doc> to, Doc doc) {
        from.remove(doc);
        to.add(doc);
    }

    private static List<Doc> sample(List<Doc> documents, long maxBytes, long salt) {
        List<Doc> sample = new ArrayList<>(documents);
        sample.sort(Comparator.comparingLong(doc -> Mix.of(salt, doc.key())));
        long bytes = 0;
        int taken = 0;
        while (taken < sample.size()
                && (taken < FEWEST || bytes + sample.get(taken).bytes() <= maxBytes)) {
            bytes += sample.get(taken++).bytes();
        }
        sample.subList(taken, sample.size()).clear();
        sample.sort(Cleaning.ORDER);
        return sample;
    }

    static long bytes(List<Doc> documents) {
        return documents.stream().mapToLong(Doc::bytes).sum();
    }

    long fingerprint(long seed) {
        long hash = Mix.of(seed, train.size());
        for (List<Doc> part : List.of(train, heldOut)) {
            for (Doc doc : part) {
                hash = Mix.of(Mix.of(hash, doc.hash().high()), doc.hash().low());
            }
        }
        return hash;
    }

    List<String> summary() {
        List<String> lines = new ArrayList<>();
        long used = train.size() + (long) heldOut.size();
        if (used < found) {
            lines.add(String.format(
                    Locale.ROOT,
                    "sampled %,d of %,d documents (%s of %s)",
                    used,
                    found,
                    Tally.size(bytes(train) + bytes(heldOut)),
                    Tally.size(foundBytes)));
        }
        lines.add(String.format(
                Locale.ROOT,
                "%,d documents to train on (%s), %,d held out (%s)",
                train.size(),
                Tally.size(bytes(train)),
                heldOut.size(),
                Tally.size(bytes(heldOut))));
        return lines;
    }
}
