package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What the environment says of a rank.
final class MembershipTest {
    private static final Map<String, String> WHOLE =
            Map.of("WOK_RANK", "1", "WOK_SIZE", "4", "WOK_RENDEZVOUS", "node0:7777", "WOK_SECRET", "0123456789abcdef");

    @Test
    void nothingIsSet() {
        assertEquals(Optional.empty(), Membership.of(Map.of("WOK_SECRET", "0123456789abcdef", "WOK_RANK", " ")));
    }

    @Test
    void whatIsNotSaidIsUsual() {
        Membership membership = Membership.of(WHOLE).orElseThrow();
        assertEquals(1, membership.rank());
        assertEquals(4, membership.size());
        assertEquals("node0:7777", membership.rendezvous());
        assertArrayEquals("0123456789abcdef".getBytes(StandardCharsets.UTF_8), membership.secret());
        assertEquals(Membership.Transport.AUTO, membership.transport());
        assertEquals(Duration.ofMinutes(1), membership.patience());
        assertEquals(Duration.ofMinutes(10), membership.limit());
    }

    @Test
    void everythingIsSaid(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("secret");
        Files.writeString(file, " the secret of a file\n");
        Map<String, String> environment = new HashMap<>(WHOLE);
        environment.remove("WOK_SECRET");
        environment.putAll(Map.of(
                "WOK_SECRET_FILE", file.toString(), "WOK_TRANSPORT", "tcp", "WOK_PATIENCE", "3", "WOK_LIMIT", "70"));
        environment.put("WOK_RENDEZVOUS", "[::1]:7777");
        Membership membership = Membership.of(environment).orElseThrow();
        assertArrayEquals("the secret of a file".getBytes(StandardCharsets.UTF_8), membership.secret());
        assertEquals(Membership.Transport.TCP, membership.transport());
        assertEquals(Duration.ofSeconds(3), membership.patience());
        assertEquals(Duration.ofSeconds(70), membership.limit());
        assertEquals(new Meeting("::1", 7777), Meeting.of(membership.rendezvous(), 1));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        WOK_RANK|''|WOK_RANK is not set; a rank of a group needs WOK_RANK, WOK_SIZE, WOK_RENDEZVOUS and WOK_SECRET.
        WOK_SECRET|''|WOK_SECRET is not set; a rank of a group needs WOK_RANK, WOK_SIZE, WOK_RENDEZVOUS and WOK_SECRET.
        WOK_RANK|one|WOK_RANK is one; a whole number from 0 to 1023 is expected.
        WOK_RANK|-1|WOK_RANK is -1; a whole number from 0 to 1023 is expected.
        WOK_RANK|4|rank 4 of a group of 4; ranks are counted from 0 to 3.
        WOK_SIZE|0|WOK_SIZE is 0; a whole number from 1 to 1024 is expected.
        WOK_SIZE|99999999999|WOK_SIZE is 99999999999; a whole number from 1 to 1024 is expected.
        WOK_RENDEZVOUS|node0|the rendezvous is node0; host:port is expected, such as 10.0.0.1:7777.
        WOK_RENDEZVOUS|:7|the rendezvous is :7; host:port is expected, such as 10.0.0.1:7777.
        WOK_RENDEZVOUS|node0:70000|the rendezvous is node0:70000; host:port is expected, such as 10.0.0.1:7777.
        WOK_RENDEZVOUS|node0:0|the rendezvous is node0:0; rank 1 needs the port that rank 0 listens at.
        WOK_SECRET|short|the group's secret has 5 bytes; at least 16 are expected, such as those of openssl rand -hex 32.
        WOK_SECRET_FILE|/x|WOK_SECRET and WOK_SECRET_FILE are both set; set one of them.
        WOK_TRANSPORT|smoke|WOK_TRANSPORT is smoke; auto, shared, unix, tcp or ucx is expected.
        WOK_LIMIT|0|WOK_LIMIT is 0; a whole number from 1 to 1000000 is expected.
        """)
    void whatCannotBeIsRefused(String name, String value, String message) {
        Map<String, String> environment = new HashMap<>(WHOLE);
        environment.put(name, value);
        assertEquals(message, Thrown.message(BadInput.class, () -> Membership.of(environment)));
    }

    @Test
    void aSecretFileMustBeThereAndSmall(@TempDir Path folder) throws Exception {
        Map<String, String> environment = new HashMap<>(WHOLE);
        environment.remove("WOK_SECRET");
        Path file = folder.resolve("secret");
        environment.put("WOK_SECRET_FILE", file.toString());
        assertEquals(
                "there is no file %s.".formatted(file),
                Thrown.message(BadInput.class, () -> Membership.of(environment)));
        Files.write(file, new byte[5000]);
        assertEquals(
                "%s (WOK_SECRET_FILE) has 5000 bytes; a secret of at most 4096 is expected.".formatted(file),
                Thrown.message(BadInput.class, () -> Membership.of(environment)));
    }
}
