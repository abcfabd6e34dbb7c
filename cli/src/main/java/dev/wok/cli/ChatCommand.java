package dev.wok.cli;

import dev.wok.generate.Sampling;
import dev.wok.notice.BadInput;
import dev.wok.text.ChatTemplate;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
    private final Console console;
    private final Display display;

    @Parameters(paramLabel = "MODEL", description = "A model folder.")
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
        Sampling how = sampling.sampling();
        Path folder = Given.required(model);
        try (ComputeOptions.Compute on = compute.open(display);
                Speaker speaker = Speaker.load(folder, on, display);
                BufferedReader lines = console.lines()) {
            ChatTemplate template = speaker.tokenizer()
                    .chatTemplate()
                    .orElseThrow(() -> new BadInput(
                            "%s has no chat template (tokenizer_config.json or chat_template.jinja); use wok generate."
                                    .formatted(folder)));
            talk(speaker, template, how, lines);
            return 0;
        } catch (IOException e) {
            throw Given.unreadable(e);
        }
    }

    private void talk(Speaker speaker, ChatTemplate template, Sampling how, BufferedReader lines) throws IOException {
        List<Map<String, Object>> messages = begin();
        for (String line = ask(lines); line != null && !line.strip().equals("/exit"); line = ask(lines)) {
            if (line.isBlank()) {
                continue;
            }
            if (line.strip().equals("/clear")) {
                messages = begin();
                continue;
            }
            messages.add(message("user", line));
            try {
                messages.add(message("assistant", answer(speaker, template, how, messages)));
            } catch (BadInput e) {
                if (!console.redraws()) {
                    throw e;
                }
                messages.removeLast();
                display.say("%s /clear begins a new conversation.".formatted(e.getMessage()));
            }
        }
    }

    private String answer(Speaker speaker, ChatTemplate template, Sampling how, List<Map<String, Object>> messages) {
        int[] ids = speaker.tokenizer().encode(template.render(messages, List.of(), true));
        Speaker.Said said = speaker.say(ids, maxTokens, how, piece -> {
            console.out().print(piece);
            console.out().flush();
        });
        console.out().println();
        console.out().flush();
        return said.text();
    }

    private @Nullable String ask(BufferedReader lines) throws IOException {
        if (console.redraws()) {
            console.err().print("> ");
            console.err().flush();
        }
        return lines.readLine();
    }

    private List<Map<String, Object>> begin() {
        List<Map<String, Object>> messages = new ArrayList<>();
        if (system != null) {
            messages.add(message("system", system));
        }
        return messages;
    }

    private static Map<String, Object> message(String role, String content) {
        Map<String, Object> message = new LinkedHashMap<>();
        message.put("role", role);
        message.put("content", content);
        return message;
    }
}
