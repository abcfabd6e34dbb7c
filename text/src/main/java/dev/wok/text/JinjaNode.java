package dev.wok.text;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A template as a tree.
sealed interface JinjaNode {

    /// What has a value.
    sealed interface Expression extends JinjaNode {}

    /// What writes text or changes names.
    sealed interface Statement extends JinjaNode {}

    /// A string, number, truth value or none.
    record Constant(Object value) implements Expression {}

    record Name(String name) implements Expression {}

    /// `[a, b]`, or with `tuple` `(a, b)`.
    record Items(List<Expression> items, boolean tuple) implements Expression {}

    record Dict(List<Expression> keys, List<Expression> values) implements Expression {}

    /// `on.name`.
    record Attribute(Expression on, String name) implements Expression {}

    /// `on[index]`.
    record Index(Expression on, Expression index) implements Expression {}

    /// `on[from:to:step]`.
    record Slice(
            Expression on,
            @Nullable Expression from,
            @Nullable Expression to,
            @Nullable Expression step) implements Expression {}

    /// What stands between the parentheses of a call.
    record Arguments(List<Expression> plain, Map<String, Expression> named) {
        static final Arguments NONE = new Arguments(List.of(), Map.of());
    }

    record Call(Expression on, Arguments arguments) implements Expression {}

    /// `on | name(arguments)`.
    record Filter(Expression on, String name, Arguments arguments) implements Expression {}

    /// `on is name(arguments)`.
    record Test(Expression on, String name, Arguments arguments) implements Expression {}

    /// `-a`, `+a`, `not a`.
    record Unary(String operator, Expression of) implements Expression {}

    /// Arithmetic, `~`, `and`, `or`.
    record Binary(String operator, Expression left, Expression right) implements Expression {}

    /// `a < b <= c`: each pair must hold.
    record Comparison(Expression first, List<String> operators, List<Expression> others) implements Expression {}

    /// `a if condition else b`.
    record Choice(
            Expression condition, Expression then, @Nullable Expression otherwise) implements Expression {}

    record Text(String text) implements Statement {}

    record Print(Expression value) implements Statement {}

    record If(List<Expression> conditions, List<List<Statement>> bodies, List<Statement> otherwise)
            implements Statement {}

    /// @param targets names that an item is spread over
    /// @param condition which items to take, or null
    record For(
            List<String> targets,
            Expression over,
            @Nullable Expression condition,
            List<Statement> body,
            List<Statement> otherwise)
            implements Statement {}

    /// `set a, b = value`; a target is a [Name], or an [Attribute] of a namespace.
    record Set(List<Expression> targets, Expression value) implements Statement {}

    /// `set name | filters` up to `endset`.
    record SetBlock(Expression target, List<Filter> filters, List<Statement> body) implements Statement {}

    /// @param defaults by name, of the last parameters
    record MacroDefinition(String name, List<String> parameters, Map<String, Expression> defaults, List<Statement> body)
            implements Statement {}

    /// `with a = b`: names that hold inside.
    record With(List<String> names, List<Expression> values, List<Statement> body) implements Statement {}

    /// `break`, or `continue`.
    record Leave(boolean loop) implements Statement {}

    /// `generation`: what a model writes itself.
    record Generation(List<Statement> body) implements Statement {}
}
