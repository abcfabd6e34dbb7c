package dev.wok.api;

import dev.wok.generate.Constraint;
import dev.wok.generate.Flow;
import dev.wok.notice.BadInput;
import dev.wok.text.Tokenizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/// What replies are held to: arguments of calls to the schemas of tools, calls that are required, what
/// is said to a constraint after thoughts that are free, thoughts to their limit. Safe for many
/// threads.
final class ReplyForm {
    private static final int MOST_KEPT = 64;
    private static final String ANY_OBJECT = "{\"type\": \"object\"}";

    /// What a form without a constraint depends on.
    private record Key(
            Conversations.Thinking thinking,
            List<Tool> tools,
            ToolChoice choice,
            boolean parallel,
            OptionalInt maxThoughtTokens) {}

    private final Dialect dialect;
    private final Tags tags;

    /// Forms of earlier replies, which know some of what they allow.
    private final Map<Key, Constraint> kept = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, Constraint> eldest) {
            return size() > MOST_KEPT;
        }
    };

    ReplyForm(Dialect dialect, Tokenizer tokenizer) {
        this.dialect = dialect;
        tags = new Tags(tokenizer);
    }

    /// @param tools that may be called
    /// @return what the reply is held to, or nothing where it may be anything
    /// @throws BadInput where a schema is not supported, and has to be
    Optional<Constraint> of(Conversations.Thinking thinking, List<Tool> tools, ChatOptions options) {
        Optional<Constraint> said = options.answer().constraint();
        boolean limited = options.maxThoughtTokens().isPresent() && thinking != Conversations.Thinking.NONE;
        if (said.isEmpty() && tools.isEmpty() && !limited) {
            return Optional.empty();
        }
        Key key =
                new Key(thinking, tools, options.toolChoice(), options.parallelToolCalls(), options.maxThoughtTokens());
        if (said.isPresent()) {
            return Optional.of(Constraint.of(reply(key, said)));
        }
        synchronized (kept) {
            return Optional.of(kept.computeIfAbsent(key, k -> Constraint.of(reply(k, Optional.empty()))));
        }
    }

    private static boolean isFree(ToolChoice choice) {
        return choice instanceof ToolChoice.Auto || choice instanceof ToolChoice.None;
    }

    private Flow reply(Key key, Optional<Constraint> said) {
        boolean free = said.isEmpty() && isFree(key.choice);
        return switch (key.thinking) {
            case NONE -> content(key, said);
            case BEGUN -> thoughts(key, said, free);
            case POSSIBLE -> {
                Dialect.Thoughts thoughts = dialect.thoughts().orElseThrow();
                Flow thought = thoughts(key, said, free);
                yield free
                        ? again(key, freely(key).until(tags.trigger(thoughts.open()), thought))
                        : Flow.choice(Flow.sequence(tags.given(thoughts.open()), thought), content(key, said));
            }
        };
    }

    /// @param mayEnd whether the reply may end amid thoughts
    private Flow thoughts(Key key, Optional<Constraint> said, boolean mayEnd) {
        Flow then = mayEnd ? content(key, said) : Flow.sequence(lines(), content(key, said));
        Flow.Free thoughts =
                Flow.free().until(tags.trigger(dialect.thoughts().orElseThrow().close()), then);
        Flow.Free ending = mayEnd ? thoughts : thoughts.mustGoOn();
        return key.maxThoughtTokens.isPresent() ? ending.atMost(key.maxThoughtTokens.getAsInt()) : ending;
    }

    /// What families write between thoughts and what is said.
    private static Flow lines() {
        return Flow.choice(Flow.given("\n\n"), Flow.given("\n"), Flow.given(""));
    }

    private Flow content(Key key, Optional<Constraint> said) {
        Flow answer = said.isPresent() ? said.get() : again(key, freely(key));
        if (key.tools.isEmpty()) {
            return answer;
        }
        return switch (key.choice) {
            case ToolChoice.None() -> answer;
            case ToolChoice.Auto() -> said.isPresent() ? Flow.choice(answer, called(key, key.tools)) : answer;
            case ToolChoice.Required() -> called(key, key.tools);
            case ToolChoice.Named(String name) ->
                called(
                        key,
                        key.tools.stream()
                                .filter(tool -> tool.name().equals(name))
                                .toList());
        };
    }

    /// Anything, in which calls are held to their schemas where it shows that they begin: by a tag, or,
    /// where there are none, by all that comes before their arguments.
    private Flow.Free freely(Key key) {
        Flow.Free text = Flow.free();
        if (key.tools.isEmpty()) {
            return text;
        }
        CallFormat format = dialect.calls().orElseThrow();
        if (format instanceof CallFormat.Bare) {
            for (Tool tool : key.tools) {
                text = text.until(
                        CallFormat.Bare.head(tool.name()), arguments(tool, key.choice), CallFormat.Bare.tail());
            }
            return text;
        }
        for (String open : format.opens()) {
            text = text.until(tags.trigger(open), format.begun(open, tags), calls(format, key, key.tools));
        }
        return text;
    }

    /// Lets calls that have no tags follow each other.
    private Flow again(Key key, Flow.Free text) {
        boolean bare = dialect.calls().filter(CallFormat::bare).isPresent();
        return bare && key.parallel && !key.tools.isEmpty() ? Flow.repeat(text) : text;
    }

    /// Calls at once.
    private Flow called(Key key, List<Tool> tools) {
        CallFormat format = dialect.calls().orElseThrow();
        return Flow.sequence(format.opening(tags), calls(format, key, tools));
    }

    /// What follows on what opens a call.
    private Flow calls(CallFormat format, Key key, List<Tool> tools) {
        List<Flow> choices = new ArrayList<>();
        for (Tool tool : tools) {
            choices.add(format.call(tool.name(), arguments(tool, key.choice), tags));
        }
        Flow call = Flow.choice(choices.toArray(Flow[]::new));
        Flow more = key.parallel ? Flow.repeat(Flow.sequence(format.next(tags), call)) : Flow.sequence();
        return Flow.sequence(call, more, format.end(tags));
    }

    private static Constraint arguments(Tool tool, ToolChoice choice) {
        try {
            return Constraint.schema(tool.objectSchema());
        } catch (BadInput e) {
            if (isFree(choice) && !tool.strict()) {
                return Constraint.schema(ANY_OBJECT);
            }
            throw new BadInput("the parameters of tool %s: %s".formatted(tool.name(), e.getMessage()), e);
        }
    }
}
