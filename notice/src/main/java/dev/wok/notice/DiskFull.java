package dev.wok.notice;

import java.io.IOException;
import java.nio.file.Path;

/// That a disk has no room for what was to be written. Nothing that was given is wrong: the same may
/// go another time, so the command exits with 1, and whoever watches it may start it again.
public final class DiskFull extends BadInput {
    private static final long serialVersionUID = 1L;

    /// @param path what was not written; nothing half-written is left of it
    DiskFull(Path path, IOException cause) {
        super(
                "the disk is full: %s was not written, nothing half-written is left. Free some space and run again."
                        .formatted(path),
                cause);
    }
}
