package dev.wok.fabric;

import dev.wok.notice.BadInput;
import java.net.InetSocketAddress;
import java.net.SocketAddress;

/// Where a group meets.
///
/// @param port 0 where it is to be chosen
record Meeting(String host, int port) {
    private static final int MOST = 65_535;

    /// Reads `host:port`, of which the host may be an IPv6 address in brackets.
    ///
    /// @param rank only rank 0 may leave the port open
    static Meeting of(String text, int rank) {
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? "" : text.substring(0, colon).replaceAll("^\\[(.*)]$", "$1");
        int port = port(text.substring(colon + 1));
        if (host.isEmpty() || port < 0 || port > MOST) {
            throw new BadInput("the rendezvous is %s; host:port is expected, such as 10.0.0.1:7777.".formatted(text));
        }
        if (port == 0 && rank > 0) {
            throw new BadInput(
                    "the rendezvous is %s; rank %d needs the port that rank 0 listens at.".formatted(text, rank));
        }
        return new Meeting(host, port);
    }

    private static int port(String text) {
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException _) {
            return -1;
        }
    }

    /// @return the address now, for names may come to be known later
    InetSocketAddress address() {
        return new InetSocketAddress(host, port);
    }

    /// Writes an address as [#of] reads it: a host by the name that was given, else by its number; of
    /// a Unix socket, its path.
    static String text(SocketAddress address) {
        return address instanceof InetSocketAddress at ? text(at.getHostString(), at.getPort()) : address.toString();
    }

    static String text(String host, int port) {
        return (host.indexOf(':') < 0 ? "%s:%d" : "[%s]:%d").formatted(host, port);
    }
}
