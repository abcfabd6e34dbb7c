package dev.wok.cli;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/// Whoever started this process, where it is to end with them: `WOK_PARENT=stdin` says that they hold its standard
/// input open as long as they live.
final class Parent {
    static final String VARIABLE = "WOK_PARENT";
    static final String STDIN = "stdin";

    private Parent() {}

    /// @return whether there is one
    static boolean isThere(Console console) {
        return console.environment().getOrDefault(VARIABLE, "").equals(STDIN);
    }

    /// Ends this process as soon as the parent has gone, however that went.
    static void watch(Console console) {
        String parent = console.environment().getOrDefault(VARIABLE, "");
        if (parent.isEmpty()) {
            return;
        }
        if (!parent.equals(STDIN)) {
            throw new BadInput("%s is \"%s\", expected %s or nothing.".formatted(VARIABLE, parent, STDIN));
        }
        Thread.ofPlatform().daemon().name("parent").start(() -> {
            drain(console.in());
            Runtime.getRuntime().halt(1);
        });
    }

    private static void drain(InputStream in) {
        try {
            in.transferTo(OutputStream.nullOutputStream());
        } catch (IOException _) {
            // It is as closed as it can be.
            return;
        }
    }
}
