package dev.wok.api;

import dev.wok.generate.Flow;
import dev.wok.text.Tokenizer;
import java.util.OptionalInt;

/// Tags of a family's answers as tokens.
record Tags(Tokenizer tokenizer) {
    /// @return what the model writes where it is to write a tag: its token, where there is one
    Flow given(String tag) {
        OptionalInt id = tokenizer.id(tag);
        return id.isPresent() ? Flow.token(id.getAsInt()) : Flow.given(tag);
    }

    /// @return what is heeded where a model writes a tag by itself: its text however it is cut, or its
    ///     token where that is no text
    Flow.Trigger trigger(String tag) {
        OptionalInt id = tokenizer.id(tag);
        return id.isPresent() && tokenizer.isSpecial(id.getAsInt()) ? new Flow.Id(id.getAsInt()) : new Flow.Given(tag);
    }
}
