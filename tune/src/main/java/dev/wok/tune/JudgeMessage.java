package dev.wok.tune;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/// What the process that judges tells the one that asked. It has this class too.
///
/// @param kind what it is about
/// @param text what a method returned as JSON, or a reason for people
record JudgeMessage(Kind kind, String text) {
    /// The kinds, in the order they can come.
    enum Kind {
        /// The process stands and awaits a submission.
        READY,
        /// It is not run; why.
        REFUSED,
        /// It is compiled and about to run.
        RUNS,
        /// What the method returned for the next case.
        RETURNED,
        /// What it threw, or returned that is no such value.
        FAILED,
        /// It passed a limit and was ended; which.
        LIMIT,
        /// All cases have run.
        END
    }

    /// Values longer than this are refused before they are written.
    private static final int LONGEST = 1 << 20;

    void write(DataOutputStream out, long nonce) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeLong(nonce);
        out.writeByte(kind.ordinal());
        out.writeInt(bytes.length);
        out.write(bytes);
        out.flush();
    }

    /// @param nonce what it has to begin with
    /// @throws IOException where the stream ended, or has something else
    static JudgeMessage read(DataInputStream in, long nonce) throws IOException {
        long got = in.readLong();
        int kind = in.readUnsignedByte();
        int length = in.readInt();
        if (got != nonce || kind >= Kind.values().length || length < 0 || length > LONGEST) {
            throw new IOException("not a message");
        }
        return new JudgeMessage(Kind.values()[kind], new String(in.readNBytes(length), StandardCharsets.UTF_8));
    }
}
