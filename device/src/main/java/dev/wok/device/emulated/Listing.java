package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A PTX text as it was read, before anything is decided about it.
///
/// @param version such as `8.0`
/// @param target such as `sm_90a`
/// @param lines of the text, for messages
record Listing(String version, String target, List<Variable> variables, List<Routine> routines, List<String> lines) {

    /// Where a variable lies.
    enum Space {
        GENERIC,
        GLOBAL,
        SHARED,
        LOCAL,
        PARAM,
        CONST
    }

    /// @param bytes its size; 0 where a launch says it (`extern` shared memory)
    /// @param initial its first bytes, zeros follow; null where there is no initialiser
    record Variable(
            Space space,
            Type type,
            int align,
            String name,
            long bytes,
            byte @Nullable [] initial,
            boolean isExtern,
            int line) {}

    /// @param isEntry whether it can be launched; else it is a function
    /// @param results of a function
    /// @param blockSize what the text demands, or null
    /// @param maxThreads at most these in a block, or 0
    /// @param cluster what the text demands, or null
    /// @param slots of registers, predicates not counted
    record Routine(
            String name,
            boolean isEntry,
            List<Variable> results,
            List<Variable> parameters,
            Scope scope,
            List<Statement> body,
            int @Nullable [] blockSize,
            int maxThreads,
            int @Nullable [] cluster,
            int slots,
            int predicates,
            int line) {}

    /// One instruction.
    ///
    /// @param guard the predicate before it, or null
    /// @param opcode such as `ld`
    /// @param modifiers what follows the opcode, dots taken off
    record Statement(
            int line,
            @Nullable Guard guard,
            String opcode,
            List<String> modifiers,
            List<Operand> operands,
            Scope scope) {
        String mnemonic() {
            return modifiers.isEmpty() ? opcode : opcode + "." + String.join(".", modifiers);
        }
    }

    record Guard(String predicate, boolean isNegated) {}

    /// What an instruction works on.
    sealed interface Operand {}

    /// A register, variable or label.
    record Name(String text) implements Operand {}

    record Integer(long value) implements Operand {}

    /// @param isSingle whether it was written as the bits of a single
    record Real(double value, boolean isSingle) implements Operand {}

    record Vector(List<Operand> elements) implements Operand {}

    /// @param base a register, a variable, or a plain number
    /// @param coordinates of a tensor, or empty
    record Address(Operand base, long offset, List<Operand> coordinates) implements Operand {}

    /// Two results: `p|q`.
    record Pair(Operand first, Operand second) implements Operand {}

    record Not(Operand operand) implements Operand {}

    /// Names between braces; those inside hide those outside.
    static final class Scope {
        final @Nullable Scope parent;
        final Map<String, Register> registers = new HashMap<>();
        final Map<String, Variable> variables = new LinkedHashMap<>();
        final Map<String, java.lang.Integer> labels = new HashMap<>();

        /// Lists of labels, for branches that choose one.
        final Map<String, List<String>> targets = new HashMap<>();

        Scope(@Nullable Scope parent) {
            this.parent = parent;
        }

        @Nullable
        Register register(String name) {
            Register found = registers.get(name);
            return found != null || parent == null ? found : parent.register(name);
        }

        @Nullable
        Variable variable(String name) {
            Variable found = variables.get(name);
            return found != null || parent == null ? found : parent.variable(name);
        }

        @Nullable
        List<String> targets(String name) {
            List<String> found = targets.get(name);
            return found != null || parent == null ? found : parent.targets(name);
        }

        /// @return the index of the statement behind a label, or null
        java.lang.@Nullable Integer label(String name) {
            java.lang.Integer found = labels.get(name);
            return found != null || parent == null ? found : parent.label(name);
        }
    }

    /// @param slot its place among the registers of its routine; predicates count apart
    record Register(String name, Type type, int slot) {}

    /// @return a line's text without what surrounds it
    String text(int line) {
        return line >= 1 && line <= lines.size() ? lines.get(line - 1).strip() : "";
    }

    /// @return an error in the text itself
    PtxFault error(int line, String what) {
        String text = text(line);
        return new PtxFault(
                PtxFault.Kind.SYNTAX,
                line,
                "",
                "line %d: %s.%s".formatted(line, what, text.isEmpty() ? "" : "\n  %d | %s".formatted(line, text)));
    }
}
