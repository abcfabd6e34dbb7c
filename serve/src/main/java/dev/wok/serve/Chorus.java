package dev.wok.serve;

import dev.wok.api.Reply;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The texts that a request asked for. They are generated together, and end where the client goes.
final class Chorus implements AutoCloseable {
    /// Hears what texts say. It is called by one thread at a time.
    interface Listener {
        /// @param index of the text
        void said(int index, Reply.Part part);

        /// @param index of the text
        default void ended(int index, Ended how) {}
    }

    private final Call.Places places;
    private final List<Voice> voices;
    private final int choices;
    private final @Nullable Ended[] ended;
    private final Object hearing = new Object();
    private boolean settled;

    /// Lets them begin.
    ///
    /// @param places as many as there are voices; the caller's to close where [#hear] did not come to its
    ///     end
    /// @param choices how many of them answer the same
    Chorus(Call call, Call.Places places, List<Voice> voices, int choices) {
        this.places = places;
        this.choices = choices;
        this.voices = List.copyOf(voices);
        ended = new Ended[voices.size()];
        call.whenGone(this::cancel);
        this.voices.forEach(voice -> voice.begin().run());
    }

    /// Waits for all that they say. Then their places are free, before the client has all of the answer:
    /// whoever has it may ask again at once.
    ///
    /// @return how all of them ended
    Ended hear(Listener listener) {
        if (voices.size() == 1) {
            hear(0, listener);
        } else {
            hearTogether(listener);
        }
        settle();
        places.close();
        return Ended.sum(ended(), choices);
    }

    private void hearTogether(Listener listener) {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> all = new ArrayList<>();
            for (int i : IntStream.range(0, voices.size()).toArray()) {
                all.add(threads.submit(() -> hear(i, listener)));
            }
            for (Future<?> one : all) {
                await(one);
            }
        }
    }

    private void await(Future<?> one) {
        try {
            one.get();
        } catch (ExecutionException e) {
            cancel();
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException _) {
            cancel();
            Thread.currentThread().interrupt();
            throw new IllegalStateException("the thread that reads an answer was interrupted");
        }
    }

    private void hear(int index, Listener listener) {
        Voice voice = voices.get(index);
        while (voice.parts().hasNext()) {
            Reply.Part part = voice.parts().next();
            synchronized (hearing) {
                places.piece(index);
                listener.said(index, part);
            }
        }
        Ended how = voice.ended().get();
        synchronized (hearing) {
            ended[index] = how;
            listener.ended(index, how.orRefuse());
        }
    }

    /// @return how those ended that have, in their order
    List<Ended> ended() {
        synchronized (hearing) {
            List<Ended> known = new ArrayList<>();
            for (@Nullable Ended one : ended) {
                Optional.ofNullable(one).ifPresent(known::add);
            }
            return known;
        }
    }

    private void cancel() {
        voices.forEach(voice -> voice.cancel().run());
    }

    /// Ends those that have not ended, and notes what was used.
    @Override
    public void close() {
        cancel();
        settle();
    }

    private void settle() {
        List<Ended> known = ended();
        if (!settled && !known.isEmpty()) {
            settled = true;
            Ended all = Ended.sum(known, choices);
            places.used(all.promptTokens(), all.newTokens());
        }
    }
}
