package dev.wok.kernel.x86;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Processor;
import dev.wok.notice.BadInput;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ProcessorX86Test {
    private static final List<Isa> SOME = List.of(Isa.AVX2, Isa.AVX512);

    @Test
    void withoutAWishItIsTheMost() {
        Processor processor = ProcessorX86.choose("P", SOME, null);
        assertEquals("avx512", processor.used().orElseThrow().name());
        assertEquals(64, processor.used().orElseThrow().vectorBytes());
        assertFalse(processor.used().orElseThrow().hasBf16());
        assertEquals("the most that this processor runs", processor.reason());
        assertEquals(processor.used(), ProcessorX86.choose("P", SOME, "").used());
        assertEquals(Optional.of(Isa.AVX512), ProcessorX86.used(processor));
    }

    @Test
    void aWishIsGranted() {
        Processor processor = ProcessorX86.choose("P", SOME, "avx2");
        assertEquals(Optional.of(Isa.AVX2), ProcessorX86.used(processor));
        assertEquals("WOK_ISA=avx2 asks for it", processor.reason());
        assertEquals("avx512", processor.best().orElseThrow().name());
    }

    @Test
    void theVectorApiIsAWishToo() {
        Processor processor = ProcessorX86.choose("P", SOME, "vector");
        assertTrue(processor.used().isEmpty());
        assertEquals(2, processor.found().size());
        assertEquals("WOK_ISA=vector asks for none", processor.reason());
        assertTrue(ProcessorX86.choose("P", List.of(), "vector").used().isEmpty());
    }

    @Test
    void anotherProcessorHasNone() {
        Processor processor = ProcessorX86.choose("aarch64 on Linux", List.of(), null);
        assertTrue(processor.used().isEmpty() && processor.best().isEmpty());
        assertEquals("kernels in machine code need an x86-64 processor with AVX2", processor.reason());
    }

    @Test
    void whatIsNotThereIsRefused() {
        assertEquals(
                "WOK_ISA=avx512_bf16: this processor (P) does not run it, expected avx512, avx2 or vector; or leave it"
                        + " unset for the fastest.",
                assertThrows(BadInput.class, () -> ProcessorX86.choose("P", SOME, "avx512_bf16"))
                        .getMessage());
        assertEquals(
                "WOK_ISA=sse: no such instruction set, expected vector; or leave it unset for the fastest.",
                assertThrows(BadInput.class, () -> ProcessorX86.choose("P", List.of(), "sse"))
                        .getMessage());
    }

    @Test
    void thisProcessorAnswers() {
        try (HostDevice device = Device.host(1)) {
            Processor processor = ProcessorX86.describe(device, null);
            assertFalse(processor.name().isBlank());
            assertEquals(processor.best(), processor.used());
        }
    }
}
