package dev.wok.generate;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// What [Flow] says, read naively: all ways to read some tokens as the parts.
final class FlowOracle {
    private final List<byte[]> vocabulary;
    private final Set<Integer> stops;

    /// The texts of each value.
    private final Map<Flow, List<String>> values;

    private final int[] ids;

    /// Whether more tokens can follow.
    private boolean goesOn;

    private boolean mayEnd;

    /// Before a byte of a token.
    private record At(int token, int at) {}

    private FlowOracle(List<byte[]> vocabulary, Set<Integer> stops, Map<Flow, List<String>> values, int[] ids) {
        this.vocabulary = vocabulary;
        this.stops = stops;
        this.values = values;
        this.ids = ids;
    }

    record Verdict(boolean goesOn, boolean mayEnd) {
        boolean isAllowed() {
            return goesOn || mayEnd;
        }
    }

    static Verdict of(
            List<byte[]> vocabulary, Set<Integer> stops, Map<Flow, List<String>> values, Flow flow, int[] ids) {
        FlowOracle oracle = new FlowOracle(vocabulary, stops, values, ids);
        boolean ends = oracle.read(flow, new At(0, 0)).contains(new At(ids.length, 0));
        return new Verdict(oracle.goesOn, oracle.mayEnd || ends);
    }

    /// @return where the flow may end
    private Set<At> read(Flow flow, At from) {
        return switch (flow) {
            case Flow.Given(String text) -> given(text.getBytes(StandardCharsets.UTF_8), from);
            case Flow.Id(int id) -> one(id, from);
            case Flow.Choice(List<Flow> parts) -> {
                Set<At> ends = new HashSet<>();
                parts.forEach(part -> ends.addAll(read(part, from)));
                yield ends;
            }
            case Flow.Sequence(List<Flow> parts) -> {
                Set<At> ends = Set.of(from);
                for (Flow part : parts) {
                    ends = each(part, ends);
                }
                yield ends;
            }
            case Flow.Repeat(Flow part) -> {
                Set<At> ends = new HashSet<>(Set.of(from));
                while (ends.addAll(each(part, ends))) {}
                yield ends;
            }
            case Flow.Free free -> free(free, from);
            case Json _ -> throw new AssertionError("within a constraint only");
            case Constraint constraint -> value(values.getOrDefault(constraint, List.of()), from);
        };
    }

    private Set<At> each(Flow flow, Set<At> from) {
        Set<At> ends = new HashSet<>();
        from.forEach(at -> ends.addAll(read(flow, at)));
        return ends;
    }

    private Set<At> one(int id, At from) {
        if (from.at > 0) {
            return Set.of();
        }
        if (from.token == ids.length) {
            goesOn = true;
            return Set.of();
        }
        return ids[from.token] == id ? Set.of(new At(from.token + 1, 0)) : Set.of();
    }

    private Set<At> given(byte[] text, At from) {
        At at = from;
        for (byte b : text) {
            if (at.token == ids.length) {
                goesOn = true;
                return Set.of();
            }
            byte[] token = vocabulary.get(ids[at.token]);
            if (stops.contains(ids[at.token]) || token.length == 0 || token[at.at] != b) {
                return Set.of();
            }
            at = at.at + 1 < token.length ? new At(at.token, at.at + 1) : new At(at.token + 1, 0);
        }
        return Set.of(at);
    }

    private Set<At> value(List<String> texts, At from) {
        Set<At> ends = new HashSet<>();
        String text = "";
        for (int token = from.token; from.at == 0; token++) {
            String read = text;
            if (texts.contains(read)) {
                ends.add(new At(token, 0));
            }
            if (texts.stream().noneMatch(t -> t.startsWith(read) && !t.equals(read))) {
                return ends;
            }
            if (token == ids.length) {
                goesOn = true;
                return ends;
            }
            byte[] bytes = vocabulary.get(ids[token]);
            if (stops.contains(ids[token]) || bytes.length == 0) {
                return ends;
            }
            text += new String(bytes, StandardCharsets.ISO_8859_1);
        }
        return ends;
    }

    private Set<At> free(Flow.Free free, At from) {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        for (int count = 0; from.at == 0; count++) {
            int token = from.token + count;
            boolean end = token == ids.length;
            mayEnd |= end && free.mayEnd();
            int most = free.most().orElse(Integer.MAX_VALUE);
            if (count >= most && (missing(text.toByteArray()) == 0 || count >= most + 3)) {
                return forced(free, text.toByteArray(), new At(token, 0));
            }
            if (end) {
                goesOn = true;
                return Set.of();
            }
            Set<At> ends = new HashSet<>();
            int id = ids[token];
            boolean trigger = false;
            for (Flow.Until until : free.ends()) {
                if (until.trigger().equals(Flow.token(id))) {
                    trigger = true;
                    ends.addAll(read(until.then(), new At(token + 1, 0)));
                }
            }
            if (trigger || stops.contains(id)) {
                return ends;
            }
            for (byte b : vocabulary.get(id)) {
                if (trigger) {
                    return Set.of();
                }
                text.write(b);
                for (Flow.Until until : free.ends()) {
                    trigger |=
                            until.trigger() instanceof Flow.Given given && endsWith(text.toByteArray(), bytes(given));
                }
            }
            if (trigger) {
                for (Flow.Until until : free.ends()) {
                    if (until.trigger() instanceof Flow.Given given && endsWith(text.toByteArray(), bytes(given))) {
                        ends.addAll(read(until.then(), new At(token + 1, 0)));
                    }
                }
                return ends;
            }
        }
        return Set.of();
    }

    private Set<At> forced(Flow.Free free, byte[] text, At at) {
        Set<At> ends = new HashSet<>();
        for (Flow.Until until : free.ends()) {
            Set<At> triggered = switch (until.trigger()) {
                case Flow.Id(int id) -> one(id, at);
                case Flow.Given given -> {
                    byte[] bytes = bytes(given);
                    int begun = bytes.length;
                    while (!endsWith(text, Arrays.copyOf(bytes, begun))) {
                        begun--;
                    }
                    yield given(Arrays.copyOfRange(bytes, begun, bytes.length), at);
                }
            };
            ends.addAll(each(until.then(), triggered));
        }
        return ends;
    }

    private static byte[] bytes(Flow.Given given) {
        return given.text().getBytes(StandardCharsets.UTF_8);
    }

    private static boolean endsWith(byte[] text, byte[] end) {
        int from = text.length - end.length;
        return from >= 0 && Arrays.equals(text, from, text.length, end, 0, end.length);
    }

    /// How many bytes the last character lacks.
    private static int missing(byte[] text) {
        int lead = text.length - 1;
        while (lead >= 0 && (text[lead] & 0xC0) == 0x80) {
            lead--;
        }
        if (lead < 0) {
            return 0;
        }
        int first = text[lead] & 0xFF;
        int length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF8 ? 4 : 1;
        return Math.max(0, length - (text.length - lead));
    }
}
