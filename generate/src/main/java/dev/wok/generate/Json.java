package dev.wok.generate;

import dev.wok.generate.json.Grammar;

/// A part that is JSON.
record Json(Grammar grammar) implements Flow {}
