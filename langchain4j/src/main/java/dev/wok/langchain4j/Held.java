package dev.wok.langchain4j;

import dev.wok.api.Model;

/// A model in use.
///
/// @param name what it is called
/// @param owned whether it is closed with this
record Held(Model model, String name, boolean owned) implements AutoCloseable {
    @Override
    public void close() {
        if (owned) {
            model.close();
        }
    }
}
