package dev.wok.parrot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.notice.Progress;
import dev.wok.text.Tokenizer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ParrotTest {
    private static final int DRAWN = 60;
    private static final int MISTAKES = 3;

    @ParameterizedTest
    @EnumSource
    void knowsItsLinesAlsoInSurroundingsThatItHasNotSeen(Family family) {
        Path folder = Parrot.usual(family);
        assertEquals(folder, Parrot.usual(family));
        Tokenizer tokenizer = Tokenizer.load(folder);
        Lessons lessons = new Lessons(family, tokenizer, Talk.usual(), 99);
        try (HostDevice device = Device.host(1);
                Model model = Model.open(folder, Kernels.on(device.stream()), Progress.silent())) {
            assertEquals(List.of(), mistakes(model, tokenizer, lessons.plain().stream()));
            List<String> mistakes =
                    mistakes(model, tokenizer, Stream.generate(lessons::draw).limit(DRAWN));
            assertTrue(mistakes.size() <= MISTAKES, mistakes::toString);
        }
    }

    private static List<String> mistakes(Model model, Tokenizer tokenizer, Stream<Lessons.Lesson> lessons) {
        return lessons.filter(lesson -> Parrot.leastSure(model.logits(lesson.ids()), lesson) <= 0.5)
                .map(lesson -> tokenizer.decode(lesson.ids(), false))
                .toList();
    }
}
