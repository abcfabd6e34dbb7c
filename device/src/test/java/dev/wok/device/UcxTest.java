package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import org.junit.jupiter.api.Test;

class UcxTest {
    @Test
    void whereItIsNotInstalledThatIsSaid() {
        assertEquals(
                "UCX is not installed here: there is no libucp.so.999. Install it (Debian: libucx0), or choose another"
                        + " transport.",
                Thrown.message(BadInput.class, () -> Ucx.link("libucp.so.999")));
    }

    @Test
    void aLibraryThatIsNotUcxIsRefused() {
        assertEquals(
                "libc.so.6 has no ucp_init_version: UCX 1.10 or later is expected, or choose another transport.",
                Thrown.message(BadInput.class, () -> Ucx.link("libc.so.6")));
    }
}
