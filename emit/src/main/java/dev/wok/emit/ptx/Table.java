package dev.wok.emit.ptx;

import dev.wok.emit.ptx.Form.Fits;
import dev.wok.emit.ptx.Form.Refused;
import dev.wok.emit.ptx.OperandForm.Chosen;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Every form of every instruction, read once from `forms.txt`.
final class Table {
    private static final String FILE = "forms.txt";

    private static final Pattern LET = Pattern.compile("\\$\\w+");

    static final Table ALL = read();

    private final Map<String, List<Form>> forms = new LinkedHashMap<>();
    private final Map<String, Need> words = new LinkedHashMap<>();

    /// An instruction that is right: its text and what it asks of the module.
    record Found(String text, Need need) {}

    private static Table read() {
        try (InputStream in = Table.class.getResourceAsStream(FILE)) {
            if (in == null) {
                throw new IllegalStateException("%s is missing beside %s".formatted(FILE, Table.class.getName()));
            }
            return new Table(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Table(String text) {
        Map<String, String> lets = new LinkedHashMap<>();
        for (String line : text.split("\n")) {
            String plain = line.replaceFirst("//.*", "").strip();
            if (plain.isEmpty()) {
                continue;
            }
            if (plain.startsWith("let ")) {
                String[] parts = plain.split("\\s+", 4);
                lets.put(parts[1], replaced(parts[3], lets));
                continue;
            }
            String row = replaced(plain, lets);
            if (row.startsWith("word ")) {
                List<String> parts = Arrays.asList(row.split("\\s+"));
                List<String> marks =
                        parts.stream().filter(p -> p.startsWith("@")).toList();
                parts.stream().skip(1).filter(p -> !p.startsWith("@")).forEach(w -> words.put(w, Need.of(marks)));
            } else {
                Form form = Form.of(row);
                form.modifiers()
                        .names()
                        .forEach(n ->
                                forms.computeIfAbsent(n, _ -> new ArrayList<>()).add(form));
            }
        }
    }

    private static String replaced(String text, Map<String, String> lets) {
        return LET.matcher(text).replaceAll(m -> {
            String value = lets.get(m.group());
            if (value == null) {
                throw new IllegalStateException("the table of forms: no let has said what %s is".formatted(m.group()));
            }
            return Matcher.quoteReplacement(value);
        });
    }

    List<Form> forms() {
        return forms.values().stream().flatMap(List::stream).distinct().toList();
    }

    /// @return what a form with these words asks of the module
    Need need(Form form, List<String> words) {
        Need need = form.need();
        for (String word : words) {
            need = need.and(this.words.getOrDefault(word, Need.NONE));
        }
        return need;
    }

    /// Finds the form of an instruction.
    ///
    /// @param instruction its words, such as `fma.rn.f32`
    /// @throws IllegalArgumentException where there is none; the message begins with the caller's
    ///     line
    Found find(String instruction, List<Operand> given, Target target) {
        List<String> words = List.of(instruction.split("\\."));
        List<Form> rows = forms.get(words.getFirst());
        if (rows == null) {
            throw Caller.error("%s: no instruction is called %s".formatted(instruction, words.getFirst()));
        }
        Modifiers.Trace trace = new Modifiers.Trace();
        Refused best = new Refused(-1, "");
        Need missing = null;
        for (Form row : rows) {
            Map<String, String> names = row.modifiers().match(words, trace);
            if (names == null) {
                continue;
            }
            switch (row.fit(given, new Chosen(words, names))) {
                case Fits fits -> {
                    Need need = needOf(row, words, given);
                    if (need.isMetBy(target)) {
                        return new Found((instruction + " " + fits.operands()).strip(), need);
                    }
                    missing = missing == null ? need : missing;
                }
                case Refused refused -> best = refused.good() > best.good() ? refused : best;
            }
        }
        String text = instruction + (given.isEmpty() ? "" : " " + String.join(", ", texts(given)));
        if (missing != null) {
            throw Caller.error("%s: needs %s; the module is for %s".formatted(text, missing.targets(), target));
        }
        throw Caller.error(text + ": " + (best.good() < 0 ? trace.complaint(words) : best.complaint()));
    }

    private Need needOf(Form row, List<String> words, List<Operand> given) {
        Need need = need(row, words);
        for (Operand operand : given) {
            if (operand instanceof Special s) {
                need = need.and(s.need);
            }
        }
        return need;
    }

    private static List<String> texts(List<Operand> given) {
        return given.stream().map(Object::toString).toList();
    }
}
