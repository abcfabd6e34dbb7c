package dev.wok.api;

import java.util.List;

/// How messages with calls are handed to a chat template.
///
/// @param textArguments whether arguments are text, otherwise objects
/// @param emptyContent whether a message of calls alone has empty content, otherwise none
record CallForm(boolean textArguments, boolean emptyContent) {
    static final List<CallForm> ALL = List.of(
            new CallForm(false, false), new CallForm(true, false), new CallForm(false, true), new CallForm(true, true));
}
