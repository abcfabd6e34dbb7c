package dev.wok.bench;

import dev.wok.api.Answer;
import dev.wok.api.ChatOptions;
import dev.wok.api.Message;
import dev.wok.api.Model;
import dev.wok.generate.Sampling;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.serve.Server;
import dev.wok.tensor.Rng;
import dev.wok.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/// A server on the loopback interface against the engine behind it: all tokens per second of chats at once, and the
/// first token of a short one; and, where that is asked for, many connections for a while.
final class ServeBench {
    private static final int CHATS = 8;
    private static final int PROMPT = 32;
    private static final int NEW = 192;
    private static final int REPEATS = 5;
    private static final int FIRSTS = 9;

    private final Model model;
    private final Tokenizer tokenizer;
    private final Server server;
    private final Setup setup;
    private final Progress progress;
    private final Words words;

    private ServeBench(Model model, Tokenizer tokenizer, Server server, Setup setup, Progress progress) {
        this.model = model;
        this.tokenizer = tokenizer;
        this.server = server;
        this.setup = setup;
        this.progress = progress;
        words = new Words(new Rng(1));
    }

    /// @param connections of the load; 0 for none
    static List<Row> measure(ModelUnderTest test, Path folder, int connections, int seconds, Progress progress) {
        Tokenizer tokenizer = Model.loadTokenizer(folder)
                .filter(found -> found.chatTemplate().isPresent())
                .orElseGet(() -> MadeUpTokenizer.of(test.model().config().vocabSize()));
        try (Model model = Model.of(test.model(), tokenizer);
                Server server =
                        Server.start(Server.Options.defaults().withPort(0).withModel("bench", model))) {
            ServeBench bench = new ServeBench(model, tokenizer, server, test.setup(), progress);
            List<Row> rows = new ArrayList<>(bench.rows());
            if (connections > 0) {
                double few = rows.getFirst().value();
                rows.addAll(new ServeLoad(model, server, test.setup(), progress).rows(connections, seconds, few));
            }
            return rows;
        }
    }

    private List<Row> rows() {
        double[] own = new double[REPEATS];
        double[] served = new double[REPEATS];
        double[] ownWhole = new double[REPEATS];
        double[] servedWhole = new double[REPEATS];
        double[] ownFirst = new double[FIRSTS];
        double[] servedFirst = new double[FIRSTS];
        double[] step = new double[FIRSTS];
        try (Progress.Task task = progress.start("serving", 1L + REPEATS + FIRSTS, "times")) {
            for (long begin = System.nanoTime(); System.nanoTime() - begin < ModelUnderTest.WARM_UP_NANOS; ) {
                ownChats();
                servedChats();
            }
            task.advance(1);
            for (int at = 0; at < REPEATS; at++) {
                Chats alone = ownChats();
                own[at] = alone.together();
                ownWhole[at] = alone.whole();
                Chats through = servedChats();
                served[at] = through.together();
                servedWhole[at] = through.whole();
                task.advance(1);
            }
            for (int at = 0; at < FIRSTS; at++) {
                ownFirst[at] = ownMillis(1);
                servedFirst[at] = servedMillis();
                step[at] = (ownMillis(NEW) - ownFirst[at]) / (NEW - 1);
                task.advance(1);
            }
        }
        double first = Repeats.median(servedFirst, FIRSTS);
        double beyond = first - Repeats.median(ownFirst, FIRSTS);
        return List.of(
                Row.of(
                        "serve_%d".formatted(CHATS),
                        Repeats.median(served, REPEATS),
                        "tokens/s",
                        "the engine without a server",
                        Repeats.median(own, REPEATS),
                        setup),
                Row.of(
                        "serve_%d.whole".formatted(CHATS),
                        Repeats.median(servedWhole, REPEATS),
                        "tokens/s",
                        "the engine without a server",
                        Repeats.median(ownWhole, REPEATS),
                        setup),
                Row.of(
                        "serve_first_token",
                        first,
                        "ms",
                        "the engine without a server",
                        Repeats.median(ownFirst, FIRSTS),
                        setup),
                Row.of(
                        "serve_first_token.beyond",
                        beyond,
                        "ms",
                        "one step of the model",
                        Repeats.median(step, FIRSTS),
                        setup));
    }

    private Answer own(int tokens) {
        Answer.Options options = Answer.Options.defaults().withMaxTokens(tokens).withSampling(Sampling.greedy());
        String prompt = model.prompt(
                List.of(Message.user(words.next(PROMPT))),
                ChatOptions.defaults().withAnswer(options));
        return model.generate(tokenizer.encode(prompt), options);
    }

    /// When pieces of chats came that were asked for at once.
    ///
    /// @param begun when they were asked for
    /// @param pieces of each chat
    private record Chats(long begun, List<long[]> pieces) {
        /// @return pieces per second from when all of them answer to when one has ended
        double together() {
            long from = pieces.stream().mapToLong(chat -> chat[0]).max().orElseThrow();
            long to = pieces.stream()
                    .mapToLong(chat -> chat[chat.length - 1])
                    .min()
                    .orElseThrow();
            if (to <= from) {
                throw new BadInput("the chats were not answered at the same time; is the model's cache large enough?");
            }
            long within = pieces.stream()
                    .flatMapToLong(Arrays::stream)
                    .filter(nanos -> from < nanos && nanos <= to)
                    .count();
            return within * 1e9 / (to - from);
        }

        /// @return pieces per second from the question to the last of them
        double whole() {
            long last = pieces.stream()
                    .mapToLong(chat -> chat[chat.length - 1])
                    .max()
                    .orElseThrow();
            return pieces.stream().mapToLong(chat -> chat.length).sum() * 1e9 / (last - begun);
        }
    }

    private Chats ownChats() {
        List<Callable<long[]>> chats = IntStream.range(0, CHATS)
                .mapToObj(_ -> own(NEW))
                .map(answer -> (Callable<long[]>) () -> heard(answer))
                .toList();
        return chats(chats);
    }

    private static long[] heard(Answer answer) {
        List<Long> nanos = new ArrayList<>();
        for (String _ : answer) {
            nanos.add(System.nanoTime());
        }
        return nanos.stream().mapToLong(Long::longValue).toArray();
    }

    private Chats servedChats() {
        ChatClient client = new ChatClient(server.port());
        List<Callable<long[]>> chats = IntStream.range(0, CHATS)
                .mapToObj(_ -> words.next(PROMPT))
                .map(prompt -> (Callable<long[]>)
                        () -> answered(client.ask(prompt, NEW)).nanos())
                .toList();
        return chats(chats);
    }

    private static Chats chats(List<Callable<long[]>> chats) {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            long begun = System.nanoTime();
            List<long[]> pieces = new ArrayList<>();
            for (Future<long[]> chat : chats.stream().map(threads::submit).toList()) {
                pieces.add(chat.get());
            }
            return new Chats(begun, pieces);
        } catch (ExecutionException e) {
            throw new BadInput("the chats fail: %s".formatted(e.getCause()), e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static ChatClient.Answered answered(ChatClient.Outcome outcome) {
        if (outcome instanceof ChatClient.Answered answered) {
            return answered;
        }
        throw new BadInput("the server does not answer: %s".formatted(outcome));
    }

    private double ownMillis(int tokens) {
        Answer answer = own(tokens);
        long begin = System.nanoTime();
        answer.text();
        return (System.nanoTime() - begin) * 1e-6;
    }

    private double servedMillis() {
        String prompt = words.next(PROMPT);
        long begin = System.nanoTime();
        answered(new ChatClient(server.port()).ask(prompt, 1));
        return (System.nanoTime() - begin) * 1e-6;
    }
}
