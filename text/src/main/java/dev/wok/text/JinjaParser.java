package dev.wok.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Reads the statements of a template; [JinjaExpressionParser] reads the expressions in them.
final class JinjaParser {
    private static final int MAX_DEPTH = 100;

    private final JinjaTokens tokens;
    private final JinjaExpressionParser expressions;
    private int depth;
    private int loops;

    private JinjaParser(List<JinjaToken> tokens) {
        this.tokens = new JinjaTokens(tokens);
        this.expressions = new JinjaExpressionParser(this.tokens);
    }

    /// @throws JinjaError where the template is malformed or holds something that is not known here
    static List<JinjaNode.Statement> parse(String template) {
        JinjaParser parser = new JinjaParser(JinjaLexer.cut(template));
        List<JinjaNode.Statement> body = parser.body(Set.of());
        if (!parser.tokens.isKind(JinjaToken.Kind.END)) {
            throw parser.tokens.unexpected();
        }
        return body;
    }

    /// Reads up to a tag with one of these names, whose name is then next.
    private List<JinjaNode.Statement> body(Set<String> ends) {
        if (++depth > MAX_DEPTH) {
            throw tokens.error("statements nested too deeply");
        }
        List<JinjaNode.Statement> body = new ArrayList<>();
        while (!tokens.isKind(JinjaToken.Kind.END)) {
            JinjaToken token = tokens.take();
            switch (token.kind()) {
                case TEXT -> body.add(new JinjaNode.Text(token.text()));
                case PRINT_BEGIN -> {
                    body.add(new JinjaNode.Print(expressions.tuple()));
                    tokens.expect(JinjaToken.Kind.PRINT_END);
                }
                default -> {
                    if (ends.contains(tokens.peek().text())) {
                        depth--;
                        return body;
                    }
                    body.add(statement());
                }
            }
        }
        if (!ends.isEmpty()) {
            throw tokens.error("the end of the template where "
                    + String.join(" or ", ends.stream().sorted().toList()) + " was due");
        }
        depth--;
        return body;
    }

    /// Reads a body and the tag that ends it.
    private List<JinjaNode.Statement> bodyAndEnd(String end) {
        List<JinjaNode.Statement> body = body(Set.of(end));
        tokens.take();
        endTag();
        return body;
    }

    private void endTag() {
        tokens.expect(JinjaToken.Kind.TAG_END);
    }

    private JinjaNode.Statement statement() {
        String tag = tokens.expect(JinjaToken.Kind.NAME);
        return switch (tag) {
            case "if" -> conditional();
            case "for" -> loop();
            case "set" -> set();
            case "macro" -> macro();
            case "with" -> with();
            case "generation" -> {
                endTag();
                yield new JinjaNode.Generation(bodyAndEnd("endgeneration"));
            }
            case "break", "continue" -> {
                if (loops == 0) {
                    throw tokens.error("'" + tag + "' outside of a loop");
                }
                endTag();
                yield new JinjaNode.Leave(tag.equals("break"));
            }
            default -> throw tokens.error("the statement '" + tag + "', which Wok does not know");
        };
    }

    private JinjaNode.Statement conditional() {
        List<JinjaNode.Expression> conditions = new ArrayList<>();
        List<List<JinjaNode.Statement>> bodies = new ArrayList<>();
        List<JinjaNode.Statement> otherwise = List.of();
        String tag = "if";
        while (!tag.equals("endif")) {
            if (tag.equals("else")) {
                endTag();
                otherwise = body(Set.of("endif"));
            } else {
                conditions.add(expressions.withoutChoice());
                endTag();
                bodies.add(body(Set.of("elif", "else", "endif")));
            }
            tag = tokens.take().text();
        }
        endTag();
        return new JinjaNode.If(conditions, bodies, otherwise);
    }

    private JinjaNode.Statement loop() {
        List<String> targets = names();
        tokens.expectName("in");
        JinjaNode.Expression over = expressions.withoutChoice();
        JinjaNode.Expression condition = tokens.acceptName("if") ? expressions.expression() : null;
        if (tokens.peek().is(JinjaToken.Kind.NAME, "recursive")) {
            throw tokens.error("a recursive loop, which Wok does not know");
        }
        endTag();
        loops++;
        List<JinjaNode.Statement> body = body(Set.of("else", "endfor"));
        loops--;
        List<JinjaNode.Statement> otherwise = List.of();
        if (tokens.take().text().equals("else")) {
            endTag();
            otherwise = body(Set.of("endfor"));
            tokens.take();
        }
        endTag();
        return new JinjaNode.For(targets, over, condition, body, otherwise);
    }

    private List<String> names() {
        boolean parentheses = tokens.acceptOperator("(");
        List<String> names = new ArrayList<>();
        do {
            names.add(tokens.expect(JinjaToken.Kind.NAME));
        } while (tokens.acceptOperator(",") && tokens.isKind(JinjaToken.Kind.NAME));
        if (parentheses) {
            tokens.expectOperator(")");
        }
        return names;
    }

    private JinjaNode.Statement set() {
        List<JinjaNode.Expression> targets = new ArrayList<>();
        do {
            targets.add(target());
        } while (tokens.acceptOperator(","));
        if (tokens.acceptOperator("=")) {
            JinjaNode.Expression value = expressions.tuple();
            endTag();
            return new JinjaNode.Set(targets, value);
        }
        List<JinjaNode.Filter> filters = new ArrayList<>();
        while (tokens.acceptOperator("|")) {
            filters.add(expressions.filter(new JinjaNode.Constant(JinjaValues.NONE)));
        }
        endTag();
        return new JinjaNode.SetBlock(targets.getFirst(), filters, bodyAndEnd("endset"));
    }

    private JinjaNode.Expression target() {
        JinjaNode.Expression name = new JinjaNode.Name(tokens.expect(JinjaToken.Kind.NAME));
        return tokens.acceptOperator(".") ? new JinjaNode.Attribute(name, tokens.expect(JinjaToken.Kind.NAME)) : name;
    }

    private JinjaNode.Statement macro() {
        String name = tokens.expect(JinjaToken.Kind.NAME);
        tokens.expectOperator("(");
        List<String> parameters = new ArrayList<>();
        Map<String, JinjaNode.Expression> defaults = new LinkedHashMap<>();
        while (!tokens.acceptOperator(")")) {
            if (!parameters.isEmpty()) {
                tokens.expectOperator(",");
            }
            String parameter = tokens.expect(JinjaToken.Kind.NAME);
            parameters.add(parameter);
            if (tokens.acceptOperator("=")) {
                defaults.put(parameter, expressions.expression());
            }
        }
        endTag();
        int outer = loops;
        loops = 0;
        List<JinjaNode.Statement> body = bodyAndEnd("endmacro");
        loops = outer;
        return new JinjaNode.MacroDefinition(name, parameters, defaults, body);
    }

    private JinjaNode.Statement with() {
        List<String> names = new ArrayList<>();
        List<JinjaNode.Expression> values = new ArrayList<>();
        while (!tokens.isKind(JinjaToken.Kind.TAG_END)) {
            if (!names.isEmpty()) {
                tokens.expectOperator(",");
            }
            names.add(tokens.expect(JinjaToken.Kind.NAME));
            tokens.expectOperator("=");
            values.add(expressions.expression());
        }
        endTag();
        return new JinjaNode.With(names, values, bodyAndEnd("endwith"));
    }
}
