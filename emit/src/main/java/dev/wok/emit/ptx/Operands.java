package dev.wok.emit.ptx;

import java.util.ArrayList;
import java.util.List;

/// What authors give, as operands, and operands as messages name them.
final class Operands {
    private Operands() {}

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
            case Nowhere _ -> "_, no place";
        };
    }
}
