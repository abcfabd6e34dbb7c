package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.notice.Progress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// The corpus that every user of a JDK has, cleaned.
@Tag("slow")
class JdkCorpusTest {
    @Test
    void tablesAndLicencesGoCodeStays() {
        Optional<Path> sources = Corpus.jdkSources();
        assumeTrue(sources.isPresent(), "this JDK came without lib/src.zip");
        Corpus.Settings settings =
                new Corpus.Settings(List.of(sources.orElseThrow()), "text", List.of(), List.of(), 0, 0.01, 1);
        try (Corpus corpus = Corpus.open(settings, Progress.silent())) {
            long locale = corpus.train()
                    .filter(document -> document.name().startsWith("jdk.localedata/"))
                    .mapToLong(document -> document.text().length())
                    .sum();
            assertTrue(locale < 1_000_000, locale + " characters of locale tables stay");
            long licensed = corpus.train()
                    .filter(document -> document.text().startsWith("/*\n * Copyright (c)"))
                    .count();
            assertTrue(licensed < 0.01 * corpus.documents(), licensed + " documents begin with a licence");
            assertTrue(corpus.trainBytes() > 50_000_000, corpus.summary().toString());
            double bits = Corpus.gzipBitsPerByte(corpus.heldOut());
            assertTrue(bits > 1 && bits < 2.5, bits + " bits per byte by gzip");
        }
    }
}
