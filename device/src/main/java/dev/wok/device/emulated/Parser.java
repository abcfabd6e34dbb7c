package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.emulated.Listing.Guard;
import dev.wok.device.emulated.Listing.Operand;
import dev.wok.device.emulated.Listing.Register;
import dev.wok.device.emulated.Listing.Routine;
import dev.wok.device.emulated.Listing.Scope;
import dev.wok.device.emulated.Listing.Statement;
import dev.wok.device.emulated.Listing.Variable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Reads PTX text, whoever wrote it.
final class Parser {
    private static final int MOST_REGISTERS = 1 << 16;

    private final Words words;
    private final Operands operands;
    private final Declarations declarations;

    private final List<Variable> variables = new ArrayList<>();
    private final List<Routine> routines = new ArrayList<>();
    private final Set<String> names = new HashSet<>();
    private String version = "";
    private String target = "";

    // The routine that is being read.
    private List<Statement> body = new ArrayList<>();
    private int slots;
    private int predicates;

    private Parser(String text) {
        words = new Words(text);
        operands = new Operands(words);
        declarations = new Declarations(words, operands);
    }

    /// @throws PtxFault where the text is no PTX
    static Listing parse(String text) {
        Parser parser = new Parser(text);
        parser.module();
        return new Listing(parser.version, parser.target, parser.variables, parser.routines, parser.words.lines());
    }

    private void module() {
        Scope globals = new Scope(null);
        while (words.peek().kind() != Token.Kind.END) {
            Token word = words.next();
            switch (word.text()) {
                case ".version" -> version = version();
                case ".target" -> {
                    target = words.next().text();
                    while (words.accept(",")) {
                        words.next();
                    }
                }
                case ".address_size" -> {
                    Token size = words.next();
                    if (!size.is("64")) {
                        throw words.error(size, "addresses of 64 bits are expected, not of " + size.text());
                    }
                }
                case ".file" -> {
                    words.next();
                    words.next();
                    while (words.accept(",")) {
                        words.next();
                    }
                }
                case ".loc" -> location();
                case ".pragma" -> words.skipPast(";");
                case ".section" -> {
                    words.next();
                    block();
                }
                case ".visible", ".weak", ".common" -> {
                    if (words.peek().kind() != Token.Kind.DOTTED) {
                        throw words.error(
                                words.peek(),
                                "expected what is %s, not '%s'"
                                        .formatted(word.text(), words.peek().text()));
                    }
                }
                case ".extern" -> external(globals);
                case ".entry" -> routine(globals, true);
                case ".func" -> routine(globals, false);
                case ".global", ".const", ".shared" -> declarations.variable(word, globals, variables, false);
                default -> throw words.error(word, "'%s' is not known here".formatted(word.text()));
            }
        }
        if (version.isEmpty() || target.isEmpty()) {
            throw words.error(words.peek(), "a PTX text begins with .version and .target");
        }
    }

    private String version() {
        return words.next().text();
    }

    private void external(Scope globals) {
        Token word = words.next();
        switch (word.text()) {
            case ".shared", ".global", ".const" -> declarations.variable(word, globals, variables, true);
            case ".func" -> words.skipPast(";");
            default -> throw words.error(word, "'.extern %s' is not known".formatted(word.text()));
        }
    }

    /// `.loc file line column[, function_at …]`
    private void location() {
        int line = words.peek().line();
        while (words.peek().line() == line
                && words.peek().kind() != Token.Kind.END
                && !words.peek().is("}")) {
            words.next();
        }
    }

    /// Skips what stands between braces.
    private void block() {
        words.expect("{");
        int depth = 1;
        while (depth > 0) {
            Token word = words.next();
            depth += word.is("{") ? 1 : word.is("}") ? -1 : 0;
            if (word.kind() == Token.Kind.END) {
                throw words.error(word, "expected '}'");
            }
        }
    }

    // ------------------------------------------------------------------------------------------------ routines

    private void routine(Scope globals, boolean isEntry) {
        body = new ArrayList<>();
        slots = 0;
        predicates = 0;
        Scope scope = new Scope(globals);
        List<Variable> results = !isEntry && words.peek().is("(") ? declarations.parameters(scope) : List.of();
        Token name = words.expectName();
        List<Variable> parameters = words.peek().is("(") ? declarations.parameters(scope) : List.of();
        int[] blockSize = null;
        int[] cluster = null;
        int maxThreads = 0;
        while (words.peek().kind() == Token.Kind.DOTTED) {
            Token directive = words.next();
            switch (directive.text()) {
                case ".maxntid" ->
                    maxThreads = Arrays.stream(triple()).reduce(1, (a, b) -> (int) Math.min((long) a * b, 1 << 20));
                case ".reqntid" -> blockSize = triple();
                case ".reqnctapercluster" -> cluster = triple();
                case ".maxnreg", ".minnctapersm", ".maxnctapersm", ".maxclusterrank" -> operands.integer();
                case ".explicitcluster", ".noreturn", ".blocksareclusters" -> {}
                case ".pragma" -> words.skipPast(";");
                default -> throw words.error(directive, "'%s' is not known here".formatted(directive.text()));
            }
        }
        if (words.accept(";")) {
            return; // only announced
        }
        words.expect("{");
        statements(scope);
        if (!names.add(name.text())) {
            throw words.error(name, "%s is declared twice".formatted(name.text()));
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
            Token word = words.peek();
            long size = operands.integer();
            if (size < 1 || size > 1 << 20) {
                throw words.error(word, "no number of threads: " + size);
            }
            sizes[i] = (int) size;
            if (!words.accept(",")) {
                break;
            }
        }
        return sizes;
    }

    /// Reads up to the closing brace.
    private void statements(Scope scope) {
        while (!words.accept("}")) {
            Token word = words.peek();
            if (word.kind() == Token.Kind.END) {
                throw words.error(word, "expected '}'");
            }
            if (words.accept("{")) {
                words.open(word);
                statements(new Scope(scope));
                words.close();
            } else if (word.kind() == Token.Kind.DOTTED) {
                words.next();
                directive(word, scope);
            } else if (word.kind() == Token.Kind.WORD && words.second().is(":")) {
                words.next();
                words.next();
                if (words.accept(".branchtargets")) {
                    targets(word, scope);
                    continue;
                }
                if (words.accept(".calltargets") || words.accept(".callprototype")) {
                    words.skipPast(";");
                    continue;
                }
                if (scope.labels.put(word.text(), body.size()) != null) {
                    throw words.error(word, "the label %s stands twice".formatted(word.text()));
                }
            } else {
                instruction(scope);
            }
        }
    }

    private void targets(Token name, Scope scope) {
        List<String> labels = new ArrayList<>();
        do {
            labels.add(words.expectName().text());
        } while (words.accept(","));
        words.expect(";");
        if (scope.targets.put(name.text(), List.copyOf(labels)) != null) {
            throw words.error(name, "%s is declared twice".formatted(name.text()));
        }
    }

    private void directive(Token word, Scope scope) {
        switch (word.text()) {
            case ".reg" -> registers(scope);
            case ".shared", ".local", ".param" -> declarations.variable(word, scope, new ArrayList<>(), false);
            case ".global", ".const" -> declarations.variable(word, scope, variables, false);
            case ".loc" -> location();
            case ".pragma" -> words.skipPast(";");
            default -> throw words.error(word, "'%s' is not known here".formatted(word.text()));
        }
    }

    private void registers(Scope scope) {
        Token word = words.next();
        if (word.text().startsWith(".v")) {
            throw words.error(word, "vector registers are not supported");
        }
        Type type = declarations.type(word);
        if (!type.isOfRegisters()) {
            throw words.error(word, "no registers are .%s: .b%d holds such numbers".formatted(type.text(), type.bits));
        }
        do {
            Token name = words.expectName();
            if (words.accept("<")) {
                Token count = words.peek();
                long many = operands.integer();
                words.expect(">");
                if (many < 0 || many > MOST_REGISTERS) {
                    throw words.error(count, "no number of registers: " + many);
                }
                for (int i = 0; i < many; i++) {
                    declare(scope, name, name.text() + i, type);
                }
            } else {
                declare(scope, name, name.text(), type);
            }
        } while (words.accept(","));
        words.expect(";");
    }

    private void declare(Scope scope, Token at, String name, Type type) {
        int slot = type == Type.PRED ? predicates++ : slots;
        slots += type == Type.PRED ? 0 : type == Type.B128 ? 2 : 1;
        if (slots > MOST_REGISTERS || predicates > MOST_REGISTERS) {
            throw words.error(at, "more registers than can be");
        }
        if (scope.registers.put(name, new Register(name, type, slot)) != null) {
            throw words.error(at, "%s is declared twice".formatted(name));
        }
    }

    private void instruction(Scope scope) {
        Guard guard = null;
        if (words.accept("@")) {
            boolean isNegated = words.accept("!");
            guard = new Guard(words.expectName().text(), isNegated);
        }
        Token opcode = words.expectName();
        List<String> modifiers = new ArrayList<>();
        while (words.peek().kind() == Token.Kind.DOTTED) {
            modifiers.add(words.next().text().substring(1));
        }
        List<Operand> given = new ArrayList<>();
        if (!words.peek().is(";")) {
            do {
                given.add(operands.operand());
            } while (words.accept(","));
        }
        words.expect(";");
        body.add(new Statement(opcode.line(), guard, opcode.text(), List.copyOf(modifiers), List.copyOf(given), scope));
    }
}
