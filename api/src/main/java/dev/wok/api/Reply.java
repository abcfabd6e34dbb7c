package dev.wok.api;

import dev.wok.generate.Token;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;

/// What a [Model] says in a conversation: thoughts, text, calls of tools, in parts as they come about.
/// Like an [Answer] nothing is computed before it is asked for; one thread reads it, [#cancel] may be
/// called from any.
public final class Reply implements Iterable<Reply.Part> {
    /// A piece of a reply. Thoughts come before all others.
    public sealed interface Part {}

    /// A piece of what the model thinks.
    ///
    /// @param text whole characters, may be empty
    /// @param tokens of this piece, each in one piece of the reply
    public record Thought(String text, List<Token> tokens) implements Part {}

    /// A piece of what the model says.
    ///
    /// @param text whole characters, may be empty
    /// @param tokens of this piece, each in one piece of the reply
    public record Text(String text, List<Token> tokens) implements Part {}

    /// The beginning of a call of a tool.
    ///
    /// @param index 0, 1, ... in the reply
    /// @param id new in the conversation
    /// @param name of the tool
    public record CallStart(int index, String id, String name) implements Part {}

    /// A piece of a call's arguments.
    ///
    /// @param index which call
    /// @param json what follows of the JSON object
    public record CallArguments(int index, String json) implements Part {}

    /// Why a reply ended.
    public enum FinishReason {
        /// The model had said all, or a stop text came up.
        STOP,
        /// As many tokens as were asked for, or as the model's context holds.
        LENGTH,
        /// Tools are called, with arguments that are whole.
        TOOL_CALLS,
        /// It was cancelled.
        CANCELLED,
        /// Its time was over.
        DEADLINE
    }

    private static final SecureRandom RANDOM = new SecureRandom();
    private static final String ID_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    private static final int ID_LENGTH = 24;

    private final Answer answer;
    private final ReplyReader reader;
    private final Deque<Part> parts = new ArrayDeque<>();
    private final Deque<Answer.Heard> tokens = new ArrayDeque<>();
    private final StringBuilder thoughts = new StringBuilder();
    private final StringBuilder said = new StringBuilder();
    private final List<CallStart> calls = new ArrayList<>();
    private final List<StringBuilder> arguments = new ArrayList<>();
    private int characters;
    private int heard;
    private int decoded;
    private int thoughtTokens;
    private boolean iterated;
    private boolean ended;

    /// @param thinking whether the answer begins within thoughts
    /// @param tools names of those that may be called
    Reply(Answer answer, Dialect dialect, boolean thinking, Set<String> tools) {
        this.answer = answer;
        reader = new ReplyReader(dialect, thinking, tools, new Writer());
    }

    /// Begins to compute and does not wait.
    ///
    /// @return this
    public Reply begin() {
        answer.begin();
        return this;
    }

    /// Gives the parts, each as soon as it is known.
    ///
    /// @throws IllegalStateException where the reply was iterated or read before
    @Override
    public Iterator<Part> iterator() {
        if (iterated) {
            throw new IllegalStateException("the reply was read before and is computed once; message() has all of it");
        }
        iterated = true;
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                while (parts.isEmpty() && !ended) {
                    advance();
                }
                return !parts.isEmpty();
            }

            @Override
            public Part next() {
                if (!hasNext()) {
                    throw new NoSuchElementException("the reply has ended");
                }
                return parts.removeFirst();
            }
        };
    }

    private void advance() {
        Answer.News news = answer.news(characters, heard);
        characters += news.text().length();
        heard += news.tokens().size();
        decoded = news.decoded();
        tokens.addAll(news.tokens());
        reader.append(news.text());
        if (news.ended()) {
            ended = true;
            reader.finish();
        }
    }

    /// Makes parts of what the reader tells.
    private final class Writer implements ReplyReader.Sink {
        @Override
        public void thought(String text, int at) {
            List<Token> own = tokens(at, at + text.length());
            thoughtTokens += own.size();
            thoughts.append(text);
            parts.add(new Thought(text, own));
        }

        @Override
        public void text(String text, int at) {
            said.append(text);
            parts.add(new Text(text, tokens(at, at + text.length())));
        }

        @Override
        public void call(String tool) {
            CallStart call = new CallStart(calls.size(), newId(), tool);
            calls.add(call);
            arguments.add(new StringBuilder());
            parts.add(call);
        }

        @Override
        public void arguments(String json) {
            arguments.getLast().append(json);
            parts.add(new CallArguments(calls.size() - 1, json));
        }
    }

    private static String newId() {
        StringBuilder id = new StringBuilder("call_");
        for (int i = 0; i < ID_LENGTH; i++) {
            id.append(ID_LETTERS.charAt(RANDOM.nextInt(ID_LETTERS.length())));
        }
        return id.toString();
    }

    /// @return the tokens of which text lies there, which then have their part
    private List<Token> tokens(int from, int to) {
        List<Token> found = new ArrayList<>();
        while (!tokens.isEmpty() && tokens.getFirst().start() < to) {
            Answer.Heard token = tokens.removeFirst();
            int end = tokens.isEmpty() ? decoded : tokens.getFirst().start();
            if (Math.max(end, token.start() + 1) > from) {
                found.add(token.token());
            }
        }
        return found;
    }

    /// Waits for what is left.
    ///
    /// @return the whole reply as a message of the conversation
    public Message message() {
        iterated = true;
        while (!ended) {
            advance();
        }
        List<ToolCall> called = new ArrayList<>();
        for (CallStart call : calls) {
            called.add(new ToolCall(
                    call.id(), call.name(), arguments.get(call.index()).toString()));
        }
        Message message = Message.assistant(said.toString()).withToolCalls(called);
        return thoughts.isEmpty() ? message : message.withReasoning(thoughts.toString());
    }

    /// Waits for what is left.
    ///
    /// @return what is said, thoughts and calls left out
    public String text() {
        return message().content();
    }

    /// @return why it ended
    /// @throws IllegalStateException where it has not
    public FinishReason finishReason() {
        requireEnded();
        return switch (answer.finishReason()) {
            case STOP -> calls.isEmpty() || reader.isAmidCall() ? FinishReason.STOP : FinishReason.TOOL_CALLS;
            case LENGTH -> FinishReason.LENGTH;
            case CANCELLED -> FinishReason.CANCELLED;
            case DEADLINE -> FinishReason.DEADLINE;
        };
    }

    private void requireEnded() {
        if (!ended) {
            throw new IllegalStateException("the reply has not ended; read it to its end, or call message() first");
        }
    }

    /// @return the stop text that ended it
    /// @throws IllegalStateException where it has not ended
    public Optional<String> stoppedBy() {
        requireEnded();
        return answer.stoppedBy();
    }

    /// @return the answer as the model wrote it, thoughts and calls in its own format, with its figures
    public Answer answer() {
        return answer;
    }

    /// @return tokens of thoughts so far
    public int thoughtTokens() {
        return thoughtTokens;
    }

    /// Ends the reply after the step in progress, from any thread.
    public void cancel() {
        answer.cancel();
    }
}
