package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AmountsTest {

    @ParameterizedTest
    @CsvSource({
        "0,0.0 s",
        "9.94,9.9 s",
        "9.95,10 s",
        "59.4,59 s",
        "59.6,1 min 00 s",
        "245,4 min 05 s",
        "7800,2 h 10 min"
    })
    void durations(double seconds, String text) {
        assertEquals(text, Amounts.duration(seconds));
    }

    @ParameterizedTest
    @CsvSource({
        "0,bytes,0 bytes",
        "999,bytes,999 bytes",
        "1000,bytes,1.0 kB",
        "53200000,bytes,53.2 MB",
        "2e9,bytes,2.0 GB",
        "1,steps,1 step",
        "2.345,steps,2.35 steps",
        "23.45,steps,23.5 steps"
    })
    void amounts(double count, String unit, String text) {
        assertEquals(text, Amounts.of(count, unit));
    }
}
