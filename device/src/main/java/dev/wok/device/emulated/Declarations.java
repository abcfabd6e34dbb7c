package dev.wok.device.emulated;

import dev.wok.device.emulated.Listing.Operand;
import dev.wok.device.emulated.Listing.Real;
import dev.wok.device.emulated.Listing.Scope;
import dev.wok.device.emulated.Listing.Space;
import dev.wok.device.emulated.Listing.Variable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/// Reads what is declared: variables and parameters.
final class Declarations {
    private static final long MOST_BYTES = 1L << 28;

    /// Of what each thread or block has.
    private static final long MOST_OWN_BYTES = 1L << 19;

    private final Words words;
    private final Operands operands;

    Declarations(Words words, Operands operands) {
        this.words = words;
        this.operands = operands;
    }

    /// `.shared .align 16 .b8 name[4][8] = {…}, other;`
    void variable(Token space, Scope scope, List<Variable> owner, boolean isExtern) {
        Space where = space(space);
        int align = 0;
        int vector = 1;
        Type type = null;
        while (words.peek().kind() == Token.Kind.DOTTED) {
            Token word = words.next();
            switch (word.text()) {
                case ".align" -> align = (int) operands.integer();
                case ".v2" -> vector = 2;
                case ".v4" -> vector = 4;
                case ".attribute" -> words.skipPast(")");
                case ".ptr" -> {
                    if (words.peek().kind() == Token.Kind.DOTTED
                            && !words.peek().is(".align")) {
                        words.next();
                    }
                }
                default -> type = type(word);
            }
        }
        if (type == null) {
            throw words.error(words.peek(), "a variable needs a type");
        }
        do {
            Token name = words.expectName();
            long count = vector;
            boolean isOpen = false;
            while (words.accept("[")) {
                isOpen |= words.peek().is("]");
                count = isOpen ? count : product(count, dimension());
                words.expect("]");
            }
            long bytes = isOpen ? 0 : count * type.bytes();
            if (bytes > (where == Space.GLOBAL || where == Space.CONST ? MOST_BYTES : MOST_OWN_BYTES)) {
                throw words.error(name, "%s is larger than can be".formatted(name.text()));
            }
            byte[] initial = words.accept("=") ? initial(type, name) : null;
            if (!isOpen && initial != null && initial.length > bytes) {
                throw words.error(
                        name, "%s has room for %d bytes, not for %d".formatted(name.text(), bytes, initial.length));
            }
            if (isOpen && initial != null) {
                bytes = initial.length;
            }
            int natural = Math.max(align, type.bytes() * vector);
            if (Integer.bitCount(natural) != 1 || natural > 1 << 20) {
                throw words.error(name, "an alignment is a power of two, not " + natural);
            }
            Variable variable = new Variable(where, type, natural, name.text(), bytes, initial, isExtern, name.line());
            if (scope.variables.put(name.text(), variable) != null) {
                throw words.error(name, "%s is declared twice".formatted(name.text()));
            }
            owner.add(variable);
        } while (words.accept(","));
        words.expect(";");
    }

    private long dimension() {
        Token word = words.peek();
        long value = operands.integer();
        if (value < 0) {
            throw words.error(word, "no size for an array: " + value);
        }
        return value;
    }

    /// @return the product, or more than anything can have
    private static long product(long count, long more) {
        return more != 0 && count > MOST_BYTES / more ? MOST_BYTES + 1 : count * more;
    }

    private byte[] initial(Type type, Token name) {
        List<Operand> values = new ArrayList<>();
        collect(values, name);
        ByteBuffer bytes = ByteBuffer.allocate(values.size() * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (Operand value : values) {
            long raw = Operands.bits(value, type);
            for (int i = 0; i < type.bytes(); i++) {
                bytes.put((byte) (raw >> 8 * i));
            }
        }
        return bytes.array();
    }

    private void collect(List<Operand> values, Token name) {
        Token brace = words.peek();
        if (words.accept("{")) {
            words.open(brace);
            while (!words.accept("}")) {
                collect(values, name);
                words.accept(",");
            }
            words.close();
            return;
        }
        Operand value = operands.operand();
        if (!(value instanceof Listing.Integer || value instanceof Real)) {
            throw words.error(name, "only numbers can initialise %s".formatted(name.text()));
        }
        values.add(value);
    }

    List<Variable> parameters(Scope scope) {
        List<Variable> parameters = new ArrayList<>();
        words.expect("(");
        while (!words.accept(")")) {
            Token space = words.next();
            if (space.is(".reg")) {
                throw words.error(space, "parameters in registers are not supported");
            }
            int align = 0;
            Type type = null;
            while (words.peek().kind() == Token.Kind.DOTTED) {
                Token word = words.next();
                switch (word.text()) {
                    case ".align" -> align = (int) operands.integer();
                    case ".ptr" -> {}
                    case ".global", ".const", ".shared", ".local" -> {}
                    default -> type = type(word);
                }
            }
            if (type == null) {
                throw words.error(words.peek(), "a parameter needs a type");
            }
            Token name = words.expectName();
            long count = 1;
            while (words.accept("[")) {
                count = product(count, words.peek().is("]") ? 0 : dimension());
                words.expect("]");
            }
            Variable parameter = new Variable(
                    space(space),
                    type,
                    Math.max(align, type.bytes()),
                    name.text(),
                    count * type.bytes(),
                    null,
                    false,
                    name.line());
            if (parameter.bytes() > MOST_OWN_BYTES) {
                throw words.error(name, "%s is larger than can be".formatted(name.text()));
            }
            if (scope.variables.put(name.text(), parameter) != null) {
                throw words.error(name, "%s is declared twice".formatted(name.text()));
            }
            parameters.add(parameter);
            words.accept(",");
        }
        return parameters;
    }

    private Space space(Token word) {
        return switch (word.text()) {
            case ".global" -> Space.GLOBAL;
            case ".const" -> Space.CONST;
            case ".shared", ".shared::cta" -> Space.SHARED;
            case ".local" -> Space.LOCAL;
            case ".param" -> Space.PARAM;
            default -> throw words.error(word, "%s is no state space".formatted(word.text()));
        };
    }

    Type type(Token word) {
        Type type = Type.of(word.text().substring(1));
        if (type == null) {
            throw words.error(word, "%s is no type".formatted(word.text()));
        }
        return type;
    }
}
