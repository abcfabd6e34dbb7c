package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.wok.notice.BadInput;
import org.junit.jupiter.api.function.Executable;

/// The one line of a refusal.
final class Refusal {
    private Refusal() {}

    static String of(Executable code) {
        return String.valueOf(assertThrows(BadInput.class, code).getMessage());
    }
}
