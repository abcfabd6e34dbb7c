package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeviceNameTest {
    @ParameterizedTest
    @ValueSource(strings = {"cpu", "cuda", "cuda:3", "emulated"})
    void namesAreReadAsTheyAreWritten(String text) {
        assertEquals(text, DeviceName.parse("--device", text).toString());
    }

    @Test
    void theFirstGpuNeedsNoNumber() {
        assertEquals(DeviceName.parse("--device", "cuda"), DeviceName.parse("--device", "cuda:0"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:12345", "cuda:1 ", "cpu:0"})
    void othersAreRefused(String text) {
        BadInput refusal = assertThrows(BadInput.class, () -> DeviceName.parse("--device", text));
        assertEquals("--device %s: expected cpu, cuda, cuda:N or emulated.".formatted(text), refusal.getMessage());
    }

    @Test
    void opensWhatIsHere() {
        try (Device host = DeviceName.CPU.open(2);
                Device emulated = DeviceName.parse("--device", "emulated").open(2)) {
            assertEquals(2, ((HostDevice) host).workers().count());
            assertTrue(emulated instanceof EmulatedGpu, emulated.describe());
        }
    }

    @Test
    void aGpuThatIsNotHereIsRefused() {
        DeviceName far = new DeviceName(DeviceName.Kind.CUDA, 9999);
        BadInput refusal = assertThrows(BadInput.class, far::requireHere);
        String reason = switch (Gpus.find()) {
            case Gpus.Absent(String why) -> why;
            case Gpus.Found found -> "counted from 0";
        };
        assertTrue(String.valueOf(refusal.getMessage()).contains(reason), refusal.getMessage());
        assertThrows(BadInput.class, () -> far.open(1));
    }
}
