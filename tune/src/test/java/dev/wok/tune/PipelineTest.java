package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.testkit.RecordingProgress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PipelineTest {
    private static final String PIPELINE = """
            out: stages
            stages:
              - name: shown
                kind: text
                settings: {tasks: ["arithmetic"], form: demonstrations, documents: 20}
              - name: cold-start
                kind: sft
                model: model
                data: shown
                settings: {epochs: 1, batch_examples: 8, held_out: 0, micro_batch_tokens: 512, sequence_length: 256}
              - name: zero
                kind: grpo
                model: ${cold-start}
                settings:
                  {steps: 2, prompts_per_step: 2, group_size: 2, max_new_tokens: 4, held_out_problems: 2, micro_batch_tokens: 512}
              - name: measured
                kind: eval
                model: zero
                settings: {problems: 3, max_new_tokens: 4}
            """;

    @TempDir
    Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("pipeline.yaml"), text);
    }

    private String refusal(String text) {
        return String.valueOf(
                assertThrows(BadInput.class, () -> Pipeline.open(file(text), folder.resolve("out"), Progress.silent()))
                        .getMessage());
    }

    private StageRunner runner(String text) throws IOException {
        return new StageRunner(PipelineFile.read(file(text)), folder, Progress.silent());
    }

    /// What changes no number does not make a stage another one.
    @Test
    void marksAreOfWhatDecidesAboutNumbers() throws IOException {
        String stages = """
                out: stages
                stages:
                  - name: shown
                    kind: text
                    settings: {tasks: ["arithmetic"], form: base, documents: 20, %s}
                  - name: base
                    kind: train
                    data: shown
                    settings: {steps: 5, %s}
                """;
        List<String> marks = new java.util.ArrayList<>();
        for (String more : List.of("threads: 1, seed: 3", "threads: 2, seed: 3", "threads: 2, seed: 4")) {
            StageRunner runner = runner(stages.formatted(more, more));
            for (String name : List.of("shown", "base")) {
                marks.add(runner.mark(runner.stage(name).orElseThrow()));
            }
        }
        assertEquals(marks.subList(0, 2), marks.subList(2, 4));
        assertFalse(marks.get(2).equals(marks.get(4)) || marks.get(3).equals(marks.get(5)), marks.toString());
    }

    @Test
    void stagesFollowEachOtherAndAreDoneOnce() throws IOException {
        TinyModel.write(folder.resolve("model"), 5);
        Pipeline pipeline = Pipeline.open(file(PIPELINE), null, Progress.silent());
        List<String> plan = pipeline.plan();
        assertEquals(4, plan.size());
        assertTrue(plan.get(1).startsWith("02-cold-start  sft  to do\n    memory:"), plan.get(1));
        assertEquals(new Pipeline.Outcome(Run.End.FINISHED, "measured", ""), pipeline.run());
        Path out = folder.resolve("stages");
        assertTrue(Files.exists(out.resolve("03-zero/model/model.safetensors")));
        String result = Files.readString(out.resolve("04-measured/result.json"));
        assertTrue(result.contains("pass_at_1"), result);
        String index = Files.readString(out.resolve("index.html"));
        assertTrue(index.contains("<a href=\"03-zero/report.html\">zero</a>"), index);
        RecordingProgress again = new RecordingProgress();
        assertEquals(
                Run.End.FINISHED,
                Pipeline.open(file(PIPELINE), null, again).run().end());
        assertEquals("stage 4 of 4, measured: done before", again.lines().getLast());
        assertTrue(again.tasks().isEmpty());
        Files.delete(out.resolve("04-measured/result.json"));
        String changed = PIPELINE.replace("problems: 3", "problems: 2");
        String message = String.valueOf(assertThrows(
                        BadInput.class,
                        () -> Pipeline.open(file(changed), null, Progress.silent())
                                .run())
                .getMessage());
        assertTrue(message.contains("line 16: stage measured was begun with other settings or inputs"), message);
    }

    @Test
    void whatIsRightBecomesData() throws IOException {
        TinyModel.write(folder.resolve("model"), 5);
        String sampling = """
                stages:
                  - name: tried
                    kind: sample
                    model: model
                    settings: {problems: 3, samples: 4, keep_reward: 0, keep_per_problem: 1, max_new_tokens: 300}
                """;
        Path out = folder.resolve("out");
        Pipeline.open(file(sampling), out, Progress.silent()).run();
        Path tried = out.resolve("01-tried");
        List<String> kept = Files.readAllLines(tried.resolve("kept.jsonl"));
        List<String> data = Files.readAllLines(tried.resolve("data.jsonl"));
        assertTrue(data.size() < kept.size() && kept.containsAll(data), kept.size() + " answers, " + data.size());
        assertEquals(
                data.size(),
                data.stream()
                        .map(line -> line.replaceFirst(",\"completion.*", ""))
                        .distinct()
                        .count());
        String result = Files.readString(tried.resolve("result.json"));
        assertTrue(result.contains("\"asked\" : 12") && result.contains("\"kept\" : " + data.size()), result);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "stages: [{kind: sfd}]|line 1: there is no kind sfd",
                "stages: [{name: a, kind: text}, {name: a, kind: text}]|two stages are called a",
                "stages: [{kind: text, nome: b}]|there is no nome, a stage has",
                "stages: [{kind: text, kind: text}]|kind is given twice",
                "stages: [{name: ../x, kind: text}]|called \"../x\"",
                "stages: {}|stages is no list",
                "stages: [{kind: sft}]|line 1, stage sft: it needs model",
                "stages: [{kind: grpo, model: nowhere}]|is nowhere, which is neither a stage before it",
                "stages: [{kind: text}, {kind: eval, model: text}]|is stage text, a text, which makes none",
                "stages: [{kind: text, settings: {documents: 0}}]|documents: \"0\" was given",
                "stages: [{kind: train, settings: {stepps: 1}}]|there is no setting stepps; the nearest is steps",
                "stages: [{kind: eval, model: later}, {name: later, kind: train}]|does not come before it",
                "sages: []|there is no sages"
            })
    void whatIsWrongIsNamed(String text, String said) {
        String message = refusal(text);
        assertTrue(message.contains(said) && message.contains("pipeline.yaml"), message);
        assertFalse(Files.exists(folder.resolve("out")));
    }

    @Test
    void aDamagedFileHasALine() {
        assertTrue(refusal("stages:\n  - name: a\n   kind: sft\n").contains("pipeline.yaml, line 3: "));
        assertTrue(refusal("").contains("is empty"));
    }
}
