package dev.wok.train;

import java.nio.file.Path;

final class Report {
    private Report() {}

    static void write(Path folder) {}
}
