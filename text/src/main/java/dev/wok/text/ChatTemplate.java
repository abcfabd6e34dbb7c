package dev.wok.text;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;

/// How a model wants a conversation written: a Jinja template as models ship it, rendered as `apply_chat_template` of
/// transformers renders it (blocks trimmed, `tojson` without escapes for HTML, `raise_exception`, `strftime_now`,
/// `generation`, `break` and `continue`). What the interpreter does not know it refuses by name.
public final class ChatTemplate {
    /// Stands after a message while it is written; its last blank tells whether blanks at the end are kept.
    private static final String END_MARK = "THE_MESSAGE_ENDS_HERE ";

    /// A part of a text.
    ///
    /// @param from its first character
    /// @param to after its last
    public record Span(int from, int to) {}

    /// A conversation as it is written.
    ///
    /// @param text special tokens included
    /// @param generated what stands in the template's `generation` blocks, in order and not empty:
    ///     what a model writes itself. Blocks within macros are not told
    public record Rendering(String text, List<Span> generated) {
        public Rendering {
            generated = List.copyOf(generated);
        }
    }

    private final String file;
    private final String usual;
    private final String withTools;
    private final Map<String, Object> variables;

    /// @param file where the template stands, for messages
    /// @param usual the template
    /// @param withTools the template for conversations with tools; often the same
    /// @param variables the special tokens by name
    ChatTemplate(String file, String usual, String withTools, Map<String, Object> variables) {
        this.file = file;
        this.usual = usual;
        this.withTools = withTools;
        this.variables = variables;
    }

    /// Writes a conversation.
    ///
    /// @param messages each with `role` and `content`, and what else the model's template looks at; an empty
    ///     `Optional` is `none`
    /// @param tools descriptions of tools as JSON schemas; empty for none
    /// @param addGenerationPrompt whether to end with what the model's answer begins after
    /// @return the text, special tokens included; encode it without adding any
    /// @throws BadInput where the template refuses the conversation or cannot be rendered
    public String render(
            List<Map<String, Object>> messages, List<Map<String, Object>> tools, boolean addGenerationPrompt) {
        return render(messages, tools, addGenerationPrompt, Map.of());
    }

    /// @param more further variables that the template looks at, such as `enable_thinking`
    /// @see #render(List, List, boolean)
    public String render(
            List<Map<String, Object>> messages,
            List<Map<String, Object>> tools,
            boolean addGenerationPrompt,
            Map<String, Object> more) {
        return rendering(messages, tools, addGenerationPrompt, more).text();
    }

    /// Writes a conversation and says which parts of it a model writes itself, where the template
    /// tells.
    ///
    /// @see #render(List, List, boolean, Map)
    public Rendering rendering(
            List<Map<String, Object>> messages,
            List<Map<String, Object>> tools,
            boolean addGenerationPrompt,
            Map<String, Object> more) {
        Map<String, Object> names = new LinkedHashMap<>(variables);
        Map<String, Object> given = new HashMap<>(more);
        given.put("messages", messages);
        given.put("add_generation_prompt", addGenerationPrompt);
        try {
            given.forEach((name, value) -> names.put(name, JinjaValues.of(value)));
            names.put("tools", tools.isEmpty() ? JinjaValues.NONE : JinjaValues.of(tools));
            names.putIfAbsent("documents", JinjaValues.NONE);
            return JinjaRenderer.render(parse(tools.isEmpty() ? usual : withTools), names);
        } catch (JinjaGlobals.JinjaRefusal e) {
            throw new BadInput(
                    "the chat template of %s refuses this conversation: %s"
                            .formatted(file, OneLine.of(String.valueOf(e.getMessage()))),
                    e);
        } catch (JinjaError
                | NoSuchElementException
                | ArithmeticException
                | ClassCastException
                | NumberFormatException e) {
            throw new BadInput(
                    "the chat template of %s cannot be rendered with this conversation: %s."
                            .formatted(file, OneLine.of(String.valueOf(e.getMessage()))),
                    e);
        } catch (StackOverflowError e) {
            throw new BadInput(
                    "the chat template of %s calls itself without end or is nested too deeply.".formatted(file), e);
        }
    }

    /// Writes a conversation of which the last message is the beginning of the answer, up to its end: as
    /// `continue_final_message` of transformers, with what follows the message's content left out.
    ///
    /// @throws BadInput as [#render], and where the template leaves the message out or changes it
    /// @see #render(List, List, boolean, Map)
    public String renderBeginning(
            List<Map<String, Object>> messages, List<Map<String, Object>> tools, Map<String, Object> more) {
        Map<String, Object> last = new LinkedHashMap<>(messages.getLast());
        if (!(last.get("content") instanceof String content)) {
            throw new BadInput("the last message has no content to go on from.");
        }
        last.put("content", content + END_MARK);
        List<Map<String, Object>> marked = new ArrayList<>(messages);
        marked.set(marked.size() - 1, last);
        String text = render(marked, tools, false, more);
        int at = text.lastIndexOf(END_MARK.strip());
        if (at < 0 || !text.contains(content.strip())) {
            throw new BadInput(
                    "the chat template of %s does not write the last message as it is, so that the answer cannot go on from there."
                            .formatted(file));
        }
        String beginning = text.substring(0, at);
        return text.startsWith(END_MARK, at) ? beginning : beginning.stripTrailing();
    }

    /// @return the template for conversations with tools as it is written
    public String source() {
        return withTools;
    }

    private List<JinjaNode.Statement> parse(String template) {
        try {
            return JinjaParser.parse(template);
        } catch (JinjaError e) {
            throw new BadInput(
                    "the chat template of %s has %s.".formatted(file, OneLine.of(String.valueOf(e.getMessage()))), e);
        }
    }
}
