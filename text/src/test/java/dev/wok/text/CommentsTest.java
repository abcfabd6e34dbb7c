package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CommentsTest {
    private static @Nullable Comments read(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return Comments.read(bytes, 0, bytes.length);
    }

    private static Comments found(String text) {
        return assertNotNullComments(read(text));
    }

    private static Comments assertNotNullComments(@Nullable Comments comments) {
        assertNotNull(comments);
        if (comments == null) {
            throw new AssertionError();
        }
        return comments;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/* Copyright 2020 X */\n\n",
                "\n/*\n * Licensed to X.\n */\n",
                "// Copyright X\n// All rights reserved.\n\n",
                "  # Copyright X\n  # more\n",
                "-- license: MIT\n",
                ";; Copyright X\n",
                "% Copyright X\n",
                "<!-- Copyright X -->\n",
                "#\n# Copyright X\n#\n\n",
            })
    void bodyBeginsBehindTheComment(String comment) {
        assertEquals(comment.length(), found(comment + "body").bodyStart());
        assertEquals(comment.length(), found(comment + "  body").bodyStart());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "class A {} // Copyright X\n",
                "/* Copyright X without an end",
                "#include <copyright.h>\n",
                "#!/bin/copyright\n",
                "/* A tidy comment. */\n",
                "--copyright\n",
                ""
            })
    void noLicenceThere(String text) {
        assertNull(read(text));
    }

    @Test
    void yearsAndSpacesDoNotMatter() {
        long key = found("/*\n * Copyright (c) 1994, 2013, Oracle.\n */\n").keys()[0];
        assertEquals(key, found("/* Copyright (c) 2024,\n Oracle. */\n").keys()[0]);
        assertNotEquals(key, found("/* Copyright (c) 1994, 2013, Orange. */\n").keys()[0]);
    }

    @Test
    void commentsEndWithTheLastLegalOne() {
        Comments comments = found("/* reserved */\n/* Copyright X */\n/** What the class is. */\nclass A {}");
        assertEquals(2, comments.ends().length);
        assertEquals("/* reserved */\n/* Copyright X */\n".length(), comments.bodyStart());
        assertEquals(false, comments.legal()[0]);
        assertEquals(true, comments.legal()[1]);
    }
}
