package dev.wok.cli;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.PtxRejected;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;

/// A file of PTX that the emulator knows.
///
/// @param lines of the text
/// @param kernels by name in the order of the text, one at least
/// @param said what the file's own lines say of launches
record PtxSource(
        Path file, String text, List<String> lines, SequencedMap<String, EmulatedGpu.Kernel> kernels, List<Said> said) {

    private static final long MOST_BYTES = 1 << 28;
    private static final Pattern WOK = Pattern.compile("//\\s*wok:(.*)");
    private static final Pattern NAMED = Pattern.compile("\\s*\\.file\\s+(\\d+)\\s+\"([^\"]*)\"");
    private static final Pattern PLACE =
            Pattern.compile("\\s*\\.loc\\s+(\\d+)\\s+(\\d+)\\s+\\d+(?:.*\\binlined_at\\s+(\\d+)\\s+(\\d+))?");

    /// A line `// wok: --kernel saxpy --grid 4`.
    record Said(int line, PtxLaunchOptions options) {}

    /// @throws BadInput where the file is none that the emulator can run
    static PtxSource read(Path file) {
        String text = text(file);
        List<String> lines = text.lines().toList();
        SequencedMap<String, EmulatedGpu.Kernel> kernels = kernels(file, text);
        List<Said> said = said(file, lines);
        for (Said each : said) {
            String kernel = each.options().kernel;
            if (kernel != null && !kernels.containsKey(kernel)) {
                throw new BadInput("%s, line %d: there is no kernel %s; there is %s."
                        .formatted(file, each.line(), kernel, String.join(", ", kernels.keySet())));
            }
        }
        return new PtxSource(file, text, lines, kernels, said);
    }

    private static String text(Path file) {
        try {
            if (Files.isDirectory(file)) {
                throw new BadInput("%s is a folder, expected a file of PTX.".formatted(file));
            }
            if (Files.size(file) > MOST_BYTES) {
                throw new BadInput("%s has %s, expected a file of PTX of %s at most."
                        .formatted(file, Amounts.of(Files.size(file), "bytes"), Amounts.of(MOST_BYTES, "bytes")));
            }
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(Files.readAllBytes(file)))
                    .toString();
            // Texts that were cut out of programs end in a zero.
            if (text.indexOf(0) >= 0 && text.indexOf(0) < text.stripTrailing().length() - 1) {
                throw binary(file);
            }
            return text;
        } catch (CharacterCodingException e) {
            throw binary(file);
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    private static BadInput binary(Path file) {
        return new BadInput(
                "%s is no text, expected PTX: nvcc -ptx writes it, cuobjdump -ptx takes it out of a program."
                        .formatted(file));
    }

    private static SequencedMap<String, EmulatedGpu.Kernel> kernels(Path file, String text) {
        SequencedMap<String, EmulatedGpu.Kernel> kernels = new LinkedHashMap<>();
        try (EmulatedGpu gpu = Device.emulated()) {
            EmulatedGpu.Program program = gpu.load(text);
            program.kernels().forEach(name -> kernels.put(name, program.kernel(name)));
        } catch (PtxRejected e) {
            throw rejected(file, e);
        }
        if (kernels.isEmpty()) {
            throw new BadInput("%s holds no kernel, expected an .entry.".formatted(file));
        }
        return kernels;
    }

    /// The refusal of a text that does not assemble.
    static BadInput rejected(Path file, PtxRejected e) {
        // The first line of the message says for what, which the file knows.
        String said = String.valueOf(e.getMessage())
                .lines()
                .skip(1)
                .map(String::strip)
                .collect(Collectors.joining(" "));
        return new BadInput("%s, %s".formatted(file, said), e);
    }

    /// @param line of the text
    /// @return what it was made from, `saxpy.cu, line 12`, where the text says so (`nvcc -lineinfo`); else null
    @Nullable
    String origin(int line) {
        for (int i = Math.min(line, lines.size()) - 1; i >= 0; i--) {
            Matcher place = PLACE.matcher(lines.get(i));
            if (place.lookingAt()) {
                String from = place(place.group(1), place.group(2));
                return place.group(3) == null
                        ? from
                        : "%s, inlined in %s".formatted(from, place(place.group(3), place.group(4)));
            }
            if (lines.get(i).contains(".entry") || lines.get(i).contains(".func")) {
                return null;
            }
        }
        return null;
    }

    private String place(String number, String line) {
        for (String each : lines) {
            Matcher file = NAMED.matcher(each);
            if (file.lookingAt() && file.group(1).equals(number)) {
                return "%s, line %s"
                        .formatted(file.group(2).substring(file.group(2).lastIndexOf('/') + 1), line);
            }
        }
        return "file %s, line %s".formatted(number, line);
    }

    private static List<Said> said(Path file, List<String> lines) {
        List<Said> said = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            if (!line.isEmpty() && !line.startsWith("//")) {
                break;
            }
            Matcher match = WOK.matcher(line);
            if (match.matches()) {
                said.add(new Said(i + 1, options(file, i + 1, match.group(1).strip())));
            }
        }
        return said;
    }

    private static PtxLaunchOptions options(Path file, int line, String text) {
        PtxLaunchOptions options = new PtxLaunchOptions();
        try {
            new CommandLine(options)
                    .setExpandAtFiles(false)
                    .parseArgs(text.isEmpty() ? new String[0] : text.split("\\s+"));
        } catch (CommandLine.ParameterException e) {
            throw new BadInput(
                    "%s, line %d: %s; expected options as wok ptx check has them."
                            .formatted(
                                    file, line, String.valueOf(e.getMessage()).replaceFirst("\\.$", "")),
                    e);
        }
        return options;
    }
}
