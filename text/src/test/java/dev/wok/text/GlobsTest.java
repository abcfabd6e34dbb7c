package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GlobsTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = ' ',
            value = {
                "*.java A.java true",
                "*.java a/b/A.java true",
                "*.java a/A.javac false",
                "*.java A.java.gz true",
                "*.gz A.java.gz true",
                "/*.java a/A.java false",
                "a/*.java a/A.java true",
                "a/*.java a/b/A.java false",
                "a/**/*.java a/A.java true",
                "a/**/*.java a/b/c/A.java true",
                "a/** a/b/c true",
                "**/b/* b/x true",
                "b a/b/c true",
                "b/ a/b/c true",
                "b a/bc false",
                "a?c abc true",
                "a?c a/c false",
                "[ab].txt b.txt true",
                "[!ab].txt b.txt false",
                "*.{c,h} x.h true",
                "*.{c,h} x.hpp false",
                "a+b(1).txt a+b(1).txt true",
                "* .hidden true",
            })
    void globMatches(String glob, String path, boolean matches) {
        assertEquals(matches, new Globs(List.of(glob), List.of()).takes(path));
        assertEquals(!matches, new Globs(List.of("*"), List.of(glob)).takes(path));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {".git/config", "a/.env", "CVS/Root", "x.png", "a/b.class", "x.tar.gz", "app.min.js", "a.so"})
    void defaultLeavesOut(String path) {
        assertFalse(new Globs(List.of(), List.of()).takes(path));
    }

    @ParameterizedTest
    @ValueSource(strings = {"README", "a/b.rs", "x.txt.gz", "data.jsonl", "notes.unknown", "a..b"})
    void defaultTakes(String path) {
        assertTrue(new Globs(List.of(), List.of()).takes(path));
    }

    @Test
    void unmatchedIncludesAreKnown() {
        Globs globs = new Globs(List.of("*.java", "*.kt"), List.of());
        assertTrue(globs.takes("A.java"));
        assertEquals(List.of("*.kt"), globs.unmatched());
    }

    @ParameterizedTest
    @ValueSource(strings = {"a[b", "a{b", "a}b", "", "/"})
    void malformedIsRefused(String glob) {
        String refusal = Refusal.of(() -> new Globs(List.of(glob), List.of()));
        assertTrue(refusal.startsWith("the glob '" + glob + "' is malformed"), refusal);
    }
}
