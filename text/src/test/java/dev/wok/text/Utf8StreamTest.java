package dev.wok.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Utf8StreamTest {

    /// Faults as Unicode's table of maximal subparts (The Unicode Standard, section 3.9) and Rust have them.
    @ParameterizedTest
    @CsvSource({
        "41C3B142, 'A\u00F1B'",
        "C3, '\uFFFD'",
        "80BF, '\uFFFD\uFFFD'",
        "C0AF41, '\uFFFD\uFFFDA'",
        "E28241, '\uFFFDA'",
        "F09F98, '\uFFFD'",
        "F09F9880, '\uD83D\uDE00'",
        "F08080, '\uFFFD\uFFFD\uFFFD'",
        "EDA080, '\uFFFD\uFFFD\uFFFD'",
        "EDA0BDEDB880, '\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD'",
        "ED9FBF, '\uD7FF'",
        "F4908080, '\uFFFD\uFFFD\uFFFD\uFFFD'",
        "F5808080, '\uFFFD\uFFFD\uFFFD\uFFFD'",
        "E18080E280F09192F1BF41, '\u1000\uFFFD\uFFFD\uFFFDA'",
    })
    void replacesFaults(String bytes, String text) {
        Utf8Stream stream = new Utf8Stream();
        stream.add(HexFormat.of().parseHex(bytes));
        assertEquals(text, stream.takeAll());
    }

    @Test
    void isTheSameInPieces() {
        int[] bytes = {0x41, 0x80, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF};
        Random random = new Random(4);
        for (int round = 0; round < 20_000; round++) {
            byte[] all = new byte[1 + random.nextInt(8)];
            for (int i = 0; i < all.length; i++) {
                all[i] = (byte) bytes[random.nextInt(bytes.length)];
            }
            Utf8Stream whole = new Utf8Stream();
            whole.add(all);
            Utf8Stream pieces = new Utf8Stream();
            StringBuilder text = new StringBuilder();
            for (byte b : all) {
                pieces.add(new byte[] {b});
                text.append(pieces.takeWhole());
            }
            text.append(pieces.takeAll());
            assertEquals(whole.takeAll(), text.toString(), () -> HexFormat.of().formatHex(all));
        }
    }
}
