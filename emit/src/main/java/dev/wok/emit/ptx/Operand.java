package dev.wok.emit.ptx;

import java.util.ArrayList;
import java.util.List;

/// What an instruction works on. Plain Java numbers are operands too: an `int` or `long` for
/// integers and bits, a `float` for 32-bit and a `double` for 64-bit floating point; and an array
/// of registers is a vector.
public sealed interface Operand
        permits Reg, Not, Imm, Vec, Address, Symbol, Special, Pair, TensorPlace, Label, Operand.Sink {

    /// Where a result goes that nobody wants, written `_`.
    Operand NOWHERE = new Sink();

    /// The operand `_`.
    record Sink() implements Operand {
        @Override
        public String toString() {
            return "_";
        }
    }

    static Operand of(Object given) {
        return switch (given) {
            case Operand o -> o;
            case Integer _, Long _, Float _, Double _ -> new Imm((Number) given);
            case Object[] all -> new Vec(all(all));
            default ->
                throw Caller.error("%s, a %s, is no operand; expected a register, an address, a number or a vector"
                        .formatted(given, given.getClass().getSimpleName()));
        };
    }

    static List<Operand> all(Object... given) {
        List<Operand> operands = new ArrayList<>();
        for (Object one : given) {
            operands.add(of(one));
        }
        return List.copyOf(operands);
    }

    /// @return what it is, for messages
    static String describe(Operand operand) {
        return switch (operand) {
            case Reg r -> "%s, a %s register".formatted(r, r.type());
            case Not n -> "%s, a negated predicate".formatted(n);
            case Imm i -> "%s, a Java %s".formatted(i.value(), i.kind());
            case Vec v -> "%s, a vector of %d".formatted(v, v.elements().size());
            case Address a -> "%s, an address".formatted(a);
            case Symbol s -> "%s, a variable in %s".formatted(s, s.space());
            case Special s -> "%s, a special register".formatted(s);
            case Pair p -> "%s, a pair".formatted(p);
            case TensorPlace t -> "%s, a place in a tensor".formatted(t);
            case Label l -> "%s, a label".formatted(l);
            case Sink _ -> "_, no place";
        };
    }
}
