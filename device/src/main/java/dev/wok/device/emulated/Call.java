package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.emulated.Listing.Address;
import dev.wok.device.emulated.Listing.Name;
import dev.wok.device.emulated.Listing.Not;
import dev.wok.device.emulated.Listing.Operand;
import dev.wok.device.emulated.Listing.Pair;
import dev.wok.device.emulated.Listing.Real;
import dev.wok.device.emulated.Listing.Register;
import dev.wok.device.emulated.Listing.Space;
import dev.wok.device.emulated.Listing.Statement;
import dev.wok.device.emulated.Listing.Vector;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One instruction while it is decoded: hands out its modifiers in their order and its operands by what they must be,
/// and refuses what does not fit.
final class Call {
    /// The sink `_`: a result that nobody wants.
    static final int NOBODY = -1;

    final Statement statement;
    private final Decoder decoder;
    private int taken;

    Call(Decoder decoder, Statement statement) {
        this.decoder = decoder;
        this.statement = statement;
    }

    // ------------------------------------------------------------------------------------------------ modifiers

    /// @return whether this modifier stands next; then it is taken
    boolean take(String modifier) {
        boolean isNext = taken < statement.modifiers().size()
                && statement.modifiers().get(taken).equals(modifier);
        taken += isNext ? 1 : 0;
        return isNext;
    }

    /// @return which of these stands next and is taken, or null
    @Nullable
    String takeOne(List<String> modifiers) {
        for (String modifier : modifiers) {
            if (take(modifier)) {
                return modifier;
            }
        }
        return null;
    }

    @Nullable
    String takeOne(String... modifiers) {
        return takeOne(List.of(modifiers));
    }

    /// @return which of these stands next, which must be one
    String need(String... modifiers) {
        String found = takeOne(modifiers);
        if (found == null) {
            throw error("expected one of ." + String.join(", .", modifiers) + next());
        }
        return found;
    }

    private String next() {
        return taken < statement.modifiers().size()
                ? ", not ." + statement.modifiers().get(taken)
                : "";
    }

    /// @return the modifier that is next, or nothing
    String peek() {
        return taken < statement.modifiers().size() ? statement.modifiers().get(taken) : "";
    }

    void skip() {
        taken++;
    }

    @Nullable
    Type takeType() {
        Type type = Type.of(peek());
        taken += type == null ? 0 : 1;
        return type;
    }

    Type type() {
        Type type = takeType();
        if (type == null) {
            throw error("expected a type" + next());
        }
        return type;
    }

    /// @return a type that must be one of these
    Type type(Type... types) {
        Type type = type();
        if (!List.of(types).contains(type)) {
            throw error("%s does not come in .%s".formatted(statement.opcode(), type.text()));
        }
        return type;
    }

    /// Takes a rounding where one stands next.
    Rounding rounding(Rounding usual) {
        Rounding rounding = Rounding.FLOATS.contains(peek()) ? Rounding.of(peek()) : null;
        if (rounding == null) {
            return usual;
        }
        taken++;
        return rounding;
    }

    /// Says that all modifiers are taken.
    void end() {
        if (taken < statement.modifiers().size()) {
            throw error("'.%s' is not known here, in %s"
                    .formatted(statement.modifiers().get(taken), statement.mnemonic()));
        }
    }

    // ------------------------------------------------------------------------------------------------ operands

    int count() {
        return statement.operands().size();
    }

    Operand operand(int index) {
        if (index >= count()) {
            throw error("%s needs more operands than the %d here".formatted(statement.mnemonic(), count()));
        }
        return statement.operands().get(index);
    }

    void count(int least, int most) {
        if (count() < least || count() > most) {
            throw error("%s has %d operands, not %d"
                    .formatted(statement.mnemonic(), least == most ? least : most, count()));
        }
    }

    void count(int operands) {
        count(operands, operands);
    }

    /// @return what is read as a value of a type
    Value read(int index, Type type) {
        return read(operand(index), type, false);
    }

    /// @return as [#read], where a register may be wider than the type
    Value readWide(int index, Type type) {
        return read(operand(index), type, true);
    }

    Value read(Operand operand, Type type, boolean mayBeWider) {
        return switch (operand) {
            case Name(String name) -> {
                Register register = decoder.register(statement, name);
                if (register != null) {
                    if (register.slot() < 0) {
                        throw error("%s changes while threads run: mov reads it".formatted(name));
                    }
                    requireFit(register, type, mayBeWider);
                    decoder.noteRead(register);
                    yield Value.register(register.slot());
                }
                yield Value.of(decoder.address(statement, name));
            }
            case Listing.Integer _, Real _ -> Value.of(Operands.bits(operand, type));
            case Address(Name(String name), long offset, List<Operand> none)
            when none.isEmpty() -> Value.of(decoder.address(statement, name) + offset);
            case Vector _, Address _, Pair _, Not _ -> throw error("a register or number is expected");
        };
    }

    /// @return the slot of the register that is written, or [#NOBODY]
    int write(int index, Type type) {
        return write(operand(index), type, false);
    }

    int writeWide(int index, Type type) {
        return write(operand(index), type, true);
    }

    int write(Operand operand, Type type, boolean mayBeWider) {
        if (!(operand instanceof Name(String name))) {
            throw error("a register is expected for the result");
        }
        Register register = decoder.register(statement, name);
        if (register == null || decoder.isSpecial(name)) {
            throw error("no register %s is declared".formatted(name));
        }
        requireFit(register, type, mayBeWider);
        decoder.noteWrite(register);
        return register.slot();
    }

    /// As [#write], where `_` says that nobody wants the result.
    int writeOrNobody(Operand operand, Type type, boolean mayBeWider) {
        return isNobody(operand) ? NOBODY : write(operand, type, mayBeWider);
    }

    static boolean isNobody(Operand operand) {
        return operand instanceof Name(String name) && name.equals("_");
    }

    private void requireFit(Register register, Type type, boolean mayBeWider) {
        boolean fits = register.type().holds(type)
                || mayBeWider
                        && register.type().bits > type.bits
                        && register.type() != Type.PRED
                        && type != Type.PRED
                        && (register.type().kind == Type.Kind.BITS
                                || register.type().isInteger() && type.kind != Type.Kind.FLOAT);
        if (!fits) {
            throw error("%s is a .%s register, and %s needs .%s"
                    .formatted(register.name(), register.type().text(), statement.mnemonic(), type.text()));
        }
    }

    /// @return the slot of a predicate that is written, or [#NOBODY]
    int writePredicate(Operand operand) {
        return isNobody(operand) ? NOBODY : predicate(operand);
    }

    /// @return the slot of a predicate
    int predicate(Operand operand) {
        if (operand instanceof Name(String name)) {
            Register register = decoder.register(statement, name);
            if (register != null && register.type() == Type.PRED) {
                return register.slot();
            }
        }
        throw error("a predicate is expected");
    }

    /// A predicate that may stand behind an exclamation mark, or be the number 0 or 1.
    ///
    /// @param constant the value where `slot` is -1
    record Flag(int slot, boolean isNegated, int constant) {
        int at(Warp warp) {
            int lanes = slot < 0 ? constant : warp.predicates[slot];
            return isNegated ? ~lanes : lanes;
        }
    }

    Flag flag(Operand operand) {
        return switch (operand) {
            case Not(Operand inner) -> {
                Flag flag = flag(inner);
                yield new Flag(flag.slot, !flag.isNegated, flag.constant);
            }
            case Listing.Integer(long value) -> new Flag(-1, false, value == 0 ? 0 : -1);
            case Name _ -> new Flag(predicate(operand), false, 0);
            case Real _, Vector _, Address _, Pair _ -> throw error("a predicate is expected");
        };
    }

    /// Memory that an operand names.
    ///
    /// @param base a register or a constant
    /// @param isNarrow whether the address has 32 bits
    record Place(Value base, long offset, boolean isNarrow) {
        /// @return whether the text alone says where it is
        boolean isFixed() {
            return base.slot() < 0;
        }

        long at(Warp warp, int lane) {
            long address = base.at(warp, lane) + offset;
            return isNarrow ? address & 0xFFFF_FFFFL : address;
        }
    }

    /// @param space in which names are looked up
    Place place(int index, Space space) {
        return place(operand(index), space);
    }

    Place place(Operand operand, Space space) {
        if (!(operand instanceof Address(Operand base, long offset, List<Operand> _))) {
            throw error("an address in brackets is expected");
        }
        if (base instanceof Name(String name)) {
            Register register = decoder.register(statement, name);
            if (register != null) {
                if (register.type().bits != 64 && !(register.type().bits == 32 && space != Space.GLOBAL)) {
                    throw error("%s is a .%s register; an address has 64 bits, in shared memory 32 too"
                            .formatted(name, register.type().text()));
                }
                decoder.noteRead(register);
                return new Place(Value.register(register.slot()), offset, register.type().bits == 32);
            }
            return new Place(Value.of(decoder.addressIn(statement, name, space)), offset, false);
        }
        return new Place(read(base, Type.U64, false), offset, false);
    }

    List<Operand> vector(int index) {
        return operand(index) instanceof Vector(List<Operand> elements) ? elements : List.of(operand(index));
    }

    /// @return slots that are written, of a vector of a length
    int[] writeVector(int index, Type type, int length, boolean mayBeWider) {
        List<Operand> elements = vector(index);
        requireLength(elements, length);
        return elements.stream()
                .mapToInt(e -> writeOrNobody(e, type, mayBeWider))
                .toArray();
    }

    Value[] readVector(int index, Type type, int length, boolean mayBeWider) {
        List<Operand> elements = vector(index);
        requireLength(elements, length);
        List<Value> values = new ArrayList<>();
        elements.forEach(e -> values.add(read(e, type, mayBeWider)));
        return values.toArray(Value[]::new);
    }

    private void requireLength(List<Operand> elements, int length) {
        if (elements.size() != length) {
            throw error("%s needs %d registers between braces, not %d"
                    .formatted(statement.mnemonic(), length, elements.size()));
        }
    }

    /// @return a number that the text holds
    long constant(int index) {
        if (operand(index) instanceof Listing.Integer(long value)) {
            return value;
        }
        throw error("operand %d must be a number".formatted(index + 1));
    }

    int label(int index) {
        if (operand(index) instanceof Name(String name)) {
            Integer target = decoder.label(statement, name);
            if (target != null) {
                return target;
            }
            throw error("no label %s".formatted(name));
        }
        throw error("a label is expected");
    }

    /// @return the instructions that a list of labels names
    int[] targets(int index) {
        List<String> labels =
                operand(index) instanceof Name(String name) ? statement.scope().targets(name) : null;
        if (labels == null) {
            throw error("a list of .branchtargets is expected");
        }
        int[] targets = new int[labels.size()];
        for (int i = 0; i < targets.length; i++) {
            Integer target = decoder.label(statement, labels.get(i));
            if (target == null) {
                throw error("no label %s".formatted(labels.get(i)));
            }
            targets[i] = target;
        }
        return targets;
    }

    Decoder decoder() {
        return decoder;
    }

    PtxFault error(String what) {
        return decoder.error(statement, what);
    }

    PtxFault unknown() {
        return error("the emulator does not know %s".formatted(statement.mnemonic()));
    }
}
