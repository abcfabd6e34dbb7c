package dev.wok.emit.ptx;

import dev.wok.emit.ptx.OperandForm.Chosen;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/// A row of the table: the words of an instruction, its operands, and what it asks of the module.
record Form(String text, Modifiers modifiers, List<OperandForm> operands, Need need) {
    static Form of(String row) {
        List<String> parts = Arrays.asList(row.split("\\s+"));
        List<String> marks = parts.stream().filter(p -> p.startsWith("@")).toList();
        List<OperandForm> operands = parts.stream()
                .skip(1)
                .filter(p -> !p.startsWith("@"))
                .map(OperandForm::of)
                .toList();
        return new Form(row, Modifiers.parse(parts.getFirst()), operands, Need.of(marks));
    }

    /// What came of fitting operands to a form.
    sealed interface Fit {}

    /// @param operands as they stand in the text
    record Fits(String operands) implements Fit {}

    /// @param good how many operands were fine before that
    record Refused(int good, String complaint) implements Fit {}

    Fit fit(List<Operand> given, Chosen chosen) {
        List<OperandForm> places = new ArrayList<>(
                operands.stream().filter(o -> o.isPresent(chosen)).toList());
        int most = places.size();
        for (int i = most - 1; i >= 0 && places.size() > given.size(); i--) {
            if (places.get(i).optional()) {
                places.remove(i);
            }
        }
        if (places.size() != given.size()) {
            return new Refused(
                    0,
                    "has %d operands; expected %s%s"
                            .formatted(given.size(), places.size(), places.isEmpty() ? "" : ": " + names(places)));
        }
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < given.size(); i++) {
            String text = places.get(i).text(given.get(i), chosen);
            if (text == null) {
                return new Refused(
                        1 + i,
                        "operand %d is %s; expected %s"
                                .formatted(
                                        i + 1,
                                        Operands.describe(given.get(i)),
                                        places.get(i).expected(chosen)));
            }
            texts.add(text);
        }
        return new Fits(String.join(", ", texts));
    }

    private static String names(List<OperandForm> places) {
        return places.stream().map(OperandForm::name).collect(Collectors.joining(", "));
    }
}
