package dev.wok.emit.ptx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What may stand in one place of a form. See the notes at the top of `forms.txt` for how they are
/// written.
///
/// @param name for messages
/// @param when the modifier that this operand comes with; null for one that always stands there
/// @param optional whether it may be left out
record OperandForm(String name, Kind kind, @Nullable String when, boolean optional) {
    sealed interface Kind {}

    /// A number in a register or in the text.
    ///
    /// @param type a type, or the name of the choice that says it
    /// @param count how many in a vector: a number, or a choice's name and a divisor; null for no
    ///     vector
    /// @param flags of what is special about it, see [#of]
    /// @param numbers which ones the text may have; null for any of the type
    record Value(
            String type,
            @Nullable String count,
            Set<Character> flags,
            PairKind pair,
            @Nullable Ranges numbers) implements Kind {
        boolean takes(Type register, Type type) {
            return is('+') ? register == type : type.takes(register, is('^'));
        }

        boolean is(char flag) {
            return flags.contains(flag);
        }
    }

    enum PairKind {
        NO,
        MAY,
        MUST
    }

    /// @param space a state space, or the name of the choice that says it
    record Place(String space) implements Kind {}

    /// An address without brackets around it.
    ///
    /// @param space a state space, or the name of the choice that says it
    /// @param register what holds it
    record Base(String space, Type register) implements Kind {}

    /// @param dimensions the name of the choice that says how many
    record Tensor(String dimensions) implements Kind {}

    record Constant(Ranges ranges) implements Kind {}

    /// The operand `_`, and nothing else.
    record Nothing() implements Kind {}

    /// Integers, such as `4,8,16` or `32..1024/32`.
    record Ranges(List<long[]> all) {
        private static final Pattern RANGE = Pattern.compile("(-?\\d+)(?:\\.\\.(-?\\d+))?(?:/(\\d+))?");

        static Ranges of(String text) {
            List<long[]> all = new ArrayList<>();
            for (String range : text.split(",")) {
                Matcher m = RANGE.matcher(range);
                if (!m.matches()) {
                    throw new IllegalStateException("the table of forms: cannot read the range " + range);
                }
                long first = Long.parseLong(m.group(1));
                all.add(new long[] {
                    first,
                    m.group(2) == null ? first : Long.parseLong(m.group(2)),
                    m.group(3) == null ? 1 : Long.parseLong(m.group(3))
                });
            }
            return new Ranges(all);
        }

        boolean has(Operand given) {
            return given instanceof Imm i && i.isInteger() && has(i.value().longValue());
        }

        private boolean has(long number) {
            return all.stream().anyMatch(r -> r[0] <= number && number <= r[1] && (number - r[0]) % r[2] == 0);
        }

        @Override
        public String toString() {
            return Modifiers.or(all.stream().map(Ranges::text).toList());
        }

        private static String text(long[] r) {
            return r[0] == r[1] ? "" + r[0] : r[0] + " to " + r[1] + (r[2] == 1 ? "" : " in steps of " + r[2]);
        }
    }

    record Target() implements Kind {}

    /// What an instruction's words say.
    ///
    /// @param names the words that have names
    record Chosen(List<String> words, Map<String, String> names) {
        String word(String nameOrWord) {
            return names.getOrDefault(nameOrWord, nameOrWord);
        }

        Type type(String nameOrWord) {
            return Type.of(word(nameOrWord));
        }

        Space space(String nameOrWord) {
            return isChoice(nameOrWord) && !names.containsKey(nameOrWord) ? Space.GENERIC : Space.of(word(nameOrWord));
        }

        /// @return how many, or 0 for no vector
        int count(@Nullable String formula) {
            if (formula == null) {
                return 0;
            }
            String[] parts = formula.split("/");
            if (isChoice(parts[0]) && !names.containsKey(parts[0])) {
                return 0;
            }
            Matcher number = NUMBER.matcher(word(parts[0]).replaceFirst("^m\\d+n", ""));
            if (!number.find()) {
                throw new IllegalStateException("the table of forms: no number in " + word(parts[0]));
            }
            return Integer.parseInt(number.group()) / (parts.length == 1 ? 1 : Integer.parseInt(parts[1]));
        }

        private static boolean isChoice(String name) {
            return Character.isUpperCase(name.charAt(0));
        }
    }

    private static final Pattern NUMBER = Pattern.compile("\\d+");
    private static final Pattern TEXT = Pattern.compile("\\[?(\\w+)([=:!@#&])(.*?)]?(?:\\?([\\w:.]*))?");
    private static final Pattern VALUE =
            Pattern.compile("(\\w+?)([\\^~_+-]*)(?:\\(([^|]*)\\))?(?:\\*([\\w/]+))?(\\|p|\\|\\(p\\))?");

    static OperandForm of(String text) {
        Matcher m = TEXT.matcher(text);
        if (!m.matches()) {
            throw new IllegalStateException("the table of forms: cannot read the operand " + text);
        }
        String rest = m.group(3);
        char mark = m.group(2).charAt(0);
        Kind kind = switch (mark) {
            case '@' ->
                rest.equals("label")
                        ? new Target()
                        : rest.equals("_")
                                ? new Nothing()
                                : rest.startsWith("tensor*") ? new Tensor(rest.substring(7)) : new Place(rest);
            case '&' -> new Base(rest.replaceFirst("\\*32$", ""), rest.endsWith("*32") ? Type.U32 : Type.U64);
            case '#' -> new Constant(Ranges.of(rest));
            default -> value(mark, rest);
        };
        String when = m.group(4);
        return new OperandForm(m.group(1), kind, when == null || when.isEmpty() ? null : when, "".equals(when));
    }

    private static Kind value(char mark, String text) {
        Matcher m = VALUE.matcher(text);
        if (!m.matches()) {
            throw new IllegalStateException("the table of forms: cannot read the value " + text);
        }
        Set<Character> flags = new java.util.HashSet<>();
        flags.add(mark);
        m.group(2).chars().forEach(c -> flags.add((char) c));
        String second = m.group(5);
        PairKind pair = second == null ? PairKind.NO : second.equals("|p") ? PairKind.MUST : PairKind.MAY;
        Ranges numbers = m.group(3) == null ? null : Ranges.of(m.group(3));
        return new Value(m.group(1), m.group(4), flags, pair, numbers);
    }

    boolean isPresent(Chosen chosen) {
        return when == null || chosen.words.contains(when);
    }

    /// @return what stands there in the text; null where the operand does not fit, see [#expected]
    @Nullable
    String text(Operand given, Chosen chosen) {
        return switch (kind) {
            case Value v -> value(v, given, chosen);
            case Place p -> place(chosen.space(p.space), given);
            case Base b -> base(b, chosen.space(b.space), given);
            case Tensor t -> tensor(given, chosen.count(t.dimensions));
            case Constant c -> c.ranges.has(given) ? given.toString() : null;
            case Nothing _ -> given instanceof Nowhere ? given.toString() : null;
            case Target _ -> given instanceof Label ? given.toString() : null;
        };
    }

    private static @Nullable String value(Value form, Operand given, Chosen chosen) {
        if (form.pair != PairKind.NO && given instanceof Pair p) {
            boolean fits = single(form, p.first(), chosen) && p.second() instanceof Reg r && r.type() == Type.PRED;
            return fits ? given.toString() : null;
        }
        if (form.pair == PairKind.MUST) {
            return null;
        }
        int count = chosen.count(form.count);
        if (count == 0) {
            return single(form, given, chosen) ? given.toString() : null;
        }
        if (count == 1 && !(given instanceof Vec) && single(form, given, chosen)) {
            return "{" + given + "}";
        }
        boolean fits = given instanceof Vec v
                && v.elements().size() == count
                && v.elements().stream().allMatch(e -> single(form, e, chosen));
        return fits ? given.toString() : null;
    }

    private static boolean single(Value form, Operand given, Chosen chosen) {
        Type type = chosen.type(form.type);
        boolean isSource = form.is(':');
        return switch (given) {
            case Reg r -> form.takes(r.type(), type);
            case Not _ -> form.is('-');
            case Imm i -> isSource && i.fits(type) && (form.numbers == null || form.numbers.has(i));
            case Special s -> form.is('~') && type.takes(s.type, false);
            case Symbol s ->
                form.is('~')
                        && type.kind != Type.Kind.FLOAT
                        && type.bits >= (s.space().isShort() ? 32 : 64);
            case Nowhere _ -> form.is('_');
            default -> false;
        };
    }

    private static @Nullable String place(Space space, Operand given) {
        return switch (given) {
            case Address a when isIn(space, a.base()) -> a.toString();
            case Reg _, Symbol _ when isIn(space, given) -> "[" + given + "]";
            default -> null;
        };
    }

    private static @Nullable String base(Base form, Space space, Operand given) {
        boolean fits = given instanceof Reg r ? form.register.takes(r.type(), false) : isIn(space, given);
        return fits ? given.toString() : null;
    }

    private static boolean isIn(Space space, Operand base) {
        return switch (base) {
            case Reg r ->
                (space.isShort() ? Type.U32.takes(r.type(), false) : false) || Type.U64.takes(r.type(), false);
            case Symbol s -> space.holds(s.space());
            default -> false;
        };
    }

    private static @Nullable String tensor(Operand given, int dimensions) {
        boolean fits = given instanceof TensorPlace t
                && isIn(Space.GENERIC, t.map())
                && t.coordinates().elements().size() == dimensions
                && t.coordinates().elements().stream()
                        .allMatch(e -> e instanceof Reg r && Type.S32.takes(r.type(), false)
                                || e instanceof Imm i && i.fits(Type.S32));
        return fits ? given.toString() : null;
    }

    /// @return what may stand here, for messages
    String expected(Chosen chosen) {
        return switch (kind) {
            case Value v -> {
                int count = chosen.count(v.count);
                String what =
                        count == 0 ? single(v, chosen) : "a vector of %d of %s".formatted(count, single(v, chosen));
                yield v.pair == PairKind.MUST ? "a pair of %s and a predicate".formatted(what) : what;
            }
            case Place p -> {
                Space space = chosen.space(p.space);
                yield "an address in %s memory (a %s register or a variable there)"
                        .formatted(space, space.isShort() ? "32-bit or 64-bit" : "64-bit");
            }
            case Base b ->
                "a %d-bit register or a variable in %s memory".formatted(b.register.bits, chosen.space(b.space));
            case Tensor t ->
                "tensor(map, coordinates) with a 64-bit map and %d coordinates of .s32"
                        .formatted(chosen.count(t.dimensions));
            case Constant c -> "a constant, " + c.ranges;
            case Nothing _ -> "_";
            case Target _ -> "a label";
        };
    }

    private static String single(Value form, Chosen chosen) {
        Type type = chosen.type(form.type);
        List<String> all = new ArrayList<>(Arrays.stream(Type.values())
                .filter(t -> form.is('+') ? t == type : type.takes(t, false))
                .map(Type::toString)
                .toList());
        if (type.kind == Type.Kind.BITS && !form.is('+')) {
            all = new ArrayList<>(List.of("any register of %d bits".formatted(type.bits)));
        } else if (all.remove(type.toString())) {
            all.addFirst(type.toString());
        }
        if (form.is('^') && type.kind != Type.Kind.FLOAT) {
            all.add("a wider one of integers or bits");
        }
        if (form.is('_')) {
            all.add("_");
        }
        if (form.numbers != null) {
            all.add(form.numbers.toString());
        } else if (form.is(':')) {
            switch (type) {
                case F32 -> all.add("a Java float");
                case F64 -> all.add("a Java double");
                default -> {
                    if (new Imm(0).fits(type)) {
                        all.add("an integer of %d bits".formatted(type.bits));
                    }
                }
            }
        }
        return Modifiers.or(all);
    }
}
