package dev.wok.device;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// PTX that does not assemble. The message has the assembler's words, and behind each that names a line
/// of the PTX, that line.
public final class PtxRejected extends RuntimeException {
    private static final Pattern LINE = Pattern.compile("\\bline (\\d+)");

    private final String target;
    private final String log;

    /// @param target what it was assembled for, `sm_90a`
    /// @param ptx the whole text
    /// @param log what the assembler said, lines that name places as `line 12`
    public PtxRejected(String target, String ptx, String log) {
        super(message(target, ptx.lines().toArray(String[]::new), log));
        this.target = target;
        this.log = log;
    }

    private static String message(String target, String[] ptx, String log) {
        StringBuilder message = new StringBuilder("PTX does not assemble for ").append(target);
        log.strip().lines().forEach(line -> {
            message.append("\n").append(line.stripTrailing());
            Matcher place = LINE.matcher(line);
            if (place.find() && place.group(1).length() < 9) {
                int number = Integer.parseInt(place.group(1));
                if (number >= 1 && number <= ptx.length) {
                    message.append("\n    ").append(number).append(" | ").append(ptx[number - 1].strip());
                }
            }
        });
        return message.toString();
    }

    public String target() {
        return target;
    }

    /// @return the assembler's words alone
    public String log() {
        return log;
    }
}
