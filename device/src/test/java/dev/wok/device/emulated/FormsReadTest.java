package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// The emulator reads every form of every instruction that the builder writes, but for those that the sample's head
/// names.
class FormsReadTest {
    private static final int LEAST = 900;

    @Test
    void everyFormIsRead() throws IOException {
        try (InputStream in = getClass().getResourceAsStream("forms.ptx")) {
            String text = new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
            try (Module module = Module.load(text, new Allocations())) {
                assertEquals(1, module.names().size());
                Code code = module.kernel("forms");
                assertNotNull(code);
                assertTrue(
                        code.instructions().size() >= LEAST, code.instructions().size() + " instructions");
            }
        }
    }
}
