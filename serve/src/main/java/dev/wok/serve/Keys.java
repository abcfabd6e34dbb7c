package dev.wok.serve;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A file of keys that clients show to a [Server], and its changes. A line a key: its name, the SHA-256
/// of the key in hexadecimal digits, and its limits, where it has some:
///
/// ```
/// alice 5e884898da28047151d0e56f8dc6292773603d0d6aabbd62a11ef721d1542d80 requests=60 texts=4
/// ```
///
/// Lines that begin with `#` and empty ones say nothing. A slow hash, as passwords need, would protect
/// nothing more: keys that [#add] makes are 256 random bits, which nobody can try out.
public final class Keys {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._@-]{1,64}");
    private static final Pattern HASH = Pattern.compile("[0-9a-fA-F]{64}");
    private static final Pattern NUMBER = Pattern.compile("[1-9][0-9]{0,8}");
    private static final int KEY_BYTES = 32;
    private static final String OWNER_ONLY = "rw-------";
    private static final long MAX_FILE_BYTES = 16 << 20;

    /// What a key may use; empty for as much as the server gives. A minute's requests or tokens may
    /// come at once, after which they come back evenly.
    ///
    /// @param requestsPerMinute requests that ask for something to be computed, 1 or more
    /// @param tokensPerMinute read and written; a text that was begun ends, and the next waits until it
    ///     was paid off
    /// @param texts that are in progress at once, waiting ones included
    public record Limits(OptionalInt requestsPerMinute, OptionalInt tokensPerMinute, OptionalInt texts) {
        public Limits {
            requirePositive("requests", requestsPerMinute);
            requirePositive("tokens", tokensPerMinute);
            requirePositive("texts", texts);
        }

        private static void requirePositive(String what, OptionalInt value) {
            if (value.isPresent() && value.getAsInt() < 1) {
                throw new BadInput("a key's limit %s=%d: expected 1 or more.".formatted(what, value.getAsInt()));
            }
        }

        /// @return none
        public static Limits none() {
            return new Limits(OptionalInt.empty(), OptionalInt.empty(), OptionalInt.empty());
        }

        private String line() {
            return part("requests", requestsPerMinute) + part("tokens", tokensPerMinute) + part("texts", texts);
        }

        private static String part(String name, OptionalInt value) {
            return value.isPresent() ? " %s=%d".formatted(name, value.getAsInt()) : "";
        }
    }

    /// Which state of the file was read.
    private record Version(
            FileTime time, long bytes, @Nullable Object id) {}

    private final Path file;
    private final Progress progress;
    private volatile List<Key> keys;
    private Optional<Version> read;

    /// @param progress is told when the file has changed
    /// @throws BadInput where it cannot be read, a line of it is wrong, or it has no key
    Keys(Path file, Progress progress) {
        this.file = file;
        this.progress = progress;
        read = seen();
        keys = parse(file, read(file));
        if (keys.isEmpty()) {
            throw new BadInput("%s has no key, so nobody could ask anything; add one with wok serve --new-key NAME."
                    .formatted(file));
        }
    }

    /// Adds a new key to a file, which is made where it is missing and which only its owner may read.
    ///
    /// @param name letters, digits, `.`, `_`, `-`, `@`; new in the file
    /// @return the key, which is nowhere else
    /// @throws BadInput where the name is none or there already, or the file is damaged or cannot be
    ///     written
    public static String add(Path file, String name, Limits limits) {
        if (!NAME.matcher(name).matches()) {
            throw new BadInput(
                    "the key's name '%s': expected 1 to 64 letters, digits, '.', '_', '-' or '@'.".formatted(name));
        }
        List<String> lines = Files.exists(file) ? new ArrayList<>(read(file)) : new ArrayList<>();
        if (parse(file, lines).stream().anyMatch(key -> key.name().equals(name))) {
            throw new BadInput(
                    "%s has a key %s already; remove its line, or choose another name.".formatted(file, name));
        }
        byte[] bits = new byte[KEY_BYTES];
        new SecureRandom().nextBytes(bits);
        String key = "wok-" + Base64.getUrlEncoder().withoutPadding().encodeToString(bits);
        lines.add("%s %s%s".formatted(name, HexFormat.of().formatHex(hash(key)), limits.line()));
        write(file, lines);
        return key;
    }

    private static void write(Path file, List<String> lines) {
        Path beside = file.resolveSibling(file.getFileName() + ".new");
        boolean posix = FileSystems.getDefault().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] attributes = posix
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(OWNER_ONLY))
                }
                : new FileAttribute<?>[0];
        try {
            Files.deleteIfExists(beside);
            try (var channel = Files.newByteChannel(
                    beside, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), attributes)) {
                var bytes = StandardCharsets.UTF_8.encode(String.join("\n", lines) + "\n");
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
            }
            Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw BadInput.writing(file, e, beside);
        }
    }

    /// @param shown by a client
    /// @return whose key that is; every key is compared in the same time
    Optional<Key> find(String shown) {
        byte[] hash = hash(shown);
        Key found = null;
        for (Key key : keys) {
            if (key.hasHash(hash)) {
                found = key;
            }
        }
        return Optional.ofNullable(found);
    }

    /// Reads the file again where it has changed. What is wrong with it is said once, and the keys stay
    /// what they were.
    synchronized void refresh() {
        Optional<Version> now = seen();
        if (now.equals(read)) {
            return;
        }
        read = now;
        try {
            List<Key> fresh = parse(file, read(file));
            keys = fresh.stream().map(this::known).toList();
            progress.say("%s has changed: %d keys".formatted(file, fresh.size()));
        } catch (BadInput e) {
            progress.say("the keys stay what they were: %s".formatted(e.getMessage()));
        }
    }

    /// @return the key with what it has used, where it stayed what it was
    private Key known(Key fresh) {
        return keys.stream().filter(fresh::isLike).findFirst().orElse(fresh);
    }

    /// @return the file's state; empty where it cannot be seen
    private Optional<Version> seen() {
        try {
            BasicFileAttributes attributes = Files.readAttributes(file, BasicFileAttributes.class);
            return Optional.of(new Version(attributes.lastModifiedTime(), attributes.size(), attributes.fileKey()));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static List<String> read(Path file) {
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw new BadInput("%s is larger than 16 MiB, expected a line a key.".formatted(file));
            }
            return Files.readAllLines(file);
        } catch (CharacterCodingException e) {
            throw new BadInput("%s is not UTF-8, expected a line a key.".formatted(file), e);
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    private static List<Key> parse(Path file, List<String> lines) {
        List<Key> keys = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            Key key = key("%s, line %d".formatted(file, i + 1), line.split("\\s+"));
            if (keys.stream().anyMatch(other -> other.name().equals(key.name()))) {
                throw new BadInput("%s, line %d: the name %s is there twice.".formatted(file, i + 1, key.name()));
            }
            keys.add(key);
        }
        return List.copyOf(keys);
    }

    private static Key key(String where, String[] words) {
        if (words.length < 2
                || !NAME.matcher(words[0]).matches()
                || !HASH.matcher(words[1]).matches()) {
            throw new BadInput(
                    "%s: expected a name, the 64 hexadecimal digits of a SHA-256, and limits such as requests=60."
                            .formatted(where));
        }
        OptionalInt requests = OptionalInt.empty();
        OptionalInt tokens = OptionalInt.empty();
        OptionalInt texts = OptionalInt.empty();
        for (int i = 2; i < words.length; i++) {
            int equals = words[i].indexOf('=');
            String digits = words[i].substring(equals + 1);
            if (!NUMBER.matcher(digits).matches()) {
                throw badLimit(where, words[i]);
            }
            OptionalInt value = OptionalInt.of(Integer.parseInt(digits));
            switch (equals < 0 ? words[i] : words[i].substring(0, equals)) {
                case "requests" -> requests = value;
                case "tokens" -> tokens = value;
                case "texts" -> texts = value;
                default -> throw badLimit(where, words[i]);
            }
        }
        return new Key(
                words[0], HexFormat.of().parseHex(words[1]), new Limits(requests, tokens, texts), System.nanoTime());
    }

    private static BadInput badLimit(String where, String word) {
        return new BadInput("%s: %s: expected requests=N or tokens=N (in a minute) or texts=N (at once), N 1 or more."
                .formatted(where, word));
    }

    private static byte[] hash(String key) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(key.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
