package dev.wok.emit.ptx;

import dev.wok.emit.ptx.OperandForm.Chosen;
import dev.wok.emit.ptx.OperandForm.Constant;
import dev.wok.emit.ptx.OperandForm.PairKind;
import dev.wok.emit.ptx.OperandForm.Place;
import dev.wok.emit.ptx.OperandForm.Tensor;
import dev.wok.emit.ptx.OperandForm.Value;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Operands for forms, in a kernel of their own.
final class Samples {
    private final Ptx module;
    private final PtxKernel kernel;
    private final Map<String, Reg> registers = new HashMap<>();
    private final Map<Space, Symbol> symbols = new HashMap<>();
    private @Nullable Label label;

    Samples(Ptx module, PtxKernel kernel) {
        this.module = module;
        this.kernel = kernel;
    }

    PtxKernel kernel() {
        return kernel;
    }

    /// @param every whether each operand takes each of its shapes once, or all of them their first
    /// @return lists of operands that the form takes
    List<Object[]> of(Form form, Chosen chosen, boolean every) {
        List<OperandForm> places =
                form.operands().stream().filter(o -> o.isPresent(chosen)).toList();
        List<List<Object>> shapes = new ArrayList<>();
        for (int i = 0; i < places.size(); i++) {
            shapes.add(shapes(places.get(i), chosen, i));
        }
        List<Object[]> all = new ArrayList<>();
        all.add(shapes.stream().map(List::getFirst).toArray());
        for (int i = 0; i < places.size() && every; i++) {
            for (Object shape : shapes.get(i).subList(1, shapes.get(i).size())) {
                Object[] next = all.getFirst().clone();
                next[i] = shape;
                all.add(next);
            }
        }
        List<Object[]> shorter = new ArrayList<>();
        for (int i = 0; i < places.size(); i++) {
            if (places.get(i).optional()) {
                List<Object> next = new ArrayList<>(Arrays.asList(all.getFirst()));
                next.remove(i);
                shorter.add(next.toArray());
            }
        }
        all.addAll(shorter);
        return all;
    }

    private List<Object> shapes(OperandForm place, Chosen chosen, int at) {
        return switch (place.kind()) {
            case Value v -> values(v, chosen, at);
            case Place p -> places(chosen.space(p.space()));
            case Tensor t -> {
                Object[] coordinates = new Object[chosen.count(t.dimensions())];
                Arrays.setAll(coordinates, i -> i == 1 ? 8 : register(Type.S32, i));
                yield List.of(Ptx.tensor(register(Type.U64, at), coordinates));
            }
            case OperandForm.Base b -> {
                Space space = chosen.space(b.space());
                yield List.of(register(b.register(), at), symbol(space.isShort() ? Space.SHARED : space));
            }
            case Constant c -> numbers(c.ranges());
            case OperandForm.Nothing _ -> List.of(Operand.NOWHERE);
            case OperandForm.Target _ -> {
                if (label == null) {
                    label = kernel.label("here");
                    kernel.bind(label);
                }
                yield List.of(label);
            }
        };
    }

    private List<Object> values(Value form, Chosen chosen, int at) {
        Type type = chosen.type(form.type());
        int count = chosen.count(form.count());
        List<Object> singles = new ArrayList<>();
        singles.add(register(ownRegister(type), 10 * at));
        for (Type other : Type.values()) {
            if (form.takes(other, type) && other.bits != 8 && other != type) {
                singles.add(register(other, 10 * at));
            }
        }
        if (form.numbers() != null) {
            singles.addAll(numbers(form.numbers()));
        } else if (form.is(':')) {
            for (Number number : List.of(1, -1, 1.5f, 1.5)) {
                if (new Imm(number).fits(type)) {
                    singles.add(number);
                }
            }
        }
        if (form.is('-')) {
            singles.add(register(Type.PRED, 10 * at).not());
        }
        if (form.is('~')) {
            for (Special special : Special.values()) {
                if (type.takes(special.type, false)) {
                    singles.add(special);
                }
            }
            if (type.kind != Type.Kind.FLOAT && type.bits == 64) {
                singles.add(symbol(Space.GLOBAL));
                singles.add(symbol(Space.SHARED));
            } else if (type.kind != Type.Kind.FLOAT && type.bits == 32) {
                singles.add(symbol(Space.SHARED));
            }
        }
        if (form.is('_')) {
            singles.add(Operand.NOWHERE);
        }
        List<Object> shapes = new ArrayList<>(
                count == 0
                        ? singles
                        : singles.stream().map(s -> vector(s, type, count, at)).toList());
        Reg p = register(Type.PRED, 10 * at + 7);
        if (form.pair() == PairKind.MUST) {
            shapes.replaceAll(s -> Ptx.pair((Operand) s, p));
        } else if (form.pair() == PairKind.MAY) {
            shapes.add(Ptx.pair((Operand) shapes.getFirst(), p));
        }
        return shapes;
    }

    private static List<Object> numbers(OperandForm.Ranges ranges) {
        List<Object> all = new ArrayList<>();
        for (long[] range : ranges.all()) {
            all.add(range[0]);
            if (range[1] > range[0]) {
                all.add(range[1]);
            }
        }
        return all;
    }

    private Object vector(Object first, Type type, int count, int at) {
        Object[] all = new Object[count];
        Type each = first instanceof Reg r ? r.type() : ownRegister(type);
        Arrays.setAll(all, i -> i == 0 ? first : register(each, 1000 * (at + 1) + i));
        return Ptx.vec(all);
    }

    private static Type ownRegister(Type type) {
        return type.bits == 8 ? Type.U16 : type;
    }

    private List<Object> places(Space space) {
        List<Object> all = new ArrayList<>();
        all.add(register(space.isShort() ? Type.U32 : Type.U64, 91).at(16));
        all.add(register(Type.U64, 91).at(-16));
        if (space != Space.GENERIC) {
            all.add(symbol(space.isShort() ? Space.SHARED : space).at(16));
        }
        return all;
    }

    private Symbol symbol(Space space) {
        return symbols.computeIfAbsent(space, _ -> switch (space) {
            case GLOBAL -> module.global("g_" + kernel.name(), Type.B8, 64, 16);
            case CONST -> module.constant("c_" + kernel.name(), Type.B32, 16, new int[16]);
            case LOCAL -> kernel.local("l", Type.B8, 64, 16);
            case PARAM -> kernel.paramArray("a", Type.B8, 64, 16);
            default -> kernel.shared("s", Type.B8, 64, 16);
        });
    }

    private Reg register(Type type, int number) {
        return registers.computeIfAbsent(type.word() + "_r" + number, name -> kernel.reg(type, name));
    }
}
