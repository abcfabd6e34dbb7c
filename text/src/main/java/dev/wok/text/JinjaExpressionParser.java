package dev.wok.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Reads expressions, with the precedence of Jinja: choice, or, and, not, comparisons, sums, `~`, products, powers,
/// signs, then what follows a value: attributes, subscripts, calls, filters, tests.
final class JinjaExpressionParser {
    private static final int MAX_DEPTH = 200;
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Set<String> SUMS = Set.of("+", "-");
    private static final Set<String> PRODUCTS = Set.of("*", "/", "//", "%");
    private static final Set<String> NO_ARGUMENT = Set.of("else", "or", "and");

    private final JinjaTokens tokens;
    private int depth;

    JinjaExpressionParser(JinjaTokens tokens) {
        this.tokens = tokens;
    }

    /// Reads an expression, or several with commas between them.
    JinjaNode.Expression tuple() {
        JinjaNode.Expression first = expression();
        if (!tokens.peek().is(JinjaToken.Kind.OPERATOR, ",")) {
            return first;
        }
        List<JinjaNode.Expression> items = new ArrayList<>(List.of(first));
        while (tokens.acceptOperator(",") && !atEnd()) {
            items.add(expression());
        }
        return new JinjaNode.Items(items, true);
    }

    private boolean atEnd() {
        return tokens.isKind(JinjaToken.Kind.TAG_END)
                || tokens.isKind(JinjaToken.Kind.PRINT_END)
                || tokens.peek().is(JinjaToken.Kind.OPERATOR, ")");
    }

    /// Reads an expression that ends before an `if`.
    JinjaNode.Expression withoutChoice() {
        return or();
    }

    JinjaNode.Expression expression() {
        if (++depth > MAX_DEPTH) {
            throw tokens.error("an expression nested too deeply");
        }
        JinjaNode.Expression value = or();
        while (tokens.acceptName("if")) {
            JinjaNode.Expression condition = or();
            JinjaNode.Expression otherwise = tokens.acceptName("else") ? expression() : null;
            value = new JinjaNode.Choice(condition, value, otherwise);
        }
        depth--;
        return value;
    }

    private JinjaNode.Expression or() {
        JinjaNode.Expression left = and();
        while (tokens.acceptName("or")) {
            left = new JinjaNode.Binary("or", left, and());
        }
        return left;
    }

    private JinjaNode.Expression and() {
        JinjaNode.Expression left = not();
        while (tokens.acceptName("and")) {
            left = new JinjaNode.Binary("and", left, not());
        }
        return left;
    }

    private JinjaNode.Expression not() {
        int count = 0;
        while (tokens.acceptName("not")) {
            count++;
        }
        JinjaNode.Expression value = comparison();
        for (int i = 0; i < count; i++) {
            value = new JinjaNode.Unary("not", value);
        }
        return value;
    }

    private JinjaNode.Expression comparison() {
        JinjaNode.Expression first = sum();
        List<String> operators = new ArrayList<>();
        List<JinjaNode.Expression> others = new ArrayList<>();
        while (true) {
            String operator = tokens.acceptAny(COMPARISONS);
            if (operator == null && tokens.acceptName("in")) {
                operator = "in";
            } else if (operator == null && tokens.acceptName("not")) {
                tokens.expectName("in");
                operator = "not in";
            }
            if (operator == null) {
                return operators.isEmpty() ? first : new JinjaNode.Comparison(first, operators, others);
            }
            operators.add(operator);
            others.add(sum());
        }
    }

    private JinjaNode.Expression sum() {
        JinjaNode.Expression left = concatenation();
        for (String operator = tokens.acceptAny(SUMS); operator != null; operator = tokens.acceptAny(SUMS)) {
            left = new JinjaNode.Binary(operator, left, concatenation());
        }
        return left;
    }

    private JinjaNode.Expression concatenation() {
        JinjaNode.Expression left = product();
        while (tokens.acceptOperator("~")) {
            left = new JinjaNode.Binary("~", left, product());
        }
        return left;
    }

    private JinjaNode.Expression product() {
        JinjaNode.Expression left = power();
        for (String operator = tokens.acceptAny(PRODUCTS); operator != null; operator = tokens.acceptAny(PRODUCTS)) {
            left = new JinjaNode.Binary(operator, left, power());
        }
        return left;
    }

    private JinjaNode.Expression power() {
        JinjaNode.Expression left = sign(true);
        while (tokens.acceptOperator("**")) {
            left = new JinjaNode.Binary("**", left, sign(true));
        }
        return left;
    }

    private JinjaNode.Expression sign(boolean withFilters) {
        String operator = tokens.acceptAny(SUMS);
        JinjaNode.Expression value;
        if (operator != null) {
            if (++depth > MAX_DEPTH) {
                throw tokens.error("an expression nested too deeply");
            }
            value = new JinjaNode.Unary(operator, sign(false));
            depth--;
        } else {
            value = subscripts(primary());
        }
        return withFilters ? filtersAndTests(value) : value;
    }

    private JinjaNode.Expression primary() {
        JinjaToken token = tokens.take();
        return switch (token.kind()) {
            case NAME ->
                switch (token.text()) {
                    case "true", "True" -> new JinjaNode.Constant(true);
                    case "false", "False" -> new JinjaNode.Constant(false);
                    case "none", "None" -> new JinjaNode.Constant(JinjaValues.NONE);
                    default -> new JinjaNode.Name(token.text());
                };
            case STRING -> {
                StringBuilder text = new StringBuilder(token.text());
                while (tokens.isKind(JinjaToken.Kind.STRING)) {
                    text.append(tokens.take().text());
                }
                yield new JinjaNode.Constant(text.toString());
            }
            case INTEGER -> new JinjaNode.Constant(integer(token));
            case FLOAT -> new JinjaNode.Constant(Double.parseDouble(token.text()));
            case OPERATOR ->
                switch (token.text()) {
                    case "(" -> parenthesis();
                    case "[" -> new JinjaNode.Items(items("]"), false);
                    case "{" -> dict();
                    default -> throw new JinjaError("an unexpected '" + token.text() + "'", token.line());
                };
            default -> throw new JinjaError("a tag that ends too early", token.line());
        };
    }

    private static long integer(JinjaToken token) {
        try {
            return Long.parseLong(token.text());
        } catch (NumberFormatException e) {
            throw new JinjaError("a number too large: " + token.text(), token.line(), e);
        }
    }

    private JinjaNode.Expression parenthesis() {
        if (tokens.acceptOperator(")")) {
            return new JinjaNode.Items(List.of(), true);
        }
        JinjaNode.Expression inner = tuple();
        tokens.expectOperator(")");
        return inner;
    }

    private List<JinjaNode.Expression> items(String end) {
        List<JinjaNode.Expression> items = new ArrayList<>();
        while (!tokens.acceptOperator(end)) {
            if (!items.isEmpty()) {
                tokens.expectOperator(",");
                if (tokens.acceptOperator(end)) {
                    break;
                }
            }
            items.add(expression());
        }
        return items;
    }

    private JinjaNode.Expression dict() {
        List<JinjaNode.Expression> keys = new ArrayList<>();
        List<JinjaNode.Expression> values = new ArrayList<>();
        while (!tokens.acceptOperator("}")) {
            if (!keys.isEmpty()) {
                tokens.expectOperator(",");
                if (tokens.acceptOperator("}")) {
                    break;
                }
            }
            keys.add(expression());
            tokens.expectOperator(":");
            values.add(expression());
        }
        return new JinjaNode.Dict(keys, values);
    }

    private JinjaNode.Expression subscripts(JinjaNode.Expression of) {
        JinjaNode.Expression value = of;
        while (true) {
            if (tokens.acceptOperator(".")) {
                value = tokens.isKind(JinjaToken.Kind.INTEGER)
                        ? new JinjaNode.Index(value, new JinjaNode.Constant(integer(tokens.take())))
                        : new JinjaNode.Attribute(value, tokens.expect(JinjaToken.Kind.NAME));
            } else if (tokens.acceptOperator("[")) {
                value = subscript(value);
            } else if (tokens.acceptOperator("(")) {
                value = new JinjaNode.Call(value, arguments());
            } else {
                return value;
            }
        }
    }

    private JinjaNode.Expression subscript(JinjaNode.Expression on) {
        JinjaNode.Expression from = boundary();
        if (!tokens.acceptOperator(":")) {
            if (from == null) {
                throw tokens.unexpected();
            }
            tokens.expectOperator("]");
            return new JinjaNode.Index(on, from);
        }
        JinjaNode.Expression to = boundary();
        JinjaNode.Expression step = tokens.acceptOperator(":") ? boundary() : null;
        tokens.expectOperator("]");
        return new JinjaNode.Slice(on, from, to, step);
    }

    private JinjaNode.@Nullable Expression boundary() {
        boolean none =
                tokens.peek().is(JinjaToken.Kind.OPERATOR, ":") || tokens.peek().is(JinjaToken.Kind.OPERATOR, "]");
        return none ? null : expression();
    }

    /// Reads arguments whose '(' is read already.
    private JinjaNode.Arguments arguments() {
        List<JinjaNode.Expression> plain = new ArrayList<>();
        Map<String, JinjaNode.Expression> named = new LinkedHashMap<>();
        boolean first = true;
        while (!tokens.acceptOperator(")")) {
            if (!first) {
                tokens.expectOperator(",");
                if (tokens.acceptOperator(")")) {
                    break;
                }
            }
            first = false;
            JinjaNode.Expression value = expression();
            if (value instanceof JinjaNode.Name name && tokens.acceptOperator("=")) {
                named.put(name.name(), expression());
            } else if (named.isEmpty()) {
                plain.add(value);
            } else {
                throw tokens.error("an argument without a name after one with a name");
            }
        }
        return new JinjaNode.Arguments(plain, named);
    }

    private JinjaNode.Expression filtersAndTests(JinjaNode.Expression of) {
        JinjaNode.Expression value = of;
        while (true) {
            if (tokens.acceptOperator("|")) {
                value = filter(value);
            } else if (tokens.acceptName("is")) {
                value = test(value);
            } else if (tokens.acceptOperator("(")) {
                value = new JinjaNode.Call(value, arguments());
            } else {
                return value;
            }
        }
    }

    /// Reads a filter whose '|' is read already.
    JinjaNode.Filter filter(JinjaNode.Expression on) {
        String name = tokens.expect(JinjaToken.Kind.NAME);
        JinjaNode.Arguments arguments = tokens.acceptOperator("(") ? arguments() : JinjaNode.Arguments.NONE;
        return new JinjaNode.Filter(on, name, arguments);
    }

    private JinjaNode.Expression test(JinjaNode.Expression on) {
        boolean negated = tokens.acceptName("not");
        String name = tokens.expect(JinjaToken.Kind.NAME);
        JinjaNode.Arguments arguments = JinjaNode.Arguments.NONE;
        if (tokens.acceptOperator("(")) {
            arguments = arguments();
        } else if (beginsArgument()) {
            arguments = new JinjaNode.Arguments(List.of(subscripts(primary())), Map.of());
        }
        JinjaNode.Expression test = new JinjaNode.Test(on, name, arguments);
        return negated ? new JinjaNode.Unary("not", test) : test;
    }

    private boolean beginsArgument() {
        JinjaToken next = tokens.peek();
        return switch (next.kind()) {
            case NAME -> !NO_ARGUMENT.contains(next.text());
            case STRING, INTEGER, FLOAT -> true;
            case OPERATOR -> next.text().equals("[") || next.text().equals("{");
            default -> false;
        };
    }
}
