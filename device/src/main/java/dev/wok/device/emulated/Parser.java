package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.emulated.Listing.Address;
import dev.wok.device.emulated.Listing.Guard;
import dev.wok.device.emulated.Listing.Name;
import dev.wok.device.emulated.Listing.Not;
import dev.wok.device.emulated.Listing.Operand;
import dev.wok.device.emulated.Listing.Pair;
import dev.wok.device.emulated.Listing.Real;
import dev.wok.device.emulated.Listing.Register;
import dev.wok.device.emulated.Listing.Routine;
import dev.wok.device.emulated.Listing.Scope;
import dev.wok.device.emulated.Listing.Space;
import dev.wok.device.emulated.Listing.Statement;
import dev.wok.device.emulated.Listing.Variable;
import dev.wok.device.emulated.Listing.Vector;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Reads PTX text, whoever wrote it.
final class Parser {
    private static final int MOST_REGISTERS = 1 << 16;
    private static final long MOST_BYTES = 1L << 28;

    /// Of what each thread or block has.
    private static final long MOST_OWN_BYTES = 1L << 19;

    private static final int DEEPEST = 200;

    private final Listing listing;
    private final List<Token> tokens;
    private int at;

    private final List<Variable> variables = new ArrayList<>();
    private final List<Routine> routines = new ArrayList<>();
    private final Set<String> names = new HashSet<>();
    private String version = "";
    private String target = "";

    // The routine that is being read.
    private List<Statement> body = new ArrayList<>();
    private int slots;
    private int predicates;

    /// How many braces are open.
    private int depth;

    private Parser(String text) {
        listing = new Listing("", "", List.of(), List.of(), Arrays.asList(text.split("\n", -1)));
        tokens = Lexer.words(text);
    }

    /// @throws PtxFault where the text is no PTX
    static Listing parse(String text) {
        Parser parser = new Parser(text);
        parser.module();
        return new Listing(parser.version, parser.target, parser.variables, parser.routines, parser.listing.lines());
    }

    private void module() {
        Scope globals = new Scope(null);
        while (peek().kind() != Token.Kind.END) {
            Token word = next();
            switch (word.text()) {
                case ".version" -> version = version();
                case ".target" -> {
                    target = next().text();
                    while (accept(",")) {
                        next();
                    }
                }
                case ".address_size" -> {
                    Token size = next();
                    if (!size.is("64")) {
                        throw error(size, "addresses of 64 bits are expected, not of " + size.text());
                    }
                }
                case ".file" -> {
                    next();
                    next();
                    while (accept(",")) {
                        next();
                    }
                }
                case ".loc" -> location();
                case ".pragma" -> skipPast(";");
                case ".section" -> {
                    next();
                    block();
                }
                case ".visible", ".weak", ".common" -> {
                    if (peek().kind() != Token.Kind.DOTTED) {
                        throw error(peek(), "expected what is %s, not '%s'".formatted(word.text(), peek().text()));
                    }
                }
                case ".extern" -> external(globals);
                case ".entry" -> routine(globals, true);
                case ".func" -> routine(globals, false);
                case ".global", ".const", ".shared" -> variable(word, globals, variables, false);
                default -> throw error(word, "'%s' is not known here".formatted(word.text()));
            }
        }
        if (version.isEmpty() || target.isEmpty()) {
            throw error(tokens.getFirst(), "a PTX text begins with .version and .target");
        }
    }

    private String version() {
        return next().text();
    }

    private void external(Scope globals) {
        Token word = next();
        switch (word.text()) {
            case ".shared", ".global", ".const" -> variable(word, globals, variables, true);
            case ".func" -> skipPast(";");
            default -> throw error(word, "'.extern %s' is not known".formatted(word.text()));
        }
    }

    /// `.loc file line column[, function_at …]`
    private void location() {
        int line = peek().line();
        while (peek().line() == line && peek().kind() != Token.Kind.END && !peek().is("}")) {
            next();
        }
    }

    private void skipPast(String mark) {
        while (!next().is(mark)) {
            if (peek().kind() == Token.Kind.END) {
                throw error(peek(), "expected '%s'".formatted(mark));
            }
        }
    }

    /// Skips what stands between braces.
    private void block() {
        expect("{");
        int depth = 1;
        while (depth > 0) {
            Token word = next();
            depth += word.is("{") ? 1 : word.is("}") ? -1 : 0;
            if (word.kind() == Token.Kind.END) {
                throw error(word, "expected '}'");
            }
        }
    }

    // ------------------------------------------------------------------------------------------------ variables

    /// `.shared .align 16 .b8 name[4][8] = {…}, other;`
    private void variable(Token space, Scope scope, List<Variable> owner, boolean isExtern) {
        Space where = space(space);
        int align = 0;
        int vector = 1;
        Type type = null;
        while (peek().kind() == Token.Kind.DOTTED) {
            Token word = next();
            switch (word.text()) {
                case ".align" -> align = (int) integer();
                case ".v2" -> vector = 2;
                case ".v4" -> vector = 4;
                case ".attribute" -> skipPast(")");
                case ".ptr" -> {
                    if (peek().kind() == Token.Kind.DOTTED && !peek().is(".align")) {
                        next();
                    }
                }
                default -> type = type(word);
            }
        }
        if (type == null) {
            throw error(peek(), "a variable needs a type");
        }
        do {
            Token name = expectName();
            long count = vector;
            boolean isOpen = false;
            while (accept("[")) {
                isOpen |= peek().is("]");
                count = isOpen ? count : product(count, dimension());
                expect("]");
            }
            long bytes = isOpen ? 0 : count * type.bytes();
            if (bytes > (where == Space.GLOBAL || where == Space.CONST ? MOST_BYTES : MOST_OWN_BYTES)) {
                throw error(name, "%s is larger than can be".formatted(name.text()));
            }
            byte[] initial = accept("=") ? initial(type, name) : null;
            if (!isOpen && initial != null && initial.length > bytes) {
                throw error(name, "%s has room for %d bytes, not for %d".formatted(name.text(), bytes, initial.length));
            }
            if (isOpen && initial != null) {
                bytes = initial.length;
            }
            int natural = Math.max(align, type.bytes() * vector);
            if (Integer.bitCount(natural) != 1 || natural > 1 << 20) {
                throw error(name, "an alignment is a power of two, not " + natural);
            }
            Variable variable = new Variable(where, type, natural, name.text(), bytes, initial, isExtern, name.line());
            if (scope.variables.put(name.text(), variable) != null) {
                throw error(name, "%s is declared twice".formatted(name.text()));
            }
            owner.add(variable);
        } while (accept(","));
        expect(";");
    }

    private long dimension() {
        Token word = peek();
        long value = integer();
        if (value < 0) {
            throw error(word, "no size for an array: " + value);
        }
        return value;
    }

    /// @return the product, or more than anything can have
    private static long product(long count, long more) {
        return more != 0 && count > MOST_BYTES / more ? MOST_BYTES + 1 : count * more;
    }

    private void open(Token brace) {
        if (++depth > DEEPEST) {
            throw error(brace, "nested deeper than %d".formatted(DEEPEST));
        }
    }

    private void close() {
        depth--;
    }

    private byte[] initial(Type type, Token name) {
        List<Operand> values = new ArrayList<>();
        collect(values, name);
        ByteBuffer bytes = ByteBuffer.allocate(values.size() * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (Operand value : values) {
            long raw = bits(value, type);
            for (int i = 0; i < type.bytes(); i++) {
                bytes.put((byte) (raw >> 8 * i));
            }
        }
        return bytes.array();
    }

    private void collect(List<Operand> values, Token name) {
        Token brace = peek();
        if (accept("{")) {
            open(brace);
            while (!accept("}")) {
                collect(values, name);
                accept(",");
            }
            close();
            return;
        }
        Operand value = operand();
        if (!(value instanceof Listing.Integer || value instanceof Real)) {
            throw error(name, "only numbers can initialise %s".formatted(name.text()));
        }
        values.add(value);
    }

    /// @return a constant's bits as a register of a type holds them
    static long bits(Operand value, Type type) {
        return switch (value) {
            case Listing.Integer(long integer) ->
                switch (type) {
                    case F32 -> Float.floatToRawIntBits(integer);
                    case F64 -> Double.doubleToRawLongBits(integer);
                    default -> integer;
                };
            case Real(double real, boolean isSingle) ->
                type.bits == 64 && !(isSingle && type.kind == Type.Kind.BITS)
                        ? Double.doubleToRawLongBits(real)
                        : Float.floatToRawIntBits((float) real);
            default -> throw new IllegalArgumentException("no constant: " + value);
        };
    }

    private Space space(Token word) {
        return switch (word.text()) {
            case ".global" -> Space.GLOBAL;
            case ".const" -> Space.CONST;
            case ".shared", ".shared::cta" -> Space.SHARED;
            case ".local" -> Space.LOCAL;
            case ".param" -> Space.PARAM;
            default -> throw error(word, "%s is no state space".formatted(word.text()));
        };
    }

    private Type type(Token word) {
        Type type = Type.of(word.text().substring(1));
        if (type == null) {
            throw error(word, "%s is no type".formatted(word.text()));
        }
        return type;
    }

    // ------------------------------------------------------------------------------------------------ routines

    private void routine(Scope globals, boolean isEntry) {
        body = new ArrayList<>();
        slots = 0;
        predicates = 0;
        Scope scope = new Scope(globals);
        List<Variable> results = !isEntry && peek().is("(") ? parameters(scope) : List.of();
        Token name = expectName();
        List<Variable> parameters = peek().is("(") ? parameters(scope) : List.of();
        int[] blockSize = null;
        int[] cluster = null;
        int maxThreads = 0;
        while (peek().kind() == Token.Kind.DOTTED) {
            Token directive = next();
            switch (directive.text()) {
                case ".maxntid" ->
                    maxThreads = Arrays.stream(triple()).reduce(1, (a, b) -> (int) Math.min((long) a * b, 1 << 20));
                case ".reqntid" -> blockSize = triple();
                case ".reqnctapercluster" -> cluster = triple();
                case ".maxnreg", ".minnctapersm", ".maxnctapersm", ".maxclusterrank" -> integer();
                case ".explicitcluster", ".noreturn", ".blocksareclusters" -> {}
                case ".pragma" -> skipPast(";");
                default -> throw error(directive, "'%s' is not known here".formatted(directive.text()));
            }
        }
        if (accept(";")) {
            return; // only announced
        }
        expect("{");
        statements(scope);
        if (!names.add(name.text())) {
            throw error(name, "%s is declared twice".formatted(name.text()));
        }
        routines.add(new Routine(
                name.text(),
                isEntry,
                results,
                parameters,
                scope,
                body,
                blockSize,
                maxThreads,
                cluster,
                slots,
                predicates,
                name.line()));
    }

    private int[] triple() {
        int[] sizes = {1, 1, 1};
        for (int i = 0; i < 3; i++) {
            Token word = peek();
            long size = integer();
            if (size < 1 || size > 1 << 20) {
                throw error(word, "no number of threads: " + size);
            }
            sizes[i] = (int) size;
            if (!accept(",")) {
                break;
            }
        }
        return sizes;
    }

    private List<Variable> parameters(Scope scope) {
        List<Variable> parameters = new ArrayList<>();
        expect("(");
        while (!accept(")")) {
            Token space = next();
            if (space.is(".reg")) {
                throw error(space, "parameters in registers are not supported");
            }
            int align = 0;
            Type type = null;
            while (peek().kind() == Token.Kind.DOTTED) {
                Token word = next();
                switch (word.text()) {
                    case ".align" -> align = (int) integer();
                    case ".ptr" -> {}
                    case ".global", ".const", ".shared", ".local" -> {}
                    default -> type = type(word);
                }
            }
            if (type == null) {
                throw error(peek(), "a parameter needs a type");
            }
            Token name = expectName();
            long count = 1;
            while (accept("[")) {
                count = product(count, peek().is("]") ? 0 : dimension());
                expect("]");
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
                throw error(name, "%s is larger than can be".formatted(name.text()));
            }
            if (scope.variables.put(name.text(), parameter) != null) {
                throw error(name, "%s is declared twice".formatted(name.text()));
            }
            parameters.add(parameter);
            accept(",");
        }
        return parameters;
    }

    /// Reads up to the closing brace.
    private void statements(Scope scope) {
        while (!accept("}")) {
            Token word = peek();
            if (word.kind() == Token.Kind.END) {
                throw error(word, "expected '}'");
            }
            if (accept("{")) {
                open(word);
                statements(new Scope(scope));
                close();
            } else if (word.kind() == Token.Kind.DOTTED) {
                next();
                directive(word, scope);
            } else if (word.kind() == Token.Kind.WORD && tokens.get(at + 1).is(":")) {
                next();
                next();
                if (accept(".branchtargets")) {
                    targets(word, scope);
                    continue;
                }
                if (accept(".calltargets") || accept(".callprototype")) {
                    skipPast(";");
                    continue;
                }
                if (scope.labels.put(word.text(), body.size()) != null) {
                    throw error(word, "the label %s stands twice".formatted(word.text()));
                }
            } else {
                instruction(scope);
            }
        }
    }

    private void targets(Token name, Scope scope) {
        List<String> labels = new ArrayList<>();
        do {
            labels.add(expectName().text());
        } while (accept(","));
        expect(";");
        if (scope.targets.put(name.text(), List.copyOf(labels)) != null) {
            throw error(name, "%s is declared twice".formatted(name.text()));
        }
    }

    private void directive(Token word, Scope scope) {
        switch (word.text()) {
            case ".reg" -> registers(scope);
            case ".shared", ".local", ".param" -> variable(word, scope, new ArrayList<>(), false);
            case ".global", ".const" -> variable(word, scope, variables, false);
            case ".loc" -> location();
            case ".pragma" -> skipPast(";");
            default -> throw error(word, "'%s' is not known here".formatted(word.text()));
        }
    }

    private void registers(Scope scope) {
        Token word = next();
        if (word.text().startsWith(".v")) {
            throw error(word, "vector registers are not supported");
        }
        Type type = type(word);
        if (!type.isOfRegisters()) {
            throw error(word, "no registers are .%s: .b%d holds such numbers".formatted(type.text(), type.bits));
        }
        do {
            Token name = expectName();
            if (accept("<")) {
                Token count = peek();
                long many = integer();
                expect(">");
                if (many < 0 || many > MOST_REGISTERS) {
                    throw error(count, "no number of registers: " + many);
                }
                for (int i = 0; i < many; i++) {
                    declare(scope, name, name.text() + i, type);
                }
            } else {
                declare(scope, name, name.text(), type);
            }
        } while (accept(","));
        expect(";");
    }

    private void declare(Scope scope, Token at, String name, Type type) {
        int slot = type == Type.PRED ? predicates++ : slots;
        slots += type == Type.PRED ? 0 : type == Type.B128 ? 2 : 1;
        if (slots > MOST_REGISTERS || predicates > MOST_REGISTERS) {
            throw error(at, "more registers than can be");
        }
        if (scope.registers.put(name, new Register(name, type, slot)) != null) {
            throw error(at, "%s is declared twice".formatted(name));
        }
    }

    private void instruction(Scope scope) {
        Guard guard = null;
        if (accept("@")) {
            boolean isNegated = accept("!");
            guard = new Guard(expectName().text(), isNegated);
        }
        Token opcode = expectName();
        List<String> modifiers = new ArrayList<>();
        while (peek().kind() == Token.Kind.DOTTED) {
            modifiers.add(next().text().substring(1));
        }
        List<Operand> operands = new ArrayList<>();
        if (!peek().is(";")) {
            do {
                operands.add(operand());
            } while (accept(","));
        }
        expect(";");
        body.add(new Statement(
                opcode.line(), guard, opcode.text(), List.copyOf(modifiers), List.copyOf(operands), scope));
    }

    // ------------------------------------------------------------------------------------------------ operands

    private Operand operand() {
        if (accept("{")) {
            return new Vector(list("}"));
        }
        if (accept("(")) {
            return new Vector(list(")"));
        }
        if (accept("[")) {
            return address();
        }
        if (accept("!")) {
            return new Not(simple());
        }
        Operand first = simple();
        if (accept("|")) {
            return new Pair(first, simple());
        }
        if (first instanceof Name && peek().is("+")) {
            // The address of a part of a variable.
            long offset = offset();
            return new Address(first, offset, List.of());
        }
        if (first instanceof Name && accept("[")) {
            long offset = integer();
            expect("]");
            return new Address(first, offset, List.of());
        }
        return first;
    }

    private List<Operand> list(String end) {
        List<Operand> elements = new ArrayList<>();
        open(peek());
        while (!accept(end)) {
            elements.add(operand());
            accept(",");
        }
        close();
        return elements;
    }

    private Operand address() {
        Operand base = simple();
        long offset = offset();
        List<Operand> coordinates = List.of();
        if (accept(",")) {
            expect("{");
            coordinates = list("}");
        }
        expect("]");
        return new Address(base, offset, coordinates);
    }

    private long offset() {
        long offset = 0;
        while (accept("+")) {
            offset += integer();
        }
        if (peek().is("-")) {
            throw error(peek(), "an address is less than another one as in [%rd1+-4]");
        }
        return offset;
    }

    private Operand simple() {
        Token word = peek();
        return switch (word.kind()) {
            case WORD -> new Name(next().text());
            case NUMBER -> number(false);
            case MARK -> {
                if (accept("-")) {
                    yield number(true);
                }
                throw error(word, "expected an operand, not '%s'".formatted(word.text()));
            }
            case DOTTED, STRING, END -> throw error(word, "expected an operand, not '%s'".formatted(word.text()));
        };
    }

    private Operand number(boolean isNegative) {
        Token word = next();
        String text = word.text();
        try {
            if (text.startsWith("0f") || text.startsWith("0F")) {
                requireLength(word, 10);
                float value = Float.intBitsToFloat(Integer.parseUnsignedInt(text.substring(2), 16));
                return new Real(isNegative ? -value : value, true);
            }
            if (text.startsWith("0d") || text.startsWith("0D")) {
                requireLength(word, 18);
                double value = Double.longBitsToDouble(Long.parseUnsignedLong(text.substring(2), 16));
                return new Real(isNegative ? -value : value, false);
            }
            if (isReal(text)) {
                double value = Double.parseDouble(text);
                return new Real(isNegative ? -value : value, false);
            }
            long value = parsed(text);
            return new Listing.Integer(isNegative ? -value : value);
        } catch (NumberFormatException e) {
            throw error(word, "'%s' is no number".formatted(text));
        }
    }

    private void requireLength(Token word, int length) {
        if (word.text().length() != length) {
            throw error(word, "'%s' has not the %d digits of a number's bits".formatted(word.text(), length - 2));
        }
    }

    private static boolean isReal(String text) {
        boolean isHex = text.startsWith("0x") || text.startsWith("0X");
        return !isHex && (text.contains(".") || text.contains("e") || text.contains("E"));
    }

    private static long parsed(String text) {
        String digits = text.endsWith("U") || text.endsWith("u") ? text.substring(0, text.length() - 1) : text;
        if (digits.startsWith("0x") || digits.startsWith("0X")) {
            return Long.parseUnsignedLong(digits.substring(2), 16);
        }
        if (digits.startsWith("0b") || digits.startsWith("0B")) {
            return Long.parseUnsignedLong(digits.substring(2), 2);
        }
        return digits.length() > 1 && digits.startsWith("0")
                ? Long.parseUnsignedLong(digits, 8)
                : Long.parseUnsignedLong(digits);
    }

    private long integer() {
        Token word = peek();
        return simple() instanceof Listing.Integer(long value) ? value : fail(word, "expected a whole number");
    }

    // ------------------------------------------------------------------------------------------------ words

    private Token peek() {
        return tokens.get(at);
    }

    private Token next() {
        Token word = tokens.get(at);
        at = Math.min(at + 1, tokens.size() - 1);
        return word;
    }

    private boolean accept(String mark) {
        boolean isThere = peek().is(mark);
        if (isThere) {
            next();
        }
        return isThere;
    }

    private void expect(String mark) {
        Token word = next();
        if (!word.is(mark)) {
            throw error(word, "expected '%s', not '%s'".formatted(mark, word.text()));
        }
    }

    private Token expectName() {
        Token word = next();
        if (word.kind() != Token.Kind.WORD) {
            throw error(word, "expected a name, not '%s'".formatted(word.text()));
        }
        return word;
    }

    private long fail(Token word, String what) {
        throw error(word, what);
    }

    private PtxFault error(@Nullable Token word, String what) {
        return listing.error(word == null ? 0 : word.line(), what);
    }
}
