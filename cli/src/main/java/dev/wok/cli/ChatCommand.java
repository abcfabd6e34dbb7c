package dev.wok.cli;

import dev.wok.api.Answer;
import dev.wok.api.Message;
import dev.wok.api.Model;
import dev.wok.api.Reply;
import dev.wok.notice.BadInput;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok chat`: a conversation with a model that has a chat template, a line at a time.
@Command(
        name = "chat",
        description = {
            "Talks with a model that has a chat template: each line of the input is a message.",
            "/clear begins a new conversation, /exit or the end of the input ends it."
        },
        sortOptions = false,
        footer = {"", "Example:", "  wok chat path/to/model --system 'Answer in one sentence.'"})
final class ChatCommand implements Callable<Integer> {
    private static final int INTERRUPTED = 130;
    private static final String DIM = "\u001b[2m";
    private static final String PLAIN = "\u001b[0m";

    private final Console console;
    private final Display display;

    @Parameters(paramLabel = "MODEL", description = "A model folder or a GGUF file.")
    @Nullable
    Path model;

    @Option(names = "--system", paramLabel = "TEXT", description = "What the model is told before the conversation.")
    @Nullable
    String system;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            defaultValue = "1024",
            description = "New tokens at most in an answer (default: 1024).")
    int maxTokens;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "Ends an answer before this text where it comes up; may be given again.")
    List<String> stops = List.of();

    @Mixin
    SamplingOptions sampling = new SamplingOptions();

    @Mixin
    ComputeOptions compute = new ComputeOptions();

    ChatCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        if (maxTokens < 0) {
            throw new BadInput("--max-tokens %d: expected 0 or more.".formatted(maxTokens));
        }
        Answer.Options options = Answer.Options.defaults()
                .withMaxTokens(maxTokens)
                .withSampling(sampling.sampling())
                .withStops(stops.toArray(String[]::new));
        Path folder = Given.required(model);
        try (Model loaded = Model.load(folder, compute.options(display));
                BufferedReader lines = console.lines()) {
            if (!loaded.hasChatTemplate()) {
                throw new BadInput(
                        "%s has no chat template (tokenizer_config.json or chat_template.jinja); use wok generate."
                                .formatted(folder));
            }
            return talk(loaded, options, lines) ? 0 : INTERRUPTED;
        } catch (IOException e) {
            throw Given.unreadable(e);
        }
    }

    /// @return whether nobody interrupted it
    private boolean talk(Model loaded, Answer.Options options, BufferedReader lines) throws IOException {
        List<Message> messages = begin();
        for (String line = ask(lines); line != null && !line.strip().equals("/exit"); line = ask(lines)) {
            if (line.isBlank()) {
                continue;
            }
            if (line.strip().equals("/clear")) {
                messages = begin();
                continue;
            }
            messages.add(Message.user(line));
            try {
                Reply reply = loaded.chat(messages, options);
                if (!Interruption.during(reply.answer(), () -> print(reply))) {
                    return false;
                }
                messages.add(reply.message());
            } catch (BadInput e) {
                if (!console.redraws()) {
                    throw e;
                }
                messages.removeLast();
                display.say("%s /clear begins a new conversation.".formatted(e.getMessage()));
            }
        }
        return true;
    }

    /// What is said goes to the output, thoughts beside it, dimmed where colour is welcome.
    private void print(Reply reply) {
        boolean thinking = false;
        for (Reply.Part part : reply) {
            boolean thought = part instanceof Reply.Thought;
            console.err().print(thinking && !thought ? "\n\n" : "");
            thinking = thought;
            switch (part) {
                case Reply.Thought piece ->
                    console.err().print(console.colours() ? DIM + piece.text() + PLAIN : piece.text());
                case Reply.Text piece -> console.out().print(piece.text());
                case Reply.CallStart call -> console.out().print(call.name());
                case Reply.CallArguments piece -> console.out().print(piece.json());
            }
            console.err().flush();
            console.out().flush();
        }
        console.out().println();
        console.out().flush();
    }

    private @Nullable String ask(BufferedReader lines) throws IOException {
        if (console.redraws()) {
            console.err().print("> ");
            console.err().flush();
        }
        return lines.readLine();
    }

    private List<Message> begin() {
        List<Message> messages = new ArrayList<>();
        if (system != null) {
            messages.add(Message.system(system));
        }
        return messages;
    }
}
