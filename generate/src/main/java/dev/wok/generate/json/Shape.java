package dev.wok.generate.json;

import java.util.stream.Stream;

/// Values of one kind that a schema allows.
sealed interface Shape permits ScalarShape, StringShape, ArrayShape, ObjectShape {
    /// @return how many levels of nesting the flattest of them has, or [Node#ENDLESS] where there is none
    int height();

    /// @return what is in them
    default Stream<Node> inner() {
        return Stream.empty();
    }

    /// @return what is in all of them
    default Stream<Node> needed() {
        return Stream.empty();
    }

    /// Adds the stacks after a value's first byte.
    ///
    /// @param room how many levels the value may take, at least its [#height]
    /// @param below what goes on after the value
    void start(int b, int room, Stack below, Steps out);
}
