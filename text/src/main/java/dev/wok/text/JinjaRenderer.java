package dev.wok.text;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Writes what a template says, statement by statement.
final class JinjaRenderer {
    /// How a row of statements ended.
    private enum Flow {
        NEXT,
        BREAK,
        CONTINUE
    }

    /// Names that hold in a part of the template, and around it.
    private static final class Scope {
        private final Map<String, Object> names = new HashMap<>();
        private final @Nullable Scope outer;

        Scope(@Nullable Scope outer) {
            this.outer = outer;
        }

        Object get(String name) {
            for (Scope scope = this; scope != null; scope = scope.outer) {
                Object value = scope.names.get(name);
                if (value != null) {
                    return value;
                }
            }
            return new JinjaValues.Undefined("'" + name + "' is undefined");
        }
    }

    private final StringBuilder whole = new StringBuilder();
    private final List<ChatTemplate.Span> generated = new ArrayList<>();
    private StringBuilder out = whole;

    private JinjaRenderer() {}

    /// @param names what the template may use
    /// @throws JinjaError where the template cannot be rendered with these
    static ChatTemplate.Rendering render(List<JinjaNode.Statement> template, Map<String, Object> names) {
        JinjaRenderer renderer = new JinjaRenderer();
        Scope globals = new Scope(null);
        globals.names.putAll(JinjaGlobals.FUNCTIONS);
        Scope scope = new Scope(globals);
        scope.names.putAll(names);
        return JinjaWork.limited(() -> {
            renderer.run(template, scope);
            return new ChatTemplate.Rendering(renderer.whole.toString(), renderer.generated);
        });
    }

    private Flow run(List<JinjaNode.Statement> body, Scope scope) {
        for (JinjaNode.Statement statement : body) {
            Flow flow = run(statement, scope);
            if (flow != Flow.NEXT) {
                return flow;
            }
        }
        return Flow.NEXT;
    }

    private Flow run(JinjaNode.Statement statement, Scope scope) {
        JinjaWork.spend(JinjaWork.STEP);
        return switch (statement) {
            case JinjaNode.Text(String text) -> write(text);
            case JinjaNode.Print(JinjaNode.Expression value) -> write(JinjaValues.str(value(value, scope)));
            case JinjaNode.If choice -> run(chosen(choice, scope), scope);
            case JinjaNode.For loop -> loop(loop, scope);
            case JinjaNode.Set(List<JinjaNode.Expression> targets, JinjaNode.Expression value) -> {
                assign(targets, value(value, scope), scope);
                yield Flow.NEXT;
            }
            case JinjaNode.SetBlock block -> {
                Object value = captured(block.body(), new Scope(scope));
                for (JinjaNode.Filter filter : block.filters()) {
                    value = filtered(filter, value, scope);
                }
                assign(List.of(block.target()), value, scope);
                yield Flow.NEXT;
            }
            case JinjaNode.MacroDefinition macro -> {
                scope.names.put(macro.name(), macro(macro, scope));
                yield Flow.NEXT;
            }
            case JinjaNode.With with -> {
                Scope inner = new Scope(scope);
                for (int i = 0; i < with.names().size(); i++) {
                    inner.names.put(with.names().get(i), value(with.values().get(i), scope));
                }
                yield run(with.body(), inner);
            }
            case JinjaNode.Leave(boolean loop) -> loop ? Flow.BREAK : Flow.CONTINUE;
            case JinjaNode.Generation(List<JinjaNode.Statement> body) -> {
                int from = out.length();
                Flow flow = run(body, new Scope(scope));
                if (out == whole && out.length() > from) {
                    generated.add(new ChatTemplate.Span(from, out.length()));
                }
                yield flow;
            }
        };
    }

    private Flow write(String text) {
        JinjaWork.spend(text.length());
        out.append(text);
        return Flow.NEXT;
    }

    private String captured(List<JinjaNode.Statement> body, Scope scope) {
        StringBuilder outer = out;
        out = new StringBuilder();
        try {
            run(body, scope);
            return out.toString();
        } finally {
            out = outer;
        }
    }

    private List<JinjaNode.Statement> chosen(JinjaNode.If choice, Scope scope) {
        for (int i = 0; i < choice.conditions().size(); i++) {
            if (JinjaValues.truth(value(choice.conditions().get(i), scope))) {
                return choice.bodies().get(i);
            }
        }
        return choice.otherwise();
    }

    private Flow loop(JinjaNode.For loop, Scope scope) {
        List<Object> items = JinjaValues.iterate(value(loop.over(), scope));
        JinjaNode.Expression condition = loop.condition();
        if (condition != null) {
            items.removeIf(item -> {
                Scope inner = new Scope(scope);
                spread(loop.targets(), item, inner);
                return !JinjaValues.truth(value(condition, inner));
            });
        }
        for (int i = 0; i < items.size(); i++) {
            JinjaWork.spend(JinjaWork.OBJECT);
            Scope inner = new Scope(scope);
            inner.names.put("loop", new JinjaGlobals.Loop(items, i));
            spread(loop.targets(), items.get(i), inner);
            if (run(loop.body(), inner) == Flow.BREAK) {
                break;
            }
        }
        return items.isEmpty() ? run(loop.otherwise(), scope) : Flow.NEXT;
    }

    private static void spread(List<String> targets, Object value, Scope scope) {
        if (targets.size() == 1) {
            scope.names.put(targets.getFirst(), value);
            return;
        }
        List<Object> parts = JinjaValues.iterate(value);
        if (parts.size() != targets.size()) {
            throw new JinjaError("%d values for %d names".formatted(parts.size(), targets.size()));
        }
        for (int i = 0; i < parts.size(); i++) {
            scope.names.put(targets.get(i), parts.get(i));
        }
    }

    private void assign(List<JinjaNode.Expression> targets, Object value, Scope scope) {
        List<Object> parts = targets.size() == 1 ? List.of(value) : JinjaValues.iterate(value);
        if (parts.size() != targets.size()) {
            throw new JinjaError("%d values for %d names".formatted(parts.size(), targets.size()));
        }
        for (int i = 0; i < parts.size(); i++) {
            switch (targets.get(i)) {
                case JinjaNode.Name(String name) -> scope.names.put(name, parts.get(i));
                case JinjaNode.Attribute(JinjaNode.Expression on, String name)
                when value(on, scope) instanceof JinjaValues.Namespace space ->
                    space.names().put(name, parts.get(i));
                default -> throw new JinjaError("a 'set' of an attribute of something that is no namespace");
            }
        }
    }

    private JinjaValues.Function macro(JinjaNode.MacroDefinition macro, Scope scope) {
        return (plain, named) -> {
            JinjaArguments arguments = new JinjaArguments(
                    "the macro '" + macro.name() + "'",
                    plain,
                    named,
                    macro.parameters().toArray(String[]::new));
            Scope inner = new Scope(scope);
            for (String parameter : macro.parameters()) {
                Object value = arguments.get(parameter);
                JinjaNode.Expression absent = macro.defaults().get(parameter);
                if (value == null) {
                    value = absent == null
                            ? new JinjaValues.Undefined("'" + parameter + "' was not given")
                            : value(absent, inner);
                }
                inner.names.put(parameter, value);
            }
            return captured(macro.body(), inner);
        };
    }

    private Object value(JinjaNode.Expression expression, Scope scope) {
        JinjaWork.spend(JinjaWork.STEP);
        return switch (expression) {
            case JinjaNode.Constant(Object value) -> value;
            case JinjaNode.Name(String name) -> scope.get(name);
            case JinjaNode.Items(List<JinjaNode.Expression> items, boolean tuple) -> {
                List<Object> values = values(items, scope);
                yield tuple ? new JinjaValues.Tuple(values) : values;
            }
            case JinjaNode.Dict(List<JinjaNode.Expression> keys, List<JinjaNode.Expression> values) -> {
                Map<Object, Object> map = new LinkedHashMap<>();
                for (int i = 0; i < keys.size(); i++) {
                    map.put(JinjaValues.key(value(keys.get(i), scope)), value(values.get(i), scope));
                }
                yield map;
            }
            case JinjaNode.Attribute(JinjaNode.Expression on, String name) ->
                JinjaValues.attribute(value(on, scope), name);
            case JinjaNode.Index(JinjaNode.Expression on, JinjaNode.Expression index) ->
                JinjaValues.index(value(on, scope), value(index, scope));
            case JinjaNode.Slice slice ->
                JinjaValues.slice(
                        value(slice.on(), scope),
                        valueOrNone(slice.from(), scope),
                        valueOrNone(slice.to(), scope),
                        valueOrNone(slice.step(), scope));
            case JinjaNode.Call(JinjaNode.Expression on, JinjaNode.Arguments arguments) ->
                called(value(on, scope), arguments, scope);
            case JinjaNode.Filter filter -> filtered(filter, value(filter.on(), scope), scope);
            case JinjaNode.Test(JinjaNode.Expression on, String name, JinjaNode.Arguments arguments) ->
                JinjaTests.holds(name, value(on, scope), values(arguments.plain(), scope));
            case JinjaNode.Unary(String operator, JinjaNode.Expression of) -> unary(operator, value(of, scope));
            case JinjaNode.Binary(String operator, JinjaNode.Expression left, JinjaNode.Expression right) ->
                binary(operator, left, right, scope);
            case JinjaNode.Comparison comparison -> compared(comparison, scope);
            case JinjaNode.Choice choice -> {
                JinjaNode.Expression otherwise = choice.otherwise();
                if (JinjaValues.truth(value(choice.condition(), scope))) {
                    yield value(choice.then(), scope);
                }
                yield otherwise == null
                        ? new JinjaValues.Undefined("an 'if' without 'else' did not hold")
                        : value(otherwise, scope);
            }
        };
    }

    private Object valueOrNone(JinjaNode.@Nullable Expression expression, Scope scope) {
        return expression == null ? JinjaValues.NONE : value(expression, scope);
    }

    private List<Object> values(List<JinjaNode.Expression> expressions, Scope scope) {
        List<Object> values = new ArrayList<>();
        for (JinjaNode.Expression expression : expressions) {
            values.add(value(expression, scope));
        }
        return values;
    }

    private Map<String, Object> namedValues(JinjaNode.Arguments arguments, Scope scope) {
        Map<String, Object> named = new LinkedHashMap<>();
        arguments.named().forEach((name, expression) -> named.put(name, value(expression, scope)));
        return named;
    }

    private Object called(Object on, JinjaNode.Arguments arguments, Scope scope) {
        return switch (on) {
            case JinjaValues.Function function -> {
                JinjaWork.spend(4 * JinjaWork.OBJECT);
                yield made(function.call(values(arguments.plain(), scope), namedValues(arguments, scope)));
            }
            case JinjaValues.Undefined undefined -> throw undefined.error();
            default -> throw new JinjaError("a call of a " + JinjaValues.typeName(on));
        };
    }

    private static Object made(Object value) {
        JinjaWork.spend(JinjaWork.size(value));
        return value;
    }

    private Object filtered(JinjaNode.Filter filter, Object on, Scope scope) {
        JinjaWork.spend(JinjaWork.size(on) / 8);
        return made(JinjaFilters.apply(
                filter.name(), on, values(filter.arguments().plain(), scope), namedValues(filter.arguments(), scope)));
    }

    private static Object unary(String operator, Object value) {
        return switch (operator) {
            case "not" -> !JinjaValues.truth(value);
            case "-" -> JinjaArithmetic.apply("-", 0L, value);
            default -> JinjaArithmetic.apply("+", 0L, value);
        };
    }

    private Object binary(String operator, JinjaNode.Expression left, JinjaNode.Expression right, Scope scope) {
        Object a = value(left, scope);
        return switch (operator) {
            case "and" -> JinjaValues.truth(a) ? value(right, scope) : a;
            case "or" -> JinjaValues.truth(a) ? a : value(right, scope);
            case "~" -> JinjaArithmetic.joined(JinjaValues.str(a), JinjaValues.str(value(right, scope)));
            default -> JinjaArithmetic.apply(operator, a, value(right, scope));
        };
    }

    private boolean compared(JinjaNode.Comparison comparison, Scope scope) {
        Object left = value(comparison.first(), scope);
        for (int i = 0; i < comparison.operators().size(); i++) {
            Object right = value(comparison.others().get(i), scope);
            boolean holds = switch (comparison.operators().get(i)) {
                case "==" -> JinjaValues.equal(left, right);
                case "!=" -> !JinjaValues.equal(left, right);
                case "<" -> JinjaValues.compare(left, right) < 0;
                case "<=" -> JinjaValues.compare(left, right) <= 0;
                case ">" -> JinjaValues.compare(left, right) > 0;
                case ">=" -> JinjaValues.compare(left, right) >= 0;
                case "in" -> JinjaValues.contains(right, left);
                default -> !JinjaValues.contains(right, left);
            };
            if (!holds) {
                return false;
            }
            left = right;
        }
        return true;
    }
}
