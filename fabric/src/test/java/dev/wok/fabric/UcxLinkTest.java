package dev.wok.fabric;

import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;

/// What every link does, over UCX: where that is installed.
@Tag("slow")
@Tag("ucx")
final class UcxLinkTest extends LinkTest {
    @Override
    Stream<Kind> kinds() {
        return Stream.of(Kind.UCX);
    }
}
