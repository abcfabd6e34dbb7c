package dev.wok.fabric;

import dev.wok.fabric.Message.Challenge;
import dev.wok.fabric.Message.Claims;
import dev.wok.fabric.Message.Hello;
import dev.wok.fabric.Message.Refused;
import dev.wok.fabric.Message.Welcome;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.function.Function;
import java.util.function.Supplier;

/// The side that connects to another rank's [Door].
///
/// @param patience how long the other may take to answer
/// @param until when it is given up, as `System.nanoTime()`
record Caller(Secret secret, Duration patience, long until) {
    private static final Duration PAUSE = Duration.ofMillis(100);
    /// The other says each time that it has refused this one.
    private static final Duration REFUSED_PAUSE = Duration.ofSeconds(1);

    /// The other rank cannot be reached yet, or lets nobody in.
    private static final class NotYet extends IOException {
        private static final long serialVersionUID = 1;
        private final boolean refused;

        NotYet(String message, boolean refused) {
            super(message);
            this.refused = refused;
        }
    }

    /// Connects, again and again where nobody is there yet.
    ///
    /// @param rank the other
    /// @param where it listens
    /// @param claims what to say once it is known which address this side has
    /// @throws Departed where it cannot be reached in time
    Line call(int rank, Supplier<InetSocketAddress> where, Function<SocketChannel, Claims> claims)
            throws InterruptedException {
        while (true) {
            InetSocketAddress at = where.get();
            NotYet why;
            try {
                return greet(connect(at), claims, at);
            } catch (NotYet e) {
                why = e;
            } catch (IOException e) {
                why = new NotYet("it cannot be reached (%s)".formatted(e.getMessage()), false);
            }
            if (System.nanoTime() >= until) {
                String advice = why.refused ? "" : "; start rank %d there, and let every rank reach it".formatted(rank);
                throw new Departed(rank, "%s: %s%s.".formatted(Meeting.text(at), why.getMessage(), advice));
            }
            Thread.sleep(why.refused ? REFUSED_PAUSE : PAUSE);
        }
    }

    private SocketChannel connect(InetSocketAddress at) throws IOException {
        if (at.isUnresolved()) {
            throw new NotYet("no such host is known", false);
        }
        SocketChannel channel = SocketChannel.open();
        try {
            channel.socket().connect(at, Math.toIntExact(patience.toMillis()));
            return channel;
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    /// Says on a new connection who this is, and hears whether the other knows the secret too.
    Line greet(SocketChannel channel, Function<SocketChannel, Claims> say, SocketAddress at) throws IOException {
        try (Deadline deadline = new Deadline(channel, patience)) {
            Line line = new Line(channel);
            try {
                greet(line, say.apply(channel), at);
                return line;
            } catch (MessageLayout.Malformed e) {
                throw new BadInput("%s is no rank of this group: %s.".formatted(Meeting.text(at), e.getMessage()), e);
            } catch (NotYet e) {
                throw e;
            } catch (IOException e) {
                throw new NotYet(deadline.passed() ? "it does not answer" : "it ended the connection", false);
            }
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private void greet(Line line, Claims claims, SocketAddress at) throws IOException {
        byte[] challenge = line.receive(Challenge.class).nonce();
        byte[] nonce = Secret.nonce();
        line.send(new Hello(claims, nonce, secret.hello(challenge, nonce, claims)));
        switch (line.receive()) {
            case Welcome(byte[] proof) when Secret.same(proof, secret.welcome(challenge, nonce, claims)) -> {}
            case Refused(String why, boolean forNow) when forNow -> throw new NotYet(why, true);
            case Refused(String why, boolean _) ->
                throw new BadInput("rank %d at %s refuses rank %d: %s."
                        .formatted(claims.to(), Meeting.text(at), claims.rank(), why));
            case Message _ -> throw new MessageLayout.Malformed("it does not know the group's secret");
        }
    }
}
