package dev.wok.fabric;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;

/// Environment variables that say how a rank finds its group.
record Variables(Map<String, String> environment) {
    private static final int LONGEST_SECRET = 4096;
    private static final int MOST_SECONDS = 1_000_000;

    boolean has(String name) {
        return !environment.getOrDefault(name, "").isBlank();
    }

    String text(String name) {
        String text = environment.get(name);
        if (text == null || text.isBlank()) {
            throw new BadInput(
                    "%s is not set; a rank of a group needs WOK_RANK, WOK_SIZE, WOK_RENDEZVOUS and WOK_SECRET."
                            .formatted(name));
        }
        return text.strip();
    }

    int number(String name, int least, int most) {
        String text = text(name);
        try {
            int number = Integer.parseInt(text);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException _) {
            throw wrong(name, text, least, most);
        }
        throw wrong(name, text, least, most);
    }

    Duration seconds(String name, Duration otherwise) {
        return has(name) ? Duration.ofSeconds(number(name, 1, MOST_SECONDS)) : otherwise;
    }

    Membership.Transport transport() {
        if (!has("WOK_TRANSPORT")) {
            return Membership.Transport.AUTO;
        }
        String text = text("WOK_TRANSPORT");
        return Arrays.stream(Membership.Transport.values())
                .filter(transport -> transport.name().equals(text.toUpperCase(Locale.ROOT)))
                .findFirst()
                .orElseThrow(() -> new BadInput(
                        "WOK_TRANSPORT is %s; auto, shared, unix, tcp or ucx is expected.".formatted(text)));
    }

    byte[] secret() {
        if (!has("WOK_SECRET_FILE")) {
            return text("WOK_SECRET").getBytes(StandardCharsets.UTF_8);
        }
        if (has("WOK_SECRET")) {
            throw new BadInput("WOK_SECRET and WOK_SECRET_FILE are both set; set one of them.");
        }
        Path file = Path.of(text("WOK_SECRET_FILE"));
        try {
            if (Files.size(file) > LONGEST_SECRET) {
                throw new BadInput("%s (WOK_SECRET_FILE) has %d bytes; a secret of at most %d is expected."
                        .formatted(file, Files.size(file), LONGEST_SECRET));
            }
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8)
                    .strip()
                    .getBytes(StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    private static BadInput wrong(String name, String text, int least, int most) {
        return new BadInput("%s is %s; a whole number from %d to %d is expected.".formatted(name, text, least, most));
    }
}
